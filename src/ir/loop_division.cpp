// SPDX-License-Identifier: Apache-2.0
#include "ir/loop_division.h"

#include <algorithm>

#include "base/ranges.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

// What a device has of a scalar at a point of the loops: the scalar itself, whole (Broadcast) or one that only the
// devices with this part of the iterator compute (Split, its axis is not said), or a summand of it (Partial). Nothing:
// something else.
using State = std::optional<Sbp>;

bool are_partial(const std::vector<Sbp>& states, Combiner combiner) {
  return std::ranges::all_of(states, [&](const Sbp& state) { return state == Sbp::partial(combiner); });
}

// Of a scalar function of which some arguments are partial.
State partial_call(const std::string& function, const std::vector<Sbp>& arguments) {
  const Sbp sum = Sbp::partial(Combiner::kSum);
  if ((function == "add" || function == "sub" || function == "neg") && are_partial(arguments, Combiner::kSum))
    return sum;
  if (function == "max" && are_partial(arguments, Combiner::kMax)) return arguments[0];
  if (function == "min" && are_partial(arguments, Combiner::kMin)) return arguments[0];
  if (function == "div" && arguments[0] == sum && arguments[1].is_broadcast()) return sum;
  const bool is_scaled = (arguments[0] == sum && arguments.back().is_broadcast()) ||
                         (arguments[0].is_broadcast() && arguments.back() == sum);
  return function == "mul" && is_scaled ? State(sum) : std::nullopt;
}

State joint(const std::vector<Sbp>& states) {
  if (std::ranges::any_of(states, &Sbp::is_partial)) return std::nullopt;
  const bool is_split = std::ranges::any_of(states, &Sbp::is_split);
  return is_split ? Sbp::split(0) : Sbp{};
}

// Follows one division of the loops through their stages.
class Division {
 public:
  // Either an iterator is divided, or operands are partial.
  Division(const LoopNest& nest, std::span<const TensorType> operands, const Divided& divided, std::vector<Sbp> partial)
      : nest_(nest),
        operands_(operands),
        iterator_(divided.iterator),
        knows_part_(divided.knows_part),
        placed_(std::move(partial)),
        is_read_(placed_.size()) {}

  std::optional<SbpSignature> signature() {
    std::optional<Sbp> result;
    for (const Stage& stage : nest_.stages) {
      stages_.push_back(stage_state(stage));
      if (stage.name != nest_.result().name) continue;
      const std::optional<Sbp> written = result_of(stage, stages_.back());
      if (!written || (result && *result != *written)) return std::nullopt;
      result = written;
    }
    if (is_unsound_ || !result || result->is_broadcast()) return std::nullopt;
    return SbpSignature{placed_, *result};
  }

 private:
  State stage_state(const Stage& stage) {
    check_bounds(stage.bounds);
    const State state = reduced(state_of(stage.body), stage.combiner, stage.reduced);
    const bool is_along = contains(stage.target, iterator_);
    if (!state || (state->is_partial() && is_along) || (state->is_split() && !is_along)) return std::nullopt;
    return is_along ? Sbp::split(0) : state;
  }

  // What a stage that writes the result makes of it.
  std::optional<Sbp> result_of(const Stage& stage, const State& state) {
    if (nest_.updated) note_access(*nest_.updated, stage.place);
    if (!state || !state->is_split()) return nest_.updated ? std::nullopt : state;
    if (!stage.place.empty()) {
      const Shape& shape =
          nest_.updated ? operands_[static_cast<std::size_t>(*nest_.updated)].shape : nest_.placed_shape;
      const std::optional<int> axis = axis_of(stage.place, shape);
      return axis ? std::optional(Sbp::split(*axis)) : std::nullopt;
    }
    return Sbp::split(static_cast<int>(std::ranges::find(stage.target, iterator_) - stage.target.begin()));
  }

  State reduced(const State& state, Combiner combiner, const std::vector<int>& iterators) const {
    if (!state || combiner == Combiner::kNone) return state;
    if (contains(iterators, iterator_)) {
      if ((combiner == Combiner::kTuple && !knows_part_) || state->is_partial()) return std::nullopt;
      return Sbp::partial(combiner);
    }
    return state->is_partial() && state->combiner != combiner ? std::nullopt : state;
  }

  State state_of(const ScalarExpr& expr) {
    switch (expr.kind) {
      case Kind::kConstant:
      case Kind::kAttribute:
        return Sbp{};
      case Kind::kIterator:
        if (expr.number != iterator_) return Sbp{};
        return knows_part_ ? State(Sbp::split(0)) : std::nullopt;
      case Kind::kExtent:
        return expr.number == iterator_ ? std::nullopt : State(Sbp{});
      case Kind::kStage:
        return stages_[static_cast<std::size_t>(expr.number)];
      case Kind::kOperand:
        return operand_state(expr);
      case Kind::kCall:
      case Kind::kReduce:
        return inner_state(expr);
    }
    return std::nullopt;
  }

  State inner_state(const ScalarExpr& expr) {
    check_bounds(expr.bounds);
    std::vector<Sbp> arguments;
    for (const ScalarExpr& argument : expr.arguments) {
      const State state = state_of(argument);
      if (!state) return std::nullopt;
      arguments.push_back(*state);
    }
    const bool is_partial = std::ranges::any_of(arguments, &Sbp::is_partial);
    if (expr.kind == Kind::kCall) return is_partial ? partial_call(expr.name, arguments) : joint(arguments);
    return reduced(arguments.size() == 1 ? State(arguments[0]) : joint(arguments), expr.combiner, expr.reduced);
  }

  State operand_state(const ScalarExpr& access) {
    const auto number = static_cast<std::size_t>(access.number);
    const bool is_split = note_access(access.number, access.index);
    if (placed_[number].is_partial()) return placed_[number];
    return is_split ? Sbp::split(0) : Sbp{};
  }

  void check_bounds(const std::vector<Bound>& bounds) {
    for (const Bound& bound : bounds) {
      const State value = state_of(bound.value);
      const bool is_cut = bound.iterator == iterator_ && !(knows_part_ && value && value->is_broadcast());
      if (is_cut || !value || value->is_partial()) is_unsound_ = true;
    }
  }

  // Notes which axis of the operand the iterator runs along, the same wherever the operand is accessed. Whether what is
  // read depends on the iterator.
  bool note_access(int operand, const std::vector<IndexMap>& index) {
    const auto number = static_cast<std::size_t>(operand);
    const std::optional<int> axis = axis_of(index, operands_[number].shape);
    const Sbp placed = axis ? Sbp::split(*axis) : Sbp{};
    if (!placed_[number].is_partial()) {
      if (is_read_[number] && placed_[number] != placed) is_unsound_ = true;
      placed_[number] = placed;
    }
    is_read_[number] = true;
    bool depends = axis.has_value();
    for (const IndexMap& map : index) depends = note_index_reads(map) || depends;
    return depends;
  }

  bool note_index_reads(const IndexMap& map) {
    bool depends = false;
    for (const IndexTerm& term : map.terms) {
      if (term.kind != IndexTerm::Kind::kOperand) continue;
      if (placed_[static_cast<std::size_t>(term.number)].is_partial()) is_unsound_ = true;
      depends = note_access(term.number, term.index) || depends;
    }
    return depends;
  }

  // The axis that the iterator runs along from end to end. Any other use of it is unsound.
  std::optional<int> axis_of(const std::vector<IndexMap>& index, const Shape& shape) {
    std::optional<int> found;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      if (!mentions(index[axis])) continue;
      if (found || !runs_along(index[axis], shape[axis])) is_unsound_ = true;
      found = static_cast<int>(axis);
    }
    return found;
  }

  bool mentions(const IndexMap& map) const {
    if (iterator_ == kNoIterator) return false;
    if (map.coefficients[static_cast<std::size_t>(iterator_)] != 0) return true;
    return std::ranges::any_of(map.terms, [this](const IndexTerm& term) {
      return term.kind != IndexTerm::Kind::kOperand && term.number == iterator_;
    });
  }

  // Whether the index is the iterator, or its quotient, and its values are all of the axis.
  bool runs_along(const IndexMap& map, const Dim& size) const {
    const auto used = std::ranges::count_if(map.coefficients, [](std::int64_t c) { return c != 0; });
    const Dim& extent = nest_.iterators[static_cast<std::size_t>(iterator_)].extent;
    if (map.constant != 0) return false;
    if (map.terms.empty()) {
      return used == 1 && map.coefficients[static_cast<std::size_t>(iterator_)] == 1 && size == extent;
    }
    const IndexTerm& term = map.terms[0];
    const bool is_quotient = term.kind == IndexTerm::Kind::kIterator && term.coefficient == 1 && !term.is_remainder;
    return used == 0 && map.terms.size() == 1 && is_quotient && size * Dim(term.divisor) == extent;
  }

  const LoopNest& nest_;
  const std::span<const TensorType> operands_;
  const int iterator_;
  const bool knows_part_;
  std::vector<Sbp> placed_;  // by operand
  std::vector<bool> is_read_;
  std::vector<State> stages_;
  bool is_unsound_ = false;
};

}  // namespace

std::optional<SbpSignature> divided(const LoopNest& nest, std::span<const TensorType> operands, const Divided& divided,
                                    std::vector<Sbp> partial) {
  return Division(nest, operands, divided, std::move(partial)).signature();
}

}  // namespace strata::ir
