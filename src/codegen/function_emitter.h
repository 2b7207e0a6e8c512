// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/code_writer.h"
#include "codegen/program.h"
#include "codegen/stage_code.h"
#include "codegen/tree_emitter.h"

namespace strata::codegen {

// Emits one function of a planned module as a translation unit:
//
//   void layer_seq1(const Team& team, const std::int64_t* symbols, std::byte* arena, const std::byte* weights,
//                   const float* x, ..., float* result0)
//
// Every thread of the team runs it. Each region is a block that names its IR value, its type and its predicted time;
// barriers are those of the tile trees.
class FunctionEmitter {
 public:
  FunctionEmitter(const PlannedVersion& planned, const schedule::ScheduledFunction& scheduled,
                  const std::vector<std::string>& symbols, const WeightMap& weights, const machine::Machine& machine);

  Unit run(bool is_entry);

 private:
  void emit_prologue();
  std::set<std::string> headers() const;
  void emit_body();
  void emit_op(const schedule::ScheduledOp& op);
  void emit_call(const schedule::ScheduledOp& op);
  void emit_entry();
  void mark_last_op();

  std::string function_name(const ir::Function& function) const;
  std::string signature(const ir::Function& function) const;
  std::string parameter_type(const ir::Function& function, std::size_t index) const;
  bool is_written(const ir::Function& function, std::size_t parameter) const;
  std::string comment(const schedule::ScheduledOp& op) const;
  std::string value_name(const ir::Expr* value) const;
  std::string pointer(const ir::Expr* value, std::int64_t index, bool writable) const;
  OperandCode operand(const ir::Expr* value) const;
  OperandCode named(const ir::Expr* value, const std::string& name);
  RegionCode region(const schedule::ScheduledOp& op);
  const buffer::FunctionPlan& plan() const { return planned_.buffers.at(scheduled_.function); }

  const PlannedVersion& planned_;
  const schedule::ScheduledFunction& scheduled_;
  const std::vector<std::string>& symbols_;
  const WeightMap& weights_;
  const machine::Machine& machine_;
  CodeWriter out_;
  std::map<const ir::Expr*, std::string> names_;
  std::optional<int> unmarked_;  // id of the last op, whose end has no mark yet
};

}  // namespace strata::codegen
