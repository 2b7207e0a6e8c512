// SPDX-License-Identifier: Apache-2.0
#include "ir/declaration_parser.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/error.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

// Names, numbers, `...` and single characters.
std::vector<std::string> tokens_of(const std::string& text) {
  std::vector<std::string> tokens;
  std::size_t at = 0;
  const auto is_word = [&text](std::size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_');
  };
  while (at < text.size()) {
    const std::size_t start = at;
    if (std::isspace(static_cast<unsigned char>(text[at])) != 0) {
      ++at;
      continue;
    }
    if (text.compare(at, 3, "...") == 0) {
      at += 3;
    } else if (std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
      while (is_word(at) || (at < text.size() && text[at] == '.')) ++at;
    } else if (is_word(at)) {
      while (is_word(at)) ++at;
    } else {
      ++at;
    }
    tokens.push_back(text.substr(start, at - start));
  }
  tokens.emplace_back();
  return tokens;
}

bool is_name(const std::string& token) {
  return !token.empty() && (std::isalpha(static_cast<unsigned char>(token[0])) != 0 || token[0] == '_');
}

bool is_number(const std::string& token) {
  return !token.empty() && std::isdigit(static_cast<unsigned char>(token[0])) != 0;
}

Combiner combiner_of(const std::string& name) {
  if (name == "sum") return Combiner::kSum;
  if (name == "max") return Combiner::kMax;
  if (name == "min") return Combiner::kMin;
  if (name == "product") return Combiner::kProduct;
  return Combiner::kNone;
}

// Recursive descent; the text is our own and small.
class DeclarationParser {
 public:
  DeclarationParser(const std::string& text, const std::vector<std::string>& operands)
      : text_(text), operands_(operands), tokens_(tokens_of(text)) {}

  ParsedDeclaration parse() {
    do {
      declaration_.stages.push_back(stage());
    } while (accept(";"));
    expect("");
    return std::move(declaration_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    internal_error(__FILE__, __LINE__, what + " at '" + peek() + "' in the declaration: " + text_);
  }

  const std::string& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool accept(const std::string& token) {
    if (peek() != token || token.empty()) return false;
    ++at_;
    return true;
  }
  void expect(const std::string& token) {
    if (peek() != token) fail("expected '" + token + "'");
    ++at_;
  }
  std::string name() {
    if (!is_name(peek())) fail("expected a name");
    return tokens_[at_++];
  }

  // The iterator's number; a new one is declared.
  int declare_iterator(const std::string& iterator) {
    std::vector<std::string>& all = declaration_.iterators;
    const auto found = std::find(all.begin(), all.end(), iterator);
    if (found != all.end()) return static_cast<int>(found - all.begin());
    if (operand_number(iterator) >= 0) fail("an iterator is named like the operand " + iterator);
    all.push_back(iterator);
    return static_cast<int>(all.size()) - 1;
  }
  int iterator_number(const std::string& iterator) const { return find_in(declaration_.iterators, iterator); }
  int operand_number(const std::string& operand) const { return find_in(operands_, operand); }
  int stage_number(const std::string& stage) const {
    for (std::size_t i = 0; i < declaration_.stages.size(); ++i) {
      if (declaration_.stages[i].name == stage) return static_cast<int>(i);
    }
    return -1;
  }
  static int find_in(const std::vector<std::string>& list, const std::string& item) {
    const auto found = std::find(list.begin(), list.end(), item);
    return found == list.end() ? -1 : static_cast<int>(found - list.begin());
  }

  ParsedStage stage() {
    ParsedStage stage;
    stage.name = name();
    if (operand_number(stage.name) >= 0 || stage_number(stage.name) >= 0) fail("the name " + stage.name + " is taken");
    expect("[");
    while (!accept("]")) {
      stage.target.push_back(accept("...") ? kEllipsis : declare_iterator(name()));
      if (peek() != "]") expect(",");
    }
    expect("=");
    if (at_combiner()) {
      stage.combiner = combiner_of(name());
      expect("(");
      do {
        stage.reduced.push_back(declare_iterator(name()));
      } while (accept(","));
      expect(")");
    }
    stage.body = sum();
    check_iterators(stage);
    return stage;
  }

  // `max(k) x[k]` reduces, `max(x[k], 0)` calls: a combiner's list holds names only and an operand follows it.
  bool at_combiner() const {
    if (combiner_of(peek()) == Combiner::kNone || peek(1) != "(") return false;
    std::size_t ahead = 2;
    while (is_name(peek(ahead)) && peek(ahead + 1) == ",") ahead += 2;
    return is_name(peek(ahead)) && peek(ahead + 1) == ")" &&
           (is_name(peek(ahead + 2)) || is_number(peek(ahead + 2)) || peek(ahead + 2) == "(");
  }

  void check_iterators(const ParsedStage& stage) const {
    for (const int i : stage.reduced) {
      if (find_target(stage, i)) fail("the iterator " + declaration_.iterators[i] + " is both reduced and kept");
    }
    check_bound(stage, stage.body);
  }

  static bool find_target(const ParsedStage& stage, int iterator) {
    return std::find(stage.target.begin(), stage.target.end(), iterator) != stage.target.end();
  }

  void require_bound(const ParsedStage& stage, int iterator) const {
    const bool reduced = std::find(stage.reduced.begin(), stage.reduced.end(), iterator) != stage.reduced.end();
    if (reduced || find_target(stage, iterator)) return;
    fail("the iterator " + declaration_.iterators[iterator] + " is neither in the target nor reduced");
  }

  void check_bound(const ParsedStage& stage, const ParsedExpr& expr) const {
    if (expr.kind == Kind::kIterator) require_bound(stage, expr.number);
    for (const ParsedIndex& index : expr.index) {
      if (index.ellipsis && !find_target(stage, kEllipsis)) fail("`...` in an access but not in the target");
      for (std::size_t i = 0; i < index.affine.coefficients.size(); ++i) {
        if (index.affine.coefficients[i] != 0) require_bound(stage, static_cast<int>(i));
      }
    }
    for (const ParsedExpr& argument : expr.arguments) check_bound(stage, argument);
  }

  static ParsedExpr call(const std::string& function, std::vector<ParsedExpr> arguments) {
    ParsedExpr expr;
    expr.kind = Kind::kCall;
    expr.name = function;
    expr.arguments = std::move(arguments);
    return expr;
  }

  ParsedExpr sum() {
    ParsedExpr left = product();
    while (peek() == "+" || peek() == "-") {
      const std::string function = tokens_[at_++] == "+" ? "add" : "sub";
      left = call(function, {left, product()});
    }
    return left;
  }

  ParsedExpr product() {
    ParsedExpr left = factor();
    while (peek() == "*" || peek() == "/") {
      const std::string function = tokens_[at_++] == "*" ? "mul" : "div";
      left = call(function, {left, factor()});
    }
    return left;
  }

  ParsedExpr factor() {
    if (accept("-")) return call("neg", {factor()});
    if (accept("(")) {
      ParsedExpr inner = sum();
      expect(")");
      return inner;
    }
    if (is_number(peek())) {
      ParsedExpr expr;
      expr.value = std::strtod(tokens_[at_++].c_str(), nullptr);
      return expr;
    }
    const std::string word = name();
    if (peek() == "[") return access(word);
    if (peek() == "(") return function_call(word);
    ParsedExpr expr;
    expr.number = iterator_number(word);
    expr.kind = expr.number >= 0 ? Kind::kIterator : Kind::kAttribute;
    if (expr.kind == Kind::kAttribute) expr.name = word;
    return expr;
  }

  ParsedExpr function_call(const std::string& function) {
    expect("(");
    ParsedExpr expr;
    if (function == "extent") {
      expr.kind = Kind::kExtent;
      expr.number = iterator_number(name());
      if (expr.number < 0) fail("extent of something that is no iterator");
      expect(")");
      return expr;
    }
    expr = call(function, {});
    do {
      expr.arguments.push_back(sum());
    } while (accept(","));
    expect(")");
    if (scalar_arity(function) != static_cast<int>(expr.arguments.size())) fail("no function " + function);
    return expr;
  }

  ParsedExpr access(const std::string& word) {
    ParsedExpr expr;
    expr.number = operand_number(word);
    expr.kind = Kind::kOperand;
    if (expr.number < 0) {
      expr.number = stage_number(word);
      expr.kind = Kind::kStage;
      if (expr.number < 0) fail("no operand or stage " + word);
    }
    expect("[");
    while (!accept("]")) {
      expr.index.push_back(index());
      if (peek() != "]") expect(",");
    }
    if (expr.kind == Kind::kStage) check_stage_access(expr);
    return expr;
  }

  void check_stage_access(const ParsedExpr& expr) const {
    const std::vector<int>& target = declaration_.stages[expr.number].target;
    bool equal = target.size() == expr.index.size();
    for (std::size_t i = 0; equal && i < target.size(); ++i) {
      equal = expr.index[i].ellipsis ? target[i] == kEllipsis : expr.index[i].bare_iterator() == target[i];
    }
    if (!equal) fail("a stage must be indexed as it is defined");
  }

  ParsedIndex index() {
    ParsedIndex index;
    if (accept("...")) {
      index.ellipsis = true;
      return index;
    }
    std::int64_t sign = accept("-") ? -1 : 1;
    while (true) {
      index_term(index.affine, sign);
      if (accept("+")) {
        sign = 1;
      } else if (accept("-")) {
        sign = -1;
      } else {
        return index;
      }
    }
  }

  // `2`, `p`, `2*p`.
  void index_term(AffineIndex& affine, std::int64_t sign) {
    std::int64_t factor = sign;
    if (is_number(peek())) {
      factor *= std::strtoll(tokens_[at_++].c_str(), nullptr, 10);
      if (!accept("*")) {
        affine.constant += factor;
        return;
      }
    }
    const int iterator = iterator_number(name());
    if (iterator < 0) fail("an index uses something that is no iterator");
    affine.coefficients.resize(std::max(affine.coefficients.size(), static_cast<std::size_t>(iterator) + 1));
    affine.coefficients[static_cast<std::size_t>(iterator)] += factor;
  }

  const std::string& text_;
  const std::vector<std::string>& operands_;
  std::vector<std::string> tokens_;
  std::size_t at_ = 0;
  ParsedDeclaration declaration_;
};

// A stage is a scalar inside the loops that it shares with each later stage that reads it.
void check_stage_scopes(const ParsedDeclaration& declaration, const std::string& text) {
  const std::vector<int>& last = declaration.stages.back().target;
  for (std::size_t s = 0; s + 1 < declaration.stages.size(); ++s) {
    for (const int i : declaration.stages[s].target) {
      for (std::size_t later = s + 1; later < declaration.stages.size(); ++later) {
        const std::vector<int>& target = declaration.stages[later].target;
        STRATA_CHECK(std::find(target.begin(), target.end(), i) != target.end(),
                     "a stage has an iterator that a later one lacks: " + text);
      }
      STRATA_CHECK(std::find(last.begin(), last.end(), i) != last.end(), "a stage outlives its loop: " + text);
    }
  }
}

}  // namespace

int ParsedIndex::bare_iterator() const {
  if (ellipsis || affine.constant != 0) return -1;
  int found = -1;
  for (std::size_t i = 0; i < affine.coefficients.size(); ++i) {
    if (affine.coefficients[i] == 0) continue;
    if (affine.coefficients[i] != 1 || found >= 0) return -1;
    found = static_cast<int>(i);
  }
  return found;
}

ParsedDeclaration parse_declaration(const std::string& text, const std::vector<std::string>& operands) {
  ParsedDeclaration declaration = DeclarationParser(text, operands).parse();
  check_stage_scopes(declaration, text);
  return declaration;
}

}  // namespace strata::ir
