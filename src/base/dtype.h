// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strata {

// Element types of tensors. The text names are those of the IR: f32 f16 bf16 i8 i32 i64 u8 bool.
enum class DType : std::uint8_t { kF32, kF16, kBF16, kI8, kI32, kI64, kU8, kBool };

std::string_view dtype_name(DType dtype);
std::optional<DType> parse_dtype(std::string_view name);

// Bytes of one element.
std::int64_t dtype_size(DType dtype);

bool is_floating(DType dtype);

// The largest relative error of rounding to the nearest number of a floating type; 0 of another one.
double unit_roundoff(DType dtype);

}  // namespace strata
