// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "machine/machine.h"

namespace strata::vectorize {

inline machine::Machine zen5() { return machine::load("avx512-zen5"); }

// The machine as a file with other figures would give it.
inline machine::Machine changed(const std::function<void(machine::Machine&)>& change) {
  machine::Machine machine = zen5();
  change(machine);
  return machine::machine_from_json(machine::to_json(machine), "changed");
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace strata::vectorize
