// SPDX-License-Identifier: Apache-2.0
#include "schedule/copied_tree.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/ranges.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "schedule/attention_tree.h"
#include "schedule/contraction_tree.h"
#include "schedule/products_tree.h"
#include "schedule/tile_image.h"
#include "schedule/view_plan.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Nodes = std::vector<TileNode>;
using Domain = cost::Leaf::Domain;

// An iterator in tiles; a step of 0: it isn't cut.
struct CutLoop {
  int iterator = 0;
  std::int64_t step = 0;
};

// What must be copied, in order.
struct CopyItem {
  CopyOf of = CopyOf::kOperand;
  int number = 0;
};

std::int64_t extent_of(const TileTree& tree, int iterator) {
  return tree.iterators[static_cast<std::size_t>(iterator)].extent.max();
}

// A copy into a buffer, or out of one, of that name.
TileNode copy_node(const CopyItem& item, const TileImage& image, std::string buffer) {
  return {
      .kind = Kind::kCopy, .buffer = std::move(buffer), .of = item.of, .copied = item.number, .along = moved_by(image)};
}

// Holds the tile that a copy moves where iterators have these parts.
TileNode copy_buffer(const TileNode& copy, const TileImage& image, const TileTree& tree,
                     const std::vector<IteratorPart>& parts, const machine::Machine& machine) {
  const cost::Scratch holds{image.value->type().dtype, layout_of(image, tree, parts).elements};
  TileNode buffer = buffer_node(copy.buffer, holds, machine);
  buffer.level = 0;
  return buffer;
}

std::string buffer_of(const CopyItem& item) {
  if (item.of == CopyOf::kResult) return "out";
  return (item.of == CopyOf::kStage ? "out" : "in") + std::to_string(item.number);
}

// Puts copies into the loops of a tree: `top` gives work to threads, in it stand the loops of the cuts, and in these
// `inside`, which computes.
class Copier {
 public:
  Copier(const ScheduledOp& op, const TileTree& tree, const machine::Machine& machine)
      : op_(op), tree_(tree), machine_(machine) {}

  Nodes run(const TileNode& top, const std::vector<CutLoop>& cuts, Nodes inside, const std::vector<CopyItem>& items) {
    open(top, cuts, inside);
    for (const CopyItem& item : items) add(item);
    Nodes nodes = std::move(inside);
    for (std::size_t i = loops_.size(); i-- > 0;) {
      for (const auto& [stage, name] : results_) set_buffer(nodes, stage, name);
      Nodes list = std::move(heads_[i]);
      std::ranges::move(nodes, std::back_inserter(list));
      std::ranges::move(tails_[i], std::back_inserter(list));
      TileNode loop = loops_[i];
      loop.body = std::move(list);
      nodes.clear();
      nodes.push_back(std::move(loop));
    }
    return nodes;
  }

 private:
  // Where all nodes inside of each loop stand.
  void open(const TileNode& top, const std::vector<CutLoop>& cuts, const Nodes& inside) {
    std::vector<IteratorPart> parts;
    for (const TileIterator& iterator : tree_.iterators) parts.push_back({iterator.extent.max(), 0});
    loops_ = {top};
    for (const CutLoop& cut : cuts) {
      if (cut.step > 0) loops_.push_back({.kind = Kind::kSerial, .iterator = cut.iterator, .step = cut.step});
    }
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      TileNode& loop = loops_[i];
      loop.body.clear();
      if (loop.kind == Kind::kParallel || loop.kind == Kind::kSerial) {
        TileNode whole = loop;
        whole.body = inside;
        for (std::size_t j = loops_.size(); j-- > i + 1;) {
          TileNode inner = loops_[j];
          inner.body = std::move(whole.body);
          whole.body.clear();
          whole.body.push_back(std::move(inner));
        }
        IteratorPart& part = parts[static_cast<std::size_t>(loop.iterator)];
        part = part_inside(op_, whole, part, false);
      }
      parts_.push_back(parts);
    }
    heads_.resize(loops_.size());
    tails_.resize(loops_.size());
  }

  // The innermost loop that moves it.
  std::size_t depth_of(const TileImage& image) const {
    const std::vector<int> moving = moved_by(image);
    for (std::size_t i = loops_.size(); i-- > 1;) {
      if (contains(moving, loops_[i].iterator)) return i;
    }
    return 0;
  }

  void add(const CopyItem& item) {
    const TileImage image = image_of(op_, item.of, item.number);
    const std::size_t depth = depth_of(image);
    const bool is_out = is_copied_out(item.of);
    TileNode copy = copy_node(item, image, buffer_of(is_updated(item) ? CopyItem{.number = *updated()} : item));
    if (!is_updated(item)) heads_[depth].push_back(copy_buffer(copy, image, tree_, parts_[depth], machine_));
    if (is_out) results_.emplace_back(item.of == CopyOf::kStage ? item.number : -1, copy.buffer);
    (is_out ? tails_ : heads_)[depth].push_back(std::move(copy));
  }

  // What is updated in place is changed where it was copied to.
  bool is_updated(const CopyItem& item) const { return item.of == CopyOf::kResult && updated().has_value(); }

  std::optional<int> updated() const {
    const auto loops = loops_of(*op_.value);
    return loops ? loops->updated : std::nullopt;
  }

  static void set_buffer(Nodes& nodes, int stage, const std::string& name) {
    for (TileNode& node : nodes) {
      const bool is_leaf =
          stage < 0 && node.kind == Kind::kCompute && node.stage < 0 && cost::writes_result(*node.leaf);
      if (is_leaf || (stage >= 0 && node.kind == Kind::kCompute && node.stage == stage)) node.buffer = name;
      set_buffer(node.body, stage, name);
    }
  }

  const ScheduledOp& op_;
  const TileTree& tree_;
  const machine::Machine& machine_;
  std::vector<TileNode> loops_;
  std::vector<std::vector<IteratorPart>> parts_;  // inside of each loop, by iterator
  std::vector<Nodes> heads_, tails_;              // before and behind what stands inside of each loop
  std::vector<std::pair<int, std::string>> results_;
};

// All operands of a leaf, those first that say where others lie, and its result.
std::vector<CopyItem> items_of_leaf(const ScheduledOp& op) {
  std::vector<int> operands;
  const auto take = [&](const cost::Leaf& leaf) {
    for (const int operand : operands_read(op, leaf)) {
      if (!contains(operands, operand)) operands.push_back(operand);
    }
  };
  if (op.leaf->parts.empty()) take(*op.leaf);
  for (const std::string_view part : op.leaf->parts) take(cost::leaf(part));
  const auto loops = loops_of(*op.value);
  if (loops && loops->updated && !contains(operands, *loops->updated)) operands.push_back(*loops->updated);
  std::vector<CopyItem> items;
  for (const bool are_numbers : {true, false}) {
    for (const int operand : operands) {
      const bool is_number = loops && ir::index_operands(*loops).contains(operand);
      if (is_number == are_numbers) items.push_back({CopyOf::kOperand, operand});
    }
  }
  items.push_back({CopyOf::kResult, 0});
  return items;
}

std::vector<CopyItem> items_of_loops(const ScheduledOp& op, const std::vector<const ir::Expr*>& leaving) {
  std::vector<CopyItem> items;
  const StridedNest& nest = *op.nest;
  for (int access = 0; access < static_cast<int>(nest.accesses.size()); ++access) {
    const int operand = nest.accesses[static_cast<std::size_t>(access)].operand;
    if (op.inputs[static_cast<std::size_t>(operand)]->kind == ir::Expr::Kind::kScalar) continue;
    const bool is_known = std::ranges::any_of(items, [&](const CopyItem& item) {
      return nest.accesses[static_cast<std::size_t>(item.number)] == nest.accesses[static_cast<std::size_t>(access)];
    });
    if (!is_known) items.push_back({CopyOf::kAccess, access});
  }
  for (int stage = 0; stage < static_cast<int>(nest.stages.size()); ++stage) {
    const ir::Expr* const made = op.made[static_cast<std::size_t>(stage)];
    const bool is_last = stage + 1 == static_cast<int>(nest.stages.size());
    if (is_last || (made != nullptr && contains(leaving, made))) items.push_back({CopyOf::kStage, stage});
  }
  return items;
}

double copy_seconds(const CopyWork& work, const machine::Machine& machine) {
  const machine::MemoryLevel& outer = machine.memory[1];
  return work.copies * outer.latency_s + work.read_bytes / machine::bandwidth(outer, 1) +
         work.written_bytes / machine::write_bandwidth(outer, 1);
}

// Steps of an iterator that are tried: the smallest of 1, 2, 4, ... trips; 0: not cut.
std::vector<std::int64_t> steps_of(std::int64_t extent, std::int64_t unit) {
  std::vector<std::int64_t> steps = {0};
  const std::int64_t units = (extent + unit - 1) / unit;
  for (std::int64_t trips = 2; trips < 2 * units; trips *= 2) {
    const std::int64_t step = (units + trips - 1) / trips * unit;
    if (step != steps.back() && step < extent) steps.push_back(step);
  }
  return steps;
}

[[noreturn]] void refuse(const ScheduledOp& op, const machine::Machine& machine, std::int64_t least) {
  const machine::MemoryLevel& level = machine.memory.front();
  throw usage_error(op.value->op->name() + " of " + op.value->type().text() + " does not fit " + level.name + " of " +
                        machine.name + ": its smallest tiles take " + std::to_string(least) + " of " +
                        std::to_string(level.capacity_bytes) + " bytes",
                    "compile for a machine with more of it");
}

// The tree, of those with each of these steps, whose copies take the least time.
template <class F>
TileTree fastest(const ScheduledOp& op, const machine::Machine& machine,
                 const std::vector<std::vector<std::int64_t>>& steps, const F& make) {
  TileTree best;
  double least = std::numeric_limits<double>::infinity();
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  std::vector<std::size_t> at(steps.size(), 0);
  for (bool is_done = false; !is_done;) {
    std::vector<std::int64_t> chosen;
    for (std::size_t i = 0; i < steps.size(); ++i) chosen.push_back(steps[i][at[i]]);
    TileTree tree = make(chosen);
    const CopyWork work = copy_work(op, tree);
    smallest = std::min(smallest, work.live_bytes);
    const double seconds = copy_seconds(work, machine);
    if (work.live_bytes <= machine.memory.front().capacity_bytes && seconds < least) {
      least = seconds;
      best = std::move(tree);
    }
    is_done = true;
    for (std::size_t i = 0; i < steps.size() && is_done; ++i) {
      is_done = ++at[i] == steps[i].size();
      if (is_done) at[i] = 0;
    }
  }
  if (best.body.empty()) refuse(op, machine, smallest);
  return best;
}

// Loops of one step that a cut of one step stands in place of.
void erase_loops(Nodes& nodes, int iterator) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    erase_loops(nodes[i].body, iterator);
    if (nodes[i].kind != Kind::kSerial || nodes[i].iterator != iterator) continue;
    Nodes body = std::move(nodes[i].body);
    nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(i));
    nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(i), body.begin(), body.end());
  }
}

// The step of the vector loops of an iterator; 1: there are none.
std::int64_t lanes_along(const Nodes& nodes, int iterator) {
  for (const TileNode& node : nodes) {
    if (node.kind == Kind::kVector && node.iterator == iterator) return node.step;
    if (const std::int64_t lanes = lanes_along(node.body, iterator); lanes != 1) return lanes;
  }
  return 1;
}

// The iterators of the result that index every stage are cut.
TileTree own_tree(const ScheduledOp& op, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving) {
  const TileTree base = own_loops_tree(op, machine, leaving);
  std::vector<int> iterators;
  std::vector<std::vector<std::int64_t>> steps;
  for (const int iterator : op.nest->result().target) {
    const bool is_everywhere =
        std::ranges::all_of(op.nest->stages, [&](const ir::Stage& stage) { return contains(stage.target, iterator); });
    if (!is_everywhere) continue;
    const std::int64_t lanes = lanes_along(base.body, iterator);
    iterators.push_back(iterator);
    steps.push_back(steps_of(extent_of(base, iterator), lanes));
    if (lanes > 1) std::erase(steps.back(), lanes);  // a loop inside is finer
  }
  const std::vector<CopyItem> items = items_of_loops(op, leaving);
  return fastest(op, machine, steps, [&](const std::vector<std::int64_t>& chosen) {
    TileTree tree = base;
    const TileNode top = tree.body[0];
    Nodes inside = top.body;
    std::vector<CutLoop> cuts;
    for (std::size_t i = 0; i < iterators.size(); ++i) {
      cuts.push_back({iterators[i], chosen[i]});
      if (chosen[i] == 1) erase_loops(inside, iterators[i]);
    }
    tree.body = Copier(op, tree, machine).run(top, cuts, std::move(inside), items);
    return tree;
  });
}

// A leaf's own loop, and the op's other loops around calls for a part of them. What lies where a number says is one
// tile for each number.
TileTree loop_tree(const ScheduledOp& op, const machine::Machine& machine) {
  TileTree tree;
  const bool is_once = op.leaf->domain == Domain::kOnce;
  const auto loops = loops_of(*op.value);
  const ir::LoopNest nest = loops ? *loops : identity_nest(op.value->type().shape);
  for (const ir::Iterator& iterator : nest.iterators) tree.iterators.push_back({iterator.name, iterator.extent});
  TileNode compute;
  compute.leaf = op.leaf;
  TileNode top{.kind = Kind::kOnce};
  const std::vector<CopyItem> items = items_of_leaf(op);
  std::vector<int> iterators;
  std::vector<std::vector<std::int64_t>> steps;
  if (!is_once) {
    const std::int64_t unit = block_unit(op, op.rows);
    top = {.kind = Kind::kParallel, .iterator = op.rows, .step = unit};
    tree.iterators[static_cast<std::size_t>(op.rows)].code = op.leaf->loop.extent;
    iterators.push_back(op.rows);
    steps.push_back(steps_of(extent_of(tree, op.rows), unit));
    for (const CopyItem& item : items) {
      for (const int numbers : numbers_of(image_of(op, item.of, item.number))) {
        for (const int iterator : moved_by(image_of(op, CopyOf::kOperand, numbers))) {
          if (!contains(iterators, iterator)) iterators.push_back(iterator);
          steps.resize(iterators.size());
          steps[static_cast<std::size_t>(std::ranges::find(iterators, iterator) - iterators.begin())] = {1};
        }
      }
    }
  }
  return fastest(op, machine, steps, [&](const std::vector<std::int64_t>& chosen) {
    TileTree made = tree;
    std::vector<CutLoop> cuts;
    for (std::size_t i = 0; i < iterators.size(); ++i) cuts.push_back({iterators[i], chosen[i]});
    made.body = Copier(op, made, machine).run(top, cuts, {compute}, items);
    return made;
  });
}

// Puts copies into the ordinary tree of an attention, which has the leaves and buffers between them: queries, and what
// the bounds of the keys are read from, before all leaves, keys and values in the loop over blocks of these, before the
// leaf that reads them.
class AttentionCopier {
 public:
  AttentionCopier(const ScheduledOp& op, TileTree tree, const machine::Machine& machine)
      : op_(op), tree_(std::move(tree)), machine_(machine) {
    for (const TileIterator& iterator : tree_.iterators) parts_.push_back({iterator.extent.max(), 0});
  }

  TileTree run(const std::vector<CopyItem>& items) {
    TileNode& heads = tree_.body[0];
    TileNode& tokens = heads.body[0];
    enter(heads, true);
    enter(tokens, true);
    TileNode& block = *std::ranges::find(tokens.body, Kind::kSerial, &TileNode::kind);
    const std::vector<IteratorPart> outside = parts_;
    enter(block, false);
    const std::vector<IteratorPart> inside = parts_;
    for (const CopyItem& item : items) {
      const TileImage image = image_of(op_, item.of, item.number);
      const bool is_in_block = contains(moved_by(image), op_.attention->key);
      if (is_in_block) {
        insert(block.body, first_reader(block.body, item.number), item, image, inside);
        continue;
      }
      add_outside(item, image, outside);
    }
    std::ranges::move(tokens.body, std::back_inserter(head_));
    std::ranges::move(tail_, std::back_inserter(head_));
    tokens.body = std::move(head_);
    return std::move(tree_);
  }

 private:
  void enter(const TileNode& loop, bool is_unit) {
    IteratorPart& part = parts_[static_cast<std::size_t>(loop.iterator)];
    part = part_inside(op_, loop, part, is_unit);
  }

  void add_outside(const CopyItem& item, const TileImage& image, const std::vector<IteratorPart>& parts) {
    TileNode copy = copy_node(item, image, buffer_of(item));
    head_.push_back(copy_buffer(copy, image, tree_, parts, machine_));
    if (item.of == CopyOf::kResult) {
      for (TileNode& node : tree_.body[0].body[0].body) {
        if (node.kind == Kind::kCompute && cost::writes_result(*node.leaf)) node.buffer = copy.buffer;
      }
      tail_.push_back(std::move(copy));
    } else {
      head_.push_back(std::move(copy));
    }
  }

  void insert(Nodes& nodes, std::size_t at, const CopyItem& item, const TileImage& image,
              const std::vector<IteratorPart>& parts) const {
    TileNode copy = copy_node(item, image, buffer_of(item));
    TileNode buffer = copy_buffer(copy, image, tree_, parts, machine_);
    const auto place = nodes.begin() + static_cast<std::ptrdiff_t>(at);
    nodes.insert(nodes.insert(place, std::move(copy)), std::move(buffer));
  }

  std::size_t first_reader(const Nodes& nodes, int operand) const {
    const auto reader = std::ranges::find_if(nodes, [&](const TileNode& node) {
      return node.kind == Kind::kCompute && contains(operands_read(op_, *node.leaf), operand);
    });
    return static_cast<std::size_t>(reader - nodes.begin());
  }

  const ScheduledOp& op_;
  TileTree tree_;
  const machine::Machine& machine_;
  std::vector<IteratorPart> parts_;
  Nodes head_, tail_;
};

// Tiles of queries no larger than the ordinary tree's, and blocks of keys.
TileTree attention_with_copies(const ScheduledOp& op, const machine::Machine& machine) {
  const ir::AttentionForm& of = *op.attention;
  const TileTree base = attention_tree(op, machine);
  const std::int64_t most_tokens = base.body[0].body[0].step;
  std::vector<std::int64_t> tokens = steps_of(most_tokens, 1);
  tokens[0] = most_tokens;
  const std::int64_t unit = key_unit(op, of.key);
  const std::int64_t all_keys = (extent_of(base, of.key) + unit - 1) / unit * unit;
  std::vector<std::int64_t> keys = steps_of(all_keys, unit);
  keys[0] = all_keys;
  const std::vector<CopyItem> items = items_of_leaf(op);
  return fastest(op, machine, {tokens, keys}, [&](const std::vector<std::int64_t>& chosen) {
    return AttentionCopier(op, attention_tree(op, machine, {.tokens = chosen[0], .keys = chosen[1]}), machine)
        .run(items);
  });
}

}  // namespace

TileTree contraction_with_copies(const ScheduledOp& op, const machine::Machine& machine,
                                 const cost::ProductTiles& tiles) {
  const ir::Contraction& of = *op.contraction;
  TileTree tree;
  const std::vector<ir::TensorType> types = operand_types(op);
  const auto nest = op.value->op->loops(types, op.value->attributes);
  for (const ir::Iterator& iterator : nest->iterators) tree.iterators.push_back({iterator.name, iterator.extent});
  const int m = *of.only(ir::IteratorClass::kM), n = *of.only(ir::IteratorClass::kN),
            k = *of.only(ir::IteratorClass::kK);
  TileNode compute = product_leaf(op, *op.leaf, machine, tiles);
  const std::int64_t group = compute.panels * panel_lanes(op);
  const TileNode top{.kind = Kind::kParallel, .iterator = n, .step = group};
  const auto step = [&](int iterator, std::int64_t size) { return size < extent_of(tree, iterator) ? size : 0; };
  const std::vector<CopyItem> items = items_of_leaf(op);
  const auto make = [&](std::int64_t columns, std::int64_t rows, std::int64_t depth) {
    TileTree made = tree;
    std::vector<std::int64_t> extents;
    for (const TileIterator& iterator : made.iterators) extents.push_back(iterator.extent.max());
    if (depth > 0) extents[static_cast<std::size_t>(k)] = depth;
    Nodes inside = with_scratch(op, machine, compute, extents);
    made.body = Copier(op, made, machine).run(top, {{n, columns}, {m, rows}, {k, depth}}, std::move(inside), items);
    return made;
  };
  if (!op.leaf->takes_blocks) {
    return fastest(op, machine, {steps_of(extent_of(tree, n), panel_lanes(op))},
                   [&](const std::vector<std::int64_t>& chosen) { return make(chosen[0], 0, 0); });
  }
  TileTree made = make(step(n, tiles.columns), step(m, tiles.rows), step(k, tiles.depth));
  const CopyWork work = copy_work(op, made);
  if (work.live_bytes > machine.memory.front().capacity_bytes) refuse(op, machine, work.live_bytes);
  return made;
}

TileTree tree_with_copies(const ScheduledOp& op, const machine::Machine& machine,
                          const std::vector<const ir::Expr*>& leaving) {
  switch (op.leaf->domain) {
    case Domain::kView:
    case Domain::kNumbered:  // has no copies
      return {};
    case Domain::kOwn:
      return own_tree(op, machine, leaving);
    case Domain::kContraction:
      return contraction_with_copies(op, machine, predicted_tiles(op, machine));
    case Domain::kAttention:
      return attention_with_copies(op, machine);
    case Domain::kLoop:
    case Domain::kOnce:
      return loop_tree(op, machine);
  }
  return {};
}

}  // namespace strata::schedule
