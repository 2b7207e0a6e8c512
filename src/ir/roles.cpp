// SPDX-License-Identifier: Apache-2.0
#include "ir/roles.h"

#include <algorithm>
#include <set>

#include "ir/memory.h"

namespace strata::ir {
namespace {

std::optional<std::size_t> parameter_number(const Function& function, const Expr* value) {
  const auto found = std::ranges::find(function.parameters, value);
  if (found == function.parameters.end()) return std::nullopt;
  return static_cast<std::size_t>(found - function.parameters.begin());
}

// Callees come before callers in a module; constants are found backwards.
class RoleFinder {
 public:
  explicit RoleFinder(const Module& module) : module_(module) {}

  Roles run() {
    const MemorySummaries summaries = memory_summaries(module_, [](const Expr&) { return false; });
    for (const auto& function : module_.functions()) find_states(summaries.at(function.get()), roles_[function.get()]);
    find_constants();
    return std::move(roles_);
  }

 private:
  static void find_states(const MemorySummary& memory, FunctionRoles& roles) {
    for (const bool is_written : memory.writes) {
      roles.parameters.push_back(is_written ? Role::kState : Role::kActivation);
    }
    for (const auto& parameter : memory.result_parameter) {
      const bool is_state = parameter && memory.writes[*parameter];
      roles.state_results.push_back(is_state ? parameter : std::nullopt);
    }
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
