// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "machine/machine.h"

namespace strata::schedule {

inline const machine::Machine& zen5() {
  static const machine::Machine kMachine = machine::load("avx512-zen5");
  return kMachine;
}

// A tree's text with single spaces in place of lines and margins.
inline std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' && !line.ends_with(' ')) line += ' ';
    if (c != '\n' && !(c == ' ' && line.ends_with(' '))) line += c;
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace strata::schedule
