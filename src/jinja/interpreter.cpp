// SPDX-License-Identifier: Apache-2.0
#include "jinja/interpreter.h"

#include <algorithm>

namespace strata::jinja {

std::string Interpreter::render(const Template& parsed, const nlohmann::ordered_json& context) {
  auto* globals = runtime_.make<Scope>();
  for (const auto& [name, value] : context.items()) globals->variables[name] = runtime_.from_json(value);
  std::string out;
  execute(parsed.body, new_scope(*globals), out);
  return out;
}

Scope& Interpreter::new_scope(Scope& parent) {
  auto* scope = runtime_.make<Scope>();
  scope->parent = &parent;
  return *scope;
}

void Interpreter::append(std::string& out, std::string_view text) {
  runtime_.charge_text(text.size());
  if (out.size() + text.size() > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
  out += text;
}

void Interpreter::append_value(std::string& out, const Value& value) {
  if (value.is_string()) return append(out, value.as_string());
  append(out, to_text(runtime_, value));
}

Interpreter::Flow Interpreter::execute(const Block& block, Scope& scope, std::string& out) {
  const Runtime::Depth depth(runtime_);
  for (const auto& statement : block) {
    runtime_.step();
    try {
      const Flow flow = execute_statement(*statement, scope, out);
      if (flow != Flow::kNext) return flow;
    } catch (TemplateError& error) {
      if (error.line == 0) error.line = statement->line;
      throw;
    }
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_statement(const Statement& statement, Scope& scope, std::string& out) {
  switch (statement.kind) {
    case StatementKind::kText:
      append(out, statement.text);
      break;
    case StatementKind::kOutput:
      append_value(out, evaluate(*statement.expr, scope));
      break;
    case StatementKind::kIf:
      return execute_if(statement, scope, out);
    case StatementKind::kFor:
      return execute_for(statement, scope, out);
    case StatementKind::kSet:
      assign(statement.target, evaluate(*statement.expr, scope), scope);
      break;
    case StatementKind::kSetBlock:
      execute_set_block(statement, scope);
      break;
    case StatementKind::kMacro:
      scope.variables[statement.text] = make_macro(statement, scope);
      break;
    case StatementKind::kCall:
      execute_call(statement, scope, out);
      break;
    case StatementKind::kFilter:
      append_value(out, run_block(statement, scope, statement.expr));
      break;
    case StatementKind::kWith:
      return execute_with(statement, scope, out);
    case StatementKind::kScope:
      return execute(statement.body, new_scope(scope), out);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_if(const Statement& statement, Scope& scope, std::string& out) {
  for (const auto& [test, body] : statement.branches) {
    if (!test || truthy(evaluate(*test, scope))) return execute(body, scope, out);
  }
  return Flow::kNext;
}

std::vector<Value> Interpreter::loop_items(const Statement& statement, Scope& scope) {
  std::vector<Value> items = iterate(runtime_, evaluate(*statement.expr, scope));
  if (!statement.condition) return items;
  Scope& inner = new_scope(scope);
  std::vector<Value> kept;
  for (const Value& item : items) {
    assign(statement.target, item, inner);
    if (truthy(evaluate(*statement.condition, inner))) kept.push_back(item);
  }
  return kept;
}

Interpreter::Flow Interpreter::execute_for(const Statement& statement, Scope& scope, std::string& out) {
  const std::vector<Value> items = loop_items(statement, scope);
  if (items.empty())
    return statement.branches.empty() ? Flow::kNext : execute(statement.branches[0].second, scope, out);
  Scope& inner = new_scope(scope);
  auto* loop = runtime_.make<LoopObject>();
  auto* kept_items = runtime_.make<ListObject>();
  kept_items->items = items;
  loop->items = &kept_items->items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    runtime_.step();
    loop->index = i;
    inner.variables.clear();
    inner.variables["loop"] = Value::object(Kind::kLoop, loop);
    assign(statement.target, items[i], inner);
    if (execute(statement.body, inner, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Value Interpreter::run_block(const Statement& statement, Scope& scope, const ExprPtr& filters) {
  Scope& inner = new_scope(scope);
  std::string text;
  execute(statement.body, inner, text);
  Value value = runtime_.string(std::move(text));
  if (!filters) return value;
  Scope& filtering = new_scope(scope);
  filtering.variables[kBlockInput] = value;
  return evaluate(*filters, filtering);
}

void Interpreter::execute_set_block(const Statement& statement, Scope& scope) {
  assign(statement.target, run_block(statement, scope, statement.expr), scope);
}

void Interpreter::execute_call(const Statement& statement, Scope& scope, std::string& out) {
  const Expr& expr = *statement.expr;
  const Value callee = evaluate(*expr.args[0], scope);
  Arguments arguments = evaluate_arguments(expr, scope);
  arguments.named.emplace_back("caller", make_macro(statement, scope));
  append_value(out, call(runtime_, callee, arguments));
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement, Scope& scope, std::string& out) {
  Scope& inner = new_scope(scope);
  for (const auto& [target, expr] : statement.assignments) assign(target, evaluate(*expr, scope), inner);
  return execute(statement.body, inner, out);
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.attribute.empty()) {
    Expr name;
    name.kind = ExprKind::kName;
    name.text = target.names[0];
    const Value space = evaluate_name(name, scope);
    if (space.kind() != Kind::kNamespace)
      fail_template("'" + name.text + "' is not a namespace, its attribute cannot be set");
    static_cast<NamespaceObject*>(space.as_object())->members[target.attribute] = value;
  } else if (!target.unpacks) {
    scope.variables[target.names[0]] = value;
  } else {
    const std::vector<Value> parts = iterate(runtime_, value);
    if (parts.size() != target.names.size()) {
      fail_data("cannot unpack " + std::to_string(parts.size()) + " values into " +
                std::to_string(target.names.size()));
    }
    for (std::size_t i = 0; i < parts.size(); ++i) scope.variables[target.names[i]] = parts[i];
  }
}

Value Interpreter::make_macro(const Statement& statement, Scope& scope) {
  return runtime_.callable(statement.text, [this, &statement, &scope](Runtime&, const Arguments& arguments) {
    return run_macro(statement, scope, arguments);
  });
}

Value Interpreter::run_macro(const Statement& macro, Scope& closure, const Arguments& arguments) {
  Scope& scope = new_scope(closure);
  const std::size_t count = macro.parameters.size();
  const std::size_t direct = std::min(count, arguments.positional.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Parameter& parameter = macro.parameters[i];
    const Value* given = arguments.find(i, parameter.name);
    scope.variables[parameter.name] = given != nullptr      ? *given
                                      : parameter.otherwise ? evaluate(*parameter.otherwise, scope)
                                                            : Value::undefined("parameter '" + parameter.name + "'");
  }
  std::vector<Value> more(arguments.positional.begin() + static_cast<std::ptrdiff_t>(direct),
                          arguments.positional.end());
  scope.variables["varargs"] = runtime_.list(std::move(more), Kind::kTuple);
  DictObject* others = runtime_.new_dict();
  for (const auto& [name, value] : arguments.named) {
    const bool is_parameter = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                          [&, &wanted = name](const Parameter& p) { return p.name == wanted; });
    if (name == "caller") {
      scope.variables[name] = value;
    } else if (!is_parameter) {
      others->set(Value::string(name), value);
    }
  }
  scope.variables["kwargs"] = Runtime::dict_value(others);
  std::string out;
  execute(macro.body, scope, out);
  return runtime_.string(std::move(out));
}

Value Interpreter::evaluate(const Expr& expr, Scope& scope) {
  const Runtime::Depth depth(runtime_);
  runtime_.step();
  try {
    return evaluate_kind(expr, scope);
  } catch (TemplateError& error) {
    if (error.line == 0) error.line = expr.line;
    throw;
  }
}

Value Interpreter::evaluate_kind(const Expr& expr, Scope& scope) {
  switch (expr.kind) {
    case ExprKind::kConstant:
      return evaluate_constant(expr);
    case ExprKind::kName:
      return evaluate_name(expr, scope);
    case ExprKind::kList:
      return evaluate_items(expr, scope, Kind::kList);
    case ExprKind::kTuple:
      return evaluate_items(expr, scope, Kind::kTuple);
    case ExprKind::kDict:
      return evaluate_dict(expr, scope);
    case ExprKind::kAttribute:
      return get_attribute(runtime_, evaluate(*expr.args[0], scope), expr.text);
    case ExprKind::kItem:
      return get_item(runtime_, evaluate(*expr.args[0], scope), evaluate(*expr.args[1], scope));
    case ExprKind::kSlice:
      return evaluate_slice(expr, scope);
    case ExprKind::kCall:
      return evaluate_call(expr, scope);
    case ExprKind::kFilter:
      return evaluate_filter(expr, scope);
    case ExprKind::kTest:
      return evaluate_test(expr, scope);
    case ExprKind::kNot:
      return Value::boolean(!truthy(evaluate(*expr.args[0], scope)));
    case ExprKind::kNegate:
      return negate(evaluate(*expr.args[0], scope));
    case ExprKind::kPlus:
      return negate(negate(evaluate(*expr.args[0], scope)));
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      Value left = evaluate(*expr.args[0], scope);
      return truthy(left) == (expr.kind == ExprKind::kOr) ? left : evaluate(*expr.args[1], scope);
    }
    case ExprKind::kConcat:
      return evaluate_concat(expr, scope);
    case ExprKind::kArithmetic:
      return evaluate_arithmetic(expr, scope);
    case ExprKind::kCompare:
      return evaluate_compare(expr, scope);
    case ExprKind::kConditional:
      return evaluate_conditional(expr, scope);
  }
  return {};
}

Value Interpreter::evaluate_constant(const Expr& expr) {
  if (const auto* text = std::get_if<std::string>(&expr.constant)) return runtime_.string(*text);
  if (const auto* integer = std::get_if<std::int64_t>(&expr.constant)) return Value::integer(*integer);
  if (const auto* real = std::get_if<double>(&expr.constant)) return Value::real(*real);
  if (const auto* boolean = std::get_if<bool>(&expr.constant)) return Value::boolean(*boolean);
  return Value::none();
}

Value Interpreter::evaluate_name(const Expr& expr, Scope& scope) {
  for (Scope* each = &scope; each != nullptr; each = each->parent) {
    const auto found = each->variables.find(expr.text);
    if (found != each->variables.end()) return found->second;
  }
  Value global = find_global(runtime_, expr.text);
  return global.is_undefined() ? Value::undefined("'" + expr.text + "'") : global;
}

Value Interpreter::evaluate_items(const Expr& expr, Scope& scope, Kind kind) {
  std::vector<Value> items;
  for (const ExprPtr& item : expr.args) items.push_back(evaluate(*item, scope));
  return runtime_.list(std::move(items), kind);
}

Value Interpreter::evaluate_dict(const Expr& expr, Scope& scope) {
  DictObject* dict = runtime_.new_dict();
  for (std::size_t i = 0; i + 1 < expr.args.size(); i += 2) {
    const Value key = evaluate(*expr.args[i], scope);
    if (!DictObject::is_hashable(key)) fail_data("unhashable type: '" + type_name(key) + "'");
    dict->set(key, evaluate(*expr.args[i + 1], scope));
  }
  return Runtime::dict_value(dict);
}

Value Interpreter::evaluate_optional(const ExprPtr& expr, Scope& scope) {
  return expr ? evaluate(*expr, scope) : Value::none();
}

Value Interpreter::evaluate_slice(const Expr& expr, Scope& scope) {
  const Value base = evaluate(*expr.args[0], scope);
  const Value start = evaluate_optional(expr.args[1], scope), stop = evaluate_optional(expr.args[2], scope);
  return get_slice(runtime_, base, start, stop, evaluate_optional(expr.args[3], scope));
}

Arguments Interpreter::evaluate_arguments(const Expr& expr, Scope& scope) {
  Arguments arguments;
  for (std::size_t i = 1; i < expr.args.size(); ++i) arguments.positional.push_back(evaluate(*expr.args[i], scope));
  for (const auto& [name, value] : expr.named) arguments.named.emplace_back(name, evaluate(*value, scope));
  return arguments;
}

Value Interpreter::evaluate_call(const Expr& expr, Scope& scope) {
  const Value callee = evaluate(*expr.args[0], scope);
  return call(runtime_, callee, evaluate_arguments(expr, scope));
}

Value Interpreter::evaluate_filter(const Expr& expr, Scope& scope) {
  const Value input = evaluate(*expr.args[0], scope);
  return apply_filter(runtime_, expr.text, input, evaluate_arguments(expr, scope));
}

Value Interpreter::evaluate_test(const Expr& expr, Scope& scope) {
  const Value input = evaluate(*expr.args[0], scope);
  return Value::boolean(apply_test(runtime_, expr.text, input, evaluate_arguments(expr, scope)));
}

Value Interpreter::evaluate_concat(const Expr& expr, Scope& scope) {
  std::string out;
  for (const ExprPtr& part : expr.args) append_value(out, evaluate(*part, scope));
  return runtime_.string(std::move(out));
}

Value Interpreter::evaluate_arithmetic(const Expr& expr, Scope& scope) {
  const Value left = evaluate(*expr.args[0], scope);
  return arithmetic(runtime_, expr.text, left, evaluate(*expr.args[1], scope));
}

Value Interpreter::evaluate_compare(const Expr& expr, Scope& scope) {
  Value left = evaluate(*expr.args[0], scope);
  for (std::size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = evaluate(*expr.args[i + 1], scope);
    const std::string& op = expr.ops[i];
    const bool holds = op == "=="   ? equal(runtime_, left, right)
                       : op == "!=" ? !equal(runtime_, left, right)
                       : op == "<"  ? less(runtime_, left, right)
                       : op == ">"  ? less(runtime_, right, left)
                       : op == "<=" ? less(runtime_, left, right) || equal(runtime_, left, right)
                       : op == ">=" ? less(runtime_, right, left) || equal(runtime_, left, right)
                       : op == "in" ? contains(runtime_, right, left)
                                    : !contains(runtime_, right, left);
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_conditional(const Expr& expr, Scope& scope) {
  if (truthy(evaluate(*expr.args[0], scope))) return evaluate(*expr.args[1], scope);
  return expr.args[2] ? evaluate(*expr.args[2], scope) : Value::undefined("the inline if without else");
}

}  // namespace strata::jinja
