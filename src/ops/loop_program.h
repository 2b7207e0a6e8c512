// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ir/op.h"
#include "ir/scalar.h"
#include "ir/structured.h"

namespace strata::ops {

// A stage of a loop nest as the interpreter runs it, with constant sizes: names are resolved to memory and numbers.

// Points of the innermost loop that a node handles at a time: its dispatch costs nothing then.
constexpr std::int64_t kBlock = 256;

struct Address;

// A part of an index that is not affine.
struct TermProgram {
  ir::IndexTerm::Kind kind = ir::IndexTerm::Kind::kIterator;
  std::int64_t coefficient = 1;
  int number = 0;
  std::int64_t divisor = 1;
  bool is_remainder = false;
  std::shared_ptr<Address> read;  // kOperand
};

// An axis whose index is more than affine: it is checked where it is read.
struct ReadAxis {
  int operand = 0, axis = 0;
  std::int64_t size = 1, stride = 1;
  std::int64_t constant = 0;
  std::vector<std::int64_t> coefficients;  // by iterator
  std::vector<TermProgram> terms;
};

// Element offset + sum of stride x iterator, and what the other axes add.
struct Address {
  std::int64_t offset = 0;
  std::vector<std::int64_t> strides;  // by iterator
  std::vector<ReadAxis> axes;
};

struct BoundProgram;

struct Node {
  enum class Kind { kConstant, kIterator, kSlot, kLoad, kCall, kReduce, kTuple };
  Kind kind = Kind::kConstant;
  std::vector<bool> varies;  // by iterator: whether the value depends on it
  std::vector<Node> children;
  double value = 0;                                        // kConstant
  int number = 0;                                          // kIterator, kSlot
  const double* data = nullptr;                            // kLoad
  Address address;                                         // kLoad
  ir::ScalarFunction function = ir::ScalarFunction::kAdd;  // kCall
  ir::Combiner combiner = ir::Combiner::kNone;             // kReduce
  std::vector<int> reduced;                                // kReduce
  std::vector<BoundProgram> bounds;                        // kReduce
  std::shared_ptr<double[]> block;                         // kBlock values
};

struct BoundProgram {
  int iterator = 0;
  bool is_upper = true;
  Node value;
};

struct LoopProgram {
  LoopProgram(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
              const ir::Attributes& attributes, const std::vector<std::vector<double>>& stage_values,
              const ir::Stage& stage);

  std::vector<BoundProgram> bounds;  // of the target's iterators
  Node body;                         // the stage's own reduction included
  Address place;                     // where a point's value is written
};

}  // namespace strata::ops
