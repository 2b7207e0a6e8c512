// SPDX-License-Identifier: Apache-2.0
// What the encodings of codes have in common: int8 numbers of which a matrix has few, as digits
// (tensor/encoding/codes.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "encoding/encoding.h"
#include "encoding/exact_words.h"
#include "tensor/encoding/codes.h"

namespace strata::encoding {

// How often a matrix has each number, by its byte.
std::span<const Statistic> code_statistics();

// The fit of a matrix that an encoding of codes has no form for. Kernels know no exceptions of codes.
Fit no_fit(const Statistics& statistics);

// The numbers that a matrix has, the smallest first; nothing where elements weren't counted.
std::optional<std::vector<int>> codes_of(const Statistics& statistics);

// The digit of each code, by its byte; what no digit stands for, as padding may be, has digit 0.
using DigitsOfCodes = std::array<std::uint8_t, 256>;

// The digits of a group in one lane.
template <class E>
void encode_group(const std::array<std::uint8_t, E::kDepth>& digits, std::int64_t lane, std::int64_t lanes,
                  std::byte* out) {
  constexpr std::int64_t kQuad = 4;
  for (std::int64_t i = 0; i < E::kDepth; i += 2 * kQuad) {
    std::byte* const bytes = out + E::low_byte(i, lane, lanes);
    for (std::int64_t j = 0; j < kQuad; ++j) {
      const auto at = static_cast<std::size_t>(i + j);
      bytes[j] = static_cast<std::byte>((digits[at] & 15) | digits[at + kQuad] << 4);
    }
  }
  if constexpr (E::kHighBits != 0) {
    std::uint8_t high[kQuad] = {};
    for (std::int64_t i = 0; i < E::kDepth; ++i)
      high[i % kQuad] |= static_cast<std::uint8_t>(digits[static_cast<std::size_t>(i)] >> 4 << E::high_bit(i));
    std::memcpy(out + E::high_byte(0, lane, lanes), high, sizeof(high));
  }
}

// A panel's bytes in the format E of the tensor library.
template <class E>
void encode_digits(const DigitsOfCodes& digits, const PanelWords& panel, std::byte* out) {
  std::array<std::uint8_t, E::kDepth> group;
  for (std::int64_t first = 0; first < panel.stride; first += E::kDepth, out += E::bytes(panel.lanes)) {
    for (std::int64_t lane = 0; lane < panel.lanes; ++lane) {
      const std::uint16_t* const row = panel.words.data() + lane * panel.stride + first;
      for (std::size_t i = 0; i < group.size(); ++i) group[i] = digits[row[i] % digits.size()];
      encode_group<E>(group, lane, panel.lanes, out);
    }
  }
}

// Codes that lie within 2^bits whole numbers in a row. In the table is the first of these, and zeros.
template <class E>
struct CodeRange {
  static constexpr int kCount = E::kMost + 1;
  static constexpr int kLargestLow = 128 - kCount;  // so that every digit has a code

  static int low_of(const Table& table) { return static_cast<std::int8_t>(table[0]); }

  static Fit fit(const Statistics& statistics) {
    const auto codes = codes_of(statistics);
    if (!codes) return no_fit(statistics);
    const int low = codes->empty() ? 0 : std::min(codes->front(), kLargestLow);
    if (!codes->empty() && codes->back() - low >= kCount) return no_fit(statistics);
    return {{static_cast<std::uint8_t>(low)}, 0};
  }

  static void select(const Table& table, std::span<std::uint32_t> words) {
    for (std::uint32_t& word : words) {
      const int above = static_cast<std::int8_t>(word) - low_of(table);
      if (above < 0 || above >= kCount) word = kNoWord;
    }
  }

  static void encode(const Table& table, const PanelWords& panel, std::byte* out) {
    DigitsOfCodes digits{};
    for (int i = 0; i < kCount; ++i)
      digits[static_cast<std::uint8_t>(low_of(table) + i)] = static_cast<std::uint8_t>(i);
    encode_digits<E>(digits, panel, out);
  }

  static bool is_sound(const Table& table) { return low_of(table) <= kLargestLow && table == Table{table[0]}; }
};

// The encoding of such codes in the format E, decoded in so many instructions.
template <class E>
Encoding code_range_encoding(std::string_view name, std::string_view cpp_type, double decode_instructions) {
  static constexpr DType kMatrices[] = {DType::kI8};
  return {.name = name,
          .panels = panel_format<E>(cpp_type, DType::kI8),
          .matrices = kMatrices,
          .is_exact = true,
          .looks_up = false,
          .decode_instructions = decode_instructions,
          .statistics = code_statistics(),
          .fit = CodeRange<E>::fit,
          .select = CodeRange<E>::select,
          .encode = CodeRange<E>::encode,
          .is_sound = CodeRange<E>::is_sound};
}

}  // namespace strata::encoding
