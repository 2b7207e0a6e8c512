// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "jinja/ast.h"
#include "jinja/runtime.h"

namespace strata::jinja {

// Variables of a block that has its own: the template, a loop's body, a macro's body, with.
struct Scope : Object {
  Scope* parent = nullptr;
  std::map<std::string, Value, std::less<>> variables;

  // Both keep the account.
  void set(Account& account, const std::string& name, Value value);
  void clear(Account& account);
};

// A text in the making, charged as it grows.
class Output {
 public:
  explicit Output(Runtime& runtime) : runtime_(runtime), held_(runtime.memory(), 0) {}

  void append(std::string_view text);
  std::string take() { return std::move(text_); }

 private:
  Runtime& runtime_;
  Held held_;
  std::string text_;
};

// Walks the tree of a template. Scopes and macros live in the runtime like other objects.
class Interpreter {
 public:
  explicit Interpreter(Runtime& runtime) : runtime_(runtime) {}

  // Throws TemplateError with the line where it happened.
  std::string render(const Template& parsed, const nlohmann::ordered_json& context);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  Scope& new_scope(Scope& parent);

  Flow execute(const Block& block, Scope& scope, Output& out);
  Flow execute_statement(const Statement& statement, Scope& scope, Output& out);
  Flow execute_if(const Statement& statement, Scope& scope, Output& out);
  Flow execute_for(const Statement& statement, Scope& scope, Output& out);
  Flow run_loop(const Statement& statement, Scope& scope, const Value& iterated, int depth, Output& out);
  Flow execute_else(const Statement& statement, Scope& scope, Output& out);
  void execute_set_block(const Statement& statement, Scope& scope);
  void execute_call(const Statement& statement, Scope& scope, Output& out);
  Flow execute_with(const Statement& statement, Scope& scope, Output& out);
  Value run_block(const Statement& statement, Scope& scope, const ExprPtr& filters);
  void append_value(Output& out, const Value& value);

  void assign(const Target& target, const Value& value, Scope& scope);
  const std::vector<Value>& loop_items(const Statement& statement, Scope& scope, const Value& iterated);
  Value make_macro(const Statement& statement, Scope& scope);
  Value run_macro(const Statement& macro, Scope& closure, const Arguments& arguments);

  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_kind(const Expr& expr, Scope& scope);
  Value find_variable(const std::string& name, Scope& scope);
  void add_argument(Arguments& arguments, const std::string& name, Value value);
  Value evaluate_optional(const ExprPtr& expr, Scope& scope);
  Value evaluate_constant(const Expr& expr);
  Value evaluate_name(const Expr& expr, Scope& scope);
  Value evaluate_items(const Expr& expr, Scope& scope, Kind kind);
  Value evaluate_dict(const Expr& expr, Scope& scope);
  Value evaluate_slice(const Expr& expr, Scope& scope);
  Value evaluate_call(const Expr& expr, Scope& scope);
  Value evaluate_filter(const Expr& expr, Scope& scope);
  Value evaluate_test(const Expr& expr, Scope& scope);
  Value evaluate_concat(const Expr& expr, Scope& scope);
  Value evaluate_arithmetic(const Expr& expr, Scope& scope);
  Value evaluate_compare(const Expr& expr, Scope& scope);
  Value evaluate_conditional(const Expr& expr, Scope& scope);
  Arguments evaluate_arguments(const Expr& expr, Scope& scope);

  Runtime& runtime_;
};

}  // namespace strata::jinja
