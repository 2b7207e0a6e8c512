// SPDX-License-Identifier: Apache-2.0
// Codes of int8 in 4 bits: an index into a table of the 16 that the matrix has at most.
#pragma once

#include "tensor/encoding/codes.h"

namespace strata::tensor {

using I8In4 = CodesIn<4, Digits::kPlaces>;

}  // namespace strata::tensor
