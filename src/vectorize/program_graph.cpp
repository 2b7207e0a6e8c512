// SPDX-License-Identifier: Apache-2.0
#include "vectorize/program_graph.h"

#include <algorithm>

#include "base/error.h"

namespace strata::vectorize {

using egraph::ClassId;
using ir::Expr;
using rules::LeafKind;

ProgramGraph::ProgramGraph(std::vector<Version> versions, encoding::WeightStatistics statistics, bool explanations)
    : versions_(std::move(versions)), statistics_(std::move(statistics)), tensors_(explanations) {
  for (const Version& version : versions_) {
    bind_arguments(*version.module);
    roles_[&version] = ir::find_roles(*version.module);
    add_functions(version);
  }
  tensors_.graph().rebuild();
}

void ProgramGraph::add_functions(const Version& version) {
  const ir::Module& module = *version.module;
  const auto calls_of = [&](const ir::Function& function, const std::vector<std::string>& entries) {
    return ir::call_counts(module, entries).at(&function);
  };
  for (const auto& function : module.functions()) {
    if (calls_of(*function, version.entries) == 0) continue;
    FunctionGraph added;
    added.version = &version;
    added.function = function.get();
    added.roles = &roles_.at(&version).at(function.get());
    for (const std::string& entry : version.entries) {
      added.calls = std::max(added.calls, calls_of(*function, {entry}));
      double copies = 0;
      for (const auto& other : module.functions()) {
        if (other->family() == function->family()) copies += calls_of(*other, {entry});
      }
      added.copies = std::max(added.copies, copies);
    }
    for (const Step& step : version.steps) {
      added.runs.push_back(step.runs * calls_of(*function, step.entries.empty() ? version.entries : step.entries));
    }
    add(std::move(added));
  }
}

void ProgramGraph::bind_arguments(const ir::Module& module) {
  Bindings& bindings = arguments_[&module];
  for (const auto& function : module.functions()) {
    for (const Expr* call : ir::topological_order(*function)) {
      if (call->kind != Expr::Kind::kCall) continue;
      for (std::size_t i = 0; i < call->arguments.size(); ++i) {
        auto& bound = bindings[{call->callee->family(), call->callee->parameters[i]->name}];
        if (std::ranges::find(bound, call->arguments[i]) == bound.end()) bound.push_back(call->arguments[i]);
      }
    }
  }
}

// Of a weight, or of all together that calls bind a parameter to, if each of them can be encoded.
rules::Elements ProgramGraph::elements_of(const FunctionGraph& function, const Expr& weight) const {
  if (weight.kind == Expr::Kind::kWeight) {
    const auto found = statistics_.find(weight.name);
    return found == statistics_.end() ? nullptr : rules::if_encodable(found->second);
  }
  const Bindings& bindings = arguments_.at(function.version->module);
  const auto bound = bindings.find({function.function->family(), weight.name});
  if (bound == bindings.end()) return nullptr;
  encoding::Statistics sum;
  for (const Expr* argument : bound->second) {
    const rules::Elements elements = elements_of(function, *argument);
    if (!elements) return nullptr;
    sum += *elements;
  }
  return rules::if_encodable(sum);
}

void ProgramGraph::add(FunctionGraph added) {
  const ir::Function& function = *added.function;
  const ir::FunctionRoles& roles = *added.roles;
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    const Expr* const result = function.results[i];
    const bool is_from_call = result->kind == Expr::Kind::kGet || result->kind == Expr::Kind::kCall;
    if (roles.state_results[i] && is_from_call) {
      const Expr& call = result->kind == Expr::Kind::kGet ? *result->arguments[0] : *result;
      added.updates.push_back(add_value(added, call));
      added.results.push_back(std::nullopt);
    } else {
      added.results.push_back(add_value(added, *result));
    }
  }
  index_[&function] = functions_.size();
  functions_.push_back(std::move(added));
}

// What a call gets that is a constant or a state is settled by the callee, and is not a part of this graph.
ClassId ProgramGraph::add_value(FunctionGraph& function, const Expr& value) {
  if (const auto known = function.values.find(&value); known != function.values.end()) return known->second;
  const auto operands = [&](const std::vector<const Expr*>& arguments) {
    std::vector<ClassId> classes;
    for (const Expr* argument : arguments) classes.push_back(add_value(function, *argument));
    return classes;
  };
  ClassId id = 0;
  switch (value.kind) {
    case Expr::Kind::kParameter: {
      const auto& parameters = function.function->parameters;
      const auto number = static_cast<std::size_t>(std::ranges::find(parameters, &value) - parameters.begin());
      const ir::Role role = function.roles->parameters[number];
      if (role == ir::Role::kActivation) {
        const std::string name = function.version->tag + ":" + function.function->name + "." + value.name;
        id = tensors_.leaf(LeafKind::kActivation, name, value.type(), &value);
      } else {
        const std::string name = function.function->family() + "." + value.name;
        const bool is_state = role == ir::Role::kState;
        id = tensors_.leaf(is_state ? LeafKind::kState : LeafKind::kConstant, name, value.type(), &value,
                           is_state ? nullptr : elements_of(function, value));
      }
      break;
    }
    case Expr::Kind::kWeight:
      id = tensors_.leaf(LeafKind::kConstant, value.name, value.type(), &value, elements_of(function, value));
      break;
    case Expr::Kind::kScalar:
      id = tensors_.scalar(value.value, value.type().dtype);
      break;
    case Expr::Kind::kOp:
      id = tensors_.op(*value.op, operands(value.arguments), value.attributes);
      break;
    case Expr::Kind::kCall: {
      const ir::FunctionRoles& callee = roles_.at(function.version).at(value.callee);
      std::vector<const Expr*> activations;
      for (std::size_t i = 0; i < value.arguments.size(); ++i) {
        if (callee.parameters[i] == ir::Role::kActivation) activations.push_back(value.arguments[i]);
      }
      id = tensors_.call(value, operands(activations));
      break;
    }
    case Expr::Kind::kGet:
      id = tensors_.get(add_value(function, *value.arguments[0]), value.index, value.type());
      break;
  }
  function.values[&value] = id;
  return id;
}

}  // namespace strata::vectorize
