// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "compile/constant_reader.h"
#include "ir/exponent_code.h"

namespace strata::compile {

// Counts the exponents of every bf16 matrix among a module's weights, as the package would store it: one pass over the
// weights, on so many threads. `progress` is called by one thread at a time, with rising shares.
ir::WeightExponents count_exponents(const ir::Module& module, const TensorSource& tensors, int threads,
                                    const std::function<void(double done)>& progress = {});

// The code of a constant of bf16 elements. Where those are just its weights' elements, in whatever order, it follows
// from the weights' counts; else the constant is evaluated.
ir::ExponentCode constant_code(const ir::Expr& constant, const ir::WeightExponents& weights,
                               const TensorSource& tensors);

}  // namespace strata::compile
