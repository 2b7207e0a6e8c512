// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace strata::blocks {

// Of the numbers in mixed radix by which the items of a block are counted: how many values a digit has, and how many
// bits apart those items lie that differ in it by one.
struct Digit {
  int extent = 1;
  int stride = 0;
};

// Where some bits of each item lie. Bits count from a block's first byte, in a byte from the lowest. An item's bits
// don't cross bytes.
struct BitField {
  int first = 0;                  // of the first item's lowest bit
  int width = 0;                  // bits of an item; 0: none
  std::array<Digit, 3> digits{};  // the outermost first

  constexpr int count() const { return digits[0].extent * digits[1].extent * digits[2].extent; }
};

// Whole numbers of at most eight bits.
struct Integers {
  BitField low;
  BitField high{};                       // the bits above those of `low`
  int zero = 0;                          // what is subtracted from the bits
  bool is_signed = false;                // two's complement of eight bits
  std::span<const std::int8_t> table{};  // what the bits stand for; empty: for themselves

  constexpr int count() const { return low.count(); }
};

enum class NumberFormat {
  kF16,
  kE8M0,  // half of 2^(x - 127)
  kE4M3,  // half of a number of four bits of exponent and three of fraction, without a sign; 0x7f: zero
};

// The element type of 16 bits that has all of them.
DType dtype_of(NumberFormat format);

// Numbers with a point, one for each group of elements: `number`, times an integer of the group where it has integers.
struct GroupNumbers {
  NumberFormat number = NumberFormat::kF16;
  int first = 0;   // byte of the first group's number
  int stride = 0;  // bytes from one group's number to the next; 0: all groups have one
  std::optional<Integers> integers{};
};

// What is added to the elements of a group.
enum class Offset { kNone, kAdded, kSubtracted };

// A format of quantised blocks, as GGUF files have them: each block is decoded by itself, to
//
//   value[i] = scale[i / group] * code[i] (+ or - offset[i / group])
//
// in f32, in this order, as the format's definition has it.
struct Format {
  std::string_view name;        // "Q4_K"
  std::uint32_t gguf_type = 0;  // the number that GGUF files have for it
  int elements = 0;             // of a block
  int bytes = 0;
  int group = 0;  // elements that share a scale
  Integers codes;
  GroupNumbers scale;
  Offset has_offset = Offset::kNone;
  GroupNumbers offset{};
  // The element type of 16 bits that the values keep most of: what they are stored in unless another one is asked for.
  DType dtype = DType::kF16;

  constexpr int groups() const { return elements / group; }
};

// The most elements, groups, of a block.
inline constexpr int kMaxElements = 256;
inline constexpr int kMaxGroups = 16;

// Every number that one of the integers may be, the smallest first.
std::vector<std::int8_t> numbers_of(const Integers& integers);

// Every format.
std::span<const Format> all_formats();

}  // namespace strata::blocks
