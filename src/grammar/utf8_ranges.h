// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/expression.h"

namespace strata::grammar {

// Bytes from the first to the last.
struct ByteRange {
  std::uint8_t first = 0, last = 0;
};

// Characters whose UTF-8 is one byte of each of these ranges, in order.
struct ByteSequence {
  std::array<ByteRange, 4> ranges{};
  std::uint32_t size = 0;
};

// The UTF-8 of these characters, each in one sequence. Requires normalized ranges.
std::vector<ByteSequence> utf8_sequences(const CharRanges& ranges);

}  // namespace strata::grammar
