// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "cost/lowering.h"
#include "ir/constants.h"
#include "ir/op.h"
#include "ir/roles.h"
#include "machine/cost.h"
#include "schedule/op_cost.h"
#include "schedule/schedule.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using ir::Expr;

std::vector<ir::TensorType> operand_types(const Expr& value) {
  std::vector<ir::TensorType> types;
  for (const Expr* argument : value.arguments) types.push_back(argument->type());
  return types;
}

// Weights and caches stream; what other ops have written is near.
cost::Residence residence(const Expr& value, const ir::Function& function, const ir::FunctionRoles& roles) {
  switch (value.kind) {
    case Expr::Kind::kWeight:
      return cost::Residence::kStream;
    case Expr::Kind::kParameter: {
      const auto number = std::ranges::find(function.parameters, &value) - function.parameters.begin();
      const ir::Role role = roles.parameters[static_cast<std::size_t>(number)];
      return role == ir::Role::kActivation ? cost::Residence::kActivation : cost::Residence::kStream;
    }
    case Expr::Kind::kOp: {
      const bool is_constant =
          std::ranges::all_of(value.arguments, [](const Expr* a) { return a->kind == Expr::Kind::kWeight; });
      if (is_constant && !value.arguments.empty()) return cost::Residence::kStream;
      const bool keeps_memory = value.op->aliased_operand().has_value() || ir::changes_lanes_only(value);
      return keeps_memory ? residence(*value.arguments[0], function, roles) : cost::Residence::kActivation;
    }
    case Expr::Kind::kScalar:
    case Expr::Kind::kCall:
    case Expr::Kind::kGet:
      break;
  }
  return cost::Residence::kActivation;
}

// The value whose memory this one lies in, as far as this function shows.
const Expr& owner(const Expr* value, const ViewPlan& views) {
  while (views.find(value) != nullptr) value = value->arguments[0];
  return *value;
}

// Iterators of the result that every stage has, in order: the loops around all stages.
std::vector<int> common_iterators(const StridedNest& nest) {
  std::vector<int> common;
  for (const int iterator : nest.result().target) {
    const bool everywhere = std::ranges::all_of(nest.stages, [&](const ir::Stage& stage) {
      return std::ranges::find(stage.target, iterator) != stage.target.end();
    });
    if (everywhere) common.push_back(iterator);
  }
  return common;
}

// Loops around all stages, then those of the result's own map, whose last one takes the vector lanes. A result that is
// itself a reduction has no map, and one that only finishes another stage's scalar has none inside of the common loops.
std::vector<TileLoop> default_loops(const StridedNest& nest, std::int64_t lanes) {
  std::vector<int> order = common_iterators(nest);
  const bool has_own_loop = nest.stages.size() == 1 || order.size() < nest.result().target.size();
  const bool maps = nest.result().combiner == ir::Combiner::kNone && has_own_loop;
  for (const int iterator : nest.result().target) {
    if (std::ranges::find(order, iterator) == order.end()) order.push_back(iterator);
  }
  std::vector<TileLoop> loops;
  for (const int iterator : order) {
    loops.push_back(
        {TileLoop::Kind::kSerial, iterator, nest.iterators[iterator].name, nest.iterators[iterator].extent, 1});
  }
  if (maps && !loops.empty()) {
    loops.back().kind = TileLoop::Kind::kVector;
    loops.back().step = lanes;
  }
  return loops;
}

// The outermost loop with more than one step is divided. It must be around all stages, or be the only stage's.
void divide_among_threads(std::vector<TileLoop>& loops, const StridedNest& nest) {
  const std::vector<int> common = common_iterators(nest);
  for (TileLoop& loop : loops) {
    if (std::ranges::find(common, loop.iterator) == common.end()) return;
    if (loop.extent.max() == 1 || loop.kind == TileLoop::Kind::kVector) continue;
    loop.kind = TileLoop::Kind::kParallel;
    return;
  }
}

// One row streams the right operand; more rows make tiles of it that the registers hold.
ContractTile contract_tile(const ir::TensorType& left, const ir::TensorType& right, const machine::Machine& machine) {
  if (cost::matmul_lowering(left, right) == cost::Lowering::kMatmulTile) {
    return {left.layout.packs[0].lanes, machine::register_tile(machine).panels};
  }
  const machine::Stream stream = machine::stream(machine, ir::stored_bits(right));
  return {1, stream.panels, stream.ahead_bytes, stream.locality};
}

void schedule_contract(ScheduledOp& op, const machine::Machine& machine) {
  const ir::TensorType& left = op.value->arguments[0]->type();
  const ir::TensorType& right = op.value->arguments[1]->type();
  op.form = Form::kContract;
  op.tile = contract_tile(left, right, machine);
  using Kind = TileLoop::Kind;
  op.loops = {{Kind::kParallel, 1, "n", right.shape[0], op.tile.panels * right.layout.packs[0].lanes},
              {Kind::kSerial, 0, "m", left.shape[0], op.tile.rows},
              {Kind::kMicroKernel, 2, "k", right.shape[1], 1}};
}

// Nothing but the kernel is left where the operands have no strides.
void schedule_loops(ScheduledOp& op) {
  op.form = Form::kKernel;
  const auto loops = loops_of(*op.value);
  if (!loops) return;
  std::vector<Strides> strides;
  for (const View& operand : op.operands) strides.push_back(operand.strides);
  op.nest = strided_nest(*loops, strides);
  if (!op.nest) return;
  op.form = Form::kLoops;
  op.lanes = cost::loop_lanes(operand_types(*op.value));
  op.loops = default_loops(*op.nest, op.lanes);
  divide_among_threads(op.loops, *op.nest);
}

ScheduledOp schedule_op(const Expr& value, const ViewPlan& views, const ir::Function& function,
                        const ir::FunctionRoles& roles, const machine::Machine& machine) {
  ScheduledOp op;
  op.value = &value;
  op.form = Form::kCall;
  if (value.kind == Expr::Kind::kCall) return op;
  for (const Expr* argument : value.arguments) {
    op.operands.push_back(views.of(argument));
    op.sources.push_back({argument->type(), residence(*argument, function, roles), owner(argument, views).type()});
  }
  if (const View* const view = views.find(&value)) {
    op.form = Form::kView;
    op.view = *view;
  } else if (is_packed_matmul(value)) {
    schedule_contract(op, machine);
  } else {
    schedule_loops(op);
  }
  return op;
}

const char* kind_text(TileLoop::Kind kind) {
  switch (kind) {
    case TileLoop::Kind::kParallel:
      return "parallel";
    case TileLoop::Kind::kSerial:
      return "serial";
    case TileLoop::Kind::kVector:
      return "vector";
    case TileLoop::Kind::kMicroKernel:
      return "micro-kernel";
  }
  return "";
}

std::string loops_text(const std::vector<TileLoop>& loops) {
  std::string out;
  for (const TileLoop& loop : loops) {
    out += std::string(" ") + kind_text(loop.kind) + "(" + loop.name + " in " + loop.extent.text();
    out += loop.step == 1 ? ")" : " by " + std::to_string(loop.step) + ")";
  }
  return out;
}

std::map<const ir::Function*, int> count_calls(const ir::Module& module) {
  std::map<const ir::Function*, int> calls;
  for (const auto& function : module.functions()) {
    for (const Expr* value : ir::topological_order(*function)) {
      if (value->kind == Expr::Kind::kCall) ++calls[value->callee];
    }
  }
  return calls;
}

std::string op_name(const ScheduledOp& op) {
  return op.form == Form::kCall ? "@" + op.value->callee->name : op.value->op->name();
}

}  // namespace

std::string to_text(const ScheduledFunction& function) {
  std::string out = "@" + function.function->name + "\n";
  for (const ScheduledOp& op : function.ops) {
    char time[32];
    std::snprintf(time, sizeof(time), "  %.3g us\n", op.predicted_s * 1e6);
    out += "  " + op_name(op) + " -> " + op.value->types[0].text() + loops_text(op.loops) + time;
  }
  return out;
}

std::vector<ScheduledFunction> default_schedule(const ir::Module& module, const machine::Machine& machine) {
  std::vector<ScheduledFunction> functions;
  std::map<const ir::Function*, double> seconds;
  MemorySummaries summaries;
  const ir::Roles roles = ir::find_roles(module);
  const std::map<const ir::Function*, int> calls = count_calls(module);
  for (const auto& function : module.functions()) {
    ScheduledFunction scheduled{function.get(), {}, 0};
    const ViewPlan views(*function, summaries);
    summaries[function.get()] = views.summary();
    const auto constants = ir::constants(*function);
    for (const Expr* value : ir::topological_order(*function)) {
      if (value->kind != Expr::Kind::kOp && value->kind != Expr::Kind::kCall) continue;
      if (constants.contains(value)) continue;
      scheduled.ops.push_back(schedule_op(*value, views, *function, roles.at(function.get()), machine));
      ScheduledOp& op = scheduled.ops.back();
      op.runs_once = !calls.contains(function.get()) || calls.at(function.get()) == 1;
      if (op.form == Form::kCall) op.predicted_s = seconds.at(value->callee);
      if (op.form != Form::kCall && op.form != Form::kView) op.predicted_s = op_cost(op, machine).seconds;
      scheduled.predicted_s += op.predicted_s;
    }
    seconds[function.get()] = scheduled.predicted_s;
    functions.push_back(std::move(scheduled));
  }
  return functions;
}

}  // namespace strata::schedule
