// SPDX-License-Identifier: Apache-2.0
#include "cost/division.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cost/leaf_cost.h"
#include "cost/row_units.h"
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
  std::vector<int> iterators;
  double extent = 1;

  int last() const { return iterators.back(); }
};

// An access as distances in memory by iterator, where its index is affine.
struct Access {
  int operand = 0;
  std::vector<double> steps;
  bool is_affine = true;
};

// The result's loops. Neighbours are one where every access runs through them as through one (schedule/strided_nest.h).
class OwnLoops {
 public:
  OwnLoops(const WorkCounter& counter, const LoopNest& nest)
      : counter_(counter), nest_(nest), grain_(static_cast<double>(counter.machine().core.grain_elements)) {
    for (const ir::Stage& stage : nest.stages) {
      for (const ScalarExpr* access : ir::operand_accesses(stage.body)) {
        accesses_.push_back({static_cast<int>(access->number),
                             steps_of(*access, counter.type(access->number), nest.iterators.size()),
                             std::ranges::all_of(access->index, ir::is_affine)});
      }
    }
    for (const int iterator : nest.result().target) loops_.push_back({{iterator}, extent(iterator)});
    while (merge_one()) {
    }
    find_divided();
  }

  double pieces() const { return divided_ == nullptr ? 1 : std::ceil(divided_->extent / step_); }

  Division division() const {
    Division division{pieces(), share(result_steps(), counter_.result()), {}};
    for (const ir::TensorType& type : counter_.types()) {
      division.operands.push_back(share(std::vector<double>(nest_.iterators.size(), 0), type));
    }
    std::vector<bool> is_known(division.operands.size(), false);
    for (const Access& access : accesses_) {
      const auto operand = static_cast<std::size_t>(access.operand);
      Share& known = division.operands[operand];
      const Share here = access.is_affine ? share(access.steps, counter_.type(operand)) : Share{};
      known = !is_known[operand] || known.fits(here) ? here : Share{};
      is_known[operand] = true;
    }
    return division;
  }

 private:
  double extent(int iterator) const { return size_of(nest_.iterators[static_cast<std::size_t>(iterator)].extent); }

  // The first that all stages have in common and that is longer than one step is divided; of a map the last loop runs
  // in vector lanes, and where it is the only one, pieces of it are shared out.
  void find_divided() {
    const bool is_map = nest_.stages.size() == 1 && nest_.result().combiner == ir::Combiner::kNone;
    if (is_map && loops_.size() == 1) {
      divided_ = loops_.data();
      step_ = grain_;
      return;
    }
    for (std::size_t i = 0; i + (is_map ? 1 : 0) < loops_.size(); ++i) {
      if (!is_everywhere(loops_[i]) || loops_[i].extent <= 1) continue;
      divided_ = &loops_[i];
      return;
    }
  }

  std::vector<double> result_steps() const {
    std::vector<double> steps(nest_.iterators.size(), 0);
    double distance = 1;
    for (std::size_t i = nest_.result().target.size(); i-- > 0;) {
      const int iterator = nest_.result().target[i];
      steps[static_cast<std::size_t>(iterator)] = distance;
      distance *= extent(iterator);
    }
    return steps;
  }

  // What the other iterators reach must lie within the stride of the one that is divided.
  Share share(const std::vector<double>& steps, const ir::TensorType& type) const {
    if (pieces() <= 1) return {.kind = Share::Kind::kFirst};
    double reach = 1;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!contains(divided_->iterators, static_cast<int>(i))) reach += steps[i] * (extent(static_cast<int>(i)) - 1);
    }
    const double stride = steps[static_cast<std::size_t>(divided_->last())];
    if (stride < reach) return {};
    return {Share::Kind::kDivided, divided_->extent, step_, stride * static_cast<double>(dtype_size(type.dtype))};
  }

  bool is_everywhere(const Loop& loop) const {
    return std::ranges::all_of(nest_.stages,
                               [&](const ir::Stage& stage) { return contains(stage.target, loop.last()); });
  }

  bool merge_one() {
    for (std::size_t i = 1; i < loops_.size(); ++i) {
      if (!run_as_one(loops_[i - 1], loops_[i])) continue;
      std::vector<int> iterators = loops_[i - 1].iterators;
      iterators.insert(iterators.end(), loops_[i].iterators.begin(), loops_[i].iterators.end());
      loops_[i] = {std::move(iterators), loops_[i - 1].extent * loops_[i].extent};
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
      if (!are_together(stage.target, outer.last(), inner.iterators[0])) return false;
      if (!are_together(stage.reduced, outer.last(), inner.iterators[0])) return false;
      if (uses_value(stage.body, outer.last()) || uses_value(stage.body, inner.iterators[0])) return false;
    }
    return outer.extent == 1 || std::ranges::all_of(accesses_, [&](const Access& access) {
             return access.is_affine && access.steps[static_cast<std::size_t>(inner.last())] * inner.extent ==
                                            access.steps[static_cast<std::size_t>(outer.last())];
           });
  }

  const WorkCounter& counter_;
  const LoopNest& nest_;
  const double grain_;
  std::vector<Access> accesses_;
  std::vector<Loop> loops_;
  const Loop* divided_ = nullptr;
  double step_ = 1;
};

// Groups of panels, times parts of the rows where threads share these too: of a last part that is shorter as many
// pieces as have the length of the others.
double contraction_pieces(const WorkCounter& counter, const Leaf& leaf) {
  const auto of = *ir::contraction(*counter.loops());
  const ir::TensorType& panels = counter.type(static_cast<std::size_t>(of.right));
  const std::int64_t group =
      leaf.takes_blocks ? counter.tiles().panels : machine::stream(counter.machine(), ir::stored_bits(panels)).panels;
  const double groups = std::ceil(size_of(panels.shape[0]) / static_cast<double>(group * panels.layout.packs[0].lanes));
  const std::int64_t unit = leaf.takes_blocks ? counter.tiles().unit_rows : 0;
  return unit == 0 ? groups : row_unit_pieces(groups, counter.tiled().rows, unit);
}

double loop_pieces(const WorkCounter& counter, const LeafLoop& loop) {
  const double extent = size_of(counter.result().shape[0]);
  return loop.takes_row_tiles ? std::ceil(extent / static_cast<double>(counter.result().layout.lanes(0))) : extent;
}

// Of a view that has no loops of its own and is copied: element by element, in order.
double copy_pieces(const WorkCounter& counter) {
  return std::ceil(elements_of(counter.result()) / static_cast<double>(counter.machine().core.grain_elements));
}

// Whether a plan may divide even one group of panels.
bool may_share_rows(const WorkCounter& counter, const Leaf& leaf) {
  if (leaf.domain != Leaf::Domain::kContraction || !leaf.takes_blocks || !shares_rows(counter.machine())) return false;
  const TiledProduct product = counter.tiled();
  return product.rows > product.row_tile;
}

// Of a leaf that is not the op's own loops.
double leaf_pieces(const WorkCounter& counter, const Leaf& leaf) {
  if (leaf.domain == Leaf::Domain::kContraction) return contraction_pieces(counter, leaf);
  if (leaf.domain == Leaf::Domain::kAttention) return attention_units(counter);
  if (leaf.domain == Leaf::Domain::kNumbered) return size_of(counter.result().shape.back()) / counter.lanes();
  return leaf.domain == Leaf::Domain::kLoop ? loop_pieces(counter, leaf.loop) : 1;
}

}  // namespace

Division division(const WorkCounter& counter, const Leaf& leaf) {
  const bool is_own = leaf.domain == Leaf::Domain::kOwn;
  const auto nest = is_own ? counter.loops() : nullptr;
  if (nest) return OwnLoops(counter, *nest).division();
  const double count = is_own ? copy_pieces(counter) : leaf_pieces(counter, leaf);
  const bool is_of_tiles = leaf.domain == Leaf::Domain::kAttention || may_share_rows(counter, leaf);
  const Share share{.kind = count <= 1 && !is_of_tiles ? Share::Kind::kFirst : Share::Kind::kAny};
  return {count, share, std::vector<Share>(counter.types().size(), share)};
}

double pieces(const WorkCounter& counter, const Leaf& leaf) {
  if (leaf.domain != Leaf::Domain::kOwn) return leaf_pieces(counter, leaf);
  return OwnLoops(counter, *counter.loops()).pieces();
}

}  // namespace strata::cost
