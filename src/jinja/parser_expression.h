// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace strata::jinja {

// Walks over the tokens and parses expressions; precedence from low to high: if-else, or, and, not, comparisons and
// in, + -, ~, * / // %, **, unary, postfix and filters.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  // Guards one level of recursion of the parser itself.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

  [[noreturn]] void fail(const std::string& message) const;

  const Token& current() const { return tokens_[pos_]; }
  const Token& peek() const { return tokens_[pos_ + 1 < tokens_.size() ? pos_ + 1 : pos_]; }
  Token take() { return pos_ + 1 < tokens_.size() ? tokens_[pos_++] : tokens_[pos_]; }
  bool at(TokenKind kind, std::string_view text = {}) const;
  bool at_operator(std::string_view text) const { return at(TokenKind::kOperator, text); }
  bool at_name(std::string_view text) const { return at(TokenKind::kName, text); }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  std::string expect_name();
  std::string shown_token() const;

  ExprPtr make(ExprKind kind, int line, std::vector<ExprPtr> args = {}, std::string text = {}) const;

  ExprPtr parse_expression(bool with_conditional = true);
  // One expression, or several with commas between them as a tuple.
  ExprPtr parse_tuple(bool with_conditional = true);
  // The part of a filter chain after its first "|": name, arguments, further filters.
  ExprPtr parse_filters(ExprPtr input);
  ExprPtr parse_postfix_and_filters(ExprPtr base);
  ExprPtr parse_unary(bool with_filters = true);

 private:
  ExprPtr parse_conditional();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_compare();
  bool take_comparison(std::string& op);
  ExprPtr parse_sum();
  ExprPtr parse_concat();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_primary();
  ExprPtr parse_name();
  ExprPtr parse_string();
  ExprPtr parse_number();
  ExprPtr parse_parentheses();
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr base);
  ExprPtr parse_attribute(ExprPtr base);
  ExprPtr parse_subscript(ExprPtr base);
  ExprPtr parse_slice(ExprPtr base, ExprPtr start, int line);
  ExprPtr parse_call(ExprPtr callee);
  void parse_arguments(Expr& call);
  ExprPtr parse_filter(ExprPtr input);
  ExprPtr parse_test(ExprPtr input);
  bool at_expression_end() const;

  std::vector<Token> tokens_;
  std::size_t pos_ = 0;
  int nesting_ = 0;
};

}  // namespace strata::jinja
