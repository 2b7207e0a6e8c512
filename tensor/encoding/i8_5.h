// SPDX-License-Identifier: Apache-2.0
// Codes of int8 in 5 bits: they are within 32 whole numbers in a row.
#pragma once

#include "tensor/encoding/codes.h"

namespace strata::tensor {

using I8In5 = CodesIn<5, Digits::kDistances>;

}  // namespace strata::tensor
