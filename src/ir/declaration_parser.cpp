// SPDX-License-Identifier: Apache-2.0
#include "ir/declaration_parser.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/ranges.h"
#include "ir/tuple_combiner.h"

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
    } else if (text.compare(at, 2, "<=") == 0 || text.compare(at, 2, ">=") == 0) {
      at += 2;
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
  return tuple_inputs(name) > 0 ? Combiner::kTuple : Combiner::kNone;
}

bool is_comparison(const std::string& token) { return token == "<=" || token == "<" || token == ">=" || token == ">"; }

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
    const int operand = operand_number(stage.name);
    const bool is_again = stage_number(stage.name) >= 0;
    const bool has_place = target(stage, operand >= 0);
    if (is_again && !has_place) fail("the name " + stage.name + " is taken");
    if (operand >= 0) declaration_.updated = operand;
    expect("=");
    if (at_combiner() && !at_nested_combiner()) {
      stage.combiner = combiner_of(name());
      reduction(stage.reduced, stage.bounds);
    }
    stage.body = sum();
    check_iterators(stage);
    return stage;
  }

  // The target's indices. Where it is more than iterators, or an operand, its place is kept, and its loops are the
  // iterators that occur. Returns whether it has a place.
  bool target(ParsedStage& stage, bool is_operand) {
    declares_ = true;
    std::vector<ParsedIndex> place;
    expect("[");
    while (!accept("]")) {
      ParsedIndex next = index();
      const int bare = next.bare_iterator();
      const bool is_bounded_again = bare >= 0 && !stage.bounds.empty() && stage.bounds.back().iterator == bare;
      if (!is_bounded_again) place.push_back(std::move(next));
      if (bare >= 0 && is_comparison(peek())) stage.bounds.push_back(bound(bare));
      if (peek() != "]") expect(",");
    }
    declares_ = false;
    for (const ParsedIndex& index : place) add_iterators(index, stage.target);
    const bool is_plain = std::all_of(place.begin(), place.end(), [](const ParsedIndex& index) {
      return index.ellipsis || index.bare_iterator() >= 0;
    });
    if (is_plain && !is_operand) return false;
    stage.place = std::move(place);
    return true;
  }

  static void add_iterators(const ParsedIndex& index, std::vector<int>& list) {
    const auto add = [&](int iterator) {
      if (std::find(list.begin(), list.end(), iterator) == list.end()) list.push_back(iterator);
    };
    if (index.ellipsis) add(kEllipsis);
    for (std::size_t i = 0; i < index.affine.coefficients.size(); ++i) {
      if (index.affine.coefficients[i] != 0) add(static_cast<int>(i));
    }
    for (const ParsedTerm& term : index.terms) {
      if (term.kind == IndexTerm::Kind::kIterator) add(term.number);
      for (const ParsedIndex& inner : term.index) add_iterators(inner, list);
    }
  }

  // `(k)`, `(t <= positions[s], t > positions[s] - window)`: the iterators, and their bounds.
  void reduction(std::vector<int>& reduced, std::vector<ParsedBound>& bounds) {
    expect("(");
    do {
      const int iterator = declare_iterator(name());
      if (std::find(reduced.begin(), reduced.end(), iterator) == reduced.end()) reduced.push_back(iterator);
      if (is_comparison(peek())) bounds.push_back(bound(iterator));
    } while (accept(","));
    expect(")");
  }

  // `<= positions[s]`, behind the iterator.
  ParsedBound bound(int iterator) {
    const bool declares = std::exchange(declares_, false);
    const std::string comparison = tokens_[at_++];
    ParsedBound bound{iterator, comparison[0] == '<', sum()};
    ParsedExpr one;
    one.value = 1;
    if (comparison == "<") bound.value = call("sub", {std::move(bound.value), std::move(one)});
    if (comparison == ">") bound.value = call("add", {std::move(bound.value), std::move(one)});
    declares_ = declares;
    return bound;
  }

  // `max(k) x[k]` reduces, `max(x[k], 0)` calls: a combiner's list holds iterators, bounded or not, and an operand
  // follows it.
  bool at_combiner() const {
    if (combiner_of(peek()) == Combiner::kNone || peek(1) != "(") return false;
    const std::size_t last = last_of_list();
    if (is_comparison(peek(last + 1))) return true;
    return is_name(peek(last)) && peek(last + 1) == ")" &&
           (is_name(peek(last + 2)) || is_number(peek(last + 2)) || peek(last + 2) == "(");
  }

  // A reduction that is no statement's own: with bounds, or of a tuple.
  bool at_nested_combiner() const {
    return combiner_of(peek()) == Combiner::kTuple || is_comparison(peek(last_of_list() + 1));
  }

  // The last name of the list behind a combiner, or the first that is followed by something else than a comma.
  std::size_t last_of_list() const {
    std::size_t ahead = 2;
    while (is_name(peek(ahead)) && peek(ahead + 1) == ",") ahead += 2;
    return ahead;
  }

  ParsedExpr nested_reduction() {
    ParsedExpr expr;
    expr.kind = Kind::kReduce;
    expr.name = name();
    expr.combiner = combiner_of(expr.name);
    reduction(expr.reduced, expr.bounds);
    expr.arguments.push_back(sum());
    for (int i = 1; i < tuple_inputs(expr.name); ++i) {
      expect(",");
      expr.arguments.push_back(sum());
    }
    if (expr.combiner != Combiner::kTuple) expr.name.clear();
    return expr;
  }

  void check_iterators(const ParsedStage& stage) const {
    for (const int i : stage.reduced) {
      if (contains(stage.target, i)) fail("the iterator " + declaration_.iterators[i] + " is both reduced and kept");
    }
    std::vector<int> bound = stage.target;
    for (const ParsedBound& limit : stage.bounds) check_bound(limit.value, bound);
    bound.insert(bound.end(), stage.reduced.begin(), stage.reduced.end());
    check_bound(stage.body, bound);
  }

  void require_bound(const std::vector<int>& bound, int iterator) const {
    if (contains(bound, iterator)) return;
    fail("the iterator " + declaration_.iterators[iterator] + " is neither in the target nor reduced");
  }

  void check_bound(const ParsedIndex& index, const std::vector<int>& bound) const {
    std::vector<int> used;
    add_iterators(index, used);
    for (const int iterator : used) {
      if (iterator == kEllipsis && !contains(bound, kEllipsis)) fail("`...` in an access but not in the target");
      if (iterator != kEllipsis) require_bound(bound, iterator);
    }
  }

  void check_bound(const ParsedExpr& expr, const std::vector<int>& outer) const {
    std::vector<int> bound = outer;
    for (const ParsedBound& limit : expr.bounds) check_bound(limit.value, outer);
    for (const int iterator : expr.reduced) {
      if (contains(outer, iterator)) fail("the iterator " + declaration_.iterators[iterator] + " is reduced twice");
      bound.push_back(iterator);
    }
    if (expr.kind == Kind::kIterator) require_bound(bound, expr.number);
    for (const ParsedIndex& index : expr.index) check_bound(index, bound);
    for (const ParsedExpr& argument : expr.arguments) check_bound(argument, bound);
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
    if (at_combiner()) return nested_reduction();
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
      index_term(index, sign);
      if (accept("+")) {
        sign = 1;
      } else if (accept("-")) {
        sign = -1;
      } else {
        return index;
      }
    }
  }

  // `2`, `p`, `2*p`, `t / 16`, `ids[s]`.
  void index_term(ParsedIndex& index, std::int64_t sign) {
    std::int64_t factor = sign;
    if (is_number(peek())) {
      factor *= std::strtoll(tokens_[at_++].c_str(), nullptr, 10);
      if (!accept("*")) {
        index.affine.constant += factor;
        return;
      }
    }
    const std::string word = name();
    if (peek() == "[") return index.terms.push_back(read_index(word, factor));
    if (word == "extent" && accept("(")) {
      const int iterator = iterator_number(name());
      if (iterator < 0) fail("extent of something that is no iterator");
      index.terms.push_back({IndexTerm::Kind::kExtent, factor, iterator});
      return expect(")");
    }
    const int iterator = declares_ ? declare_iterator(word) : iterator_number(word);
    if (iterator < 0) fail("an index uses something that is no iterator");
    if (at_division()) return index.terms.push_back(divided({IndexTerm::Kind::kIterator, factor, iterator}));
    std::vector<std::int64_t>& coefficients = index.affine.coefficients;
    coefficients.resize(std::max(coefficients.size(), static_cast<std::size_t>(iterator) + 1));
    coefficients[static_cast<std::size_t>(iterator)] += factor;
  }

  ParsedTerm read_index(const std::string& word, std::int64_t factor) {
    ParsedTerm term{IndexTerm::Kind::kOperand, factor, operand_number(word)};
    if (term.number < 0) fail("an index is read from something that is no operand");
    expect("[");
    while (!accept("]")) {
      term.index.push_back(index());
      if (peek() != "]") expect(",");
    }
    return at_division() ? divided(std::move(term)) : term;
  }

  bool at_division() const { return peek() == "/" || peek() == "%"; }

  ParsedTerm divided(ParsedTerm term) {
    term.is_remainder = tokens_[at_++] == "%";
    if (is_number(peek())) {
      term.divisor = std::strtoll(tokens_[at_++].c_str(), nullptr, 10);
      if (term.divisor < 1) fail("a divisor is at least 1");
      return term;
    }
    const std::string size = name();
    term.size = find_in(declaration_.sizes, size);
    if (term.size >= 0) return term;
    term.size = static_cast<int>(declaration_.sizes.size());
    declaration_.sizes.push_back(size);
    return term;
  }

  const std::string& text_;
  const std::vector<std::string>& operands_;
  std::vector<std::string> tokens_;
  std::size_t at_ = 0;
  bool declares_ = false;  // in a target, where iterators are new
  ParsedDeclaration declaration_;
};

ParsedIndex bare_index(int iterator) {
  ParsedIndex index;
  index.ellipsis = iterator == kEllipsis;
  if (index.ellipsis) return index;
  index.affine.coefficients.resize(static_cast<std::size_t>(iterator) + 1);
  index.affine.coefficients.back() = 1;
  return index;
}

// What is updated or written in parts is the result: the statements that write it have places, and only they.
void complete_places(ParsedDeclaration& declaration, const std::string& text) {
  const bool has_places = !declaration.stages.back().place.empty();
  const std::string result = declaration.stages.back().name;
  for (ParsedStage& stage : declaration.stages) {
    const bool writes_result = stage.name == result;
    STRATA_CHECK(writes_result || stage.place.empty(), "a statement that is not the result has a place: " + text);
    if (!has_places || !writes_result || !stage.place.empty()) continue;
    for (const int iterator : stage.target) stage.place.push_back(bare_index(iterator));
  }
}

}  // namespace

int ParsedIndex::bare_iterator() const {
  if (ellipsis || affine.constant != 0 || !terms.empty()) return -1;
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
  complete_places(declaration, text);
  return declaration;
}

}  // namespace strata::ir
