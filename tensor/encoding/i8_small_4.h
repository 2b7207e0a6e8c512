// SPDX-License-Identifier: Apache-2.0
// Codes of int8 in 4 bits: they are within 16 whole numbers in a row.
#pragma once

#include "tensor/encoding/codes.h"

namespace strata::tensor {

using I8Small4 = CodesIn<4, Digits::kDistances>;

}  // namespace strata::tensor
