// SPDX-License-Identifier: Apache-2.0
#include "distribution/graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "distribution/strategy.h"
#include "ir/roles.h"
#include "plan/op_text.h"

namespace strata::distribution {
namespace {

using ir::Expr;
using ir::Function;
using Names = std::map<const Expr*, std::string>;

class Builder {
 public:
  Builder(const ir::Module& module, bool hands_on_whole)
      : module_(module), roles_(ir::find_roles(module)), hands_on_whole_(hands_on_whole) {}

  Graph run(const std::vector<std::string>& entries) {
    for (const std::string& entry : entries) {
      const Function* function = module_.find(entry);
      STRATA_CHECK(function != nullptr, "the program has no function " + entry);
      add_entry(*function, entry == entries.back());
    }
    return std::move(graph_);
  }

 private:
  // Values of one function; those of constants are at the beginning of what follows from them.
  struct Scope {
    const Function& function;
    double count = 1;
    std::map<const Expr*, int> values = {};
    std::map<const Expr*, double> folded = {};  // constant expressions: bytes of the leaves
    Names names = {};
  };

  void add_entry(const Function& function, bool is_final) {
    Scope scope{function};
    scope.names = plan::op_names(function);
    const ir::FunctionRoles& roles = roles_.at(&function);
    const int before = handed_on_;
    is_last_ = before >= 0;
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
      const Expr* parameter = function.parameters[i];
      if (roles.parameters[i] == ir::Role::kState) {
        scope.values[parameter] = add({Value::Kind::kState, parameter->name, parameter->type()});
      } else {
        const bool is_result = before >= 0 && parameter->type() == graph_.values[static_cast<std::size_t>(before)].type;
        const bool is_handed_on = is_result && !hands_on_whole_;
        Value value{is_handed_on ? Value::Kind::kHandedOn : Value::Kind::kGiven, parameter->name, parameter->type()};
        value.of = is_handed_on ? before : -1;
        scope.values[parameter] = add(std::move(value));
      }
    }
    walk(scope);
    const Expr* result = function.results[0];
    handed_on_ = scope.values.at(result);
    if (is_final || hands_on_whole_) graph_.deliveries.push_back({handed_on_, -1, 1});
    note_values(scope);
  }

  void note_values(const Scope& scope) {
    for (const auto& [value, number] : scope.values) graph_.value_of[{&scope.function, value}] = number;
  }

  int add(Value value) {
    value.is_last = is_last_;
    graph_.values.push_back(std::move(value));
    return static_cast<int>(graph_.values.size()) - 1;
  }

  // By name: the same in all functions.
  int constant(const std::string& name, const ir::TensorType& type, double copies, double bytes) {
    const auto [known, is_new] = constants_.try_emplace(name, -1);
    if (!is_new) return known->second;
    Value value{Value::Kind::kConstant, name, type};
    value.copies = copies;
    value.bytes = bytes;
    return known->second = add(std::move(value));
  }

  void walk(Scope& scope) {
    for (const Expr* value : ir::topological_order(scope.function)) {
      switch (value->kind) {
        case Expr::Kind::kParameter:
        case Expr::Kind::kGet:
          break;
        case Expr::Kind::kWeight:
          scope.folded[value] = static_cast<double>(ir::max_bytes(value->type()));
          break;
        case Expr::Kind::kScalar:
          scope.folded[value] = 0;
          break;
        case Expr::Kind::kOp:
          add_op(scope, *value);
          break;
        case Expr::Kind::kCall:
          add_call(scope, *value);
          break;
      }
    }
  }

  void add_op(Scope& scope, const Expr& op) {
    const auto is_folded = [&](const Expr* argument) { return scope.folded.contains(argument); };
    if (std::ranges::all_of(op.arguments, is_folded)) {
      for (const Expr* argument : op.arguments) scope.folded[&op] += scope.folded.at(argument);
      return;
    }
    Node node{&op, scope.function.name + "." + scope.names.at(&op), scope.function.name, {}, -1, scope.count, is_last_};
    for (const Expr* argument : op.arguments) node.operands.push_back(operand(scope, *argument));
    Value result{Value::Kind::kMade, node.name, op.type()};
    result.node = static_cast<int>(graph_.nodes.size());
    node.result = scope.values[&op] = add(std::move(result));
    graph_.node_of[{&scope.function, &op}] = static_cast<int>(graph_.nodes.size());
    graph_.nodes.push_back(std::move(node));
  }

  int operand(Scope& scope, const Expr& argument) {
    const auto folded = scope.folded.find(&argument);
    if (folded == scope.folded.end()) return scope.values.at(&argument);
    if (argument.type().rank() == 0) return -1;
    const auto known = scope.values.find(&argument);
    if (known != scope.values.end()) return known->second;
    const std::string name = name_of(argument);
    const bool is_shared = argument.kind == Expr::Kind::kWeight;
    const std::string key = is_shared ? name : scope.function.name + "." + name + "#" + std::to_string(argument.id);
    const int value = constant(key, argument.type(), is_shared ? 1 : scope.count, folded->second);
    graph_.values[static_cast<std::size_t>(value)].name = is_shared ? name : scope.function.name + "." + name;
    graph_.values[static_cast<std::size_t>(value)].granules = granules_of(argument);
    return scope.values[&argument] = value;
  }

  // Of a constant expression, whose leaves are stored: weights in blocks have a scale for each.
  static std::vector<std::int64_t> granules_of(const Expr& constant) {
    std::vector<std::int64_t> granules(constant.type().shape.size(), 1);
    if (constant.kind != Expr::Kind::kOp) return granules;
    for (const ir::SbpSignature& signature : signatures_of(constant)) {
      if (!signature.result.is_split()) continue;
      const auto axis = static_cast<std::size_t>(signature.result.axis);
      const std::int64_t size = constant.type().shape[axis].factor();
      std::int64_t least = size;
      for (std::size_t i = 0; i < constant.arguments.size(); ++i) {
        if (!signature.operands[i].is_split()) continue;
        const auto along = static_cast<std::size_t>(signature.operands[i].axis);
        const Expr& leaf = *constant.arguments[i];
        least = std::min(least, leaf.type().shape[along].factor() / granules_of(leaf)[along]);
      }
      if (size % least == 0) granules[axis] = size / least;
    }
    return granules;
  }

  // Of an expression of constants the first leaf's.
  static std::string name_of(const Expr& constant) {
    const Expr* leaf = &constant;
    while (!leaf->arguments.empty()) leaf = leaf->arguments[0];
    return leaf->name;
  }

  // What a call takes and gives of one type is carried from call to call.
  void add_call(Scope& scope, const Expr& call) {
    const Function& callee = *call.callee;
    const ir::FunctionRoles& roles = roles_.at(&callee);
    std::set<std::string> carried;
    for (std::size_t i = 0; i < callee.results.size(); ++i) {
      if (!roles.state_results[i]) carried.insert(callee.results[i]->type().text());
    }
    const bool is_first = calls_[&callee]++ == 0;
    for (std::size_t i = 0; i < callee.parameters.size(); ++i) {
      if (roles.parameters[i] != ir::Role::kActivation) continue;
      const std::string type = callee.parameters[i]->type().text();
      const Expr& argument = *call.arguments[i];
      const int given = scope.values.at(&argument);
      const bool is_carried = carried.contains(type);
      const Value::Kind kind = graph_.values[static_cast<std::size_t>(given)].kind;
      if (is_carried && given != carried_of(type)) graph_.deliveries.push_back({given, carried_of(type), 1});
      if (!is_carried && kind != Value::Kind::kGiven && is_first) graph_.deliveries.push_back({given, -1, 1});
    }
    for (const Expr* result : results_of(scope, call)) {
      const auto index = static_cast<std::size_t>(result->kind == Expr::Kind::kGet ? result->index : 0);
      if (!roles.state_results[index]) scope.values[result] = carried_of(callee.results[index]->type().text());
    }
    if (is_first) add_callee(callee, count_of(scope, callee));
  }

  std::vector<const Expr*> results_of(const Scope& scope, const Expr& call) const {
    std::vector<const Expr*> found;
    for (const Expr* value : ir::topological_order(scope.function)) {
      if (value->kind == Expr::Kind::kGet && value->arguments[0] == &call) found.push_back(value);
    }
    if (call.types.size() == 1) found.push_back(&call);
    return found;
  }

  double count_of(const Scope& scope, const Function& callee) const {
    const auto order = ir::topological_order(scope.function);
    return scope.count * static_cast<double>(std::ranges::count_if(order, [&](const Expr* value) {
             return value->kind == Expr::Kind::kCall && value->callee == &callee;
           }));
  }

  int carried_of(const std::string& type) {
    const auto [known, is_new] = carried_.try_emplace(type, -1);
    if (is_new) {
      known->second = add({Value::Kind::kCarried, "carried", {}});
    }
    return known->second;
  }

  void add_callee(const Function& callee, double count) {
    Scope scope{callee, count};
    scope.names = plan::op_names(callee);
    const ir::FunctionRoles& roles = roles_.at(&callee);
    std::map<std::string, int> carried;
    for (const auto& [type, value] : carried_) carried[type] = value;
    for (std::size_t i = 0; i < callee.parameters.size(); ++i) {
      const Expr* parameter = callee.parameters[i];
      const auto known = carried.find(parameter->type().text());
      if (roles.parameters[i] == ir::Role::kConstant) {
        scope.folded[parameter] = static_cast<double>(ir::max_bytes(parameter->type()));
      } else if (roles.parameters[i] == ir::Role::kState) {
        Value value{Value::Kind::kState, callee.name + "." + parameter->name, parameter->type()};
        value.copies = count;
        scope.values[parameter] = add(std::move(value));
      } else if (known != carried.end()) {
        graph_.values[static_cast<std::size_t>(known->second)].type = parameter->type();
        scope.values[parameter] = known->second;
      } else {
        scope.values[parameter] = add({Value::Kind::kGiven, parameter->name, parameter->type()});
      }
    }
    walk(scope);
    for (std::size_t i = 0; i < callee.results.size(); ++i) {
      if (roles.state_results[i]) continue;
      const int value = scope.values.at(callee.results[i]);
      const int to = carried_of(callee.results[i]->type().text());
      if (value != to) graph_.deliveries.push_back({value, to, count});
    }
    note_values(scope);
  }

  const ir::Module& module_;
  const ir::Roles roles_;
  const bool hands_on_whole_;
  Graph graph_;
  std::map<std::string, int> constants_;
  std::map<std::string, int> carried_;  // by type
  std::map<const Function*, int> calls_;
  int handed_on_ = -1;
  bool is_last_ = false;
};

}  // namespace

Graph graph_of(const ir::Module& module, const std::vector<std::string>& entries, bool hands_on_whole) {
  Graph graph = Builder(module, hands_on_whole).run(entries);
  find_granules(graph);
  return graph;
}

}  // namespace strata::distribution
