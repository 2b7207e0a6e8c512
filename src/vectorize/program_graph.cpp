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
    roles_[&version] = ir::find_roles(*version.module);
    bind_arguments(version);
    add_functions(version);
  }
  tensors_.graph().rebuild();
}

void ProgramGraph::add_functions(const Version& version) {
  std::map<std::string, std::map<const ir::Function*, double>> calls;
  for (const std::string& entry : version.entries) calls[entry] = ir::call_counts(*version.module, {entry});
  for (const auto& function : version.module->functions()) {
    FunctionGraph added;
    for (const auto& [entry, count] : calls) added.calls = std::max(added.calls, count.at(function.get()));
    if (added.calls == 0) continue;
    added.version = &version;
    added.function = function.get();
    added.roles = &roles_.at(&version).at(function.get());
    const Bindings& bindings = arguments_.at(version.module);
    for (std::size_t i = 0; i < function->parameters.size(); ++i) {
      const auto bound = bindings.find(leaf_name(version, *function, i));
      if (added.roles->parameters[i] != ir::Role::kConstant || bound == bindings.end()) continue;
      added.copies = std::max(added.copies, static_cast<double>(bound->second.size()));
    }
    for (const Step& step : version.steps) {
      double runs = 0;
      for (const std::string& entry : step.entries.empty() ? version.entries : step.entries) {
        if (const auto count = calls.find(entry); count != calls.end()) runs += count->second.at(function.get());
      }
      added.runs.push_back(step.runs * runs);
    }
    add(std::move(added));
  }
}

// Of a parameter that is no activation. Versions of a function share what is the same in it.
std::string ProgramGraph::leaf_name(const Version& version, const ir::Function& function, std::size_t parameter) const {
  const Expr& own = *function.parameters[parameter];
  const ir::Function* const origin = function.origin.empty() ? nullptr : version.module->find(function.origin);
  if (origin == nullptr) return function.name + "." + own.name;
  const auto same = std::ranges::find(origin->parameters, own.name, &Expr::name);
  const ir::Roles& roles = roles_.at(&version);
  const bool is_shared = same != origin->parameters.end() && (*same)->type() == own.type() &&
                         roles.at(origin).parameters[static_cast<std::size_t>(same - origin->parameters.begin())] ==
                             roles.at(&function).parameters[parameter];
  return (is_shared ? origin->name : function.name) + "." + own.name;
}

void ProgramGraph::bind_arguments(const Version& version) {
  Bindings& bindings = arguments_[version.module];
  for (const auto& function : version.module->functions()) {
    for (const Expr* call : ir::topological_order(*function)) {
      if (call->kind != Expr::Kind::kCall) continue;
      for (std::size_t i = 0; i < call->arguments.size(); ++i) {
        auto& bound = bindings[leaf_name(version, *call->callee, i)];
        if (std::ranges::find(bound, call->arguments[i], &Place::value) != bound.end()) continue;
        bound.push_back({function.get(), call->arguments[i]});
      }
    }
  }
}

// Of a weight, or of all together that calls bind a parameter to, if each of them can be encoded.
rules::Elements ProgramGraph::elements_of(const Version& version, const Place& weight) const {
  if (weight.value->kind == Expr::Kind::kWeight) {
    const auto found = statistics_.find(weight.value->name);
    return found == statistics_.end() ? nullptr : rules::if_encodable(found->second);
  }
  const auto number = std::ranges::find(weight.function->parameters, weight.value);
  if (number == weight.function->parameters.end()) return nullptr;
  const auto parameter = static_cast<std::size_t>(number - weight.function->parameters.begin());
  const Bindings& bindings = arguments_.at(version.module);
  const auto bound = bindings.find(leaf_name(version, *weight.function, parameter));
  if (bound == bindings.end()) return nullptr;
  encoding::Statistics sum;
  for (const Place& argument : bound->second) {
    const rules::Elements elements = elements_of(version, argument);
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
        const std::string name = leaf_name(*function.version, *function.function, number);
        const bool is_state = role == ir::Role::kState;
        id = tensors_.leaf(is_state ? LeafKind::kState : LeafKind::kConstant, name, value.type(), &value,
                           is_state ? nullptr : elements_of(*function.version, {function.function, &value}));
      }
      break;
    }
    case Expr::Kind::kWeight:
      id = tensors_.leaf(LeafKind::kConstant, value.name, value.type(), &value,
                         elements_of(*function.version, {function.function, &value}));
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
