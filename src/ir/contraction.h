// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "ir/structured.h"

namespace strata::ir {

// What an iterator of a contraction runs along, by the accesses that use it.
enum class IteratorClass {
  kBatch,  // both operands and the result
  kM,      // the left operand and the result
  kN,      // the right operand and the result
  kK,      // both operands, summed
};

// A sum of products of two operands, such as a matmul of any rank and transposition: every iterator has one class, and
// each axis of an operand is one iterator.
struct Contraction {
  int left = 0;                        // operand numbers
  int right = 1;                       // of the operand that the result's last axis runs along
  std::vector<IteratorClass> classes;  // by iterator
  std::vector<int> left_axes;          // iterator of each axis
  std::vector<int> right_axes;

  // The one iterator of this class; nothing when there are several or none.
  std::optional<int> only(IteratorClass wanted) const;
};

// Nothing for loops that are no contraction.
std::optional<Contraction> contraction(const LoopNest& nest);

}  // namespace strata::ir
