// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace strata::cli {

// The candidate that `given` is a misspelling of: the nearest by insertions, deletions, replacements and swaps of
// neighbours, when a third of its letters at most are wrong. Empty when there is none.
std::string nearest_name(std::string_view given, std::span<const std::string> candidates);

}  // namespace strata::cli
