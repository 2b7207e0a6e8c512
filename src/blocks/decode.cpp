// SPDX-License-Identifier: Apache-2.0
#include "blocks/decode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/vec.h"

namespace strata::blocks {
namespace {

// Items of the innermost digit. Where they lie in bytes of their own, one shift does for all.
void add_row(const std::byte* block, int first, int width, Digit digit, int shift, std::uint8_t* out) {
  const auto mask = static_cast<std::uint8_t>((1 << width) - 1);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(block);
  if (digit.stride % 8 == 0) {
    const int step = digit.stride / 8, down = first % 8;
    const std::uint8_t* at = bytes + first / 8;
    for (int i = 0; i < digit.extent; ++i) {
      out[i] = static_cast<std::uint8_t>(out[i] | (((at[i * step] >> down) & mask) << shift));
    }
    return;
  }
  for (int i = 0; i < digit.extent; ++i) {
    const int bit = first + i * digit.stride;
    out[i] = static_cast<std::uint8_t>(out[i] | (((bytes[bit / 8] >> (bit % 8)) & mask) << shift));
  }
}

void add_bits(const std::byte* block, const BitField& field, int shift, std::uint8_t* out) {
  const auto& [outer, middle, inner] = field.digits;
  for (int i = 0; i < outer.extent; ++i) {
    for (int j = 0; j < middle.extent; ++j, out += inner.extent) {
      add_row(block, field.first + i * outer.stride + j * middle.stride, field.width, inner, shift, out);
    }
  }
}

float from_e4m3(unsigned bits) {
  if (bits == 0x7F) return 0;
  const int exponent = static_cast<int>((bits >> 3) & 0xF), fraction = static_cast<int>(bits & 7);
  return exponent == 0 ? std::ldexp(static_cast<float>(fraction), -10)
                       : std::ldexp(static_cast<float>(8 + fraction), exponent - 11);
}

float read_number(NumberFormat format, const std::byte* at) {
  const auto byte = static_cast<unsigned>(at[0]);
  switch (format) {
    case NumberFormat::kF16: {
      tensor::f16 value{};
      std::memcpy(&value, at, sizeof(value));
      return static_cast<float>(value);
    }
    case NumberFormat::kE8M0:
      return std::ldexp(1.0F, static_cast<int>(byte) - 128);
    case NumberFormat::kE4M3:
      break;
  }
  return from_e4m3(byte);
}

void scale(std::span<const float> scales, std::span<const std::int8_t> codes, int group, float* values) {
  const std::int8_t* code = codes.data();
  for (const float scale : scales) {
    for (int i = 0; i < group; ++i) *values++ = scale * static_cast<float>(*code++);
  }
}

void add(Offset offset, std::span<const float> offsets, int group, float* values) {
  for (std::size_t g = 0; g < offsets.size(); ++g, values += group) {
    const float added = offset == Offset::kAdded ? offsets[g] : -offsets[g];
    for (int i = 0; i < group; ++i) values[i] += added;
  }
}

}  // namespace

void unpack(const Integers& integers, const std::byte* block, std::span<std::int8_t> out) {
  auto* const bits = reinterpret_cast<std::uint8_t*>(out.data());
  const auto count = static_cast<std::size_t>(integers.count());
  std::fill_n(bits, count, std::uint8_t{0});
  add_bits(block, integers.low, 0, bits);
  if (integers.high.width > 0) add_bits(block, integers.high, integers.low.width, bits);
  if (!integers.table.empty()) {
    for (std::size_t i = 0; i < count; ++i) out[i] = integers.table[bits[i]];
  } else if (!integers.is_signed) {
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::int8_t>(bits[i] - integers.zero);
  }
}

void read_numbers(const GroupNumbers& numbers, const std::byte* block, std::span<float> out) {
  for (std::size_t g = 0; g < out.size(); ++g) {
    out[g] = read_number(numbers.number, block + numbers.first + static_cast<std::ptrdiff_t>(g) * numbers.stride);
  }
}

void unpack(const GroupNumbers& numbers, const std::byte* block, std::span<float> out) {
  if (numbers.stride == 0) {
    read_numbers(numbers, block, out.first(1));
    std::ranges::fill(out.subspan(1), out[0]);
  } else {
    read_numbers(numbers, block, out);
  }
  if (!numbers.integers) return;
  std::array<std::int8_t, kMaxGroups> integers;
  unpack(*numbers.integers, block, integers);
  for (std::size_t g = 0; g < out.size(); ++g) out[g] *= static_cast<float>(integers[g]);
}

void decode(const Format& format, const std::byte* blocks, std::int64_t count, float* out) {
  std::array<std::int8_t, kMaxElements> codes;
  std::array<float, kMaxGroups> storage;
  const std::span<float> numbers(storage.data(), static_cast<std::size_t>(format.groups()));
  for (; count > 0; --count, blocks += format.bytes, out += format.elements) {
    unpack(format.codes, blocks, codes);
    unpack(format.scale, blocks, numbers);
    scale(numbers, codes, format.group, out);
    if (format.has_offset == Offset::kNone) continue;
    unpack(format.offset, blocks, numbers);
    add(format.has_offset, numbers, format.group, out);
  }
}

}  // namespace strata::blocks
