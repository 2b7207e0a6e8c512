// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// An operand as code reads it: a pointer expression, or for a constant the value itself.
struct OperandCode {
  std::string pointer;
  std::string scalar;  // not empty: a float expression
};

// The C++ name of a loop's index.
std::string index_name(const std::string& iterator);

// C++ of a region's own stages: the scalar bodies of the declarations on the addresses of its nest.
class StageCode {
 public:
  // Where a stage's elements are in memory: a pointer, and by iterator how far its index is from there.
  struct Elements {
    std::string pointer;
    std::vector<ir::Dim> strides;     // 0: the iterator does not index the stage
    std::vector<std::string> begins;  // that indices are counted from; empty: from 0
  };

  // Where what an access reads is in a buffer: the access with the buffer's strides, and what its iterators, and its
  // quotients and remainders, are counted from.
  struct Tile {
    std::string pointer;
    schedule::StridedAccess access;
    std::vector<std::string> begins;
    std::vector<std::string> divided_begins;
  };

  StageCode(const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands) : op_(op), operands_(operands) {
    if (op.nest) elements_.resize(op.nest->stages.size());
  }

  const schedule::StridedNest& nest() const { return *op_.nest; }

  // A stage's value where no loop runs in lanes: a float.
  std::string scalar(const ir::Stage& stage) const { return emit(stage.body, -1).text; }

  // Its value for the `lanes` in scope, along an iterator.
  std::string in_lanes(const ir::Stage& stage, int iterator) const;

  // The variable that holds a stage's value: a float, or a vector of the lanes in scope.
  static std::string variable(const ir::Stage& stage) { return "s_" + stage.name; }

  // "tensor::Sum".
  static std::string combiner(const ir::Stage& stage);

  // Row-major in memory that begins there.
  Elements row_major(int stage, const std::string& pointer) const;

  // The distance of a stage's elements along an iterator, in elements.
  ir::Dim row_of(int stage, int iterator) const {
    return elements_[static_cast<std::size_t>(stage)].strides[static_cast<std::size_t>(iterator)];
  }

  // From now on a stage's elements are there, and it is read there where its variable is not in scope.
  void set_elements(int stage, Elements elements) { elements_[static_cast<std::size_t>(stage)] = std::move(elements); }

  // From now on what accesses read is there, by number.
  const std::map<int, Tile>& tiles() const { return tiles_; }
  void set_tile(int access, Tile tile) { tiles_[access] = std::move(tile); }
  void set_tiles(std::map<int, Tile> tiles) { tiles_ = std::move(tiles); }

  // The address of a stage's element where its loops stand; at the first index of some of its iterators.
  std::string address(int stage) const;
  std::string address(int stage, const std::vector<int>& first) const;

  // A float as an element of the value that a stage makes.
  std::string stored(int stage, const std::string& value) const;

  // Variables come into scope, and go with all that came later.
  void begin_variable(int stage, bool varies) { variables_.push_back({stage, varies}); }
  std::size_t variables() const { return variables_.size(); }
  void end_variables(std::size_t count) { variables_.resize(count); }

 private:
  // A float, or a vector of the lanes in scope.
  struct Code {
    std::string text;
    bool varies = false;  // over the lanes
  };
  struct Variable {
    int stage = 0;
    bool varies = false;
  };

  Code emit(const ir::ScalarExpr& body, int vector_iterator) const;
  Code emit_stage(int stage, int vector_iterator) const;
  Code emit_access(int number, int vector_iterator) const;
  Code emit_in_tile(const Tile& tile, int vector_iterator) const;
  Code emit_call(const ir::ScalarExpr& body, int vector_iterator) const;
  static Code load(const std::string& address, const ir::Dim& step);
  std::string variable(int iterator) const;
  static std::string varying(const Code& code);

  const schedule::ScheduledOp& op_;
  const std::vector<OperandCode>& operands_;
  std::vector<Elements> elements_;  // by stage
  std::map<int, Tile> tiles_;       // by access
  std::vector<Variable> variables_;
};

}  // namespace strata::codegen
