// SPDX-License-Identifier: Apache-2.0
#include "blocks/format.h"

#include <algorithm>

namespace strata::blocks {
namespace {

// Codes of the non-linear formats of four bits (IQ4), and twice the numbers of E2M1 (OCP Microscaling Formats 1.0).
constexpr std::array<std::int8_t, 16> kIQ4 = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr std::array<std::int8_t, 16> kE2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

constexpr BitField row(int first, int width, Digit a) { return {first, width, {Digit{}, Digit{}, a}}; }
constexpr BitField row(int first, int width, Digit a, Digit b) { return {first, width, {Digit{}, a, b}}; }
constexpr BitField row(int first, int width, Digit a, Digit b, Digit c) { return {first, width, {a, b, c}}; }

// 32 elements of four bits: the lower halves of 16 bytes, then the upper ones.
constexpr BitField nibbles(int byte) { return row(byte * 8, 4, {2, 4}, {16, 8}); }

// 256 elements of four bits: so of each 32 bytes.
constexpr BitField nibbles_by_32(int byte) { return row(byte * 8, 4, {4, 256}, {2, 4}, {32, 8}); }

// 256 elements of two bits: the lowest of 32 bytes, then the next ones.
constexpr BitField pairs_by_32(int byte) { return row(byte * 8, 2, {2, 256}, {4, 2}, {32, 8}); }

// 256 elements of one bit: the lowest of 32 bytes, then the next ones.
constexpr BitField bits_by_32(int byte) { return row(byte * 8, 1, {8, 1}, {32, 8}); }

constexpr BitField bytes(int byte, int count) { return row(byte * 8, 8, {count, 8}); }

constexpr GroupNumbers f16_at(int byte) { return {.first = byte}; }
constexpr GroupNumbers f16_at(int byte, Integers integers) { return {.first = byte, .integers = integers}; }

// Eight scales, and eight minima, of six bits each in twelve bytes.
constexpr Integers kSixBitScales = {.low = row(32, 4, {2, 64}, {4, 8}), .high = row(36, 2, {2, 2}, {4, 8})};
constexpr Integers kSixBitMinima = {.low = row(64, 4, {2, 36}, {4, 8}), .high = row(68, 2, {2, 2}, {4, 8})};

constexpr std::array<Format, 15> kFormats = {{
    {.name = "Q4_0",
     .gguf_type = 2,
     .elements = 32,
     .bytes = 18,
     .group = 32,
     .codes = {.low = nibbles(2), .zero = 8},
     .scale = f16_at(0)},
    {.name = "Q4_1",
     .gguf_type = 3,
     .elements = 32,
     .bytes = 20,
     .group = 32,
     .codes = {.low = nibbles(4)},
     .scale = f16_at(0),
     .has_offset = Offset::kAdded,
     .offset = f16_at(2)},
    {.name = "Q5_0",
     .gguf_type = 6,
     .elements = 32,
     .bytes = 22,
     .group = 32,
     .codes = {.low = nibbles(6), .high = row(16, 1, {32, 1}), .zero = 16},
     .scale = f16_at(0)},
    {.name = "Q5_1",
     .gguf_type = 7,
     .elements = 32,
     .bytes = 24,
     .group = 32,
     .codes = {.low = nibbles(8), .high = row(32, 1, {32, 1})},
     .scale = f16_at(0),
     .has_offset = Offset::kAdded,
     .offset = f16_at(2)},
    {.name = "Q8_0",
     .gguf_type = 8,
     .elements = 32,
     .bytes = 34,
     .group = 32,
     .codes = {.low = bytes(2, 32), .is_signed = true},
     .scale = f16_at(0)},
    {.name = "Q2_K",
     .gguf_type = 10,
     .elements = 256,
     .bytes = 84,
     .group = 16,
     .codes = {.low = pairs_by_32(16)},
     .scale = f16_at(80, {.low = row(0, 4, {16, 8})}),
     .has_offset = Offset::kSubtracted,
     .offset = f16_at(82, {.low = row(4, 4, {16, 8})})},
    {.name = "Q3_K",
     .gguf_type = 11,
     .elements = 256,
     .bytes = 110,
     .group = 16,
     .codes = {.low = pairs_by_32(32), .high = bits_by_32(0), .zero = 4},
     .scale = f16_at(108, {.low = row(768, 4, {2, 4}, {8, 8}), .high = row(832, 2, {4, 2}, {4, 8}), .zero = 32})},
    {.name = "Q4_K",
     .gguf_type = 12,
     .elements = 256,
     .bytes = 144,
     .group = 32,
     .codes = {.low = nibbles_by_32(16)},
     .scale = f16_at(0, kSixBitScales),
     .has_offset = Offset::kSubtracted,
     .offset = f16_at(2, kSixBitMinima)},
    {.name = "Q5_K",
     .gguf_type = 13,
     .elements = 256,
     .bytes = 176,
     .group = 32,
     .codes = {.low = nibbles_by_32(48), .high = bits_by_32(16)},
     .scale = f16_at(0, kSixBitScales),
     .has_offset = Offset::kSubtracted,
     .offset = f16_at(2, kSixBitMinima)},
    {.name = "Q6_K",
     .gguf_type = 14,
     .elements = 256,
     .bytes = 210,
     .group = 16,
     .codes = {.low = row(0, 4, {2, 512}, {2, 4}, {64, 8}), .high = pairs_by_32(128), .zero = 32},
     .scale = f16_at(208, {.low = bytes(192, 16), .is_signed = true})},
    {.name = "IQ4_NL",
     .gguf_type = 20,
     .elements = 32,
     .bytes = 18,
     .group = 32,
     .codes = {.low = nibbles(2), .table = kIQ4},
     .scale = f16_at(0)},
    {.name = "IQ4_XS",
     .gguf_type = 23,
     .elements = 256,
     .bytes = 136,
     .group = 32,
     .codes = {.low = row(64, 4, {8, 128}, {2, 4}, {16, 8}), .table = kIQ4},
     .scale = f16_at(0, {.low = row(32, 4, {8, 4}), .high = row(16, 2, {8, 2}), .zero = 32})},
    {.name = "MXFP4",
     .gguf_type = 39,
     .elements = 32,
     .bytes = 17,
     .group = 32,
     .codes = {.low = nibbles(1), .table = kE2M1},
     .scale = {.number = NumberFormat::kE8M0},
     .dtype = DType::kBF16},
    {.name = "NVFP4",
     .gguf_type = 40,
     .elements = 64,
     .bytes = 36,
     .group = 16,
     .codes = {.low = row(32, 4, {4, 64}, {2, 4}, {8, 8}), .table = kE2M1},
     .scale = {.number = NumberFormat::kE4M3, .stride = 1}},
    {.name = "TQ2_0",
     .gguf_type = 35,
     .elements = 256,
     .bytes = 66,
     .group = 256,
     .codes = {.low = pairs_by_32(0), .zero = 1},
     .scale = f16_at(64)},
}};

}  // namespace

DType dtype_of(NumberFormat format) { return format == NumberFormat::kE8M0 ? DType::kBF16 : DType::kF16; }

std::vector<std::int8_t> numbers_of(const Integers& integers) {
  std::vector<std::int8_t> numbers;
  for (int bits = 0; bits < 1 << (integers.low.width + integers.high.width); ++bits) {
    const bool has_table = !integers.table.empty();
    const int number = has_table ? integers.table[static_cast<std::size_t>(bits)] : bits - integers.zero;
    numbers.push_back(static_cast<std::int8_t>(number));  // of eight bits, two's complement
  }
  std::ranges::sort(numbers);
  const auto repeated = std::ranges::unique(numbers);
  numbers.erase(repeated.begin(), repeated.end());
  return numbers;
}

std::span<const Format> all_formats() { return kFormats; }

}  // namespace strata::blocks
