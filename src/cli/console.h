// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"

namespace strata::cli {

// Thrown when the reader of standard output has gone; the process then ends without a word.
struct OutputClosed {};

// Where a command's words go: results to standard output, all else to standard error and the log file.
class Console {
 public:
  enum class Verbosity { kQuiet, kNormal, kVerbose };

  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void set_verbosity(Verbosity verbosity) { verbosity_ = verbosity; }
  bool is_verbose() const { return verbosity_ == Verbosity::kVerbose; }
  bool is_quiet() const { return verbosity_ == Verbosity::kQuiet; }
  // Appends to `path`; throws resource_error if it can't be opened.
  void set_log_file(const std::string& path);

  // Results. Buffered until flush(); throws OutputClosed, Interrupted, or resource_error when writing fails.
  void out(std::string_view text);
  void flush();

  // "strata: error: WHAT; REMEDY" as one line on standard error and in the log file. Allocates nothing.
  void failure(std::string_view what, std::string_view remedy);

  // A line on standard error: unless -q, only with -v. The log file gets all of them.
  void info(std::string_view line);
  void detail(std::string_view line);

  // Text that replaces the last line of a terminal; nothing elsewhere. An empty text removes it.
  void transient(std::string_view text);

  bool stdout_is_terminal() const { return stdout_is_terminal_; }
  bool stderr_is_terminal() const { return stderr_is_terminal_; }

 private:
  void print_line(std::string_view line, bool visible);

  Verbosity verbosity_ = Verbosity::kNormal;
  bool stdout_is_terminal_, stderr_is_terminal_;
  bool has_transient_ = false;
  std::string buffer_;
  FileDescriptor log_file_;
  std::mutex mutex_;  // of standard error and the log file
};

}  // namespace strata::cli
