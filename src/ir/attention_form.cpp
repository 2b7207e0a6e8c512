// SPDX-License-Identifier: Apache-2.0
#include "ir/attention_form.h"

#include <algorithm>

#include "ir/online_form.h"
#include "ir/tuple_combiner.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

bool is_bare(const IndexMap& index, int iterator) {
  IndexMap bare;
  bare.coefficients.resize(index.coefficients.size());
  bare.coefficients[static_cast<std::size_t>(iterator)] = 1;
  return index == bare;
}

// The iterator that an index is.
std::optional<int> iterator_of(const IndexMap& index) {
  const auto at = std::ranges::find_if(index.coefficients, [](std::int64_t c) { return c != 0; });
  if (at == index.coefficients.end()) return std::nullopt;
  const int iterator = static_cast<int>(at - index.coefficients.begin());
  return is_bare(index, iterator) ? std::optional(iterator) : std::nullopt;
}

// The divisor of an index that is a quotient or a remainder of the iterator.
std::optional<std::int64_t> divided_by(const IndexMap& index, int iterator, bool is_remainder) {
  if (index.terms.size() != 1) return std::nullopt;
  IndexMap divided;
  divided.coefficients.resize(index.coefficients.size());
  divided.terms = {{IndexTerm::Kind::kIterator, 1, iterator, index.terms[0].divisor, is_remainder}};
  return index == divided ? std::optional(index.terms[0].divisor) : std::nullopt;
}

// The size that divides the iterator, 1 where the index is the iterator itself.
std::optional<std::int64_t> divisor(const IndexMap& index, int iterator) {
  return is_bare(index, iterator) ? 1 : divided_by(index, iterator, false);
}

// size * pages[t / size] + t % size, or pages[s, t / size].
std::optional<AttentionForm::Pages> pages_of(const IndexMap& index, int token, int key) {
  if (index.constant != 0 || index.terms.size() != 2) return std::nullopt;
  const bool is_first = index.terms[0].kind == IndexTerm::Kind::kOperand;
  const IndexTerm& page = index.terms[is_first ? 0 : 1];
  IndexMap within;
  within.coefficients = index.coefficients;
  within.terms = {index.terms[is_first ? 1 : 0]};
  const bool is_whole = page.kind == IndexTerm::Kind::kOperand && page.divisor == 1 && !page.is_remainder;
  if (!is_whole || page.index.empty() || page.index.size() > 2) return std::nullopt;
  AttentionForm::Pages pages{page.number, page.coefficient, page.index.size() == 2};
  if (pages.is_own && !is_bare(page.index[0], token)) return std::nullopt;
  const bool matches =
      divided_by(page.index.back(), key, false) == pages.size && divided_by(within, key, true) == pages.size;
  return matches ? std::optional(pages) : std::nullopt;
}

const ScalarExpr* find_reduction(const ScalarExpr& body) {
  if (body.kind == Kind::kReduce) return &body;
  const ScalarExpr* found = nullptr;
  for (const ScalarExpr& argument : body.arguments) {
    if (const ScalarExpr* here = find_reduction(argument)) found = here;
  }
  return found;
}

// Whether it is made of constants and attributes.
bool is_data_free(const ScalarExpr& body) {
  const bool is_leaf = body.kind == Kind::kConstant || body.kind == Kind::kAttribute;
  return is_leaf || (body.kind == Kind::kCall && std::ranges::all_of(body.arguments, is_data_free));
}

// Whether it is made of the product and of what is free of data.
bool is_map_of_product(const ScalarExpr& body) {
  if (body.kind == Kind::kReduce || is_data_free(body)) return true;
  return body.kind == Kind::kCall && std::ranges::all_of(body.arguments, is_map_of_product);
}

// Takes the factor from next to the product.
std::optional<ScalarExpr> take_factor(ScalarExpr& body) {
  if (body.kind != Kind::kCall) return std::nullopt;
  for (const std::size_t i : {0, 1}) {
    const bool is_product = body.name == "mul" && body.arguments[i].kind == Kind::kReduce;
    if (!is_product || !is_data_free(body.arguments[1 - i])) continue;
    ScalarExpr factor = body.arguments[1 - i];
    body = ScalarExpr(body.arguments[i]);
    return factor;
  }
  for (ScalarExpr& argument : body.arguments) {
    if (auto factor = take_factor(argument)) return factor;
  }
  return std::nullopt;
}

class Matcher {
 public:
  explicit Matcher(const LoopNest& nest) : nest_(nest) {}

  std::optional<AttentionForm> run() {
    const Stage& result = nest_.result();
    const ScalarExpr& sum = result.body;
    const bool is_weighted = sum.kind == Kind::kReduce && sum.combiner == Combiner::kTuple &&
                             sum.tuple->name == "softmax_sum" && sum.reduced.size() == 1;
    if (!is_weighted || result.combiner != Combiner::kNone || result.target.size() != 3) return std::nullopt;
    if (!result.bounds.empty() || !result.place.empty()) return std::nullopt;
    form_.token = result.target[0];
    form_.head = result.target[1];
    form_.column = result.target[2];
    form_.key = sum.reduced[0];
    form_.bounds = sum.bounds;
    const bool matches = take_score(sum) && take_values(sum.arguments[1]) && take_product() && are_bounds();
    return matches ? std::optional(std::move(form_)) : std::nullopt;
  }

 private:
  // In a stage of its own, or where it is used.
  bool take_score(const ScalarExpr& sum) {
    if (nest_.stages.size() == 1) {
      form_.score = sum.arguments[0];
    } else {
      const Stage& stage = nest_.stages[0];
      const bool is_own = nest_.stages.size() == 2 && sum.arguments[0].kind == Kind::kStage &&
                          stage.combiner == Combiner::kNone && stage.bounds == sum.bounds &&
                          stage.target == std::vector{form_.token, form_.head, form_.key};
      if (!is_own) return false;
      form_.score = stage.body;
    }
    if (!is_map_of_product(form_.score) || find_reduction(form_.score) == nullptr) return false;
    form_.factor = take_factor(form_.score);
    return true;
  }

  bool take_values(const ScalarExpr& access) {
    if (access.kind != Kind::kOperand || access.index.size() != 3) return false;
    const auto group = divisor(access.index[0], form_.head);
    if (!is_bare(access.index[1], form_.key)) {
      form_.pages = pages_of(access.index[1], form_.token, form_.key);
      if (!form_.pages) return false;
    }
    if (!group || !is_bare(access.index[2], form_.column)) return false;
    form_.values = access.number;
    form_.group = *group;
    return true;
  }

  bool take_product() {
    const ScalarExpr& sum = *find_reduction(form_.score);
    const bool is_sum = sum.combiner == Combiner::kSum && sum.reduced.size() == 1 && sum.bounds.empty();
    const ScalarExpr& product = sum.arguments[0];
    if (!is_sum || product.kind != Kind::kCall || product.name != "mul") return false;
    form_.inner = sum.reduced[0];
    return (is_query(product.arguments[0]) && is_key(product.arguments[1])) ||
           (is_query(product.arguments[1]) && is_key(product.arguments[0]));
  }

  bool is_query(const ScalarExpr& access) {
    if (access.kind != Kind::kOperand || access.index.size() != 3) return false;
    form_.queries = access.number;
    return is_bare(access.index[0], form_.token) && is_bare(access.index[1], form_.head) &&
           is_bare(access.index[2], form_.inner);
  }

  bool is_key(const ScalarExpr& access) {
    if (access.kind != Kind::kOperand || access.index.size() != 3) return false;
    form_.keys = access.number;
    const bool is_where_values_are = form_.pages ? pages_of(access.index[1], form_.token, form_.key) == form_.pages
                                                 : is_bare(access.index[1], form_.key);
    return divisor(access.index[0], form_.head) == form_.group && is_where_values_are &&
           is_bare(access.index[2], form_.inner);
  }

  bool are_bounds() const {
    return std::ranges::all_of(
        form_.bounds, [&](const Bound& bound) { return bound.iterator == form_.key && is_sum_of_reads(bound.value); });
  }

  bool is_sum_of_reads(const ScalarExpr& value) const {
    if (value.kind == Kind::kConstant || value.kind == Kind::kAttribute) return true;
    if (value.kind == Kind::kOperand) return value.index.size() == 1 && iterator_of(value.index[0]) == form_.token;
    const bool is_sum = value.kind == Kind::kCall && (value.name == "add" || value.name == "sub");
    return is_sum && std::ranges::all_of(value.arguments, [&](const ScalarExpr& a) { return is_sum_of_reads(a); });
  }

  const LoopNest& nest_;
  AttentionForm form_;
};

}  // namespace

std::optional<AttentionForm> attention_form(const LoopNest& nest) {
  if (auto form = Matcher(nest).run()) return form;
  const auto online = online_form(nest);
  return online ? Matcher(*online).run() : std::nullopt;
}

}  // namespace strata::ir
