// SPDX-License-Identifier: Apache-2.0
#include "ir/online_form.h"

#include <algorithm>
#include <utility>

#include "ir/tuple_combiner.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

bool is_call(const ScalarExpr& body, const char* function) { return body.kind == Kind::kCall && body.name == function; }

// A reduction over one iterator, wherever it is written.
struct Reduction {
  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;
  std::vector<Bound> bounds;
  ScalarExpr body;

  bool runs_as(const Reduction& other) const { return reduced == other.reduced && bounds == other.bounds; }
};

std::optional<Reduction> reduction_of(const Stage& stage) {
  if (stage.combiner != Combiner::kNone) return Reduction{stage.combiner, stage.reduced, {}, stage.body};
  const ScalarExpr& body = stage.body;
  if (body.kind != Kind::kReduce || body.combiner == Combiner::kTuple) return std::nullopt;
  return Reduction{body.combiner, body.reduced, body.bounds, body.arguments[0]};
}

class OnlineForm {
 public:
  explicit OnlineForm(const LoopNest& nest) : nest_(nest) {}

  std::optional<LoopNest> run() {
    const Stage& result = nest_.result();
    if (nest_.stages.size() < 3 || !result.place.empty() || !result.bounds.empty()) return std::nullopt;
    if (!take_sum(result) || !take_weight() || !is_total_of_weights() || !is_largest()) return std::nullopt;
    if (!std::ranges::all_of(nest_.stages, [&](const Stage& stage) { return is_bounded_alike(stage); })) {
      return std::nullopt;
    }
    Stage stage = result;
    stage.combiner = Combiner::kNone;
    stage.reduced.clear();
    stage.body = ScalarExpr{};
    stage.body.kind = Kind::kReduce;
    stage.body.combiner = Combiner::kTuple;
    stage.body.tuple = &tuple_combiner("softmax_sum");
    stage.body.reduced = sum_.reduced;
    stage.body.bounds = sum_.bounds;
    stage.body.arguments = {score_, value_};
    LoopNest online;
    online.iterators = nest_.iterators;
    online.stages = {std::move(stage)};
    return online;
  }

 private:
  // Stages that only name an expression in its place; what is left are reductions'.
  ScalarExpr expanded(const ScalarExpr& body) const {
    if (body.kind == Kind::kStage) {
      const Stage& stage = nest_.stages[static_cast<std::size_t>(body.number)];
      return reduction_of(stage) ? body : expanded(stage.body);
    }
    ScalarExpr copy = body;
    for (ScalarExpr& argument : copy.arguments) argument = expanded(argument);
    return copy;
  }

  // The weighted sum, and the total that divides it, or its weights.
  bool take_sum(const Stage& result) {
    ScalarExpr body = expanded(result.body);
    if (result.combiner != Combiner::kNone) {
      sum_ = {result.combiner, result.reduced, {}, std::move(body)};
    } else {
      const bool is_divided = is_call(body, "div") && body.arguments[1].kind == Kind::kStage;
      if (is_divided) total_ = body.arguments[1].number;
      ScalarExpr sum = is_divided ? body.arguments[0] : body;
      if (sum.kind != Kind::kReduce || sum.combiner == Combiner::kTuple) return false;
      sum_ = {sum.combiner, sum.reduced, sum.bounds, sum.arguments[0]};
    }
    return sum_.combiner == Combiner::kSum && sum_.reduced.size() == 1 && is_call(sum_.body, "mul");
  }

  // The weight among the product's factors; exp(x - m).
  bool take_weight() {
    for (const std::size_t i : {0, 1}) {
      ScalarExpr weight = sum_.body.arguments[i];
      const bool is_divided = is_call(weight, "div") && weight.arguments[1].kind == Kind::kStage;
      if (is_divided == (total_ >= 0)) continue;
      const int total = is_divided ? weight.arguments[1].number : total_;
      if (is_divided) weight = ScalarExpr(weight.arguments[0]);
      if (!is_weight(weight)) continue;
      total_ = total;
      weight_ = std::move(weight);
      score_ = weight_.arguments[0].arguments[0];
      largest_ = weight_.arguments[0].arguments[1].number;
      value_ = sum_.body.arguments[1 - i];
      return true;
    }
    return false;
  }

  static bool is_weight(const ScalarExpr& body) {
    return is_call(body, "exp") && is_call(body.arguments[0], "sub") &&
           body.arguments[0].arguments[1].kind == Kind::kStage;
  }

  bool is_reduction(int stage, Combiner combiner, const ScalarExpr& of) const {
    const auto reduction = reduction_of(nest_.stages[static_cast<std::size_t>(stage)]);
    return reduction && reduction->combiner == combiner && reduction->runs_as(sum_) && expanded(reduction->body) == of;
  }
  bool is_total_of_weights() const { return is_reduction(total_, Combiner::kSum, weight_); }
  bool is_largest() const { return is_reduction(largest_, Combiner::kMax, score_); }

  bool is_bounded_alike(const Stage& stage) const { return stage.bounds.empty() || stage.bounds == sum_.bounds; }

  const LoopNest& nest_;
  Reduction sum_;
  ScalarExpr weight_, score_, value_;
  int total_ = -1;  // stages
  int largest_ = -1;
};

}  // namespace

std::optional<LoopNest> online_form(const LoopNest& nest) { return OnlineForm(nest).run(); }

}  // namespace strata::ir
