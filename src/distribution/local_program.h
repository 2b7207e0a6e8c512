// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "distribution/problem.h"

namespace strata::distribution {

// The program that each device of the mesh runs (SPMD), from the module that `graph` was made of, with
// hands_on_whole, and a division of it into equal parts. Types are those of one device's parts, ops are the module's
// with operands of these types, and what moves a value from one state to another is an op of its own
// (ops/collective_ops.cpp). Entries take and give everything whole but for their caches.
//
// Weights keep their names and types: a part of one is an expression, `rank_slice` of it, as far down as the ops that
// it is made of allow. Such a constant is evaluated when a package is written, so that a device's package has its parts
// alone, and the program is the same for all devices.
ir::Module local_program(const ir::Module& module, const Graph& graph, const Division& division);

}  // namespace strata::distribution
