// SPDX-License-Identifier: Apache-2.0
#include "blocks/own_format.h"

#include <algorithm>
#include <array>
#include <span>

namespace strata::blocks {
namespace {

// Lloyd's algorithm on numbers of a normal distribution in blocks of 32, each divided by its own best scale: the
// codebook whose squared error is least, in 127ths of its largest number. The scale's sign puts a block's largest
// number at the longer end.
constexpr std::array<std::int8_t, 16> kNormal = {-127, -100, -78, -61, -47, -33, -21, -9,
                                                 2,    13,   24,  36,  49,  64,  82,  106};

constexpr BitField bytes_of_codes(int byte, int count) { return {byte * 8, 8, {Digit{}, Digit{}, {count, 8}}}; }

constexpr BitField nibbles_of_codes(int byte, int count) {
  return {byte * 8, 4, {Digit{}, Digit{2, 4}, {count / 2, 8}}};
}

constexpr Format q8(int elements) {
  return {.name = "q8",
          .elements = elements,
          .bytes = 2 + elements,
          .group = elements,
          .codes = {.low = bytes_of_codes(2, elements), .is_signed = true},
          .scale = {}};
}

// Groups have scales of eight bits, and blocks of more than one group the number that these are multiples of.
constexpr Format q4(int elements, int group) {
  const int groups = elements / group, scales = groups > 1 ? groups : 0;
  Format format{.name = "q4",
                .elements = elements,
                .bytes = 2 + scales + elements / 2,
                .group = group,
                .codes = {.low = nibbles_of_codes(2 + scales, elements), .table = kNormal},
                .scale = {}};
  if (scales > 0) format.scale.integers = Integers{.low = bytes_of_codes(2, scales), .is_signed = true};
  return format;
}

// The largest blocks first.
constexpr std::array<Format, 4> kQ8 = {q8(128), q8(64), q8(32), q8(16)};
constexpr std::array<Format, 5> kQ4 = {q4(256, 32), q4(128, 32), q4(64, 32), q4(32, 32), q4(16, 16)};

std::span<const Format> formats_of(std::string_view type) {
  if (type == "q8") return kQ8;
  if (type == "q4") return kQ4;
  return {};
}

}  // namespace

bool is_own_type(std::string_view type) { return !formats_of(type).empty(); }

const Format* own_format(std::string_view type, std::int64_t row) {
  const std::span<const Format> formats = formats_of(type);
  const auto found = std::ranges::find_if(formats, [&](const Format& format) { return row % format.elements == 0; });
  return found == formats.end() ? nullptr : &*found;
}

}  // namespace strata::blocks
