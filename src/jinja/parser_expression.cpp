// SPDX-License-Identifier: Apache-2.0
#include "jinja/parser_expression.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "jinja/error.h"
#include "jinja/parser.h"

namespace strata::jinja {
namespace {

std::vector<ExprPtr> list_of(ExprPtr a) {
  std::vector<ExprPtr> args;
  args.push_back(std::move(a));
  return args;
}

std::vector<ExprPtr> list_of(ExprPtr a, ExprPtr b) {
  std::vector<ExprPtr> args = list_of(std::move(a));
  args.push_back(std::move(b));
  return args;
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > kMaxNesting) {
    --parser_.nesting_;
    parser_.fail("nested too deeply");
  }
}

void ExpressionParser::fail(const std::string& message) const {
  throw TemplateError(Fault::kTemplate, message, current().line);
}

bool ExpressionParser::at(TokenKind kind, std::string_view text) const {
  return current().kind == kind && (text.empty() || current().text == text);
}

bool ExpressionParser::skip_operator(std::string_view text) {
  const bool found = at_operator(text);
  if (found) take();
  return found;
}

bool ExpressionParser::skip_name(std::string_view text) {
  const bool found = at_name(text);
  if (found) take();
  return found;
}

std::string ExpressionParser::shown_token() const {
  switch (current().kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    default:
      return "'" + current().text.substr(0, 40) + "'";
  }
}

void ExpressionParser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) fail("expected '" + std::string(text) + "' before " + shown_token());
}

std::string ExpressionParser::expect_name() {
  if (!at(TokenKind::kName)) fail("expected a name before " + shown_token());
  return take().text;
}

ExprPtr ExpressionParser::make(ExprKind kind, int line, std::vector<ExprPtr> args, std::string text) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = line;
  expr->text = std::move(text);
  expr->args = std::move(args);
  for (const ExprPtr& arg : expr->args) {
    if (arg) expr->depth = std::max(expr->depth, arg->depth + 1);
  }
  if (expr->depth > kMaxNesting) fail("nested too deeply");
  return expr;
}

ExprPtr ExpressionParser::parse_expression(bool with_conditional) {
  const Nesting nesting(*this);
  return with_conditional ? parse_conditional() : parse_or();
}

bool ExpressionParser::at_expression_end() const {
  return at(TokenKind::kVariableEnd) || at(TokenKind::kBlockEnd) || at_operator(")") || at_name("recursive");
}

ExprPtr ExpressionParser::parse_tuple(bool with_conditional) {
  const int line = current().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  while (!at_expression_end()) {
    items.push_back(parse_expression(with_conditional));
    if (!at_operator(",")) break;
    take();
    is_tuple = true;
  }
  if (items.empty()) fail("expected an expression before " + shown_token());
  if (!is_tuple) return std::move(items[0]);
  return make(ExprKind::kTuple, line, std::move(items));
}

ExprPtr ExpressionParser::parse_conditional() {
  ExprPtr value = parse_or();
  while (at_name("if")) {
    const int line = take().line;
    ExprPtr test = parse_or();
    ExprPtr otherwise = skip_name("else") ? parse_expression() : nullptr;
    std::vector<ExprPtr> args = list_of(std::move(test), std::move(value));
    args.push_back(std::move(otherwise));
    value = make(ExprKind::kConditional, line, std::move(args));
  }
  return value;
}

ExprPtr ExpressionParser::parse_or() {
  ExprPtr left = parse_and();
  while (at_name("or")) {
    const int line = take().line;
    left = make(ExprKind::kOr, line, list_of(std::move(left), parse_and()));
  }
  return left;
}

ExprPtr ExpressionParser::parse_and() {
  ExprPtr left = parse_not();
  while (at_name("and")) {
    const int line = take().line;
    left = make(ExprKind::kAnd, line, list_of(std::move(left), parse_not()));
  }
  return left;
}

ExprPtr ExpressionParser::parse_not() {
  if (!at_name("not")) return parse_compare();
  const Nesting nesting(*this);
  const int line = take().line;
  return make(ExprKind::kNot, line, list_of(parse_not()));
}

bool ExpressionParser::take_comparison(std::string& op) {
  for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
    if (at_operator(known)) {
      op = take().text;
      return true;
    }
  }
  if (skip_name("in")) {
    op = "in";
    return true;
  }
  if (at_name("not") && peek().kind == TokenKind::kName && peek().text == "in") {
    take();
    take();
    op = "notin";
    return true;
  }
  return false;
}

ExprPtr ExpressionParser::parse_compare() {
  const int line = current().line;
  std::vector<ExprPtr> args = list_of(parse_sum());
  std::vector<std::string> ops;
  for (std::string op; take_comparison(op);) {
    ops.push_back(op);
    args.push_back(parse_sum());
  }
  if (ops.empty()) return std::move(args[0]);
  ExprPtr compare = make(ExprKind::kCompare, line, std::move(args));
  compare->ops = std::move(ops);
  return compare;
}

ExprPtr ExpressionParser::parse_sum() {
  ExprPtr left = parse_concat();
  while (at_operator("+") || at_operator("-")) {
    Token op = take();
    left = make(ExprKind::kArithmetic, op.line, list_of(std::move(left), parse_concat()), std::move(op.text));
  }
  return left;
}

ExprPtr ExpressionParser::parse_concat() {
  const int line = current().line;
  std::vector<ExprPtr> args = list_of(parse_product());
  while (skip_operator("~")) args.push_back(parse_product());
  if (args.size() == 1) return std::move(args[0]);
  return make(ExprKind::kConcat, line, std::move(args));
}

ExprPtr ExpressionParser::parse_product() {
  ExprPtr left = parse_power();
  while (at_operator("*") || at_operator("/") || at_operator("//") || at_operator("%")) {
    Token op = take();
    left = make(ExprKind::kArithmetic, op.line, list_of(std::move(left), parse_power()), std::move(op.text));
  }
  return left;
}

ExprPtr ExpressionParser::parse_power() {
  ExprPtr left = parse_unary();
  while (at_operator("**")) {
    const int line = take().line;
    left = make(ExprKind::kArithmetic, line, list_of(std::move(left), parse_unary()), "**");
  }
  return left;
}

ExprPtr ExpressionParser::parse_unary(bool with_filters) {
  ExprPtr value;
  if (at_operator("-") || at_operator("+")) {
    const Nesting nesting(*this);
    const Token sign = take();
    value = make(sign.text == "-" ? ExprKind::kNegate : ExprKind::kPlus, sign.line, list_of(parse_unary(false)));
  } else {
    value = parse_primary();
  }
  return with_filters ? parse_postfix_and_filters(std::move(value)) : parse_postfix(std::move(value));
}

ExprPtr ExpressionParser::parse_primary() {
  switch (current().kind) {
    case TokenKind::kName:
      return parse_name();
    case TokenKind::kString:
      return parse_string();
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return parse_number();
    default:
      break;
  }
  if (at_operator("(")) return parse_parentheses();
  if (at_operator("[")) return parse_list();
  if (at_operator("{")) return parse_dict();
  fail("expected an expression before " + shown_token());
}

ExprPtr ExpressionParser::parse_name() {
  Token token = take();
  const std::string& name = token.text;
  ExprPtr constant = make(ExprKind::kConstant, token.line);
  if (name == "true" || name == "True") {
    constant->constant = true;
  } else if (name == "false" || name == "False") {
    constant->constant = false;
  } else if (name != "none" && name != "None") {
    return make(ExprKind::kName, token.line, {}, name);
  }
  return constant;
}

ExprPtr ExpressionParser::parse_string() {
  ExprPtr constant = make(ExprKind::kConstant, current().line);
  std::string value;
  while (at(TokenKind::kString)) value += take().text;
  constant->constant = std::move(value);
  return constant;
}

ExprPtr ExpressionParser::parse_number() {
  const Token token = take();
  ExprPtr constant = make(ExprKind::kConstant, token.line);
  const char *first = token.text.data(), *last = first + token.text.size();
  std::from_chars_result result{};
  if (token.kind == TokenKind::kFloat) {
    double value = 0;
    result = std::from_chars(first, last, value);
    constant->constant = value;
  } else {
    const char prefix = token.text.size() > 2 ? static_cast<char>(token.text[1] | 0x20) : '\0';
    const int base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 10;
    std::int64_t value = 0;
    result = std::from_chars(base == 10 ? first : first + 2, last, value, base);
    constant->constant = value;
  }
  if (result.ec != std::errc() || result.ptr != last) fail("number " + token.text.substr(0, 40) + " is out of range");
  return constant;
}

ExprPtr ExpressionParser::parse_parentheses() {
  const Nesting nesting(*this);
  const int line = take().line;
  ExprPtr inner = at_operator(")") ? make(ExprKind::kTuple, line) : parse_tuple();
  expect_operator(")");
  return inner;
}

ExprPtr ExpressionParser::parse_list() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!at_operator("]")) {
    items.push_back(parse_expression());
    if (!at_operator("]")) expect_operator(",");
  }
  take();
  return make(ExprKind::kList, line, std::move(items));
}

ExprPtr ExpressionParser::parse_dict() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!at_operator("}")) {
    items.push_back(parse_expression());
    expect_operator(":");
    items.push_back(parse_expression());
    if (!at_operator("}")) expect_operator(",");
  }
  take();
  return make(ExprKind::kDict, line, std::move(items));
}

ExprPtr ExpressionParser::parse_postfix(ExprPtr base) {
  for (;;) {
    if (at_operator(".")) {
      base = parse_attribute(std::move(base));
    } else if (at_operator("[")) {
      base = parse_subscript(std::move(base));
    } else if (at_operator("(")) {
      base = parse_call(std::move(base));
    } else {
      return base;
    }
  }
}

ExprPtr ExpressionParser::parse_postfix_and_filters(ExprPtr base) {
  base = parse_postfix(std::move(base));
  for (;;) {
    if (at_operator("|")) {
      take();
      base = parse_filter(std::move(base));
    } else if (at_name("is")) {
      base = parse_test(std::move(base));
    } else if (at_operator("(")) {
      base = parse_call(std::move(base));
    } else {
      return base;
    }
  }
}

ExprPtr ExpressionParser::parse_attribute(ExprPtr base) {
  const int line = take().line;
  if (at(TokenKind::kInteger)) return make(ExprKind::kItem, line, list_of(std::move(base), parse_number()));
  std::string name = expect_name();
  return make(ExprKind::kAttribute, line, list_of(std::move(base)), std::move(name));
}

ExprPtr ExpressionParser::parse_subscript(ExprPtr base) {
  const int line = take().line;
  if (at_operator(":")) return parse_slice(std::move(base), nullptr, line);
  ExprPtr index = parse_expression();
  if (at_operator(":")) return parse_slice(std::move(base), std::move(index), line);
  expect_operator("]");
  return make(ExprKind::kItem, line, list_of(std::move(base), std::move(index)));
}

ExprPtr ExpressionParser::parse_slice(ExprPtr base, ExprPtr start, int line) {
  std::vector<ExprPtr> args = list_of(std::move(base), std::move(start));
  while (args.size() < 4 && skip_operator(":")) {
    args.push_back(at_operator(":") || at_operator("]") ? nullptr : parse_expression());
  }
  expect_operator("]");
  args.resize(4);
  return make(ExprKind::kSlice, line, std::move(args));
}

ExprPtr ExpressionParser::parse_call(ExprPtr callee) {
  ExprPtr call = make(ExprKind::kCall, current().line, list_of(std::move(callee)));
  parse_arguments(*call);
  return call;
}

void ExpressionParser::parse_arguments(Expr& call) {
  expect_operator("(");
  while (!at_operator(")")) {
    if (at_operator("*") || at_operator("**")) {
      std::string spread = take().text;
      call.named.emplace_back(std::move(spread), parse_expression());
    } else if (at(TokenKind::kName) && peek().kind == TokenKind::kOperator && peek().text == "=") {
      std::string name = take().text;
      take();
      call.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!call.named.empty()) fail("an unnamed argument follows a named one");
      call.args.push_back(parse_expression());
    }
    const Expr& last = call.named.empty() ? *call.args.back() : *call.named.back().second;
    call.depth = std::max(call.depth, last.depth + 1);
    if (call.depth > kMaxNesting) fail("nested too deeply");
    if (!at_operator(")")) expect_operator(",");
  }
  take();
}

ExprPtr ExpressionParser::parse_filter(ExprPtr input) {
  const int line = current().line;
  std::string name = expect_name();
  ExprPtr filter = make(ExprKind::kFilter, line, list_of(std::move(input)), std::move(name));
  if (at_operator("(")) parse_arguments(*filter);
  return filter;
}

ExprPtr ExpressionParser::parse_filters(ExprPtr input) {
  do {
    input = parse_filter(std::move(input));
  } while (skip_operator("|"));
  return input;
}

ExprPtr ExpressionParser::parse_test(ExprPtr input) {
  const int line = take().line;
  const bool negated = skip_name("not");
  std::string name = expect_name();
  ExprPtr test = make(ExprKind::kTest, line, list_of(std::move(input)), std::move(name));
  const bool has_operand = at(TokenKind::kString) || at(TokenKind::kInteger) || at(TokenKind::kFloat) ||
                           at_operator("[") || at_operator("{") ||
                           (at(TokenKind::kName) && !at_name("else") && !at_name("or") && !at_name("and"));
  if (at_operator("(")) {
    parse_arguments(*test);
  } else if (has_operand) {
    if (at_name("is")) fail("tests cannot be chained with is");
    test->args.push_back(parse_postfix(parse_primary()));
    test->depth = std::max(test->depth, test->args.back()->depth + 1);
  }
  return negated ? make(ExprKind::kNot, line, list_of(std::move(test))) : std::move(test);
}

}  // namespace strata::jinja
