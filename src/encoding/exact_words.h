// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/dtype.h"

namespace strata::encoding {

// No number of the other type.
inline constexpr std::uint32_t kNoWord = 0x10000;

// The bits that each of the elements of type `from` (f32, f16 or bf16) has as a number of type `to` (bf16 or f16), to
// the bit the same number; kNoWord where `to` lacks it. The bits of bytes (i8) are their own.
void exact_words(DType from, std::span<const std::byte> elements, DType to, std::span<std::uint32_t> words);

// The same numbers as f32.
void to_floats(DType from, std::span<const std::byte> elements, std::span<float> floats);

}  // namespace strata::encoding
