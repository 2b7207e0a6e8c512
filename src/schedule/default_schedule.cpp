// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "base/error.h"
#include "ir/constants.h"
#include "ir/op.h"
#include "ir/roles.h"
#include "schedule/joined_loops.h"
#include "schedule/numbered_tree.h"
#include "schedule/op_cost.h"
#include "schedule/schedule.h"
#include "schedule/shared_rows.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using ir::Expr;

// What an op's cost depends on beside itself.
struct Surroundings {
  const ir::Function& function;
  const ir::FunctionRoles& roles;
  std::unordered_set<const Expr*> constants;
  cost::ProgramOrder order;
};

// Weights and caches stream; what other ops have written is near.
cost::Residence residence(const Expr& value, const Surroundings& around) {
  switch (value.kind) {
    case Expr::Kind::kWeight:
      return cost::Residence::kStream;
    case Expr::Kind::kParameter: {
      const auto number = std::ranges::find(around.function.parameters, &value) - around.function.parameters.begin();
      const ir::Role role = around.roles.parameters[static_cast<std::size_t>(number)];
      return role == ir::Role::kActivation ? cost::Residence::kActivation : cost::Residence::kStream;
    }
    case Expr::Kind::kOp: {
      if (around.constants.contains(&value)) return cost::Residence::kStream;
      const bool keeps_memory =
          value.op->writes_alias() || ir::is_view_by_contract(value) || ir::changes_lanes_only(value);
      const std::size_t kept = ir::updated_operand(*value.op).value_or(0);
      return keeps_memory ? residence(*value.arguments[kept], around) : cost::Residence::kActivation;
    }
    case Expr::Kind::kScalar:
    case Expr::Kind::kCall:
    case Expr::Kind::kGet:
      break;
  }
  return cost::Residence::kActivation;
}

// How the operands lie, and so the addresses of the op's own loops.
void set_own_nest(ScheduledOp& op) {
  JoinedLoops loops = loops_alone(*op.value);
  std::vector<Strides> strides;
  for (const Expr* input : loops.inputs) {
    const auto number = std::ranges::find(op.value->arguments, input) - op.value->arguments.begin();
    strides.push_back(op.operands[static_cast<std::size_t>(number)].strides);
  }
  op.nest = strided_nest(loops.nest, strides);
  STRATA_CHECK(op.nest.has_value(), "the operands of " + op.value->op->name() + " have no strides");
  op.inputs = std::move(loops.inputs);
  op.made = std::move(loops.made);
}

// A view that must be a copy after all is copied by its loops.
void choose_leaf(ScheduledOp& op, const ViewPlan& views, const machine::Machine& machine) {
  op.leaf = leaf_of(*op.value);
  if (const View* const view = views.find(op.value)) {
    op.leaf = &cost::leaf("view");
    op.view = *view;
  } else if (op.leaf != nullptr && op.is_view()) {
    op.leaf = &cost::leaf("loops");
    op.copies_view = true;
  }
  STRATA_CHECK(op.leaf != nullptr, "no leaf computes " + op.value->op->name());
  const auto loops = loops_of(*op.value);
  if (loops) op.form = ir::form_operands(*loops);
  if (op.leaf->domain == cost::Leaf::Domain::kContraction) op.contraction = ir::contraction(*loops);
  if (op.leaf->domain == cost::Leaf::Domain::kAttention) op.attention = ir::attention_form(*loops);
  if (op.leaf->domain == cost::Leaf::Domain::kNumbered) op.one = numbered_product(*op.value, *op.leaf, machine);
  if (op.leaf->domain == cost::Leaf::Domain::kOwn) set_own_nest(op);
}

ScheduledOp schedule_op(const Expr& value, const ViewPlan& views, const Surroundings& around,
                        const machine::Machine& machine) {
  ScheduledOp op;
  op.value = &value;
  if (value.kind == Expr::Kind::kCall) return op;
  for (const Expr* argument : value.arguments) {
    op.operands.push_back(views.of(argument));
    const bool is_number = argument->kind == Expr::Kind::kScalar;
    const cost::ProgramOrder& order = around.order;
    op.sources.push_back({argument->type(), residence(*argument, around),
                          is_number ? cost::Traffic() : order.between(order.place(*argument), order.place(value))});
  }
  choose_leaf(op, views, machine);
  op.tree = default_tree(op, machine);
  return op;
}

// The most calls of a function that another one has.
std::map<const ir::Function*, int> count_calls(const ir::Module& module) {
  std::map<const ir::Function*, int> most;
  for (const auto& function : module.functions()) {
    std::map<const ir::Function*, int> calls;
    for (const Expr* value : ir::topological_order(*function)) {
      if (value->kind == Expr::Kind::kCall) ++calls[value->callee];
    }
    for (const auto& [callee, count] : calls) most[callee] = std::max(most[callee], count);
  }
  return most;
}

}  // namespace

bool ScheduledOp::makes(const Expr* of) const {
  return value == of || std::ranges::find(parts, of, &ScheduledOp::value) != parts.end();
}

double ScheduledFunction::own_seconds() const {
  double sum = 0;
  for (const ScheduledOp& op : ops) sum += op.is_call() ? 0 : op.predicted_s;
  return sum;
}

std::vector<ScheduledFunction> default_schedule(const ir::Module& module, const machine::Machine& machine,
                                                int threads) {
  std::vector<ScheduledFunction> functions;
  ir::MemorySummaries summaries;
  cost::FunctionTraffic traffic;
  const ir::Roles roles = ir::find_roles(module);
  const std::map<const ir::Function*, int> calls = count_calls(module);
  for (const auto& function : module.functions()) {
    ScheduledFunction scheduled{.function = function.get()};
    const ViewPlan views(*function, summaries);
    summaries[function.get()] = views.memory().summary(*function);
    const Surroundings around = {*function, roles.at(function.get()), ir::constants(*function),
                                 cost::ProgramOrder(*function, traffic)};
    traffic[function.get()] = around.order.total();
    for (const Expr* value : ir::topological_order(*function)) {
      if (value->kind != Expr::Kind::kOp && value->kind != Expr::Kind::kCall) continue;
      if (around.constants.contains(value)) continue;
      scheduled.ops.push_back(schedule_op(*value, views, around, machine));
      ScheduledOp& op = scheduled.ops.back();
      op.runs_once = !calls.contains(function.get()) || calls.at(function.get()) == 1;
      share_rows(op, machine, {}, {}, threads);
    }
    functions.push_back(std::move(scheduled));
  }
  predict(functions, machine, threads);
  return functions;
}

namespace {

// All of a function's values: those that no op makes behind their arguments.
std::vector<const Expr*> values_in_order(const ScheduledFunction& function, const std::vector<std::size_t>& order) {
  std::map<const Expr*, std::size_t> place;
  for (std::size_t i = 0; i < order.size(); ++i) place[function.ops[order[i]].value] = i + 1;
  std::vector<std::vector<const Expr*>> by_place(order.size() + 1);
  for (const Expr* value : ir::topological_order(*function.function)) {
    std::size_t& at = place[value];
    if (at == 0) {
      for (const Expr* argument : value->arguments) at = std::max(at, place.at(argument));
    }
    by_place[at].push_back(value);
  }
  std::vector<const Expr*> values;
  for (const auto& at_one : by_place) values.insert(values.end(), at_one.begin(), at_one.end());
  return values;
}

}  // namespace

void reorder(ScheduledFunction& function, const std::vector<std::size_t>& order, const cost::FunctionTraffic& callees,
             const machine::Machine& machine, int threads) {
  const cost::ProgramOrder places(*function.function, callees, values_in_order(function, order));
  std::vector<ScheduledOp> ops;
  for (const std::size_t number : order) {
    ops.push_back(std::move(function.ops[number]));
    ScheduledOp& op = ops.back();
    for (std::size_t i = 0; i < op.sources.size(); ++i) {
      const Expr& argument = *op.value->arguments[i];
      if (argument.kind != Expr::Kind::kScalar) {
        op.sources[i].since = places.between(places.place(argument), places.place(*op.value));
      }
    }
    if (!op.is_call()) op.predicted_s = op_cost(op, machine, {}, threads).seconds;
  }
  function.ops = std::move(ops);
}

}  // namespace strata::schedule
