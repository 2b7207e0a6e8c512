// SPDX-License-Identifier: Apache-2.0
#include "ir/roles.h"

#include <algorithm>
#include <set>

#include "ir/op.h"

namespace strata::ir {
namespace {

std::optional<std::size_t> parameter_number(const Function& function, const Expr* value) {
  const auto found = std::ranges::find(function.parameters, value);
  if (found == function.parameters.end()) return std::nullopt;
  return static_cast<std::size_t>(found - function.parameters.begin());
}

// Callees come before callers in a module: states are found forwards, constants backwards.
class RoleFinder {
 public:
  explicit RoleFinder(const Module& module) : module_(module) {}

  Roles run() {
    for (const auto& function : module_.functions()) {
      FunctionRoles& roles = roles_[function.get()];
      roles.parameters.assign(function->parameters.size(), Role::kActivation);
      for (const Expr* value : topological_order(*function)) mark_updates(*function, *value);
      for (const Expr* result : function->results) roles.state_results.push_back(state_of(*function, result));
    }
    find_constants();
    return std::move(roles_);
  }

 private:
  void mark_updates(const Function& function, const Expr& value) {
    if (value.kind == Expr::Kind::kOp && value.op->writes_alias()) {
      mark_state(function, value.arguments[static_cast<std::size_t>(*value.op->aliased_operand())]);
    }
    if (value.kind != Expr::Kind::kCall) return;
    const FunctionRoles& callee = roles_.at(value.callee);
    for (std::size_t i = 0; i < value.arguments.size(); ++i) {
      if (callee.parameters[i] == Role::kState) mark_state(function, value.arguments[i]);
    }
  }

  void mark_state(const Function& function, const Expr* value) {
    if (const auto number = memory_of(function, value)) roles_[&function].parameters[*number] = Role::kState;
  }

  // The parameter whose memory a value is.
  std::optional<std::size_t> memory_of(const Function& function, const Expr* value) const {
    while (true) {
      if (value->kind == Expr::Kind::kParameter) return parameter_number(function, value);
      if (value->kind == Expr::Kind::kOp && value->op->writes_alias()) {
        value = value->arguments[static_cast<std::size_t>(*value->op->aliased_operand())];
        continue;
      }
      const bool is_get = value->kind == Expr::Kind::kGet;
      const Expr* const call = is_get ? value->arguments[0] : value;
      if (call->kind != Expr::Kind::kCall) return std::nullopt;
      const auto& results = roles_.at(call->callee).state_results;
      const auto state = results[static_cast<std::size_t>(is_get ? value->index : 0)];
      if (!state) return std::nullopt;
      value = call->arguments[*state];
    }
  }

  std::optional<std::size_t> state_of(const Function& function, const Expr* result) const {
    const auto number = memory_of(function, result);
    const bool is_state = number && roles_.at(&function).parameters[*number] == Role::kState;
    return is_state ? number : std::nullopt;
  }

  void find_constants() {
    std::map<std::pair<const Function*, std::size_t>, bool> bindings;  // whether all are constant
    for (auto function = module_.functions().rbegin(); function != module_.functions().rend(); ++function) {
      FunctionRoles& roles = roles_.at(function->get());
      for (std::size_t i = 0; i < roles.parameters.size(); ++i) {
        const auto bound = bindings.find({function->get(), i});
        const bool is_constant = bound != bindings.end() && bound->second;
        if (is_constant && roles.parameters[i] == Role::kActivation) roles.parameters[i] = Role::kConstant;
      }
      bind_arguments(**function, bindings);
    }
  }

  void bind_arguments(const Function& function, std::map<std::pair<const Function*, std::size_t>, bool>& bindings) {
    std::set<const Expr*> constants;
    for (const Expr* value : topological_order(function)) {
      if (is_constant(function, *value, constants)) constants.insert(value);
      if (value->kind != Expr::Kind::kCall) continue;
      for (std::size_t i = 0; i < value->arguments.size(); ++i) {
        const auto [bound, is_first] = bindings.try_emplace({value->callee, i}, true);
        bound->second = bound->second && constants.contains(value->arguments[i]);
      }
    }
  }

  bool is_constant(const Function& function, const Expr& value, const std::set<const Expr*>& constants) const {
    switch (value.kind) {
      case Expr::Kind::kWeight:
      case Expr::Kind::kScalar:
        return true;
      case Expr::Kind::kParameter: {
        const auto number = parameter_number(function, &value);
        return number && roles_.at(&function).parameters[*number] == Role::kConstant;
      }
      case Expr::Kind::kOp:
        return std::ranges::all_of(value.arguments, [&](const Expr* a) { return constants.contains(a); });
      case Expr::Kind::kCall:
      case Expr::Kind::kGet:
        return false;
    }
    return false;
  }

  const Module& module_;
  Roles roles_;
};

}  // namespace

Roles find_roles(const Module& module) { return RoleFinder(module).run(); }

std::map<const Function*, double> call_counts(const Module& module, const std::vector<std::string>& entries) {
  std::map<const Function*, double> counts;
  for (const std::string& entry : entries) {
    if (const Function* function = module.find(entry)) counts[function] += 1;
  }
  for (auto function = module.functions().rbegin(); function != module.functions().rend(); ++function) {
    const double runs = counts[function->get()];
    for (const Expr* value : topological_order(**function)) {
      if (value->kind == Expr::Kind::kCall) counts[value->callee] += runs;
    }
  }
  return counts;
}

}  // namespace strata::ir
