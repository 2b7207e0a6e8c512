// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "compile/constant_reader.h"
#include "ir/weight_code.h"

namespace strata::compile {

// Counts the elements of every floating matrix among a module's weights, as the package would store it: one pass over
// the weights, on so many threads, that leaves a matrix when it has too many exceptions for each of `codes` (bf16, f16)
// that its type may have. Such a matrix counts as having nothing but exceptions. `progress` is called by one thread at
// a time, with rising shares.
ir::WeightCounts count_elements(const ir::Module& module, const TensorSource& tensors, std::span<const DType> codes,
                                int threads, const std::function<void(double done)>& progress = {});

// The code of a constant in a coded layout. Where its elements are just those of its weights, in whatever order, it
// follows from the weights' counts; else the constant is evaluated.
ir::WeightCode constant_code(const ir::Expr& constant, const ir::WeightCounts& weights, const TensorSource& tensors);

}  // namespace strata::compile
