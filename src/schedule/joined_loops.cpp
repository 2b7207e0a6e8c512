// SPDX-License-Identifier: Apache-2.0
#include "schedule/joined_loops.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/ranges.h"
#include "ir/op.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using ir::Expr;
using ir::IndexMap;
using ir::ScalarExpr;
using ScalarKind = ScalarExpr::Kind;

void for_each_node(auto& body, const auto& visit) {
  visit(body);
  for (auto& argument : body.arguments) for_each_node(argument, visit);
}

void for_each_node(ir::LoopNest& nest, const auto& visit) {
  for (ir::Stage& stage : nest.stages) for_each_node(stage.body, visit);
}

// The iterator that an index is; -1: it is another expression.
int as_iterator(const IndexMap& index) {
  int iterator = -1;
  if (index.constant != 0 || !index.terms.empty()) return -1;
  for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
    if (index.coefficients[i] == 0) continue;
    if (index.coefficients[i] != 1 || iterator >= 0) return -1;
    iterator = static_cast<int>(i);
  }
  return iterator;
}

// Distinct iterators, one for each of the first axes, as far as the access is by such ones.
std::vector<int> iterators_of(const ScalarExpr& access) {
  std::vector<int> iterators;
  for (const IndexMap& index : access.index) {
    const int iterator = as_iterator(index);
    if (iterator < 0 || contains(iterators, iterator)) break;
    iterators.push_back(iterator);
  }
  return iterators;
}

bool are_constant(const ir::Shape& shape, std::size_t first_axis) {
  return std::all_of(shape.begin() + static_cast<std::ptrdiff_t>(first_axis), shape.end(),
                     [](const ir::Dim& dim) { return dim.is_constant(); });
}

// The number of an element among those of the axes from this one on, whose sizes are constants.
IndexMap number_inside(const std::vector<IndexMap>& index, const ir::Shape& shape, std::size_t first_axis) {
  IndexMap number{std::vector<std::int64_t>(index[0].coefficients.size(), 0), 0, {}};
  std::int64_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > first_axis;) {
    number.constant += stride * index[axis].constant;
    for (std::size_t i = 0; i < number.coefficients.size(); ++i) {
      number.coefficients[i] += stride * index[axis].coefficients[i];
    }
    for (ir::IndexTerm term : index[axis].terms) {
      term.coefficient *= stride;
      number.terms.push_back(std::move(term));
    }
    stride *= shape[axis].factor();
  }
  return number;
}

// Operand numbers by value, each value once.
std::vector<int> numbered(const std::vector<const Expr*>& values, std::vector<const Expr*>& inputs) {
  std::vector<int> numbers;
  for (const Expr* value : values) {
    const auto found = std::ranges::find(inputs, value);
    numbers.push_back(static_cast<int>(found - inputs.begin()));
    if (found == inputs.end()) inputs.push_back(value);
  }
  return numbers;
}

class Joiner {
 public:
  Joiner(const JoinedLoops& consumer, const JoinedLoops& producer, const std::vector<const Expr*>& read_as)
      : joined_(consumer), producer_(producer), read_as_(read_as) {}

  std::optional<JoinedLoops> run() {
    if (producer_.nest.result().combiner == ir::Combiner::kTuple || !find_iterators()) return std::nullopt;
    add_iterators();
    replace_reads();
    add_stages();
    remove_unread_inputs();
    return std::move(joined_);
  }

 private:
  bool is_read(const ScalarExpr& node) const {
    return node.kind == ScalarKind::kOperand &&
           contains(read_as_, joined_.inputs[static_cast<std::size_t>(node.number)]);
  }

  const ir::Shape& shape(const ScalarExpr& read) const {
    return joined_.inputs[static_cast<std::size_t>(read.number)]->type().shape;
  }

  // The first axes that all accesses name by the same iterators, which run over all of each, are shared.
  bool find_iterators() {
    const std::vector<int>& target = producer_.nest.result().target;
    std::vector<int> axes;
    bool is_first = true, is_same_shape = true;
    for_each_node(joined_.nest, [&](const ScalarExpr& node) {
      if (!is_read(node)) return;
      std::vector<int> here = iterators_of(node);
      if (std::exchange(is_first, false)) axes = here;
      here.resize(std::min({here.size(), axes.size(), target.size()}));
      axes.resize(here.size());
      axes.erase(std::ranges::mismatch(axes, here).in1, axes.end());
      std::size_t shared = 0;
      while (shared < axes.size() && covers(node, axes[shared], shared)) ++shared;
      axes.resize(shared);
      is_same_shape = is_same_shape && shape(node).size() == target.size();
    });
    if (axes.empty()) return false;
    shared_axes_ = axes.size();
    is_apart_ = !is_same_shape || shared_axes_ != target.size();
    if (is_apart_ && !may_be_apart()) return false;
    iterators_.assign(producer_.nest.iterators.size(), -1);
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      iterators_[static_cast<std::size_t>(target[axis])] = axes[axis];
    }
    return true;
  }

  // The iterator runs over all of the value's axis, as it was made and as it is read.
  bool covers(const ScalarExpr& read, int iterator, std::size_t axis) const {
    const ir::Dim& extent = joined_.nest.iterators[static_cast<std::size_t>(iterator)].extent;
    const auto own = static_cast<std::size_t>(producer_.nest.result().target[axis]);
    return producer_.nest.iterators[own].extent == extent && shape(read)[axis] == extent;
  }

  // What is read in another order is kept until then: it is no single number, nor one that waits for a reduction.
  bool may_be_apart() {
    bool fits = shared_axes_ < producer_.nest.result().target.size() &&
                producer_.nest.result().combiner == ir::Combiner::kNone && producer_.made.back() != nullptr &&
                are_constant(producer_.made.back()->type().shape, shared_axes_);
    for_each_node(joined_.nest, [&](const ScalarExpr& node) {
      if (is_read(node)) fits = fits && are_constant(shape(node), shared_axes_);
    });
    return fits;
  }

  // What the producer reduces has iterators of its own.
  void add_iterators() {
    for (std::size_t i = 0; i < iterators_.size(); ++i) {
      if (iterators_[i] >= 0) continue;
      ir::Iterator iterator = producer_.nest.iterators[i];
      while (contains_name(joined_.nest.iterators, iterator.name)) iterator.name += "_";
      iterators_[i] = static_cast<int>(joined_.nest.iterators.size());
      joined_.nest.iterators.push_back(std::move(iterator));
    }
    for_each_node(joined_.nest, [&](ScalarExpr& node) {
      for (IndexMap& index : node.index) index.coefficients.resize(joined_.nest.iterators.size(), 0);
    });
  }

  static bool contains_name(const auto& list, const std::string& name) {
    return std::ranges::any_of(list, [&](const auto& item) { return item.name == name; });
  }

  void replace_reads() {
    const int stages = static_cast<int>(producer_.nest.stages.size());
    for_each_node(joined_.nest, [&](ScalarExpr& node) {
      if (node.kind == ScalarKind::kStage) node.number += stages;
      if (!is_read(node)) return;
      std::vector<IndexMap> index;
      if (is_apart_) index.push_back(number_inside(node.index, shape(node), shared_axes_));
      node.kind = ScalarKind::kStage;
      node.number = stages - 1;
      node.index = std::move(index);
    });
  }

  void add_stages() {
    const std::vector<int> operands = numbered(producer_.inputs, joined_.inputs);
    std::vector<ir::Stage> stages = producer_.nest.stages;
    for (ir::Stage& stage : stages) {
      while (contains_name(joined_.nest.stages, stage.name)) stage.name += "_";
      for (int& iterator : stage.target) iterator = iterators_[static_cast<std::size_t>(iterator)];
      for (int& iterator : stage.reduced) iterator = iterators_[static_cast<std::size_t>(iterator)];
      for_each_node(stage.body, [&](ScalarExpr& node) {
        const auto number = static_cast<std::size_t>(node.number);
        if (node.kind == ScalarKind::kOperand) node.number = operands[number];
        if (node.kind == ScalarKind::kIterator || node.kind == ScalarKind::kExtent) node.number = iterators_[number];
        for (IndexMap& index : node.index) index = placed(index);
      });
    }
    joined_.nest.stages.insert(joined_.nest.stages.begin(), stages.begin(), stages.end());
    joined_.made.insert(joined_.made.begin(), producer_.made.begin(), producer_.made.end());
  }

  IndexMap placed(const IndexMap& index) const {
    IndexMap moved{std::vector<std::int64_t>(joined_.nest.iterators.size(), 0), index.constant, index.terms};
    for (ir::IndexTerm& term : moved.terms) term.number = iterators_[static_cast<std::size_t>(term.number)];
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
      moved.coefficients[static_cast<std::size_t>(iterators_[i])] += index.coefficients[i];
    }
    return moved;
  }

  void remove_unread_inputs() {
    std::vector<const Expr*> read;
    for_each_node(joined_.nest, [&](ScalarExpr& node) {
      if (node.kind != ScalarKind::kOperand) return;
      node.number = numbered({joined_.inputs[static_cast<std::size_t>(node.number)]}, read)[0];
    });
    joined_.inputs = std::move(read);
  }

  JoinedLoops joined_;
  const JoinedLoops& producer_;
  const std::vector<const Expr*>& read_as_;
  std::size_t shared_axes_ = 0;  // of the producer's value
  bool is_apart_ = false;        // its elements inside of these are read in another order than they are made
  std::vector<int> iterators_;   // of the producer: their numbers in the nest
};

}  // namespace

JoinedLoops loops_alone(const Expr& value) {
  const auto nest = loops_of(value);
  STRATA_CHECK(nest != nullptr, value.op->name() + " has no loops");
  JoinedLoops loops{*nest, {}, {}};
  const std::vector<int> operands = numbered(value.arguments, loops.inputs);
  for_each_node(loops.nest, [&](ScalarExpr& node) {
    if (node.kind == ScalarKind::kOperand) node.number = operands[static_cast<std::size_t>(node.number)];
    if (node.kind == ScalarKind::kAttribute) {
      node.kind = ScalarKind::kConstant;
      node.value = ir::float_attribute(*value.op, value.attributes, node.name);
    }
  });
  loops.made.assign(loops.nest.stages.size(), nullptr);
  loops.made.back() = &value;
  return loops;
}

JoinedLoops loops_reading(const Expr& value) { return {identity_nest(value.type().shape), {&value}, {nullptr}}; }

JoinedLoops loops_of_leaf(const Expr& value) {
  JoinedLoops loops{identity_nest(value.type().shape), {}, {&value}};
  loops.nest.stages[0].body = {};
  return loops;
}

JoinedLoops with_unread(JoinedLoops loops, const Expr& value, int like) {
  ir::Stage stage = loops.nest.stages[static_cast<std::size_t>(like)];
  const std::string name = stage.name;
  for (int i = 0; std::ranges::find(loops.nest.stages, stage.name, &ir::Stage::name) != loops.nest.stages.end(); ++i) {
    stage.name = name + std::to_string(i);
  }
  stage.body = {};
  for_each_node(loops.nest, [](ScalarExpr& node) { node.number += node.kind == ScalarKind::kStage ? 1 : 0; });
  loops.nest.stages.insert(loops.nest.stages.begin(), std::move(stage));
  loops.made.insert(loops.made.begin(), &value);
  return loops;
}

std::optional<JoinedLoops> joined(const JoinedLoops& consumer, const JoinedLoops& producer,
                                  const std::vector<const Expr*>& read_as) {
  return Joiner(consumer, producer, read_as).run();
}

}  // namespace strata::schedule
