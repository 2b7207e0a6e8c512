// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "blocks/format.h"

namespace strata::blocks {

// The integers of one block; `out` has room for integers.count().
void unpack(const Integers& integers, const std::byte* block, std::span<std::int8_t> out);

// The numbers of a block's groups, in f32; `out` has one for each group.
void unpack(const GroupNumbers& numbers, const std::byte* block, std::span<float> out);

// The same without their integers: of numbers that all groups share, one.
void read_numbers(const GroupNumbers& numbers, const std::byte* block, std::span<float> out);

// The values of blocks that follow each other, in f32; `out` has room for count * format.elements.
void decode(const Format& format, const std::byte* blocks, std::int64_t count, float* out);

}  // namespace strata::blocks
