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

// An operand that neighbours along a summed iterator share, so that it may be multiplied behind their sum: scales[n, k
// / 32] of one of the two operands. Its last axis counts blocks of k, the others are the operand's.
struct BlockFactor {
  int operand = 0;
  bool is_left = false;     // whose
  std::int64_t block = 1;   // steps of k that share an element
  std::vector<int> axes{};  // iterator of each axis, the summed one last

  bool operator==(const BlockFactor&) const = default;
};

// A sum of products of two operands, such as a matmul of any rank and transposition: every iterator has one class, and
// each axis of an operand is one iterator. There may be factors that blocks of a summed iterator share.
struct Contraction {
  int left = 0;                        // operand numbers
  int right = 1;                       // of the operand that the result's last axis runs along
  std::vector<IteratorClass> classes;  // by iterator
  std::vector<int> left_axes;          // iterator of each axis
  std::vector<int> right_axes;
  std::vector<BlockFactor> factors = {};  // in the order of their blocks, the smallest first

  // The steps of k that each factor's elements, and what is cut along k, are whole multiples of; 1: no factors.
  std::int64_t block() const;

  // The one iterator of this class; nothing when there are several or none.
  std::optional<int> only(IteratorClass wanted) const;
};

// Nothing for loops that are no contraction.
std::optional<Contraction> contraction(const LoopNest& nest);

}  // namespace strata::ir
