// SPDX-License-Identifier: Apache-2.0
#include "grammar/utf8_ranges.h"

#include <string>

#include "base/utf8.h"

namespace strata::grammar {
namespace {

constexpr std::array<char32_t, 4> kLastOfSize = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

// Requires that both have UTF-8 of one size, and that each range of bytes but the first that differs is whole or one.
ByteSequence sequence_between(CharRange range) {
  std::string first, last;
  append_utf8(first, range.first);
  append_utf8(last, range.last);
  ByteSequence out;
  out.size = static_cast<std::uint32_t>(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    out.ranges[i] = {static_cast<std::uint8_t>(first[i]), static_cast<std::uint8_t>(last[i])};
  }
  return out;
}

// Cuts where the lower bytes don't run through all their values, as RE2 does.
void split(CharRange range, std::vector<ByteSequence>& out) {
  for (const char32_t last : kLastOfSize) {
    if (range.first <= last && last < range.last) {
      split({range.first, last}, out);
      return split({last + 1, range.last}, out);
    }
  }
  if (range.last > kLastOfSize[0]) {
    for (const std::uint32_t bits : {6U, 12U, 18U}) {
      const char32_t low = (char32_t{1} << bits) - 1;
      if ((range.first & ~low) == (range.last & ~low)) break;
      if ((range.first & low) != 0) {
        split({range.first, range.first | low}, out);
        return split({(range.first | low) + 1, range.last}, out);
      }
      if ((range.last & low) != low) {
        split({range.first, (range.last & ~low) - 1}, out);
        return split({range.last & ~low, range.last}, out);
      }
    }
  }
  out.push_back(sequence_between(range));
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(const CharRanges& ranges) {
  std::vector<ByteSequence> out;
  for (const CharRange& range : ranges) split(range, out);
  return out;
}

}  // namespace strata::grammar
