// SPDX-License-Identifier: Apache-2.0
#include "cost/division.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ir/contraction.h"

namespace strata::cost {
namespace {

using ir::LoopNest;
using ir::ScalarExpr;

// The distance in memory of neighbours along each iterator, of an operand that lies in row-major order.
std::vector<double> steps_of(const ScalarExpr& access, const ir::TensorType& type, std::size_t iterators) {
  std::vector<double> steps(iterators, 0);
  double distance = 1;
  for (std::size_t axis = access.index.size(); axis-- > 0;) {
    for (std::size_t i = 0; i < iterators; ++i)
      steps[i] += distance * static_cast<double>(access.index[axis].coefficients[i]);
    distance *= size_of(type.shape[axis]);
  }
  return steps;
}

bool contains(const std::vector<int>& list, int iterator) { return std::ranges::find(list, iterator) != list.end(); }

bool uses_value(const ScalarExpr& body, int iterator) {
  const bool here = body.kind == ScalarExpr::Kind::kIterator || body.kind == ScalarExpr::Kind::kExtent;
  if (here && body.number == iterator) return true;
  return std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return uses_value(a, iterator); });
}

// Iterators of the result that follow one another and run as one loop.
struct Loop {
  int first = 0;
  int last = 0;
  double extent = 1;
};

// The result's loops. Neighbours are one where every access runs through them as through one (schedule/strided_nest.h).
class OwnLoops {
 public:
  OwnLoops(const WorkCounter& counter, const LoopNest& nest)
      : nest_(nest), grain_(static_cast<double>(counter.machine().core.grain_elements)) {
    for (const ir::Stage& stage : nest.stages) {
      for (const ScalarExpr* access : ir::operand_accesses(stage.body))
        accesses_.push_back(steps_of(*access, counter.type(access->number), nest.iterators.size()));
    }
    for (const int iterator : nest.result().target) {
      loops_.push_back({iterator, iterator, size_of(nest.iterators[static_cast<std::size_t>(iterator)].extent)});
    }
    while (merge_one()) {
    }
  }

  // The first that all stages have in common and that is longer than one step is divided; of a map the last loop runs
  // in vector lanes, and where it is the only one, pieces of it are shared out.
  double pieces() const {
    const bool is_map = nest_.stages.size() == 1 && nest_.result().combiner == ir::Combiner::kNone;
    if (is_map && loops_.size() == 1) return std::ceil(loops_[0].extent / grain_);
    for (std::size_t i = 0; i + (is_map ? 1 : 0) < loops_.size(); ++i) {
      if (is_everywhere(loops_[i]) && loops_[i].extent > 1) return loops_[i].extent;
    }
    return 1;
  }

 private:
  bool is_everywhere(const Loop& loop) const {
    return std::ranges::all_of(nest_.stages, [&](const ir::Stage& stage) { return contains(stage.target, loop.last); });
  }

  bool merge_one() {
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      if (!run_as_one(loops_[i - 1], loops_[i])) continue;
      loops_[i] = {loops_[i - 1].first, loops_[i].last, loops_[i - 1].extent * loops_[i].extent};
      loops_.erase(loops_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
      return true;
    }
    return false;
  }

  static bool are_together(const std::vector<int>& list, int outer, int inner) {
    const auto at = std::ranges::find(list, outer);
    if (at == list.end()) return !contains(list, inner);
    return std::next(at) != list.end() && *std::next(at) == inner;
  }

  bool run_as_one(const Loop& outer, const Loop& inner) const {
    for (const ir::Stage& stage : nest_.stages) {
      if (!are_together(stage.target, outer.last, inner.first)) return false;
      if (!are_together(stage.reduced, outer.last, inner.first)) return false;
      if (uses_value(stage.body, outer.last) || uses_value(stage.body, inner.first)) return false;
    }
    return outer.extent == 1 || std::ranges::all_of(accesses_, [&](const std::vector<double>& steps) {
             return steps[static_cast<std::size_t>(inner.last)] * inner.extent ==
                    steps[static_cast<std::size_t>(outer.last)];
           });
  }

  const LoopNest& nest_;
  const double grain_;
  std::vector<std::vector<double>> accesses_;
  std::vector<Loop> loops_;
};

double own_pieces(const WorkCounter& counter) {
  const LoopNest nest = *counter.op().loops(counter.types(), counter.attributes());
  return OwnLoops(counter, nest).pieces();
}

// Groups of panels.
double contraction_pieces(const WorkCounter& counter, const Leaf& leaf) {
  const auto of = *ir::contraction(*counter.op().loops(counter.types(), counter.attributes()));
  const ir::TensorType& panels = counter.type(static_cast<std::size_t>(of.right));
  const int group = leaf.takes_blocks ? machine::register_tile(counter.machine()).panels
                                      : machine::stream(counter.machine(), ir::stored_bits(panels)).panels;
  return std::ceil(size_of(panels.shape[0]) / static_cast<double>(group * panels.layout.packs[0].lanes));
}

double loop_pieces(const WorkCounter& counter, const LeafLoop& loop) {
  if (loop.items != nullptr) return loop.items(counter);
  const double extent = size_of(counter.result().shape[0]);
  return loop.takes_row_tiles ? std::ceil(extent / static_cast<double>(counter.result().layout.lanes(0))) : extent;
}

}  // namespace

double pieces(const WorkCounter& counter, const Leaf& leaf) {
  switch (leaf.domain) {
    case Leaf::Domain::kOwn:
      return own_pieces(counter);
    case Leaf::Domain::kContraction:
      return contraction_pieces(counter, leaf);
    case Leaf::Domain::kLoop:
      return loop_pieces(counter, leaf.loop);
    case Leaf::Domain::kView:
    case Leaf::Domain::kOnce:
      break;
  }
  return 1;
}

}  // namespace strata::cost
