// SPDX-License-Identifier: Apache-2.0
// What <cctype> answers by locale.
#pragma once

namespace strata {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace strata
