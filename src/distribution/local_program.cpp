// SPDX-License-Identifier: Apache-2.0
#include "distribution/local_program.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "cost/collective.h"
#include "ir/op.h"
#include "ir/rewrite.h"
#include "ir/roles.h"

namespace strata::distribution {
namespace {

using ir::Attributes;
using ir::Expr;
using ir::Function;
using ir::Sbp;
using ir::SbpSignature;

// Sizes that are attributes are those of the part.
Attributes local_attributes(const Expr& op, const ir::TensorType& local) {
  Attributes attributes = op.attributes;
  const auto shape = attributes.find("shape");
  if (shape == attributes.end()) return attributes;
  auto& sizes = std::get<std::vector<std::int64_t>>(shape->second);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] >= 0) sizes[i] = local.shape[i].factor();
  }
  return attributes;
}

// The op that moves a value along a hop.
std::pair<std::string, Attributes> reshard(const State& from, const Hop& hop, const Mesh& mesh) {
  const auto axis = static_cast<std::size_t>(hop.axis);
  Attributes attributes = {{"mesh", std::int64_t{hop.axis}}, {"ranks", std::int64_t{mesh[axis].extent}}};
  const std::int64_t before = from[axis].axis, after = hop.to[axis].axis;
  switch (hop.kind) {
    case CollectiveKind::kAllReduce:
      attributes["whole_bytes"] = cost::whole_reduce_bytes(mesh[axis]);
      return {"all_reduce", std::move(attributes)};
    case CollectiveKind::kAllGather:
      attributes["axis"] = before;
      return {"all_gather", std::move(attributes)};
    case CollectiveKind::kReduceScatter:
      attributes["axis"] = after;
      return {"reduce_scatter", std::move(attributes)};
    case CollectiveKind::kAllToAll:
      attributes["axis"] = after;
      attributes["from"] = before;
      return {"all_to_all", std::move(attributes)};
    case CollectiveKind::kSlice:
      break;
  }
  attributes["axis"] = after;
  return {"rank_slice", std::move(attributes)};
}

// Of one function.
class LocalFunction {
 public:
  LocalFunction(const Function& function, const ir::Roles& roles, const Graph& graph, const Division& division,
                ir::Module& into)
      : function_(function), roles_(roles), graph_(graph), division_(division), into_(into), pool_(into.pool()) {}

  void add() {
    Function local;
    local.name = function_.name;
    for (std::size_t i = 0; i < function_.parameters.size(); ++i) {
      const Expr* const parameter = function_.parameters[i];
      const State state = parameter_state(function_, i);
      made_[parameter] = pool_.parameter(parameter->name, local_type(parameter->type(), state, division_.mesh));
      local.parameters.push_back(made_.at(parameter));
    }
    for (const Expr* value : ir::topological_order(function_)) make(*value);
    const auto& states = roles_.at(&function_).state_results;
    for (std::size_t i = 0; i < function_.results.size(); ++i) {
      const Expr* const result = function_.results[i];
      local.results.push_back(states[i] ? made_.at(result) : delivered(*result, std::nullopt));
    }
    into_.add(std::move(local));
  }

 private:
  // A cache of an entry lies as the layer that it is passed to has it.
  State parameter_state(const Function& function, std::size_t i) const {
    const Expr* const parameter = function.parameters[i];
    const ir::Role role = roles_.at(&function).parameters[i];
    if (role == ir::Role::kConstant) return whole(division_.mesh);
    if (role == ir::Role::kState) {
      for (const Expr* value : ir::topological_order(function)) {
        if (value->kind != Expr::Kind::kCall) continue;
        const auto at = std::ranges::find(value->arguments, parameter);
        if (at == value->arguments.end()) continue;
        return parameter_state(*value->callee, static_cast<std::size_t>(at - value->arguments.begin()));
      }
    }
    const auto known = graph_.value_of.find({&function, parameter});
    return known == graph_.value_of.end() ? whole(division_.mesh) : state_of(known->second);
  }

  const State& state_of(int value) const { return division_.values[static_cast<std::size_t>(value)]; }
  int value_of(const Expr& value) const { return graph_.value_of.at({&function_, &value}); }

  void make(const Expr& value) {
    switch (value.kind) {
      case Expr::Kind::kParameter:
        return;
      case Expr::Kind::kWeight:
      case Expr::Kind::kScalar:
        made_[&value] = ir::copy_expr(into_, value, {});
        return;
      case Expr::Kind::kGet:
        made_[&value] = pool_.get(made_.at(value.arguments[0]), value.index);
        return;
      case Expr::Kind::kCall:
        return make_call(value);
      case Expr::Kind::kOp:
        break;
    }
    const auto node = graph_.node_of.find({&function_, &value});
    made_[&value] = node == graph_.node_of.end() ? copied(value) : make_node(value, node->second);
  }

  const Expr* copied(const Expr& value) {
    std::vector<const Expr*> arguments;
    for (const Expr* argument : value.arguments) arguments.push_back(made_.at(argument));
    return ir::copy_expr(into_, value, std::move(arguments));
  }

  const Expr* make_node(const Expr& value, int number) {
    const auto n = static_cast<std::size_t>(number);
    const Node& node = graph_.nodes[n];
    const Strategy& strategy = division_.nodes[n];
    std::vector<const Expr*> arguments;
    for (std::size_t i = 0; i < value.arguments.size(); ++i) {
      const Expr& argument = *value.arguments[i];
      const int operand = node.operands[i];
      if (operand < 0) {
        arguments.push_back(made_.at(&argument));
      } else if (graph_.values[static_cast<std::size_t>(operand)].is_constant()) {
        arguments.push_back(part(argument, strategy.operands[i]));
      } else {
        const Division::Use& use = division_.uses[n][i];
        const Expr* from = made_.at(&argument);
        State state = state_of(operand);
        if (use.is_kept) from = moved(from, state, division_.kept.at({operand, function_.name}));
        arguments.push_back(moved(from, state, use.hops));
      }
    }
    const ir::TensorType local = local_type(value.type(), strategy.result, division_.mesh);
    const Expr* const made = local_op(value, strategy, std::move(arguments), local);
    STRATA_CHECK(made->type() == local, node.name + " is " + made->type().text() + " on a device, not " + local.text());
    return made;
  }

  const Expr* local_op(const Expr& value, const Strategy& strategy, std::vector<const Expr*> arguments,
                       const ir::TensorType& local) {
    const int axis = lookup_axis(value, strategy);
    if (axis < 0) return pool_.op(*value.op, std::move(arguments), local_attributes(value, local));
    const auto ranks = std::int64_t{division_.mesh[static_cast<std::size_t>(axis)].extent};
    return pool_.op(ir::get_op("rank_gather"), std::move(arguments), {{"mesh", std::int64_t{axis}}, {"ranks", ranks}});
  }

  // Changes `state`.
  const Expr* moved(const Expr* value, State& state, const std::vector<Hop>& hops) {
    for (const Hop& hop : hops) {
      auto [op, attributes] = reshard(state, hop, division_.mesh);
      value = pool_.op(ir::get_op(op), {value}, std::move(attributes));
      state = hop.to;
    }
    return value;
  }

  // As whoever takes it from the function wants it. `carried`: that value; none: what it is delivered as.
  const Expr* delivered(const Expr& value, std::optional<int> carried) {
    const int number = value_of(value);
    for (std::size_t i = 0; i < graph_.deliveries.size(); ++i) {
      const Delivery& delivery = graph_.deliveries[i];
      if (delivery.value != number || (carried && delivery.carried != *carried)) continue;
      State state = state_of(number);
      return moved(made_.at(&value), state, division_.deliveries[i]);
    }
    return made_.at(&value);
  }

  void make_call(const Expr& call) {
    const Function& callee = *call.callee;
    const ir::FunctionRoles& roles = roles_.at(&callee);
    std::vector<const Expr*> arguments;
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
      const Expr& argument = *call.arguments[i];
      const auto parameter = graph_.value_of.find({&callee, callee.parameters[i]});
      if (roles.parameters[i] != ir::Role::kActivation || parameter == graph_.value_of.end()) {
        arguments.push_back(made_.at(&argument));
      } else {
        const auto at = static_cast<std::size_t>(parameter->second);
        const bool is_carried = graph_.values[at].kind == Value::Kind::kCarried;
        arguments.push_back(delivered(argument, is_carried ? parameter->second : -1));
      }
    }
    made_[&call] = pool_.call(*into_.find(callee.name), std::move(arguments));
  }

  // A constant's part.
  const Expr* part(const Expr& constant, const State& state) {
    if (std::ranges::all_of(state, &Sbp::is_broadcast)) return made_.at(&constant);
    const auto operands = constant.kind == Expr::Kind::kOp ? operand_states(constant, state) : std::nullopt;
    if (!operands) return sliced(made_.at(&constant), state);
    std::vector<const Expr*> arguments;
    for (std::size_t i = 0; i < operands->size(); ++i) {
      arguments.push_back(part(*constant.arguments[i], (*operands)[i]));
    }
    const ir::TensorType local = local_type(constant.type(), state, division_.mesh);
    return pool_.op(*constant.op, std::move(arguments), local_attributes(constant, local));
  }

  const Expr* sliced(const Expr* value, const State& state) {
    for (std::size_t axis = 0; axis < state.size(); ++axis) {
      if (state[axis].is_broadcast()) continue;
      const Attributes attributes = {{"mesh", static_cast<std::int64_t>(axis)},
                                     {"ranks", std::int64_t{division_.mesh[axis].extent}},
                                     {"axis", std::int64_t{state[axis].axis}}};
      value = pool_.op(ir::get_op("rank_slice"), {value}, attributes);
    }
    return value;
  }

  // Parts of its operands that give this part of it; nothing where there are none of equal sizes.
  std::optional<std::vector<State>> operand_states(const Expr& op, const State& state) const {
    std::vector<State> states(op.arguments.size(), whole(division_.mesh));
    for (std::size_t axis = 0; axis < state.size(); ++axis) {
      if (state[axis].is_broadcast()) continue;
      const auto all = signatures_of(op, false);
      const auto signature = std::ranges::find(all, state[axis], &SbpSignature::result);
      if (signature == all.end()) return std::nullopt;
      for (std::size_t i = 0; i < states.size(); ++i) states[i][axis] = signature->operands[i];
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (!has_equal_parts(op.arguments[i]->type(), states[i])) return std::nullopt;
    }
    return states;
  }

  bool has_equal_parts(const ir::TensorType& type, const State& state) const {
    for (int axis = 0; axis < type.rank(); ++axis) {
      const std::int64_t parts = parts_of(state, axis, division_.mesh);
      if (type.shape[static_cast<std::size_t>(axis)].factor() % parts != 0) return false;
    }
    return true;
  }

  const Function& function_;
  const ir::Roles& roles_;
  const Graph& graph_;
  const Division& division_;
  ir::Module& into_;
  ir::ExprPool& pool_;
  std::map<const Expr*, const Expr*> made_;  // in the state in which it is made
};

}  // namespace

ir::Module local_program(const ir::Module& module, const Graph& graph, const Division& division) {
  const ir::Roles roles = ir::find_roles(module);
  ir::Module local(module.name());
  for (const auto& symbol : module.symbols()) local.symbol(*symbol);
  for (const auto& function : module.functions()) {
    LocalFunction(*function, roles, graph, division, local).add();
  }
  return local;
}

}  // namespace strata::distribution
