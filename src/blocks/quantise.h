// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "blocks/format.h"

namespace strata::blocks {

// Makes `count` blocks of numbers, of a format that own_format() has: the scale of each group is searched for the least
// squared error. The error of a group is never larger than that of the scale that makes its largest number the largest
// code, where scales are no products. False where a number isn't finite, or too large for a scale in f16; `out` is then
// not to be used.
[[nodiscard]] bool quantise(const Format& format, const float* values, std::int64_t count, std::byte* out);

}  // namespace strata::blocks
