// SPDX-License-Identifier: Apache-2.0
#include "egraph/pattern.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace strata::egraph {
namespace {

std::optional<std::uint32_t> index_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - names.begin());
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool is_word(char c) {
  return std::isgraph(static_cast<unsigned char>(c)) != 0 &&
         std::string_view("(){},;=?").find(c) == std::string_view::npos;
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& origin, Symbols& symbols, Variables& variables, BarePayload bare,
         const LiteralResolver& literals)
      : text_(text), origin_(origin), symbols_(symbols), variables_(variables), bare_(bare), literals_(literals) {}

  MultiPattern parse() {
    MultiPattern result;
    do {
      parse_item(result);
    } while (accept(';'));
    if (at_ != text_.size()) fail("an operator, ';' or the end");
    if (result.patterns.size() > 1 && unnamed_roots_ > 0) fail("a name (?root = ...) for each of several patterns");
    return result;
  }

 private:
  void parse_item(MultiPattern& result) {
    Pattern& pattern = result.patterns.emplace_back();
    std::optional<std::uint32_t> root;
    skip_space();
    if (peek() == '?') {
      const std::string name = variable_name();
      const std::uint32_t variable = class_variable(name);
      if (!accept('=')) {
        pattern.nodes.push_back({.kind = PatternNode::Kind::kVariable, .variable = variable, .children = {}});
        result.roots.push_back(unnamed_root());
        return;
      }
      root = variable;
    }
    parse_pattern(pattern);
    result.roots.push_back(root ? *root : unnamed_root());
  }

  std::uint32_t parse_pattern(Pattern& pattern) {
    skip_space();
    PatternNode node;
    if (peek() == '?') {
      node.variable = class_variable(variable_name());
    } else if (is_number()) {
      parse_number(node);
    } else {
      parse_operator(pattern, node);
    }
    pattern.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(pattern.nodes.size() - 1);
  }

  void parse_number(PatternNode& node) {
    const std::string_view number = word();
    if (!literals_) fail("no number, since there is no meaning for numbers,");
    const auto [op, payload] = literals_(number);
    node.kind = PatternNode::Kind::kOperator;
    node.op = op;
    node.payload = payload;
    node.fixed_payload = true;
  }

  void parse_operator(Pattern& pattern, PatternNode& node) {
    const std::string_view name = word();
    if (name.empty()) fail("an operator, a variable or a number");
    node.kind = PatternNode::Kind::kOperator;
    node.op = symbols_.intern(name);
    parse_payload(node);
    if (!accept('(')) return;
    do {
      node.children.push_back(parse_pattern(pattern));
    } while (accept(','));
    expect(')');
  }

  void parse_payload(PatternNode& node) {
    if (accept('{')) {
      skip_space();
      node.fixed_payload = peek() != '?';
      if (!node.fixed_payload) node.payload = payload_variable(variable_name());
      expect('}');
    } else if (bare_ == BarePayload::kZero) {
      node.fixed_payload = true;
    } else {
      node.payload = static_cast<std::uint32_t>(variables_.payloads.size());
      variables_.payloads.emplace_back();
    }
  }

  std::uint32_t class_variable(const std::string& name) {
    if (variables_.payload_index(name)) fail("a class variable other than the payload variable " + name);
    if (const auto index = variables_.class_index(name)) return *index;
    variables_.classes.push_back(name);
    return static_cast<std::uint32_t>(variables_.classes.size() - 1);
  }

  std::uint32_t payload_variable(const std::string& name) {
    if (variables_.class_index(name)) fail("a payload variable other than the class variable " + name);
    if (const auto index = variables_.payload_index(name)) return *index;
    variables_.payloads.push_back(name);
    return static_cast<std::uint32_t>(variables_.payloads.size() - 1);
  }

  std::uint32_t unnamed_root() {
    ++unnamed_roots_;
    variables_.classes.emplace_back();
    return static_cast<std::uint32_t>(variables_.classes.size() - 1);
  }

  std::string variable_name() {
    ++at_;
    const std::string_view name = word();
    if (name.empty()) fail("a variable's name");
    return "?" + std::string(name);
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  bool is_number() const {
    const std::size_t digit = at_ + (peek() == '-' ? 1 : 0);
    return digit < text_.size() && is_digit(text_[digit]);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool accept(char c) {
    skip_space();
    const bool found = peek() == c;
    if (found) ++at_;
    skip_space();
    return found;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("'") + c + "'");
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::logic_error(origin_ + ": expected " + expected + " at column " + std::to_string(at_ + 1) + " of '" +
                           std::string(text_) + "'");
  }

  std::string_view text_;
  const std::string& origin_;
  Symbols& symbols_;
  Variables& variables_;
  BarePayload bare_;
  const LiteralResolver& literals_;
  std::size_t at_ = 0;
  std::size_t unnamed_roots_ = 0;
};

}  // namespace

std::optional<std::uint32_t> Variables::class_index(std::string_view name) const { return index_of(classes, name); }

std::optional<std::uint32_t> Variables::payload_index(std::string_view name) const { return index_of(payloads, name); }

MultiPattern parse_patterns(std::string_view text, const std::string& origin, Symbols& symbols, Variables& variables,
                            BarePayload bare, const LiteralResolver& literals) {
  return Parser(text, origin, symbols, variables, bare, literals).parse();
}

ClassId add_term(EGraph& graph, std::string_view text, const LiteralResolver& literals) {
  Variables variables;
  const MultiPattern term = parse_patterns(text, "term", graph.symbols(), variables, BarePayload::kZero, literals);
  if (variables.classes.size() > 1 || !variables.payloads.empty()) {
    throw std::logic_error("a term has no variables: '" + std::string(text) + "'");
  }
  std::vector<ClassId> ids;
  std::vector<ClassId> children;
  for (const PatternNode& node : term.patterns.front().nodes) {
    children.clear();
    for (const std::uint32_t child : node.children) children.push_back(ids[child]);
    ids.push_back(graph.add(node.op, node.payload, children));
  }
  return ids.back();
}

}  // namespace strata::egraph
