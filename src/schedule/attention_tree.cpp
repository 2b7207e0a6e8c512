// SPDX-License-Identifier: Apache-2.0
#include "schedule/attention_tree.h"

#include <algorithm>
#include <bit>

#include "ir/op.h"
#include "machine/cost.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;

const ir::TensorType& operand(const ScheduledOp& op, int number) {
  return op.value->arguments[static_cast<std::size_t>(number)]->type();
}

bool fits_registers(std::int64_t rows, std::int64_t panels, const machine::Machine& machine) {
  return rows * panels + panels + 1 <= machine.vector_registers.count;
}

class AttentionTree {
 public:
  AttentionTree(const ScheduledOp& op, const machine::Machine& machine, std::int64_t tokens = 0, std::int64_t keys = 0)
      : op_(op), of_(*op.attention), machine_(machine) {
    std::vector<ir::TensorType> types;
    for (const ir::Expr* argument : op.value->arguments) types.push_back(argument->type());
    const auto nest = op.value->op->loops(types, op.value->attributes);
    for (const ir::Iterator& iterator : nest->iterators) tree_.iterators.push_back({iterator.name, iterator.extent});
    for (const TileIterator& iterator : tree_.iterators) extents_.push_back(iterator.extent.max());
    is_one_token_ = extent(of_.token) == 1;
    const auto block = machine::attention_block(machine, extent(of_.token) * of_.group);
    extent(of_.head) = of_.group;
    const std::int64_t rows = tokens > 0 ? tokens : block.rows / of_.group;
    extent(of_.token) = std::min(extent(of_.token), std::max<std::int64_t>(rows, 1));
    const std::int64_t unit = key_unit(op, of_.key);
    key_step_ = (std::min(keys > 0 ? keys : block.keys, extent(of_.key)) + unit - 1) / unit * unit;
    extent(of_.key) = std::min(extent(of_.key), key_step_);
  }

  TileTree run() {
    for (const std::string_view part : op_.leaf->parts) add(cost::leaf(part));
    TileNode tokens{.kind = Kind::kParallel, .iterator = of_.token, .step = extent(of_.token)};
    tokens.body = std::move(buffers_);
    std::ranges::move(nodes_, std::back_inserter(tokens.body));
    TileNode heads{.kind = Kind::kParallel, .iterator = of_.head, .step = extent(of_.head)};
    heads.body.push_back(std::move(tokens));
    tree_.body.push_back(std::move(heads));
    return std::move(tree_);
  }

 private:
  std::int64_t& extent(int iterator) { return extents_[static_cast<std::size_t>(iterator)]; }

  // Leaves that take blocks of the keys stand in one loop over these.
  void add(const cost::Leaf& leaf) {
    TileNode node;
    node.leaf = &leaf;
    if (leaf.has_register_tile()) take_register_tile(node, leaf.multiplies);
    const std::vector<cost::Scratch> needs = scratch_of(op_, node, extents_, machine_);
    for (std::size_t i = 0; i < needs.size(); ++i) add_buffer(node, leaf.buffers[i].name, needs[i]);
    if (!leaf.takes_blocks) return nodes_.push_back(std::move(node));
    if (nodes_.back().kind != Kind::kSerial) {
      nodes_.push_back({.kind = Kind::kSerial, .iterator = of_.key, .step = key_step_, .level = key_level()});
    }
    nodes_.back().body.push_back(std::move(node));
  }

  // Several register tiles of queries read a block of keys, and then one of values.
  int key_level() {
    const std::int64_t rows = extent(of_.token) * of_.group;
    if (rows <= machine::attention_tile(machine_).rows) return -1;
    const auto element = static_cast<std::int64_t>(dtype_size(operand(op_, of_.keys).dtype));
    return machine::level_holding(machine_, static_cast<double>(extent(of_.key) * extent(of_.inner) * element));
  }

  void add_buffer(TileNode& node, std::string_view name, const cost::Scratch& holds) {
    if (std::ranges::find(buffers_, name, &TileNode::buffer) == buffers_.end()) {
      buffers_.push_back(buffer_node(name, holds, machine_));
    }
    node.with.emplace_back(name);
  }

  void take_register_tile(TileNode& node, std::string_view operand_name) {
    const int multiplied = ir::find_operand(op_.form, operand_name);
    const machine::RegisterTile tile = machine::attention_tile(machine_);
    const auto rows = static_cast<std::uint64_t>(extent(of_.token) * of_.group);
    node.rows = std::min<std::int64_t>(tile.rows, static_cast<std::int64_t>(std::bit_floor(rows)));
    node.panels = tile.panels;
    node.stream = machine::stream(machine_, ir::stored_bits(operand(op_, multiplied)));
    if (is_one_token_) node.panels = multiplied == of_.values ? value_panels(node.rows) : node.stream.panels;
    while (!fits_registers(node.rows, node.panels, machine_)) --node.panels;
    node.stream.ahead_bytes = node.stream.locality = 0;
  }

  // A row of values in as few equal parts as the registers allow.
  std::int64_t value_panels(std::int64_t rows) {
    const auto& packs = operand(op_, of_.keys).layout.packs;
    const std::int64_t vectors = extent(of_.column) / (packs.empty() ? 1 : packs[0].lanes);
    std::int64_t best = 1;
    for (std::int64_t panels = 1; panels <= vectors && fits_registers(rows, panels, machine_); ++panels) {
      if (vectors % panels == 0) best = panels;
    }
    return best;
  }

  const ScheduledOp& op_;
  const ir::AttentionForm& of_;
  const machine::Machine& machine_;
  TileTree tree_;
  std::vector<std::int64_t> extents_;  // by iterator, where the leaves stand
  std::int64_t key_step_ = 1;
  bool is_one_token_ = false;
  std::vector<TileNode> buffers_, nodes_;
};

}  // namespace

TileTree attention_tree(const ScheduledOp& op, const machine::Machine& machine) {
  return AttentionTree(op, machine).run();
}

TileTree attention_tree(const ScheduledOp& op, const machine::Machine& machine, std::int64_t tokens,
                        std::int64_t keys) {
  return AttentionTree(op, machine, tokens, keys).run();
}

std::int64_t key_unit(const ScheduledOp& op, int iterator) {
  if (iterator != op.attention->key) return 1;
  const auto& packs = operand(op, op.attention->keys).layout.packs;
  return std::max(packs.empty() ? 1 : packs[0].lanes, operand(op, op.attention->values).layout.group());
}

std::string attention_fault(const ScheduledOp& op, const TileNode& node, const AttentionPlace& place,
                            const AttentionPlace& first, const AttentionPlace& block, const machine::Machine& machine) {
  const ir::AttentionForm& of = *op.attention;
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  for (std::size_t i = 0; i < place.loops.size(); ++i) {
    const int iterator = static_cast<int>(i);
    const std::string& name = op.tree.iterators[i].name;
    const TileNode* const loop = place.loops[i];
    if (iterator == of.key) {
      if (node.leaf->takes_blocks && loop == nullptr) return leaf + " takes a block of " + name + ", not all of it";
      if (!node.leaf->takes_blocks && loop != nullptr) return leaf + " would run again for every block of " + name;
      if (node.leaf->takes_blocks && loop != block.loops[i]) return leaf + " meets other blocks of " + name;
      if (loop != nullptr && loop->step % key_unit(op, iterator) != 0) {
        return "a block of " + std::to_string(loop->step) + " along " + name + " is no multiple of " +
               std::to_string(key_unit(op, iterator));
      }
      continue;
    }
    if (loop != first.loops[i]) return leaf + " meets another tile of " + name;
    const bool is_row = iterator == of.token || iterator == of.head;
    if (!is_row && (loop != nullptr || place.is_divided[i])) return leaf + " takes no blocks of " + name;
    if (iterator != of.head) continue;
    const std::int64_t heads = loop == nullptr ? op.tree.iterators[i].extent.max() : loop->step;
    if (of.group % heads != 0) {
      return "a tile of " + std::to_string(heads) + " along " + name + " is not of one group of " +
             std::to_string(of.group);
    }
  }
  if (!node.leaf->has_register_tile()) return "";
  if (node.rows < 1 || !std::has_single_bit(static_cast<std::uint64_t>(node.rows))) {
    return leaf + " has tiles of " + std::to_string(node.rows) + " rows, which is no power of two";
  }
  if (!fits_registers(node.rows, node.panels, machine)) {
    return "a register tile of " + std::to_string(node.rows) + " x " + std::to_string(node.panels) +
           " does not fit the " + std::to_string(machine.vector_registers.count) + " registers";
  }
  return "";
}

}  // namespace strata::schedule
