// SPDX-License-Identifier: Apache-2.0
#include "runtime/code_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/words.h"
#include "machine/cpu.h"
#include "package/code_check.h"

namespace strata::runtime {
namespace {

constexpr const char* kRecompile = "compile the model on this machine";

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

void* open_library(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }

std::string loader_message() {
  const char* message = dlerror();
  return message == nullptr ? "unknown reason" : message;
}

FileDescriptor file_in_memory(std::span<const std::byte> elf) {
  FileDescriptor file(memfd_create("strata-code", MFD_CLOEXEC));
  if (file.is_open() && !write_all(file.get(), elf)) file.reset();
  return file;
}

// Loads from a file that is removed at once; nullptr when that fails.
void* open_from_folder(std::span<const std::byte> elf) {
  constexpr std::string_view kPrefix = "strata-code";
  TempDir::remove_stale(std::filesystem::temp_directory_path(), kPrefix);
  const TempDir folder(std::filesystem::temp_directory_path(), kPrefix);
  const std::string path = folder.path() / "code.so";
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
  if (!file.is_open() || !write_all(file.get(), elf)) {
    throw resource_error("can't write the package's code: " + errno_text(errno), path,
                         "set TMPDIR to a folder with room");
  }
  return open_library(path);
}

void keep_open(FileDescriptor file) {
  static std::mutex mutex;
  static std::vector<FileDescriptor> files;
  const std::lock_guard lock(mutex);
  files.push_back(std::move(file));
}

std::string joined_first(const std::vector<std::string>& words) {
  constexpr std::size_t kShown = 8;
  const std::string result = joined(std::span(words).first(std::min(words.size(), kShown)));
  return words.size() > kShown ? result + " and " + std::to_string(words.size() - kShown) + " more" : result;
}

}  // namespace

void require_processor(const package::Manifest& manifest, const std::string& origin) {
  if (manifest.target != machine::host_arch()) {
    throw model_error(
        "the package was compiled for " + manifest.target + ", this processor is " + std::string(machine::host_arch()),
        origin, kRecompile);
  }
  const auto missing = machine::missing_features(manifest.features);
  if (!missing.empty()) {
    throw model_error("the package needs " + joined_first(missing) + ", which this processor lacks", origin,
                      kRecompile);
  }
}

CodeLibrary::CodeLibrary(std::span<const std::byte> elf, const std::string& origin) : origin_(origin) {
  if (elf.empty()) throw model_error("the package has no code section", origin, "compile the model again");
  if (const std::string fault = package::fault_of_code(elf); !fault.empty()) {
    throw model_error("the package's code can't be loaded: " + fault, origin, kRecompile);
  }
  file_ = file_in_memory(elf);
  if (file_.is_open()) {
    path_ = "/proc/self/fd/" + std::to_string(file_.get());
    handle_ = open_library(path_);
  }
  if (handle_ == nullptr) {
    file_.reset();
    path_.clear();
    handle_ = open_from_folder(elf);
  }
  if (handle_ == nullptr) {
    throw model_error("the package's code can't be loaded: " + loader_message(), origin, kRecompile);
  }
}

CodeLibrary::~CodeLibrary() {
  dlclose(handle_);
  if (!file_.is_open()) return;
  // A library with unique symbols stays loaded for good. Then its path must stay taken too: a later library that got
  // the same descriptor number would otherwise be answered with this one.
  if (void* still_loaded = dlopen(path_.c_str(), RTLD_NOW | RTLD_NOLOAD)) {
    dlclose(still_loaded);
    keep_open(std::move(file_));
  }
}

void CodeLibrary::require_contract(const package::Manifest& manifest) const {
  const std::string wanted = package::contract_of(manifest);
  const void* const found = dlsym(handle_, package::kContractSymbol);
  if (found == nullptr || std::memcmp(found, wanted.data(), wanted.size()) != 0) {
    throw model_error("the package's code was not made for its manifest", origin_, "compile the model again");
  }
}

EntryFunction CodeLibrary::function(const std::string& symbol) const {
  void* const address = dlsym(handle_, symbol.c_str());
  if (address == nullptr) {
    throw model_error("the package's code has no function '" + symbol + "'", origin_, "compile the model again");
  }
  return reinterpret_cast<EntryFunction>(address);
}

}  // namespace strata::runtime
