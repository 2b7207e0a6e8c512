// SPDX-License-Identifier: Apache-2.0
// That leaves stand where they can be computed, in blocks that fit, with the buffers that they need.
#include <algorithm>
#include <stdexcept>

#include "base/ranges.h"
#include "machine/cost.h"
#include "schedule/attention_tree.h"
#include "schedule/numbered_tree.h"
#include "schedule/products_tree.h"
#include "schedule/verifier.h"

namespace strata::schedule {

void Verifier::check_scratch(const ScheduledOp& op, const TileNode& node) const {
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  const std::vector<cost::Scratch> needs = scratch_of(op, node, extents(), machine_);
  if (needs.size() < node.with.size()) {
    fail(leaf + (needs.empty() ? " works in no buffer" : " works in " + std::to_string(needs.size()) + " buffers"));
  }
  if (needs.size() > node.with.size()) {
    fail(leaf + " has no buffer to work in" + (needs.size() == 1 ? "" : " as " + word(node, node.with.size())));
  }
  for (std::size_t i = 0; i < needs.size(); ++i) {
    check_buffer(leaf, node.with[i], needs[i], node.leaf->buffers[i].is_state ? slots() : 0);
    if (filled_.contains(node.with[i])) fail(leaf + " works in " + node.with[i] + ", which holds a copy");
  }
}

std::string Verifier::word(const TileNode& node, std::size_t buffer) {
  return std::string(node.leaf->buffers[buffer].name);
}

std::int64_t Verifier::slots() const {
  if (!op_.attention || first_.split == nullptr) return 0;
  std::int64_t count = first_.split->parts;
  for (const int iterator : {op_.attention->token, op_.attention->head}) {
    const auto i = static_cast<std::size_t>(iterator);
    const std::int64_t step = first_.loops[i] == nullptr ? 0 : first_.loops[i]->step;
    if (step != 0) count *= (op_.tree.iterators[i].extent.max() - 1) / step + 1;
  }
  return count;
}

void Verifier::check_buffer(const std::string& leaf, const std::string& name, const cost::Scratch& needed,
                            std::int64_t slots) const {
  const Buffer* const buffer = find_buffer(name);
  if (buffer == nullptr) fail(leaf + " has no buffer " + name + " where it stands");
  if (slots == 0 && buffer->node->slots != 0) fail(leaf + " needs memory of each thread, and " + name + " is of all");
  if (slots > buffer->node->slots) {
    fail("the buffer " + name + " has " + std::to_string(buffer->node->slots) + " slots for all threads, of " +
         std::to_string(slots) + " that " + leaf + " needs");
  }
  const cost::Scratch& holds = buffer->node->holds;
  if (holds.dtype == needed.dtype && holds.elements >= needed.elements) return;
  fail("the buffer " + name + " does not hold the " + std::string(dtype_name(needed.dtype)) + "[" +
       std::to_string(needed.elements) + "] that " + leaf + " needs");
}

void Verifier::visit_leaf(const TileNode& node) {
  if (!has_leaf()) fail("leaf " + std::string(node.leaf->name) + " among the op's own loops");
  if (parts().empty() && node.leaf->domain != op_.leaf->domain) {
    fail("leaf " + std::string(node.leaf->name) + " computes other ops than " + std::string(op_.leaf->name) + " does");
  }
  const std::size_t part = part_of(node);
  if (op_.contraction) check_blocks(op_, *node.leaf);
  if (op_.leaf->loop.takes_row_tiles) check_rows();
  if (op_.nest) check_tile(node);
  if (op_.attention) check_part(node);
  check_scratch(op_, node);
  check_leaf_copies(node);
  mark(stages() + part);
}

void Verifier::visit_numbered(const TileNode& node) {
  if (!op_.one) fail("no rows have numbers of matrices");
  if (!is_owned_) fail("all threads would multiply all rows");
  ScheduledOp one = op_.one->op;
  const int columns = *one.contraction->only(ir::IteratorClass::kN);
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const bool is_divided = static_cast<int>(i) == columns && cuts_[i].is_divided;
    if (cuts_[i].step != 0 || (cuts_[i].is_divided && !is_divided))
      fail("rows by number get a part of " + name(static_cast<int>(i)));
  }
  if (node.iterator != *one.contraction->only(ir::IteratorClass::kM))
    fail("numbered " + name(node.iterator) + " are no rows");
  if (node.step != op_.tree.iterators[static_cast<std::size_t>(node.iterator)].extent.max())
    fail("numbered " + name(node.iterator) + " by another number of rows than the product of one matrix takes");
  const std::vector<cost::Scratch> needs = numbered_scratch(op_, node.step);
  if (needs.size() != node.with.size())
    fail("numbered " + name(node.iterator) + " has no buffer to work in, of " + std::to_string(needs.size()));
  for (std::size_t i = 0; i < needs.size(); ++i)
    check_buffer("numbered " + name(node.iterator), node.with[i], needs[i], 0);
  const std::int64_t grain = cuts_[static_cast<std::size_t>(columns)].grain;
  const std::int64_t step = grain != 0 ? grain : one.tree.iterators[static_cast<std::size_t>(columns)].extent.max();
  one.tree.body = {loop_node(Kind::kParallel, columns, step, node.body)};
  Verifier(one, machine_).run();
  mark(stages());
}

void Verifier::check_tile(const TileNode& node) const {
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const int iterator = static_cast<int>(i);
    if (iterator != op_.rows && iterator != op_.columns && cuts_[i].step != 0) {
      fail(leaf + " takes no blocks of " + name(iterator));
    }
  }
  const std::size_t last = stages() - 1;
  if (!computed_[last]) fail("stage " + std::to_string(last) + " is read before it is computed");
  const Writer& writer = writers_[last];
  if (!is_kept(*writer.node)) fail(leaf + " reads stage " + std::to_string(last) + ", which is kept nowhere");
  check_read(last);
  if (writer.node->buffer.empty()) return;
  const Buffer* const buffer = find_buffer(writer.node->buffer);
  const auto is_other = [&](int iterator) {
    const auto i = static_cast<std::size_t>(iterator);
    return buffer->cuts[i].step != cuts_[i].step;
  };
  if (is_other(op_.rows)) fail(leaf + " gets other rows than " + writer.node->buffer + " holds");
  if (op_.columns < 0) return;
  if (is_other(op_.columns)) fail(leaf + " gets other columns than " + writer.node->buffer + " holds");
  check_multiple(op_.columns, cuts_[static_cast<std::size_t>(op_.columns)].step, op_.value->type().layout.group());
}

void Verifier::check_rows() const {
  const std::int64_t step = cuts_[static_cast<std::size_t>(op_.rows)].step;
  if (step != 0) check_unit(op_.rows, step);
}

void Verifier::check_multiple(int iterator, std::int64_t step, std::int64_t unit) const {
  if (step % unit == 0) return;
  fail("a block of " + std::to_string(step) + " along " + name(iterator) + " is no multiple of " +
       std::to_string(unit));
}

std::size_t Verifier::part_of(const TileNode& node) const {
  const auto part = std::ranges::find(parts(), node.leaf->name);
  if (parts().empty()) return 0;
  if (node.leaf->name == op_.leaf->combine) return parts().size() - 1;
  if (part == parts().end()) fail("leaf " + std::string(node.leaf->name) + " is no part of it");
  return static_cast<std::size_t>(part - parts().begin());
}

void Verifier::check_part(const TileNode& node) {
  const std::size_t part = part_of(node);
  if (part > 0 && !computed_[stages() + part - 1])
    fail("leaf " + std::string(node.leaf->name) + " stands before " + std::string(parts()[part - 1]));
  AttentionPlace place;
  for (const Cut& cut : cuts_) {
    place.loops.push_back(cut.loop);
    place.is_divided.push_back(cut.is_divided);
  }
  place.split = split_;
  place.barriers = barriers_;
  if (part == 0) {
    first_ = place;
    used_.clear();
  }
  if (part == 0 || !cost::leaf(parts()[part - 1]).takes_blocks) block_ = place;
  const std::string fault = attention_fault(op_, node, place, first_, block_, machine_);
  if (!fault.empty()) fail(fault);
  for (std::size_t i = 0; i < std::min(node.with.size(), node.leaf->buffers.size()); ++i) {
    const auto [known, is_new] = used_.try_emplace(word(node, i), node.with[i]);
    if (!is_new && known->second != node.with[i]) {
      fail("leaf " + std::string(node.leaf->name) + " has its " + word(node, i) + " in " + node.with[i] + ", not in " +
           known->second);
    }
  }
}

void Verifier::check_blocks(const ScheduledOp& op, const cost::Leaf& leaf, std::int64_t columns) const {
  const ir::Contraction& of = *op.contraction;
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const Cut& cut = cuts_[i];
    const bool is_cut = cut.step != 0 && (cut.most == 0 || cut.step < cut.most);
    if (!is_cut) continue;  // of few rows one unit, or one block, has all
    const int iterator = static_cast<int>(i);
    const bool is_n = of.classes[i] == ir::IteratorClass::kN;
    if (!is_n && !leaf.takes_blocks) fail("leaf " + std::string(leaf.name) + " takes no blocks of " + name(iterator));
    const std::int64_t unit = is_n ? panel_lanes(op) : block_unit(op, iterator);
    check_multiple(iterator, cuts_[i].step * (is_n ? columns : 1), unit);
  }
}

void Verifier::check_level(const TileNode& node) const {
  const TileNode* const last = last_compute(node);
  const auto product = std::ranges::find(op_.products, last == nullptr ? -1 : last->stage, &ProductStage::stage);
  if (product != op_.products.end()) {
    check_block(*op_.parts[product->part].value, product->of.left, product->of.left_axes, node.level);
  } else if (op_.contraction) {
    check_block(*op_.value, op_.contraction->left, op_.contraction->left_axes, node.level);
  } else if (op_.attention) {
    check_block(*op_.value, op_.attention->keys, {op_.attention->key, op_.attention->inner}, node.level);
  }
}

void Verifier::check_block(const ir::Expr& value, int operand, const std::vector<int>& axes, int level) const {
  const ir::TensorType& type = value.arguments[static_cast<std::size_t>(operand)]->type();
  std::int64_t bytes = static_cast<std::int64_t>(dtype_size(type.dtype));
  for (const int iterator : axes) bytes *= extents()[static_cast<std::size_t>(iterator)];
  check_capacity(bytes, level, "block");
}

}  // namespace strata::schedule
