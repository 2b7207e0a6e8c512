// SPDX-License-Identifier: Apache-2.0
#include "ops/loop_work.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/bounds.h"
#include "ir/tuple_combiner.h"

namespace strata::ops {
namespace {

using ir::IndexMap;
using ir::IndexTerm;
using ir::ScalarExpr;
using Kind = ScalarExpr::Kind;
using Iterators = std::set<int>;

void add_index(const std::vector<IndexMap>& index, Iterators& found) {
  for (const IndexMap& map : index) {
    for (std::size_t i = 0; i < map.coefficients.size(); ++i) {
      if (map.coefficients[i] != 0) found.insert(static_cast<int>(i));
    }
    for (const IndexTerm& term : map.terms) {
      if (term.kind == IndexTerm::Kind::kOperand) add_index(term.index, found);
      if (term.kind == IndexTerm::Kind::kIterator) found.insert(term.number);
    }
  }
}

class WorkOfLoops {
 public:
  WorkOfLoops(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::TensorType> operands,
              const ir::Attributes& attributes)
      : op_(op), nest_(nest), operands_(operands), attributes_(attributes) {}

  ir::Work run(const ir::TensorType& result) {
    ir::Work work;
    for (const ir::Stage& stage : nest_.stages) {
      limit(stage.bounds);
      const double points = count(iterators_of(stage));
      const double steps = stage.combiner == ir::Combiner::kNone ? 0 : points;
      work.flops += steps + operations(stage.body, iterators_of(stage));
      read(stage.place);
      read(stage.body);
      for (const ir::Bound& bound : stage.bounds) read(bound.value);
      work.written_bytes += written_bytes(stage, result);
      widths_.clear();
    }
    for (const auto& [operand, elements] : touched_)
      work.read_bytes += bytes(operands_[static_cast<std::size_t>(operand)], elements);
    if (nest_.result().place.empty()) work.written_bytes = static_cast<double>(ir::max_bytes(result));
    return work;
  }

 private:
  static Iterators iterators_of(const ir::Stage& stage) {
    Iterators all(stage.target.begin(), stage.target.end());
    all.insert(stage.reduced.begin(), stage.reduced.end());
    return all;
  }

  double extent(int iterator) const {
    const auto width = widths_.find(iterator);
    const auto extent = static_cast<double>(nest_.iterators[static_cast<std::size_t>(iterator)].extent.max());
    return width == widths_.end() ? extent : std::min(extent, width->second);
  }

  double count(const Iterators& iterators) const {
    double points = 1;
    for (const int i : iterators) points *= extent(i);
    return points;
  }

  void limit(const std::vector<ir::Bound>& bounds) {
    for (const ir::Bound& bound : bounds) {
      const int i = bound.iterator;
      const double width = ir::bounded_extent(op_, attributes_, nest_, i, bounds);
      if (width < static_cast<double>(nest_.iterators[static_cast<std::size_t>(i)].extent.max())) widths_[i] = width;
    }
  }

  static void add_iterators(const ScalarExpr& expr, Iterators& found) {
    if (expr.kind == Kind::kIterator) found.insert(expr.number);
    add_index(expr.index, found);
    for (const ScalarExpr& argument : expr.arguments) add_iterators(argument, found);
    for (const int i : expr.reduced) found.erase(i);
  }

  // The iterators on which an expression depends, earlier stages' included.
  Iterators dependence(const ScalarExpr& expr) const {
    Iterators found;
    add_iterators(expr, found);
    add_stage_targets(expr, found);
    return found;
  }
  void add_stage_targets(const ScalarExpr& expr, Iterators& found) const {
    if (expr.kind == Kind::kStage) {
      const auto& target = nest_.stages[static_cast<std::size_t>(expr.number)].target;
      found.insert(target.begin(), target.end());
    }
    for (const ScalarExpr& argument : expr.arguments) add_stage_targets(argument, found);
  }

  double operations(const ScalarExpr& expr, const Iterators& scope) {
    if (expr.kind == Kind::kReduce) return reduction(expr, scope);
    double sum = expr.kind == Kind::kCall ? count(scope) : 0;
    for (const ScalarExpr& argument : expr.arguments) sum += operations(argument, scope);
    return sum;
  }

  double reduction(const ScalarExpr& expr, Iterators scope) {
    limit(expr.bounds);
    if (expr.combiner == ir::Combiner::kTuple) return tuple(expr, scope);
    scope.insert(expr.reduced.begin(), expr.reduced.end());
    return count(scope) + operations(expr.arguments[0], scope);
  }

  // Each input and each state where it differs; what several states have in common is computed once.
  double tuple(const ScalarExpr& expr, const Iterators& scope) {
    double sum = 0;
    std::vector<Iterators> inputs;
    for (const ScalarExpr& input : expr.arguments) {
      inputs.push_back(dependence(input));
      sum += operations(input, inputs.back());
    }
    std::vector<const ScalarExpr*> seen;
    std::vector<Iterators> states;
    for (const ir::Stage& state : expr.tuple->states) {
      Iterators points(expr.reduced.begin(), expr.reduced.end());
      add_slots(state.body, inputs, states, points);
      sum += count(points) * (1 + new_calls(state.body, seen));
      states.push_back(points);
      for (const int i : expr.reduced) states.back().erase(i);
    }
    return sum + count(scope) * new_calls(expr.tuple->result, seen);
  }

  static void add_slots(const ScalarExpr& body, const std::vector<Iterators>& inputs,
                        const std::vector<Iterators>& states, Iterators& found) {
    const auto number = static_cast<std::size_t>(body.number);
    if (body.kind == Kind::kOperand) found.insert(inputs[number].begin(), inputs[number].end());
    if (body.kind == Kind::kStage) found.insert(states[number].begin(), states[number].end());
    for (const ScalarExpr& argument : body.arguments) add_slots(argument, inputs, states, found);
  }

  static double new_calls(const ScalarExpr& body, std::vector<const ScalarExpr*>& seen) {
    if (body.kind != Kind::kCall) return 0;
    if (std::ranges::any_of(seen, [&](const ScalarExpr* before) { return *before == body; })) return 0;
    double calls = 1;
    for (const ScalarExpr& argument : body.arguments) calls += new_calls(argument, seen);
    seen.push_back(&body);
    return calls;
  }

  void read(const ScalarExpr& expr) {
    for (const ir::Bound& bound : expr.bounds) read(bound.value);
    if (expr.kind == Kind::kOperand) touch(expr.number, expr.index);
    read(expr.index);
    for (const ScalarExpr& argument : expr.arguments) read(argument);
  }

  void read(const std::vector<IndexMap>& index) {
    for (const IndexMap& map : index) {
      for (const IndexTerm& term : map.terms) {
        if (term.kind != IndexTerm::Kind::kOperand) continue;
        touch(term.number, term.index);
        read(term.index);
      }
    }
  }

  void touch(int operand, const std::vector<IndexMap>& index) {
    const ir::Shape& shape = operands_[static_cast<std::size_t>(operand)].shape;
    double box = 1;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      box *= std::min(touched(index[axis]), static_cast<double>(shape[axis].max()));
    }
    double& elements = touched_[operand];
    elements = std::max(elements, box);
  }

  // Indices along one axis. Windows that move with the data are taken to move by one with every point.
  double touched(const IndexMap& index) const {
    Iterators used;
    add_index({index}, used);
    const auto is_read = [](const IndexTerm& term) { return term.kind == IndexTerm::Kind::kOperand; };
    if (std::ranges::any_of(index.terms, is_read)) return count(used);
    std::vector<ir::IndexRange> whole;
    for (std::size_t i = 0; i < nest_.iterators.size(); ++i) {
      const bool is_window = widths_.contains(static_cast<int>(i));
      const double spread = is_window ? outermost_extent() - 1 : 0;
      const auto all = nest_.iterators[i].extent.max();
      whole.push_back({0, std::min(all, static_cast<std::int64_t>(extent(static_cast<int>(i)) + spread)) - 1});
    }
    return static_cast<double>(ir::footprint({index}, whole)[0].extent());
  }

  double outermost_extent() const {
    const auto& target = nest_.result().target;
    return target.empty() ? 1 : extent(target.front());
  }

  static double bytes(const ir::TensorType& type, double elements) {
    double all = 1;
    for (const ir::Dim& dim : type.shape) all *= static_cast<double>(dim.max());
    if (elements >= all) return static_cast<double>(ir::max_bytes(type));  // with its padding
    return elements * static_cast<double>(dtype_size(type.dtype));
  }

  double written_bytes(const ir::Stage& stage, const ir::TensorType& result) const {
    const Iterators target(stage.target.begin(), stage.target.end());
    return stage.place.empty() ? 0 : count(target) * static_cast<double>(dtype_size(result.dtype));
  }

  const ir::Op& op_;
  const ir::LoopNest& nest_;
  std::span<const ir::TensorType> operands_;
  const ir::Attributes& attributes_;
  std::map<int, double> widths_;   // of iterators that bounds limit, in the stage that is counted
  std::map<int, double> touched_;  // elements, by operand
};

}  // namespace

ir::Work loop_work(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::TensorType> operands,
                   const ir::Attributes& attributes, const ir::TensorType& result) {
  return WorkOfLoops(op, nest, operands, attributes).run(result);
}

}  // namespace strata::ops
