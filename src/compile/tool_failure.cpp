// SPDX-License-Identifier: Apache-2.0
#include "compile/tool_failure.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <cstring>
#include <string_view>

namespace strata::compile {
namespace {

constexpr const char* kMoreMemory = "free some memory, or use fewer threads (-t 1)";

struct Cause {
  std::string_view text;  // in the tool's output, in small letters
  const char* what;
  const char* remedy;
};

constexpr const char* kFullDisk = "the disk is full";
constexpr const char* kFreeSpace = "free space, or set STRATA_CACHE and TMPDIR to another disk";
constexpr const char* kNoMemory = "there is not enough memory";

// As the C library, the dynamic linker, clang, LLVM, gcc and the linkers say it.
constexpr std::array<Cause, 10> kCauses = {{
    {"no space left on device", kFullDisk, kFreeSpace},
    {"disk quota exceeded", "the disk quota is used up", kFreeSpace},
    {"file size limit exceeded", "a file would be larger than the limit", "raise ulimit -f"},
    {"file too large", "a file would be larger than the limit", "raise ulimit -f"},
    {"too many open files", "too many files are open", "raise ulimit -n"},
    {"cannot allocate memory", kNoMemory, kMoreMemory},
    {"failed to map segment", kNoMemory, kMoreMemory},
    {"out of memory", kNoMemory, kMoreMemory},
    {"memory exhausted", kNoMemory, kMoreMemory},
    {"bad_alloc", kNoMemory, kMoreMemory},
}};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// A compiler's driver reports what ended the program that it called: clang "unable to execute command: Killed", gcc
// "Killed signal terminated program cc1plus".
int signal_in(const std::string& output) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGTERM, SIGXFSZ, SIGXCPU}) {
    const std::string name = strsignal(signal);
    if (output.find("unable to execute command: " + name) != std::string::npos ||
        output.find(name + " signal terminated program") != std::string::npos) {
      return signal;
    }
  }
  return 0;
}

}  // namespace

Error tool_failure(const ProcessResult& result, const std::string& what, const std::string& where,
                   const std::string& remedy) {
  const std::string output = lower(result.standard_error);
  for (const Cause& cause : kCauses) {
    if (output.find(cause.text) != std::string::npos) {
      return resource_error(std::string(cause.what) + " for the compiler", where, cause.remedy);
    }
  }
  const int signal = result.signal != 0 ? result.signal : signal_in(result.standard_error);
  if (signal == 0) return toolchain_error(what, where, remedy);
  const std::string ended = "the compiler was ended by SIG" + std::string(sigabbrev_np(signal));
  if (signal == SIGKILL) return resource_error(ended + ", as happens when memory runs out", where, kMoreMemory);
  if (signal == SIGXFSZ) return resource_error(ended, where, "raise ulimit -f");
  if (signal == SIGXCPU) return resource_error(ended, where, "raise ulimit -t");
  return toolchain_error(ended, where, "try again, or set STRATA_CXX to another compiler");
}

}  // namespace strata::compile
