// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata::ops {

// Makes all ops known to ir::find_op. Every program (and test program) calls it once before it uses ops; later calls
// do nothing. It may be called from several threads.
void register_all();

// Registers every family without a guard; generated from the list of *_ops.cpp files. For register_all only.
void register_families();

}  // namespace strata::ops
