// SPDX-License-Identifier: Apache-2.0
// What C++23 has as std::ranges::contains.
#pragma once

#include <algorithm>

namespace strata {

bool contains(const auto& range, const auto& item) { return std::ranges::find(range, item) != range.end(); }

}  // namespace strata
