// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codegen/program.h"
#include "machine/machine.h"

namespace strata::compile {

// The C++ compiler that turns generated code into a shared object.
class Toolchain {
 public:
  // $STRATA_CXX, else the first of clang++-19, clang++, g++ in PATH. For a machine of another architecture than this
  // one clang++ needs that one's C++ library and lld, and g++ is TRIPLE-g++. Throws toolchain_error with the remedy
  // when there is none, or it doesn't run.
  static Toolchain find(const machine::Machine& machine);

  // A flag behind the others.
  void add_flag(const std::string& flag);

  // First line of --version, and the flags: all that the code depends on beside its source.
  const std::string& description() const { return description_; }

  // Compiles the units, `threads` at a time, and links them. Objects are kept in `cache` (ObjectCache) under the hash
  // of their source, the tensor library, the compiler and its flags; so is the library's precompiled header, which
  // clang reads in a quarter of the time. Returns the shared object's bytes, the same for the same input. Throws
  // toolchain_error with the compiler's first error, and what tool_failure() says when disk, memory or a signal ended
  // it.
  std::string build(const std::vector<codegen::Unit>& units, const std::filesystem::path& cache, int threads,
                    const std::function<void(double done)>& progress) const;

 private:
  Toolchain() = default;
  class Build;
  std::string remedy(const std::string& native) const;

  std::filesystem::path compiler_;
  std::vector<std::string> flags_;
  std::string description_;
  bool is_clang_ = false;
  std::string cross_remedy_;  // what is probably missing; empty for this machine's architecture
};

}  // namespace strata::compile
