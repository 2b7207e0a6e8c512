// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace strata::package {

// What keeps the system's loader from loading these bytes as a 64-bit shared object; empty: nothing does. The loader
// takes a file for what it says it is: one that is cut, or speaks of parts that it doesn't have, would end the process.
// What the code does, once loaded, no check can tell.
std::string fault_of_code(std::span<const std::byte> elf);

}  // namespace strata::package
