// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "ir/type.h"

namespace strata::ir {

inline TensorType f32(Shape shape) { return {DType::kF32, std::move(shape), {}, {}}; }

}  // namespace strata::ir
