// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "compile/constant_reader.h"
#include "import/tensor_view.h"
#include "ir/expr.h"

namespace strata::compile {

// A tensor where it lies in the checkpoint: blocks are decoded as they are read, rows that the file has in another
// order put in theirs. Throws model_error for one that has another number of elements than the weight.
std::unique_ptr<ElementSource> read_tensor(const ir::Expr& weight, importer::TensorView view);

}  // namespace strata::compile
