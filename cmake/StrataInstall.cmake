# SPDX-License-Identifier: Apache-2.0
# `cmake --install build/release` and, by CPack, a Debian package and an archive of the sources. The program carries the
# machine files and the tensor library in itself, so it is one file
# beside its texts; libstrata runs packages and no more.
include(GNUInstallDirs)
install(TARGETS strata RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(NOT STRATA_SANITIZE)
  install(TARGETS strata_library LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/src/library/strata.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/cli.md ${PROJECT_SOURCE_DIR}/docs/machines.md
              ${PROJECT_SOURCE_DIR}/docs/security.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# strata_text(FILE DESTINATION arguments...): what the program prints of itself.
function(strata_text destination name)
  install(CODE "execute_process(COMMAND $<TARGET_FILE:strata> ${ARGN} COMMAND_ERROR_IS_FATAL ANY
                                OUTPUT_FILE ${PROJECT_BINARY_DIR}/generated/${name})")
  install(FILES ${PROJECT_BINARY_DIR}/generated/${name} DESTINATION ${destination})
endfunction()
strata_text(${CMAKE_INSTALL_MANDIR}/man1 strata.1 help --man)
strata_text(${CMAKE_INSTALL_DATADIR}/bash-completion/completions strata completion bash)
strata_text(${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions _strata completion zsh)
strata_text(${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d strata.fish completion fish)

set(CPACK_PACKAGE_VENDOR Strata)
set(CPACK_PACKAGE_CONTACT "The Strata authors <strata@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiler for large language models")
set(CPACK_PACKAGE_DESCRIPTION
    "Compiles a model (a Hugging Face folder or a GGUF file) ahead of time for this machine and runs it:
generate, chat, bench, serve.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
# What the program links with is found in it; what it calls is named: the compiler of the code that it writes.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "clang-19 | clang | g++")
set(CPACK_SOURCE_GENERATOR TXZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME strata-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git/" "/build/" "\\\\.pyc$")
include(CPack)
