// SPDX-License-Identifier: Apache-2.0
#include "schedule/tile_image.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "base/ranges.h"
#include "base/words.h"
#include "ir/op.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using ir::IndexMap;
using ir::IndexTerm;
using ir::ScalarExpr;
using Kind = TileNode::Kind;

std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The loops of an op that a leaf computes; of one without loops, a pack, those of a copy.
ir::LoopNest leaf_loops(const ScheduledOp& op) {
  const auto loops = loops_of(*op.value);
  return loops ? *loops : identity_nest(op.value->type().shape);
}

// Every access to an operand, those of indices and bounds too.
class Accesses {
 public:
  explicit Accesses(int operand) : operand_(operand) {}

  void add(const ir::LoopNest& nest) {
    for (const ir::Stage& stage : nest.stages) {
      add(stage.body);
      for (const ir::Bound& bound : stage.bounds) add(bound.value);
      for (const IndexMap& index : stage.place) add(index);
    }
  }

  const std::vector<std::vector<IndexMap>>& found() const { return found_; }

 private:
  void add(const ScalarExpr& body) {
    if (body.kind == ScalarExpr::Kind::kOperand && body.number == operand_) found_.push_back(body.index);
    for (const IndexMap& index : body.index) add(index);
    for (const ScalarExpr& argument : body.arguments) add(argument);
    for (const ir::Bound& bound : body.bounds) add(bound.value);
  }
  void add(const IndexMap& index) {
    for (const IndexTerm& term : index.terms) {
      if (term.kind != IndexTerm::Kind::kOperand) continue;
      if (term.number == operand_) found_.push_back(term.index);
      for (const IndexMap& inner : term.index) add(inner);
    }
  }

  const int operand_;
  std::vector<std::vector<IndexMap>> found_;
};

IndexMap one_iterator(std::size_t iterators, int iterator) {
  IndexMap index;
  index.coefficients.assign(iterators, 0);
  index.coefficients[static_cast<std::size_t>(iterator)] = 1;
  return index;
}

// A size that is a multiple of the unit where lanes are padded.
ir::Dim padded(const ir::Dim& size, std::int64_t unit) {
  return size.is_constant() ? ir::Dim(div_up(size.factor(), unit) * unit) : size;
}

// The distance of the places along each axis of a tensor with memory of its own.
std::vector<ir::Dim> place_strides(const ir::TensorType& type) {
  std::vector<ir::Dim> strides(static_cast<std::size_t>(type.rank()), ir::Dim(1));
  for (int axis = 0; axis < type.rank(); ++axis) {
    ir::Dim& stride = strides[static_cast<std::size_t>(axis)];
    for (int inner = axis + 1; inner < type.rank(); ++inner) {
      stride = stride * padded(type.shape[static_cast<std::size_t>(inner)], type.layout.lanes(inner));
    }
    for (int outer = 0; outer <= axis; ++outer) stride = stride * ir::Dim(type.layout.lanes(outer));
  }
  return strides;
}

std::int64_t all_lanes(const ir::TensorType& type) {
  std::int64_t lanes = 1;
  for (const ir::Pack& pack : type.layout.packs) lanes *= pack.lanes;
  return lanes;
}

TileImage image_of_tensor(const ir::Expr& value, const std::vector<std::optional<IndexMap>>& maps,
                          const Strides& strides) {
  const ir::TensorType& type = value.type();
  TileImage image{.value = &value, .axes = {}, .keeps_sizes = true};
  const bool has_strides = !strides.empty() || type.rank() == 0;
  const std::vector<ir::Dim> places = has_strides ? strides : place_strides(type);
  image.run = has_strides ? 1 : all_lanes(type);
  for (std::size_t axis = 0; axis < maps.size(); ++axis) {
    TileAxis of{.extent = type.shape[axis], .stride = places[axis]};
    of.unit = has_strides ? 1 : type.layout.lanes(static_cast<int>(axis));
    of.is_whole = !maps[axis].has_value();
    if (maps[axis]) of.index = *maps[axis];
    image.axes.push_back(std::move(of));
  }
  return image;
}

// An axis that several accesses meet in different places is touched all over.
TileImage operand_image(const ScheduledOp& op, int number) {
  const ir::LoopNest nest = leaf_loops(op);
  const ir::Expr& value = *op.value->arguments.at(static_cast<std::size_t>(number));
  Accesses accesses(number);
  accesses.add(nest);
  const auto rank = static_cast<std::size_t>(value.type().rank());
  std::vector<std::optional<IndexMap>> maps(rank);
  const bool is_target = nest.updated && *nest.updated == number;
  std::vector<std::vector<IndexMap>> found = accesses.found();
  if (is_target) found.push_back(nest.result().place);
  for (std::size_t axis = 0; axis < rank && !found.empty(); ++axis) {
    const bool is_one = std::ranges::all_of(found, [&](const auto& index) { return index[axis] == found[0][axis]; });
    if (is_one) maps[axis] = found[0][axis];
  }
  return image_of_tensor(value, maps, op.operands[static_cast<std::size_t>(number)].strides);
}

TileImage result_image(const ScheduledOp& op) {
  const ir::LoopNest nest = leaf_loops(op);
  const ir::Stage& stage = nest.result();
  std::vector<std::optional<IndexMap>> maps(static_cast<std::size_t>(op.value->type().rank()));
  const bool is_written_in_parts = !nest.placed_shape.empty() && !nest.updated;
  for (std::size_t axis = 0; axis < maps.size() && !is_written_in_parts; ++axis) {
    maps[axis] = stage.place.empty() ? one_iterator(nest.iterators.size(), stage.target[axis]) : stage.place[axis];
  }
  const bool is_row_major = op.value->type().layout.is_row_major();
  return image_of_tensor(*op.value, maps, is_row_major ? row_major_strides(op.value->type().shape) : Strides());
}

std::int64_t magnitude(const ir::Dim& stride) { return std::abs(stride.max()); }

TileImage access_image(const ScheduledOp& op, int number) {
  const StridedAccess& access = op.nest->accesses.at(static_cast<std::size_t>(number));
  const std::size_t iterators = op.nest->iterators.size();
  TileImage image{.value = op.inputs.at(static_cast<std::size_t>(access.operand)),
                  .axes = {},
                  .offset = access.offset,
                  .symbolic_offsets = access.symbolic_offsets};
  std::vector<std::pair<TileAxis, int>> axes;
  for (std::size_t i = 0; i < iterators; ++i) {
    if (access.strides[i] == ir::Dim(0)) continue;
    const IndexMap index = one_iterator(iterators, static_cast<int>(i));
    axes.push_back({{index, false, op.nest->iterators[i].extent, 1, access.strides[i]}, -1});
  }
  for (std::size_t d = 0; d < access.divided.size(); ++d) {
    const DividedStride& divided = access.divided[d];
    TileAxis axis{.extent = op.nest->iterators[static_cast<std::size_t>(divided.iterator)].extent,
                  .stride = divided.stride};
    axis.index.coefficients.assign(iterators, 0);
    axis.index.terms.push_back(
        {IndexTerm::Kind::kIterator, 1, divided.iterator, divided.divisor, divided.is_remainder});
    axes.emplace_back(std::move(axis), static_cast<int>(d));
  }
  std::vector<std::size_t> order(axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::pair(-magnitude(axes[a].first.stride), a) < std::pair(-magnitude(axes[b].first.stride), b);
  });
  for (const std::size_t i : order) {
    image.axes.push_back(std::move(axes[i].first));
    image.divided.push_back(axes[i].second);
  }
  return image;
}

TileImage stage_image(const ScheduledOp& op, int number) {
  const ir::Stage& stage = op.nest->stages.at(static_cast<std::size_t>(number));
  TileImage image{.value = op.made.at(static_cast<std::size_t>(number)), .axes = {}};
  if (image.value == nullptr) throw std::logic_error("stage " + std::to_string(number) + " makes no value");
  ir::Dim stride = 1;
  for (std::size_t i = stage.target.size(); i-- > 0;) {
    const ir::Dim& extent = op.nest->iterators[static_cast<std::size_t>(stage.target[i])].extent;
    image.axes.insert(image.axes.begin(),
                      {one_iterator(op.nest->iterators.size(), stage.target[i]), false, extent, 1, stride});
    if (i > 0) stride = stride * extent;
  }
  return image;
}

void add_moving(const IndexMap& index, std::set<int>& iterators) {
  for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
    if (index.coefficients[i] != 0) iterators.insert(static_cast<int>(i));
  }
  for (const IndexTerm& term : index.terms) {
    if (term.kind == IndexTerm::Kind::kIterator) iterators.insert(term.number);
    for (const IndexMap& inner : term.index) add_moving(inner, iterators);
  }
}

// Quotients that `steps` steps from a multiple of `grain` on have.
std::int64_t quotients(const IteratorPart& part, std::int64_t divisor) {
  if (part.steps <= 1) return 1;
  if (part.grain % divisor == 0) return div_up(part.steps, divisor);
  if (part.grain > 0 && divisor % part.grain == 0 && part.steps <= part.grain) return 1;
  return (part.steps + divisor - 2) / divisor + 1;
}

std::int64_t all_places(const TileAxis& axis) { return div_up(axis.extent.max(), axis.unit); }

// The largest step below a node that cuts this iterator; 1: none does.
std::int64_t inner_step(const std::vector<TileNode>& nodes, int iterator) {
  for (const TileNode& node : nodes) {
    const bool cuts = node.kind != Kind::kWhen && node.iterator == iterator;
    if (cuts) return node.step;
    if (const std::int64_t step = inner_step(node.body, iterator); step != 1) return step;
  }
  return 1;
}

}  // namespace

TileImage image_of(const ScheduledOp& op, CopyOf of, int number) {
  const auto refuse = [&](const std::string& what) {
    throw std::logic_error("there is no " + what + " " + std::to_string(number) + " to copy");
  };
  switch (of) {
    case CopyOf::kAccess:
      if (!op.nest || number >= std::ssize(op.nest->accesses)) refuse("access");
      return access_image(op, number);
    case CopyOf::kStage:
      if (!op.nest || number >= std::ssize(op.nest->stages)) refuse("stage");
      return stage_image(op, number);
    case CopyOf::kOperand:
      if (op.nest || op.is_call() || number >= std::ssize(op.value->arguments)) refuse("operand");
      return operand_image(op, number);
    case CopyOf::kResult:
      if (op.nest || op.is_call()) refuse("result");
      return result_image(op);
  }
  return {};
}

std::vector<int> moved_by(const TileImage& image) {
  std::set<int> iterators;
  for (const TileAxis& axis : image.axes) add_moving(axis.index, iterators);
  return {iterators.begin(), iterators.end()};
}

std::vector<int> numbers_of(const TileImage& image) {
  std::set<int> operands;
  for (const TileAxis& axis : image.axes) {
    for (const IndexTerm& term : axis.index.terms) {
      if (term.kind == IndexTerm::Kind::kOperand) operands.insert(term.number);
    }
  }
  return {operands.begin(), operands.end()};
}

std::int64_t most_places(const TileAxis& axis, const TileTree& tree, std::span<const IteratorPart> parts) {
  if (axis.is_whole) return all_places(axis);
  std::int64_t count = 1;
  IteratorPart only{1, 0};
  int iterators = 0;
  for (std::size_t i = 0; i < axis.index.coefficients.size(); ++i) {
    const std::int64_t factor = axis.index.coefficients[i];
    if (factor == 0) continue;
    count += std::abs(factor) * (parts[i].steps - 1);
    only = factor == 1 ? parts[i] : IteratorPart{2, 1};
    ++iterators;
  }
  for (const IndexTerm& term : axis.index.terms) {
    if (term.kind != IndexTerm::Kind::kIterator) continue;
    const auto i = static_cast<std::size_t>(term.number);
    const std::int64_t extent = tree.iterators[i].extent.max();
    const std::int64_t most = parts[i].steps <= 1 ? 1
                              : term.is_remainder
                                  ? std::min(term.divisor, extent)
                                  : std::min(quotients(parts[i], term.divisor), div_up(extent, term.divisor));
    count += std::abs(term.coefficient) * (most - 1);
  }
  const bool is_plain = axis.index.terms.empty() && axis.index.constant == 0 && iterators <= 1;
  if (axis.unit > 1) count = quotients({count, is_plain ? only.grain : 1}, axis.unit);
  // An access of a nest has quotients by themselves, which are fewer than the extent anyway.
  return std::min(count, all_places(axis));
}

TileLayout layout_of(const TileImage& image, const TileTree& tree, std::span<const IteratorPart> parts) {
  TileLayout layout;
  layout.sizes.resize(image.axes.size());
  layout.strides.resize(image.axes.size());
  ir::Dim stride = image.run;
  layout.elements = image.run;
  for (std::size_t i = image.axes.size(); i-- > 0;) {
    const TileAxis& axis = image.axes[i];
    const std::int64_t places = most_places(axis, tree, parts);
    const bool is_own =
        image.keeps_sizes && places == all_places(axis) && (axis.extent.is_constant() || axis.unit == 1);
    layout.sizes[i] = is_own ? axis.extent : ir::Dim(places * axis.unit);
    layout.strides[i] = stride;
    layout.elements *= places;
    if (i > 0) stride = stride * (is_own && axis.unit == 1 ? axis.extent : ir::Dim(places));
  }
  return layout;
}

std::int64_t part_unit(const ScheduledOp& op, const TileNode& loop) {
  if (const std::int64_t step = inner_step(loop.body, loop.iterator); step != 1) return step;
  return block_unit(op, loop.iterator);
}

IteratorPart part_inside(const ScheduledOp& op, const TileNode& loop, const IteratorPart& outside, bool is_unit) {
  const std::int64_t unit = loop.kind == Kind::kSerial ? part_unit(op, loop) : loop.step;
  const bool cuts = loop.kind == Kind::kSerial || is_unit;
  return {cuts ? std::min(outside.steps, loop.step) : outside.steps, std::gcd(outside.grain, unit)};
}

std::vector<int> bound_operands(const ScheduledOp& op) {
  std::set<int> operands;
  if (op.attention) {
    for (const ir::Bound& bound : op.attention->bounds) {
      for (const ScalarExpr* access : ir::operand_accesses(bound.value)) operands.insert(access->number);
    }
  }
  return {operands.begin(), operands.end()};
}

// "{left}" and "{0.rows}" are pointers; of "{left.stride}" the type is enough.
std::vector<int> operands_read(const ScheduledOp& op, const cost::Leaf& leaf) {
  std::set<int> operands;
  for (std::size_t at = leaf.code.find('{'); at != std::string_view::npos; at = leaf.code.find('{', at + 1)) {
    const std::string_view name = leaf.code.substr(at + 1, leaf.code.find('}', at) - at - 1);
    const std::size_t dot = name.find('.');
    const std::string_view rest = dot == std::string_view::npos ? "" : name.substr(dot + 1);
    if (name == "score.seen") {
      for (const int operand : bound_operands(op)) operands.insert(operand);
    }
    const std::string_view first = name.substr(0, dot);
    if (rest == "block" && op.attention && op.attention->pages) operands.insert(op.attention->pages->numbers);
    if (!rest.empty() && rest != "rows") continue;
    const int named = ir::find_operand(op.form, first);
    const int operand = named >= 0 ? named : strata::number_of<int>(first).value_or(-1);
    if (operand >= 0) operands.insert(operand);
  }
  return {operands.begin(), operands.end()};
}

namespace {

// Walks a tree as one thread does.
class CopyCounter {
 public:
  CopyCounter(const ScheduledOp& op, const TileTree& tree) : op_(op), tree_(tree) {
    for (const TileIterator& iterator : tree.iterators) parts_.push_back({iterator.extent.max(), 0});
  }

  CopyWork run() {
    visit(tree_.body, 1);
    return work_;
  }

 private:
  void visit(const std::vector<TileNode>& nodes, double times) {
    const std::int64_t before = live_;
    for (const TileNode& node : nodes) visit(node, times);
    live_ = before;
  }

  void visit(const TileNode& node, double times) {
    if (node.kind == Kind::kBuffer) {
      live_ += cost::scratch_bytes(node.holds);
      work_.live_bytes = std::max(work_.live_bytes, live_);
    } else if (node.kind == Kind::kCopy) {
      add(node, times);
    } else if (node.kind == Kind::kSerial || node.kind == Kind::kParallel) {
      IteratorPart& part = parts_[static_cast<std::size_t>(node.iterator)];
      const IteratorPart outside = part;
      const bool is_inner = std::exchange(is_unit_, divided_inside(node) != nullptr);
      part = part_inside(op_, node, outside, is_inner || is_unit_);
      const bool cuts = node.kind == Kind::kSerial || is_inner || is_unit_;
      visit(node.body, cuts ? times * static_cast<double>(div_up(outside.steps, node.step)) : times);
      is_unit_ = false;
      part = outside;
    } else {
      visit(node.body, times);
      visit(node.otherwise, times);
    }
  }

  // Ends of loops are copied for what they are.
  void add(const TileNode& node, double times) {
    const TileImage image = image_of(op_, node.of, node.copied);
    const TileLayout layout = layout_of(image, tree_, parts_);
    const double bytes = static_cast<double>(layout.elements * dtype_size(image.value->type().dtype));
    work_.copies += times;
    (is_copied_out(node.of) ? work_.written_bytes : work_.read_bytes) += bytes * times;
  }

  const ScheduledOp& op_;
  const TileTree& tree_;
  std::vector<IteratorPart> parts_;
  CopyWork work_;
  std::int64_t live_ = 0;
  bool is_unit_ = false;
};

}  // namespace

CopyWork copy_work(const ScheduledOp& op, const TileTree& tree) { return CopyCounter(op, tree).run(); }

std::string copies_text(const ScheduledOp& op, const machine::Machine& machine) {
  if (!has_copies(op.tree.body)) return "";
  const CopyWork work = copy_work(op, op.tree);
  const auto text = [](double count) { return std::to_string(static_cast<std::int64_t>(count)); };
  return "// " + text(work.copies) + " copies: " + text(work.read_bytes) + " bytes in, " + text(work.written_bytes) +
         " bytes out, " + std::to_string(work.live_bytes) + " bytes of " + machine.memory.front().name + " at once\n";
}

}  // namespace strata::schedule
