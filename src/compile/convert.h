// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace strata::compile {

// Floating-point elements of one dtype as another, to the nearest, ties to even. Neither address needs be aligned.
void convert(DType from, const std::byte* p, std::int64_t count, DType to, std::byte* out);

// Doubles, rounded to f32 first.
void convert(const double* p, std::int64_t count, DType to, std::byte* out);

}  // namespace strata::compile
