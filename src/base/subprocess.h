// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"

namespace strata {

struct Command {
  std::vector<std::string> argv;  // argv[0]: a path, or a name that is searched in PATH
  std::vector<std::pair<std::string, std::string>> environment = {};  // set beside, or instead of, what is inherited
  std::filesystem::path folder = {};                                  // to run in; empty: the current one
  std::size_t output_limit = 64 * 1024;                               // bytes kept of each output, its tail
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  int signal = 0;     // 0: it exited
  std::string standard_output;
  std::string standard_error;
  bool ok() const { return exit_code == 0; }
};

// The program's path, searched in PATH as execvp does, but for folders that are not absolute, such as an empty element:
// which program runs must not depend on where one stands.
std::optional<std::filesystem::path> find_program(std::string_view name);

// A running program: no shell, no input, its outputs captured. It leads a process group of its own, and is killed with
// all its children when the object dies. When the thread that made it ends, the program itself is killed.
class Subprocess {
 public:
  // Throws toolchain_error when the program can't be started, resource_error when the system lacks the means for it.
  explicit Subprocess(Command command);
  ~Subprocess();
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&&) = delete;
  Subprocess(const Subprocess&) = delete;

  // The result if it has ended, without waiting.
  std::optional<ProcessResult> poll();

  // Waits for its end. `waiting` is called about every 20 ms; it may throw to give up.
  ProcessResult wait(const std::function<void()>& waiting = {});

  void kill() noexcept;

 private:
  void check_started(int report);
  std::optional<ProcessResult> reap(int options);

  Command command_;
  pid_t pid_ = -1;
  FileDescriptor out_;
  FileDescriptor err_;
};

// Runs a program to its end.
ProcessResult run_command(Command command, const std::function<void()>& waiting = {});

}  // namespace strata
