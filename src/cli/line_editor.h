// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

namespace strata::cli {

// Reads a person's lines: with editing and a history that is kept in memory when standard input is a terminal, plainly
// otherwise.
class LineEditor {
 public:
  enum class Outcome { kLine, kEnd, kInterrupted };

  LineEditor();
  ~LineEditor();

  // Shows the prompt on a terminal. kInterrupted: a signal is pending; the caller decides.
  Outcome read(std::string& line);

  bool is_interactive() const { return terminal_ != nullptr; }

 private:
  struct Terminal;
  std::unique_ptr<Terminal> terminal_;
  std::unique_ptr<class InputFile> plain_;
};

}  // namespace strata::cli
