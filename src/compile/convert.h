// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace strata::compile {

// Elements of one dtype, floating-point or i8, as another, to the nearest, ties to even; what becomes i8 must be one of
// its numbers. Neither address needs be aligned.
void convert(DType from, const std::byte* p, std::int64_t count, DType to, std::byte* out);

// Doubles, rounded to f32 first.
void convert(const double* p, std::int64_t count, DType to, std::byte* out);

}  // namespace strata::compile
