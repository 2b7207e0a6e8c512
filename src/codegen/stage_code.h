// SPDX-License-Identifier: Apache-2.0
#pragma once

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

// C++ of an op's own stages: the scalar bodies of its declaration on the addresses of its nest.
class StageCode {
 public:
  StageCode(const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands) : op_(op), operands_(operands) {}

  const schedule::StridedNest& nest() const { return *op_.nest; }

  // A stage's value where no loop runs in lanes: a float.
  std::string scalar(const ir::Stage& stage) const { return emit(stage.body, -1).text; }

  // Its value for the `lanes` in scope, along an iterator.
  std::string in_lanes(const ir::Stage& stage, int iterator) const;

  // The float variable that holds a stage's value.
  static std::string variable(const ir::Stage& stage) { return "s_" + stage.name; }

  // "tensor::Sum".
  static std::string combiner(const ir::Stage& stage);

  // Row-major index of the result, in elements.
  std::string result_index() const;

  // A float as an element of the result.
  std::string stored(const std::string& value) const;

 private:
  // A float, or a vector of the lanes in scope.
  struct Code {
    std::string text;
    bool varies = false;  // over the lanes
  };

  Code emit(const ir::ScalarExpr& body, int vector_iterator) const;
  Code emit_access(const schedule::StridedAccess& access, int vector_iterator) const;
  Code emit_call(const ir::ScalarExpr& body, int vector_iterator) const;
  std::string variable(int iterator) const;
  static std::string varying(const Code& code);

  const schedule::ScheduledOp& op_;
  const std::vector<OperandCode>& operands_;
};

}  // namespace strata::codegen
