// SPDX-License-Identifier: Apache-2.0
#include "vectorize/rebuild.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "ir/rewrite.h"
#include "plan/op_text.h"
#include "vectorize/own_result.h"

namespace strata::vectorize {
namespace {

using egraph::ClassId;
using egraph::ENode;
using ir::Expr;
using ir::Function;

// What a rebuilt function's parameter is bound to in terms of the original's parameters.
struct NewParameter {
  std::optional<std::size_t> original;  // the same parameter, perhaps in another layout
  const Expr* constant = nullptr;       // else: an expression of the original's constant parameters and of weights
};

struct NewFunction {
  const Function* function = nullptr;
  std::vector<NewParameter> parameters;
};

std::set<std::string> parameters_in(const Expr& value) {
  if (value.kind == Expr::Kind::kParameter) return {value.name};
  std::set<std::string> names;
  for (const Expr* argument : value.arguments) names.merge(parameters_in(*argument));
  return names;
}

// "q_proj_and_k_proj.weight" of q_proj.weight and k_proj.weight.
std::string joined_names(const Expr& value) {
  if (value.arguments.empty()) return value.name;
  std::string names;
  for (const Expr* argument : value.arguments) {
    const std::string name = joined_names(*argument);
    if (name.empty()) continue;
    const std::string suffix = name.substr(std::min(name.rfind('.'), name.size()));
    if (names.ends_with(suffix)) names.resize(names.size() - suffix.size());
    names += (names.empty() ? "" : "_and_") + name;
  }
  return names;
}

// A pure expression in another pool, its parameters replaced.
const Expr* copy_constant(ir::ExprPool& pool, const Expr& value, const std::map<std::string, const Expr*>& parameters) {
  if (value.kind == Expr::Kind::kParameter) return parameters.at(value.name);
  if (value.kind == Expr::Kind::kWeight) return pool.weight(value.name, value.type());
  if (value.kind == Expr::Kind::kScalar) return pool.scalar(value.value, value.type().dtype);
  STRATA_CHECK(value.kind == Expr::Kind::kOp, "a constant is made by ops");
  std::vector<const Expr*> arguments;
  for (const Expr* argument : value.arguments) arguments.push_back(copy_constant(pool, *argument, parameters));
  return pool.op(*value.op, std::move(arguments), value.attributes);
}

class VersionBuilder {
 public:
  VersionBuilder(const ProgramGraph& program, const Selection& selection, const Version& version,
                 Alternatives& alternatives)
      : program_(program),
        tensors_(program.tensors()),
        selection_(selection),
        version_(version),
        built_(version.module->name()),
        alternatives_(alternatives) {}

  ir::Module run() {
    for (const auto& symbol : version_.module->symbols()) built_.symbol(*symbol);
    const auto counts = ir::call_counts(*version_.module, version_.entries);
    for (const auto& function : version_.module->functions()) {
      if (counts.at(function.get()) > 0) build(*function);
    }
    return std::move(built_);
  }

 private:
  ir::ExprPool& pool() { return built_.pool(); }

  void build(const Function& function) {
    current_ = &program_.of(&function);
    values_.clear();
    constants_.clear();
    calls_.clear();
    constant_parameters_.clear();
    NewFunction made;
    made_ = &made;
    body_ = {function.name, {}, {}, function.origin};
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
      if (current_->roles->parameters[i] != ir::Role::kConstant) add_parameter(i);
    }
    for (std::size_t i = 0; i < function.results.size(); ++i) {
      body_.results.push_back(own_result(pool(), result(i), body_.results));
    }
    made.function = built_.add(std::move(body_));
    functions_[&function] = std::move(made);
  }

  static std::vector<const Expr*> all_calls(const Function& function) {
    std::vector<const Expr*> calls;
    for (const Expr* value : ir::topological_order(function)) {
      if (value->kind == Expr::Kind::kCall) calls.push_back(value);
    }
    return calls;
  }

  void add_parameter(std::size_t number) {
    const Expr& old = *current_->function->parameters[number];
    ir::TensorType type = old.type();
    if (current_->roles->parameters[number] == ir::Role::kState)
      type.layout = state_layout(*current_->function, number);
    body_.parameters.push_back(pool().parameter(old.name, type));
    made_->parameters.push_back({number, nullptr});
    parameters_[&old] = body_.parameters.back();
  }

  // The layout of a state where it is updated, here or in a callee.
  ir::Layout state_layout(const Function& function, std::size_t parameter) const {
    const FunctionGraph& graph = program_.of(&function);
    for (std::size_t i = 0; i < function.results.size(); ++i) {
      if (graph.roles->state_results[i] != parameter) continue;
      if (graph.results[i]) return tensors_.type(selection_.state_form(*graph.results[i])).layout;
    }
    const Expr* const state = function.parameters[parameter];
    for (const Expr* call : all_calls(function)) {
      const auto& roles = program_.roles(version_).at(call->callee);
      for (std::size_t i = 0; i < call->arguments.size(); ++i) {
        if (call->arguments[i] == state && roles.parameters[i] == ir::Role::kState)
          return state_layout(*call->callee, i);
      }
    }
    return {};
  }

  const Expr* result(std::size_t number) {
    const Expr& old = *current_->function->results[number];
    const auto& graph_result = current_->results[number];
    if (!graph_result) return passed_through(old);
    const ClassId id = tensors_.graph().find(*graph_result);
    return value(current_->roles->state_results[number] ? selection_.state_form(id) : id);
  }

  const Expr* passed_through(const Expr& old) {
    if (old.kind == Expr::Kind::kCall) return new_call(old);
    return pool().get(new_call(*old.arguments[0]), old.index);
  }

  // The value of a class at run time.
  const Expr* value(ClassId id) {
    id = tensors_.graph().find(id);
    const rules::Facts& facts = tensors_.facts(id);
    if (facts.scalar) return pool().scalar(*facts.scalar, facts.types[0].dtype);
    const auto known = values_.find(id);
    if (known != values_.end()) return known->second;
    const Choice choice = selection_.of(id);
    STRATA_CHECK(choice.kind != Choice::Kind::kNone, "a value that wasn't chosen");
    const Expr* made = nullptr;
    if (choice.kind == Choice::Kind::kStored) {
      made = facts.is_constant ? stored_constant(id) : leaf(id);
    } else {
      made = node_value(id, tensors_.graph().nodes(id)[choice.node]);
    }
    return values_[id] = made;
  }

  // An activation, or a state as it is kept.
  const Expr* leaf(ClassId id) {
    for (const ENode node : tensors_.graph().nodes(id)) {
      if (tensors_.is_leaf(node)) return parameter_of(node);
      if (!tensors_.is_pack(node)) continue;
      for (const ENode source : tensors_.graph().nodes(node.children[0])) {
        if (tensors_.is_leaf(source)) return parameter_of(source);
      }
    }
    STRATA_CHECK(false, "no parameter holds this value");
    return nullptr;
  }

  // Versions share the leaves of states, so the origin may be another version's parameter.
  const Expr* parameter_of(const ENode& node) const {
    const Expr& origin = *tensors_.operator_of(node).origin;
    for (const Expr* parameter : current_->function->parameters) {
      if (parameter->name == origin.name) return parameters_.at(parameter);
    }
    STRATA_CHECK(false, "no parameter %" + origin.name);
    return nullptr;
  }

  const Expr* node_value(ClassId id, const ENode& node) {
    if (tensors_.is_call(node)) return new_call(*tensors_.operator_of(node).origin);
    std::vector<const Expr*> arguments;
    for (const ClassId child : node.children) arguments.push_back(value(child));
    if (tensors_.is_get(node)) return pool().get(arguments[0], tensors_.operator_of(node).index);
    const ir::Op* const op = tensors_.op_of(node);
    STRATA_CHECK(op != nullptr, "a node that is no value");
    const Expr* const made = pool().op(*op, std::move(arguments), tensors_.operator_of(node).attributes);
    if (!facts_are_constant(id)) alternatives_.try_emplace(made, alternatives(id, *op));
    return made;
  }

  bool facts_are_constant(ClassId id) const { return tensors_.facts(id).is_constant; }

  // All forms of the op that stand in the class, or in the classes that are it packed.
  std::vector<plan::Alternative> alternatives(ClassId id, const ir::Op& op) const {
    std::set<ClassId> family = {id};
    const auto parents = tensors_.graph().parent_ids(id);
    for (const egraph::NodeId parent : parents) {
      if (tensors_.is_unpack(tensors_.graph().node(parent))) family.insert(tensors_.graph().find(parent));
    }
    for (const ClassId member : std::vector<ClassId>(family.begin(), family.end())) {
      for (const ENode node : tensors_.graph().nodes(member)) {
        if (tensors_.is_unpack(node)) family.insert(node.children[0]);
      }
    }
    std::vector<plan::Alternative> all;
    for (const ClassId member : family) add_alternatives(member, op, all);
    std::ranges::sort(all, {}, &plan::Alternative::predicted_s);
    return all;
  }

  void add_alternatives(ClassId id, const ir::Op& op, std::vector<plan::Alternative>& all) const {
    for (const ENode node : tensors_.graph().nodes(id)) {
      if (tensors_.op_of(node) != &op) continue;
      const double seconds = selection_.node_seconds(node, id, *current_, version_.steps.front().sizes);
      if (seconds == std::numeric_limits<double>::infinity()) continue;
      std::vector<ir::TensorType> operands;
      for (const ClassId child : node.children) operands.push_back(tensors_.type(child));
      all.push_back({plan::layout_text(op, operands, tensors_.type(id)), seconds});
    }
  }

  const Expr* stored_constant(ClassId id) { return passed_constant(constant(id)); }

  // A constant in the package: an expression of weights, or a parameter that the callers bind to one.
  const Expr* passed_constant(const Expr* expression) {
    if (parameters_in(*expression).empty()) return copy_constant(pool(), *expression, {});
    const auto [known, is_new] = constant_parameters_.try_emplace(expression, nullptr);
    if (!is_new) return known->second;
    std::string name = joined_names(*expression);
    while (std::ranges::any_of(body_.parameters, [&](const Expr* p) { return p->name == name; })) name += "_";
    body_.parameters.push_back(pool().parameter(name, expression->type()));
    made_->parameters.push_back({std::nullopt, expression});
    return known->second = body_.parameters.back();
  }

  // As an expression of the original's constant parameters and of weights, outside of the module.
  const Expr* constant(ClassId id) {
    id = tensors_.graph().find(id);
    const auto known = constants_.find(id);
    if (known != constants_.end()) return known->second;
    const ENode node = tensors_.graph().nodes(id)[selection_.constant_node(id)];
    const rules::Operator& record = tensors_.operator_of(node);
    const Expr* made = nullptr;
    if (tensors_.is_leaf(node)) {
      made = record.origin->kind == Expr::Kind::kWeight ? scratch_.weight(record.origin->name, record.type)
                                                        : scratch_.parameter(record.origin->name, record.type);
    } else if (tensors_.is_scalar(node)) {
      made = scratch_.scalar(record.value, record.type.dtype);
    } else {
      std::vector<const Expr*> arguments;
      for (const ClassId child : node.children) arguments.push_back(constant(child));
      made = scratch_.op(*tensors_.op_of(node), std::move(arguments), record.attributes);
    }
    return constants_[id] = made;
  }

  const Expr* new_call(const Expr& call) {
    const auto known = calls_.find(&call);
    if (known != calls_.end()) return known->second;
    const NewFunction& callee = functions_.at(call.callee);
    std::vector<const Expr*> arguments;
    for (const NewParameter& parameter : callee.parameters) {
      arguments.push_back(parameter.original ? argument(call, *parameter.original)
                                             : bound_constant(call, *parameter.constant));
    }
    return calls_[&call] = pool().call(*callee.function, std::move(arguments));
  }

  // An activation or a state.
  const Expr* argument(const Expr& call, std::size_t number) {
    const Expr& old = *call.arguments[number];
    if (program_.roles(version_).at(call.callee).parameters[number] == ir::Role::kActivation) {
      return value(current_->values.at(&old));
    }
    if (old.kind == Expr::Kind::kParameter) return parameters_.at(&old);
    STRATA_CHECK(old.kind == Expr::Kind::kGet || old.kind == Expr::Kind::kCall, "a state that is no parameter's");
    return passed_through(old);
  }

  // The callee's constant in terms of what this function passes for the callee's parameters.
  const Expr* bound_constant(const Expr& call, const Expr& constant) {
    std::map<std::string, const Expr*> bindings;
    const auto& parameters = call.callee->parameters;
    for (const std::string& name : parameters_in(constant)) {
      const auto at = std::ranges::find(parameters, name, [](const Expr* p) { return p->name; });
      const Expr& passed = *call.arguments[static_cast<std::size_t>(at - parameters.begin())];
      bindings[name] = scratch_copy(passed);
    }
    return passed_constant(copy_constant(scratch_, constant, bindings));
  }

  const Expr* scratch_copy(const Expr& value) {
    std::map<std::string, const Expr*> parameters;
    for (const Expr* parameter : current_->function->parameters) {
      parameters[parameter->name] = scratch_.parameter(parameter->name, parameter->type());
    }
    return copy_constant(scratch_, value, parameters);
  }

  const ProgramGraph& program_;
  const rules::TensorGraph& tensors_;
  const Selection& selection_;
  const Version& version_;
  ir::Module built_;
  Alternatives& alternatives_;
  ir::ExprPool scratch_;  // of constants as expressions of the original parameters
  std::map<const Function*, NewFunction> functions_;

  // Of the function that is being built:
  const FunctionGraph* current_ = nullptr;
  NewFunction* made_ = nullptr;
  Function body_;
  std::map<const Expr*, const Expr*> parameters_;
  std::map<ClassId, const Expr*> values_;
  std::map<ClassId, const Expr*> constants_;
  std::map<const Expr*, const Expr*> calls_;
  std::map<const Expr*, const Expr*> constant_parameters_;
};

}  // namespace

ir::Module rebuild(const ProgramGraph& program, const Selection& selection, const Version& version,
                   Alternatives& alternatives) {
  return VersionBuilder(program, selection, version, alternatives).run();
}

}  // namespace strata::vectorize
