// SPDX-License-Identifier: Apache-2.0
#include "schedule/attention_tree.h"

#include <algorithm>
#include <bit>
#include <limits>

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
  AttentionTree(const ScheduledOp& op, const machine::Machine& machine, const AttentionTiles& tiles)
      : op_(op), of_(*op.attention), machine_(machine), parts_(tiles.parts) {
    std::vector<ir::TensorType> types;
    for (const ir::Expr* argument : op.value->arguments) types.push_back(argument->type());
    const auto nest = op.value->op->loops(types, op.value->attributes);
    for (const ir::Iterator& iterator : nest->iterators) tree_.iterators.push_back({iterator.name, iterator.extent});
    for (const TileIterator& iterator : tree_.iterators) extents_.push_back(iterator.extent.max());
    if (!of_.shares_keys()) extent(of_.token) = 1;
    is_one_token_ = extent(of_.token) == 1;
    const bool is_near =
        tiles.keys == 0 && is_one_token_ && !of_.pages && is_read_again() && managed_level(machine) == nullptr;
    const auto block = machine::attention_block(machine, extent(of_.token) * of_.group);
    extent(of_.head) = of_.group;
    const std::int64_t rows = tiles.tokens > 0 ? tiles.tokens : block.rows / of_.group;
    extent(of_.token) = std::min(extent(of_.token), std::max<std::int64_t>(rows, 1));
    const std::int64_t unit = key_unit(op, of_.key);
    key_step_ = (std::min(tiles.keys > 0 ? tiles.keys : block.keys, extent(of_.key)) + unit - 1) / unit * unit;
    if (is_near) take_near_blocks();
    if (of_.pages) key_step_ = of_.pages->size;
    extent(of_.key) = std::min(extent(of_.key), key_step_);
  }

  TileTree run() {
    const std::vector<std::string_view>& parts = op_.leaf->parts;
    for (std::size_t i = 0; i + (parts_ == 1 ? 0 : 1) < parts.size(); ++i) add(cost::leaf(parts[i]));
    std::vector<TileNode> body = std::move(buffers_);
    std::ranges::move(nodes_, std::back_inserter(body));
    if (parts_ == 1) {
      tree_.body = {tiles(std::move(body))};
      return std::move(tree_);
    }
    TileNode split = loop_node(Kind::kParallel, of_.key, 1, std::move(body));
    split.parts = parts_;
    tree_.body = std::move(shared_);
    tree_.body.push_back(tiles({std::move(split)}));
    tree_.body.push_back({.kind = Kind::kBarrier});
    tree_.body.push_back(tiles({combine()}));
    return std::move(tree_);
  }

 private:
  TileNode tiles(std::vector<TileNode> body) {
    TileNode tokens = loop_node(Kind::kParallel, of_.token, extent(of_.token), std::move(body));
    return loop_node(Kind::kParallel, of_.head, extent(of_.head), {std::move(tokens)});
  }

  // Of as many pieces of the columns as there are parts, where lines of memory allow.
  TileNode combine() {
    TileNode leaf;
    leaf.leaf = &cost::leaf(op_.leaf->combine);
    for (const cost::LeafBuffer& buffer : leaf.leaf->buffers) leaf.with.emplace_back(buffer.name);
    const std::int64_t columns = extent(of_.column);
    const std::int64_t step = whole_lines((columns + parts_ - 1) / parts_);
    if (step >= columns) return leaf;
    return loop_node(Kind::kParallel, of_.column, step, {std::move(leaf)});
  }

  // So many floats or more.
  std::int64_t whole_lines(std::int64_t floats) const {
    const auto line = static_cast<std::int64_t>(machine_.memory.front().line_bytes / sizeof(float));
    return line < 1 ? floats : (floats + line - 1) / line * line;
  }

  // Units of the loops that divide it.
  std::int64_t units() {
    std::int64_t count = parts_;
    for (const int iterator : {of_.head, of_.token}) {
      const std::int64_t all = tree_.iterators[static_cast<std::size_t>(iterator)].extent.max();
      count *= (all + extent(iterator) - 1) / extent(iterator);
    }
    return count;
  }

  std::int64_t& extent(int iterator) { return extents_[static_cast<std::size_t>(iterator)]; }

  // Of keys, along the context, and of values, along their own axis; 1 where nothing is packed.
  std::int64_t lanes() const {
    const auto& packs = operand(op_, of_.keys).layout.packs;
    return packs.empty() ? 1 : packs[0].lanes;
  }

  // Whether a single token's heads, or the columns of a value, are too many for one register tile.
  bool is_read_again() {
    const std::int64_t rows = tile_rows(of_.group);
    return lanes() > 1 && (rows < of_.group || value_panels(rows) * lanes() < extent(of_.column));
  }

  // Blocks that take the machine's share of the innermost cache, so that the next ones, which are fetched meanwhile,
  // lie there too, but of no fewer keys than a register tile takes.
  void take_near_blocks() {
    const std::int64_t bytes = key_bytes(of_.keys, of_.inner) + key_bytes(of_.values, of_.column);
    const auto keys = static_cast<std::uint64_t>(machine_.core.near_share *
                                                 static_cast<double>(machine_.memory.front().capacity_bytes / bytes));
    const std::int64_t least = machine::attention_tile(machine_).panels * lanes();
    key_step_ = std::min(key_step_, std::max(static_cast<std::int64_t>(std::bit_floor(keys)), least));
    fetches_next_ = true;
  }

  // What a cache has of one key.
  std::int64_t key_bytes(int cache, int along) {
    return extent(along) * static_cast<std::int64_t>(dtype_size(operand(op_, cache).dtype));
  }

  std::int64_t tile_rows(std::int64_t rows) const {
    return std::min<std::int64_t>(machine::attention_tile(machine_).rows,
                                  static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(rows))));
  }

  // Leaves that take blocks of the keys stand in one loop over these.
  void add(const cost::Leaf& leaf) {
    TileNode node;
    node.leaf = &leaf;
    if (leaf.has_register_tile()) take_register_tile(node, leaf.multiplies);
    const std::vector<cost::Scratch> needs = scratch_of(op_, node, extents_, machine_);
    for (std::size_t i = 0; i < needs.size(); ++i) add_buffer(node, leaf.buffers[i], needs[i]);
    if (!leaf.takes_blocks) return nodes_.push_back(std::move(node));
    if (nodes_.back().kind != Kind::kSerial) {
      nodes_.push_back({.kind = Kind::kSerial, .iterator = of_.key, .step = key_step_, .level = key_level()});
    }
    nodes_.back().body.push_back(std::move(node));
  }

  // Several register tiles read a block of keys, and then one of values.
  int key_level() {
    const std::int64_t rows = extent(of_.token) * of_.group;
    if (rows <= machine::attention_tile(machine_).rows && !fetches_next_) return -1;
    return machine::level_holding(machine_, static_cast<double>(extent(of_.key) * key_bytes(of_.keys, of_.inner)));
  }

  void add_buffer(TileNode& node, const cost::LeafBuffer& buffer, const cost::Scratch& holds) {
    const bool is_shared = parts_ != 1 && buffer.is_state;
    std::vector<TileNode>& buffers = is_shared ? shared_ : buffers_;
    if (std::ranges::find(buffers, buffer.name, &TileNode::buffer) == buffers.end()) {
      buffers.push_back(is_shared ? shared_node(buffer.name, holds) : buffer_node(buffer.name, holds, machine_));
    }
    node.with.emplace_back(buffer.name);
  }

  // In the innermost level that threads meet in, of those that it fits.
  TileNode shared_node(std::string_view name, cost::Scratch holds) {
    holds.elements = whole_lines(holds.elements);
    TileNode node = buffer_node(name, holds, machine_);
    node.slots = units();
    const auto bytes = static_cast<double>(node.slots * holds.elements * dtype_size(holds.dtype));
    const int last = static_cast<int>(machine_.memory.size()) - 1;
    node.level = machine::level_holding(machine_, bytes);
    while (node.level < last && machine_.memory[static_cast<std::size_t>(node.level)].shared_by == 1) ++node.level;
    return node;
  }

  void take_register_tile(TileNode& node, std::string_view operand_name) {
    const int multiplied = ir::find_operand(op_.form, operand_name);
    node.rows = tile_rows(extent(of_.token) * of_.group);
    node.panels = machine::attention_tile(machine_).panels;
    node.stream = machine::stream(machine_, ir::stored_bits(operand(op_, multiplied)));
    if (is_one_token_) node.panels = multiplied == of_.values ? value_panels(node.rows) : node.stream.panels;
    while (!fits_registers(node.rows, node.panels, machine_)) --node.panels;
    node.stream.ahead_bytes = node.stream.locality = 0;
    if (!fetches_next_) return;
    constexpr int kAllCaches = 3;  // as __builtin_prefetch has it
    const bool is_of_values = multiplied == of_.values;
    if (!is_of_values) node.panels = std::min(node.panels, key_step_ / lanes());
    const std::int64_t bytes = key_step_ * key_bytes(multiplied, is_of_values ? of_.column : of_.inner);
    node.stream.ahead_bytes = static_cast<int>(std::min<std::int64_t>(bytes, std::numeric_limits<int>::max()));
    node.stream.locality = kAllCaches;
  }

  // A row of values in as few equal parts as the registers allow.
  std::int64_t value_panels(std::int64_t rows) {
    const std::int64_t vectors = extent(of_.column) / lanes();
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
  bool fetches_next_ = false;  // the next block, while one is read
  const std::int64_t parts_;   // of the keys
  std::vector<TileNode> buffers_, shared_, nodes_;
};

}  // namespace

TileTree attention_tree(const ScheduledOp& op, const machine::Machine& machine, const AttentionTiles& tiles) {
  return AttentionTree(op, machine, tiles).run();
}

std::int64_t key_unit(const ScheduledOp& op, int iterator) {
  if (iterator != op.attention->key) return 1;
  if (op.attention->pages) return op.attention->pages->size;
  const auto& packs = operand(op, op.attention->keys).layout.packs;
  return std::max(packs.empty() ? 1 : packs[0].lanes, operand(op, op.attention->values).layout.group());
}

namespace {

// Whether an iterator is not cut, or by a loop that threads share unit by unit.
bool is_unit(const AttentionPlace& place, std::size_t iterator) {
  const TileNode* const loop = place.loops[iterator];
  return loop == nullptr ? !place.is_divided[iterator] : loop->kind == Kind::kParallel;
}

// Whether two loops have the same tiles.
bool are_alike(const TileNode* a, const TileNode* b) {
  return a == b || (a != nullptr && b != nullptr && a->kind == b->kind && a->step == b->step);
}

// What is wrong with how threads share the keys: each part has all leaves but the last, and all of them are combined
// behind a barrier.
std::string split_fault(const ScheduledOp& op, const TileNode& node, const AttentionPlace& place,
                        const AttentionPlace& first) {
  const std::string& keys = op.tree.iterators[static_cast<std::size_t>(op.attention->key)].name;
  const bool combines = node.leaf->name == op.leaf->combine;
  const bool ends = node.leaf->name == op.leaf->parts.back();
  if (combines && first.split == nullptr) return "has no parts of " + keys + " to combine";
  if (ends && first.split != nullptr) return "would end with a part of " + keys;
  if (combines && place.split != nullptr) return "would run again for every part of " + keys;
  if (!combines && place.split != first.split) return "meets another part of " + keys;
  if (combines && place.barriers == first.barriers) return "reads what other threads may not have summed yet";
  if (first.split == nullptr) return "";
  for (const int iterator : {op.attention->token, op.attention->head}) {
    if (is_unit(place, static_cast<std::size_t>(iterator))) continue;
    return "meets tiles of " + op.tree.iterators[static_cast<std::size_t>(iterator)].name +
           " that have no slot of their own";
  }
  return "";
}

}  // namespace

std::string attention_fault(const ScheduledOp& op, const TileNode& node, const AttentionPlace& place,
                            const AttentionPlace& first, const AttentionPlace& block, const machine::Machine& machine) {
  const ir::AttentionForm& of = *op.attention;
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  const bool combines = node.leaf->name == op.leaf->combine;
  if (const std::string fault = split_fault(op, node, place, first); !fault.empty()) return leaf + " " + fault;
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
      if (loop != nullptr && of.pages && loop->step > of.pages->size) {
        return "a block of " + std::to_string(loop->step) + " along " + name + " is larger than a page of " +
               std::to_string(of.pages->size);
      }
      continue;
    }
    if (iterator == of.token && !of.shares_keys() && (loop == nullptr || loop->step != 1)) {
      return leaf + " takes one of " + name + ", each of which has keys of its own";
    }
    if (combines ? !are_alike(loop, first.loops[i]) && iterator != of.column : loop != first.loops[i]) {
      return leaf + " meets another tile of " + name;
    }
    const bool is_row = iterator == of.token || iterator == of.head;
    const bool is_column = combines && iterator == of.column && is_unit(place, i);
    if (!is_row && !is_column && (loop != nullptr || place.is_divided[i])) return leaf + " takes no blocks of " + name;
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
