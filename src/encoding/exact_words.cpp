// SPDX-License-Identifier: Apache-2.0
#include "encoding/exact_words.h"

#include <bit>
#include <cstring>

#include "base/error.h"

namespace strata::encoding {
namespace {

// bf16 is the upper half of f32.
std::uint32_t bf16_of_f32(std::uint32_t bits) { return (bits & 0xffff) == 0 ? bits >> 16 : kNoWord; }
std::uint32_t f32_of_bf16(std::uint32_t bits) { return bits << 16; }

// Every f16 is an f32. Subnormal ones are 2^-24 times their mantissa.
std::uint32_t f32_of_f16(std::uint32_t bits) {
  const std::uint32_t sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31) return sign | 0x7f800000 | mantissa << 13;
  if (exponent != 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  return sign | std::bit_cast<std::uint32_t>(static_cast<float>(mantissa) * 0x1p-24f);
}

std::uint32_t f16_of_f32(std::uint32_t bits) {
  constexpr std::uint32_t kDropped = 13;  // bits of the mantissa
  const std::uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, mantissa = bits & 0x7fffff;
  if (exponent > 112 && (exponent < 143 || exponent == 255)) {
    const std::uint32_t rebased = exponent == 255 ? 31 : exponent - 112;
    return mantissa % (1 << kDropped) == 0 ? sign | rebased << 10 | mantissa >> kDropped : kNoWord;
  }
  if (exponent == 0 && mantissa == 0) return sign;
  if (exponent < 103 || exponent > 112) return kNoWord;
  const std::uint32_t whole = mantissa | 0x800000, dropped = kDropped + 113 - exponent;
  return whole % (1 << dropped) == 0 ? sign | whole >> dropped : kNoWord;
}

// out[i] = convert(the bits of element i).
template <class From, class Out, class F>
void each(std::span<const std::byte> elements, std::span<Out> out, F&& convert) {
  STRATA_CHECK(elements.size() == out.size() * sizeof(From), "as many results as elements");
  for (std::size_t i = 0; i < out.size(); ++i) {
    From bits;
    std::memcpy(&bits, elements.data() + i * sizeof(bits), sizeof(bits));
    out[i] = convert(bits);
  }
}

}  // namespace

void exact_words(DType from, std::span<const std::byte> elements, DType to, std::span<std::uint32_t> words) {
  if (from == DType::kI8 && to == DType::kI8)
    return each<std::uint8_t>(elements, words, [](std::uint32_t bits) { return bits; });
  const bool to_bf16 = to == DType::kBF16;
  STRATA_CHECK(to_bf16 || to == DType::kF16, "words are of bf16 or of f16");
  if (from == to) return each<std::uint16_t>(elements, words, [](std::uint32_t bits) { return bits; });
  switch (from) {
    case DType::kF32:
      if (to_bf16) return each<std::uint32_t>(elements, words, bf16_of_f32);
      return each<std::uint32_t>(elements, words, f16_of_f32);
    case DType::kF16:
      return each<std::uint16_t>(elements, words, [](std::uint32_t bits) { return bf16_of_f32(f32_of_f16(bits)); });
    case DType::kBF16:
      return each<std::uint16_t>(elements, words, [](std::uint32_t bits) { return f16_of_f32(f32_of_bf16(bits)); });
    default:
      STRATA_CHECK(false, "elements are of a floating type");
  }
}

void to_floats(DType from, std::span<const std::byte> elements, std::span<float> floats) {
  const auto as_float = [](std::uint32_t bits) { return std::bit_cast<float>(bits); };
  switch (from) {
    case DType::kF32:
      return each<std::uint32_t>(elements, floats, as_float);
    case DType::kF16:
      return each<std::uint16_t>(elements, floats, [&](std::uint32_t bits) { return as_float(f32_of_f16(bits)); });
    case DType::kBF16:
      return each<std::uint16_t>(elements, floats, [&](std::uint32_t bits) { return as_float(f32_of_bf16(bits)); });
    default:
      STRATA_CHECK(false, "elements are of a floating type");
  }
}

}  // namespace strata::encoding
