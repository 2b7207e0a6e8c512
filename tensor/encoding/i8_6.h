// SPDX-License-Identifier: Apache-2.0
// Codes of int8 in 6 bits: they are within 64 whole numbers in a row.
#pragma once

#include "tensor/encoding/codes.h"

namespace strata::tensor {

using I8In6 = CodesIn<6, Digits::kDistances>;

}  // namespace strata::tensor
