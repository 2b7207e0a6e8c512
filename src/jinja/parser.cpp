// SPDX-License-Identifier: Apache-2.0
#include "jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "jinja/error.h"
#include "jinja/parser_expression.h"

namespace strata::jinja {
namespace {

using StatementPtr = std::unique_ptr<Statement>;

class TemplateParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Template parse() {
    Template parsed{parse_block({})};
    if (!at(TokenKind::kEnd)) fail("unexpected " + shown_token());
    return parsed;
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  // Statements up to a tag that begins with one of `ends`, whose name is then the current token.
  Block parse_block(Names ends) {
    const Nesting nesting(*this);
    Block block;
    for (;;) {
      if (at(TokenKind::kData)) {
        block.push_back(begin(StatementKind::kText));
        block.back()->text = take().text;
      } else if (at(TokenKind::kVariableBegin)) {
        block.push_back(parse_output());
      } else if (at(TokenKind::kBlockBegin)) {
        take();
        if (!at(TokenKind::kName)) fail("expected a tag name before " + shown_token());
        if (std::find(ends.begin(), ends.end(), current().text) != ends.end()) return block;
        block.push_back(parse_statement());
        end_tag();
      } else {
        if (ends.size() > 0) fail("missing " + std::string(*std::prev(ends.end())));
        return block;
      }
    }
  }

  StatementPtr begin(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = current().line;
    return statement;
  }

  void end_tag() {
    if (!at(TokenKind::kBlockEnd)) fail("expected '%}' before " + shown_token());
    take();
  }

  StatementPtr parse_output() {
    StatementPtr output = begin(StatementKind::kOutput);
    take();
    output->expr = parse_tuple();
    if (!at(TokenKind::kVariableEnd)) fail("expected '}}' before " + shown_token());
    take();
    return output;
  }

  // The statement's "%}" is left to the caller.
  StatementPtr parse_statement() {
    const std::string& name = current().text;
    if (name == "if") return parse_if();
    if (name == "for") return parse_for();
    if (name == "set") return parse_set();
    if (name == "macro") return parse_macro();
    if (name == "call") return parse_call_block();
    if (name == "filter") return parse_filter_block();
    if (name == "with") return parse_with();
    if (name == "generation") return parse_generation();
    if (name == "break" || name == "continue") return parse_loop_control();
    fail("tag '" + name.substr(0, 40) +
         "' is not supported; supported: if, for, set, macro, call, filter, with, generation, break, continue, raw");
  }

  // What stands between the current tag's end and the tag that ends it, which is passed.
  Block parse_body(Names ends) {
    end_tag();
    Block body = parse_block(ends);
    return body;
  }

  StatementPtr parse_if() {
    StatementPtr statement = begin(StatementKind::kIf);
    take();
    for (;;) {
      ExprPtr test = parse_tuple(false);
      Block body = parse_body({"elif", "else", "endif"});
      statement->branches.emplace_back(std::move(test), std::move(body));
      if (skip_name("elif")) continue;
      if (skip_name("else")) statement->branches.emplace_back(nullptr, parse_body({"endif"}));
      take();
      return statement;
    }
  }

  StatementPtr parse_for() {
    StatementPtr statement = begin(StatementKind::kFor);
    take();
    statement->target = parse_target(false);
    if (!skip_name("in")) fail("expected 'in' before " + shown_token());
    statement->expr = parse_tuple(false);
    if (skip_name("if")) statement->condition = parse_expression();
    statement->is_recursive = skip_name("recursive");
    ++loops_;
    statement->body = parse_body({"else", "endfor"});
    --loops_;
    if (skip_name("else")) statement->branches.emplace_back(nullptr, parse_body({"endfor"}));
    take();
    return statement;
  }

  Target parse_target(bool allow_attribute) {
    const Nesting nesting(*this);
    Target first = parse_target_part(allow_attribute);
    if (!at_operator(",")) return first;
    Target target;
    target.parts.push_back(std::move(first));
    while (skip_operator(",")) {
      if (at_operator(")") || at_operator("=") || at(TokenKind::kBlockEnd) || at_name("in")) break;
      target.parts.push_back(parse_target_part(allow_attribute));
    }
    return target;
  }

  Target parse_target_part(bool allow_attribute) {
    if (skip_operator("(")) {
      Target inner = parse_target(allow_attribute);
      expect_operator(")");
      return inner;
    }
    Target target;
    target.name = parse_target_name();
    if (allow_attribute && skip_operator(".")) target.attribute = expect_name();
    return target;
  }

  std::string parse_target_name() {
    for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"}) {
      if (at_name(reserved)) fail("cannot assign to " + std::string(reserved));
    }
    return expect_name();
  }

  StatementPtr parse_set() {
    StatementPtr statement = begin(StatementKind::kSet);
    take();
    statement->target = parse_target(true);
    if (skip_operator("=")) {
      statement->expr = parse_tuple();
      return statement;
    }
    statement->kind = StatementKind::kSetBlock;
    if (skip_operator("|")) statement->expr = parse_filters(block_input());
    statement->body = parse_body({"endset"});
    take();
    return statement;
  }

  ExprPtr block_input() const { return make(ExprKind::kName, current().line, {}, kBlockInput); }

  StatementPtr parse_macro() {
    StatementPtr statement = begin(StatementKind::kMacro);
    take();
    statement->text = expect_name();
    parse_parameters(*statement);
    parse_macro_body(*statement, {"endmacro"});
    return statement;
  }

  void parse_macro_body(Statement& statement, Names ends) {
    const int loops = std::exchange(loops_, 0);
    statement.body = parse_body(ends);
    loops_ = loops;
    take();
  }

  void parse_parameters(Statement& statement) {
    expect_operator("(");
    while (!at_operator(")")) {
      Parameter parameter{parse_target_name(), nullptr};
      if (skip_operator("=")) {
        parameter.otherwise = parse_expression();
      } else if (!statement.parameters.empty() && statement.parameters.back().otherwise) {
        fail("a parameter without a default follows one with a default");
      }
      statement.parameters.push_back(std::move(parameter));
      if (!at_operator(")")) expect_operator(",");
    }
    take();
  }

  StatementPtr parse_call_block() {
    StatementPtr statement = begin(StatementKind::kCall);
    take();
    if (at_operator("(")) parse_parameters(*statement);
    statement->expr = parse_expression();
    if (statement->expr->kind != ExprKind::kCall) fail("expected a call");
    parse_macro_body(*statement, {"endcall"});
    return statement;
  }

  StatementPtr parse_filter_block() {
    StatementPtr statement = begin(StatementKind::kFilter);
    take();
    statement->expr = parse_filters(block_input());
    statement->body = parse_body({"endfilter"});
    take();
    return statement;
  }

  StatementPtr parse_with() {
    StatementPtr statement = begin(StatementKind::kWith);
    take();
    while (!at(TokenKind::kBlockEnd)) {
      if (!statement->assignments.empty()) expect_operator(",");
      Target target;
      target.name = parse_target_name();
      expect_operator("=");
      statement->assignments.emplace_back(std::move(target), parse_expression());
    }
    statement->body = parse_body({"endwith"});
    take();
    return statement;
  }

  StatementPtr parse_generation() {
    StatementPtr statement = begin(StatementKind::kScope);
    take();
    parse_macro_body(*statement, {"endgeneration"});
    return statement;
  }

  StatementPtr parse_loop_control() {
    if (loops_ == 0) fail("'" + current().text + "' outside of a loop");
    StatementPtr statement = begin(at_name("break") ? StatementKind::kBreak : StatementKind::kContinue);
    take();
    return statement;
  }

  int loops_ = 0;  // open around the current statement, within its macro
};

}  // namespace

Template parse_template(const std::string& source) { return TemplateParser(tokenize(source)).parse(); }

}  // namespace strata::jinja
