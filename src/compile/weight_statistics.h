// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "compile/constant_reader.h"
#include "encoding/encoding.h"

namespace strata::compile {

// Counts the elements of every floating matrix among a module's weights, as the package would store it: one pass over
// the weights, on so many threads, that leaves a matrix when it has too many exceptions for each of `encodings` that
// its type may have. Such a matrix counts as having nothing but exceptions. `progress` is called by one thread at a
// time, with rising shares. Of codes in blocks of a quantised format that an encoding holds whatever they are, none is
// read: each number that the format has counts once. What has no bytes yet isn't counted.
encoding::WeightStatistics count_elements(const ir::Module& module, const TensorSource& tensors,
                                          std::span<const encoding::Encoding* const> encodings, int threads,
                                          const std::function<void(double done)>& progress = {});

// How its encoding holds a constant. Where its elements are just those of its weights, in whatever order, it follows
// from the weights' statistics; else the constant is evaluated.
encoding::Fit constant_fit(const ir::Expr& constant, const encoding::WeightStatistics& weights,
                           const TensorSource& tensors);

}  // namespace strata::compile
