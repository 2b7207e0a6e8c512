// SPDX-License-Identifier: Apache-2.0
#include "jinja/interpreter.h"

#include <algorithm>
#include <bit>

namespace strata::jinja {

std::string Interpreter::render(const Template& parsed, const nlohmann::ordered_json& context) {
  auto* globals = runtime_.make<Scope>();
  for (const auto& [name, value] : context.items()) globals->set(runtime_.memory(), name, runtime_.from_json(value));
  Output out(runtime_);
  execute(parsed.body, new_scope(*globals), out);
  return out.take();
}

void Scope::set(Account& account, const std::string& name, Value value) {
  const auto [place, is_new] = variables.insert_or_assign(name, std::move(value));
  if (is_new) account.charge(Runtime::kNodeBytes + place->first.size());
}

void Scope::clear(Account& account) {
  for (const auto& variable : variables) account.release(Runtime::kNodeBytes + variable.first.size());
  variables.clear();
}

void Output::append(std::string_view text) {
  runtime_.charge_text(text.size());
  const std::size_t size = text_.size() + text.size();
  if (size > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
  if (size > text_.capacity()) {
    const std::size_t capacity = std::max(size, 2 * text_.capacity());
    held_.grow(capacity - text_.capacity());
    text_.reserve(capacity);
  }
  text_ += text;
}

Scope& Interpreter::new_scope(Scope& parent) {
  auto* scope = runtime_.make<Scope>();
  scope->parent = &parent;
  return *scope;
}

void Interpreter::append_value(Output& out, const Value& value) {
  if (value.is_string()) return out.append(value.as_string());
  out.append(to_text(runtime_, value));
}

Interpreter::Flow Interpreter::execute(const Block& block, Scope& scope, Output& out) {
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

Interpreter::Flow Interpreter::execute_statement(const Statement& statement, Scope& scope, Output& out) {
  switch (statement.kind) {
    case StatementKind::kText:
      out.append(statement.text);
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
      scope.set(runtime_.memory(), statement.text, make_macro(statement, scope));
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

Interpreter::Flow Interpreter::execute_if(const Statement& statement, Scope& scope, Output& out) {
  for (const auto& [test, body] : statement.branches) {
    if (!test || truthy(evaluate(*test, scope))) return execute(body, scope, out);
  }
  return Flow::kNext;
}

const std::vector<Value>& Interpreter::loop_items(const Statement& statement, Scope& scope, const Value& iterated) {
  const std::vector<Value>& items = iterate(runtime_, iterated);
  if (!statement.condition) return items;
  Scope& inner = new_scope(scope);
  std::vector<Value> kept;
  for (const Value& item : items) {
    assign(statement.target, item, inner);
    if (truthy(evaluate(*statement.condition, inner))) kept.push_back(item);
  }
  inner.clear(runtime_.memory());
  return runtime_.list(std::move(kept)).items();
}

Interpreter::Flow Interpreter::execute_for(const Statement& statement, Scope& scope, Output& out) {
  return run_loop(statement, scope, evaluate(*statement.expr, scope), 0, out);
}

Interpreter::Flow Interpreter::run_loop(const Statement& statement, Scope& scope, const Value& iterated, int depth,
                                        Output& out) {
  const std::vector<Value>& items = loop_items(statement, scope, iterated);
  if (items.empty()) return execute_else(statement, scope, out);
  Scope& inner = new_scope(scope);
  auto* loop = runtime_.make<LoopObject>();
  loop->items = &items;
  loop->depth = depth;
  if (statement.is_recursive) {
    loop->recurse = [this, &statement, &scope, depth](Runtime&, const Arguments& arguments) {
      if (arguments.positional.size() != 1) fail_data("loop() needs the items");
      Output text(runtime_);
      run_loop(statement, scope, arguments.positional[0], depth + 1, text);
      return runtime_.string(text.take());
    };
  }
  bool is_else = true;  // as in Jinja: unless a turn came to its end, which one cut short by continue does not
  for (std::size_t i = 0; i < items.size(); ++i) {
    runtime_.step();
    loop->index = i;
    inner.clear(runtime_.memory());
    inner.set(runtime_.memory(), "loop", Value::object(Kind::kLoop, loop));
    assign(statement.target, items[i], inner);
    const Flow flow = execute(statement.body, inner, out);
    is_else = is_else && flow != Flow::kNext;
    if (flow == Flow::kBreak) break;
  }
  inner.clear(runtime_.memory());
  return is_else ? execute_else(statement, scope, out) : Flow::kNext;
}

Interpreter::Flow Interpreter::execute_else(const Statement& statement, Scope& scope, Output& out) {
  return statement.branches.empty() ? Flow::kNext : execute(statement.branches[0].second, scope, out);
}

Value Interpreter::run_block(const Statement& statement, Scope& scope, const ExprPtr& filters) {
  Scope& inner = new_scope(scope);
  Output text(runtime_);
  execute(statement.body, inner, text);
  Value value = runtime_.string(text.take());
  if (!filters) return value;
  Scope& filtering = new_scope(scope);
  filtering.set(runtime_.memory(), kBlockInput, value);
  return evaluate(*filters, filtering);
}

void Interpreter::execute_set_block(const Statement& statement, Scope& scope) {
  assign(statement.target, run_block(statement, scope, statement.expr), scope);
}

void Interpreter::execute_call(const Statement& statement, Scope& scope, Output& out) {
  const Expr& expr = *statement.expr;
  const Value callee = evaluate(*expr.args[0], scope);
  Arguments arguments = evaluate_arguments(expr, scope);
  arguments.named.emplace_back("caller", make_macro(statement, scope));
  append_value(out, call(runtime_, callee, arguments));
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement, Scope& scope, Output& out) {
  Scope& inner = new_scope(scope);
  for (const auto& [target, expr] : statement.assignments) assign(target, evaluate(*expr, scope), inner);
  return execute(statement.body, inner, out);
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.attribute.empty()) {
    const Value space = find_variable(target.name, scope);
    if (space.kind() != Kind::kNamespace) {
      fail_template("'" + target.name + "' is not a namespace, its attribute cannot be set");
    }
    runtime_.set(*static_cast<NamespaceObject*>(space.as_object()), target.attribute, value);
  } else if (target.parts.empty()) {
    scope.set(runtime_.memory(), target.name, value);
  } else {
    const std::vector<Value>& parts = iterate(runtime_, value);
    if (parts.size() != target.parts.size()) {
      fail_data("cannot unpack " + std::to_string(parts.size()) + " values into " +
                std::to_string(target.parts.size()));
    }
    for (std::size_t i = 0; i < parts.size(); ++i) assign(target.parts[i], parts[i], scope);
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
    scope.set(runtime_.memory(), parameter.name,
              given != nullptr      ? *given
              : parameter.otherwise ? evaluate(*parameter.otherwise, scope)
                                    : Value::undefined("parameter '" + parameter.name + "'"));
  }
  std::vector<Value> more(arguments.positional.begin() + static_cast<std::ptrdiff_t>(direct),
                          arguments.positional.end());
  scope.set(runtime_.memory(), "varargs", runtime_.list(std::move(more), Kind::kTuple));
  DictObject* others = runtime_.new_dict();
  for (const auto& [name, value] : arguments.named) {
    const bool is_parameter = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                          [&, &wanted = name](const Parameter& p) { return p.name == wanted; });
    if (name == "caller") {
      scope.set(runtime_.memory(), name, value);
    } else if (!is_parameter) {
      runtime_.set(*others, Value::string(name), value);
    }
  }
  scope.set(runtime_.memory(), "kwargs", Runtime::dict_value(others));
  Output out(runtime_);
  execute(macro.body, scope, out);
  return runtime_.string(out.take());
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

Value Interpreter::evaluate_name(const Expr& expr, Scope& scope) { return find_variable(expr.text, scope); }

Value Interpreter::find_variable(const std::string& name, Scope& scope) {
  for (Scope* each = &scope; each != nullptr; each = each->parent) {
    runtime_.step_items(std::bit_width(each->variables.size()) / 4);
    const auto found = each->variables.find(name);
    if (found != each->variables.end()) return found->second;
  }
  Value global = find_global(runtime_, name);
  return global.is_undefined() ? Value::undefined("'" + name + "'") : global;
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
    runtime_.set(*dict, key, evaluate(*expr.args[i + 1], scope));
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
  for (const auto& [name, value] : expr.named) add_argument(arguments, name, evaluate(*value, scope));
  return arguments;
}

void Interpreter::add_argument(Arguments& arguments, const std::string& name, Value value) {
  if (name == kSpread) {
    const std::vector<Value>& items = iterate(runtime_, value);
    arguments.positional.insert(arguments.positional.end(), items.begin(), items.end());
  } else if (name == kSpreadNamed) {
    if (!value.is_dict()) fail_data("the argument after ** must be a dict, not " + type_name(value));
    for (const auto& [key, member] : dict_of(value).entries) {
      if (!key.is_string()) fail_data("the keys of a dict after ** must be str");
      runtime_.step();
      arguments.named.emplace_back(key.as_string(), member);
    }
  } else {
    arguments.named.emplace_back(name, std::move(value));
  }
}

Value Interpreter::evaluate_call(const Expr& expr, Scope& scope) {
  const Expr& target = *expr.args[0];
  if (target.kind != ExprKind::kAttribute) {
    const Value callee = evaluate(target, scope);
    return call(runtime_, callee, evaluate_arguments(expr, scope));
  }
  // A method is called where it stands; an object that binds it would be held until the end.
  const Value self = evaluate(*target.args[0], scope);
  if (find_method(self, target.text) != nullptr) {
    return call_method(runtime_, self, target.text, evaluate_arguments(expr, scope));
  }
  const Value callee = get_attribute(runtime_, self, target.text);
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
  Output out(runtime_);
  for (const ExprPtr& part : expr.args) append_value(out, evaluate(*part, scope));
  return runtime_.string(out.take());
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
