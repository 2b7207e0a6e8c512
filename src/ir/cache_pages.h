// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::ir {

// Rows of a page of a key/value cache that several sequences share, as the ops over pages have it.
inline constexpr std::int64_t kPageRows = 256;

}  // namespace strata::ir
