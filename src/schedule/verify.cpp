// SPDX-License-Identifier: Apache-2.0
#include "schedule/verify.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;
using Domain = cost::Leaf::Domain;

bool contains(const std::vector<int>& list, int item) { return std::ranges::find(list, item) != list.end(); }

// How far an iterator has been cut where a node stands.
struct Cut {
  std::int64_t step = 0;  // 0: not at all, or only divided among the threads
  bool is_vector = false;
  bool is_divided = false;
};

class Verifier {
 public:
  Verifier(const ScheduledOp& op, const machine::Machine& machine) : op_(op), machine_(machine) {}

  void run() {
    cuts_.resize(op_.tree.iterators.size());
    computed_.resize(op_.nest ? op_.nest->stages.size() : op_.is_call() ? 0 : 1);
    visit(op_.tree.body);
    for (std::size_t s = 0; s < computed_.size(); ++s) {
      if (!computed_[s]) fail(op_.nest ? "stage " + std::to_string(s) + " is not computed" : "no leaf computes it");
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const std::string name = op_.is_call() ? "the call of @" + op_.value->callee->name : op_.value->op->name();
    throw std::logic_error("tile tree of " + name + ": " + what);
  }

  std::string name(int iterator) const { return op_.tree.iterators[static_cast<std::size_t>(iterator)].name; }

  // Buffers are there for the nodes behind them in their list.
  void visit(const std::vector<TileNode>& nodes) {
    const std::size_t before = buffers_.size();
    for (const TileNode& node : nodes) visit(node);
    buffers_.resize(before);
  }

  void visit(const TileNode& node) {
    if (has_iterator(node) && (node.iterator < 0 || node.iterator >= static_cast<int>(cuts_.size()))) {
      fail("a loop without an iterator");
    }
    if (node.step < 1) fail("a step of " + std::to_string(node.step));
    switch (node.kind) {
      case Kind::kParallel:
        return visit_parallel(node);
      case Kind::kSerial:
      case Kind::kVector:
        return visit_loop(node);
      case Kind::kOnce:
        return visit_owned(node);
      case Kind::kWhen:
        return visit_when(node);
      case Kind::kBarrier:
        if (is_owned_) fail("not all threads come to the barrier");
        return;
      case Kind::kBuffer:
        return visit_buffer(node);
      case Kind::kCompute:
        return node.stage >= 0 ? visit_stage(node) : visit_leaf(node);
    }
  }

  static bool has_iterator(const TileNode& node) {
    return node.kind != Kind::kOnce && node.kind != Kind::kBarrier && node.kind != Kind::kBuffer &&
           node.kind != Kind::kCompute;
  }

  void visit_buffer(const TileNode& node) {
    if (!names_.insert(node.buffer).second) fail("the buffer " + node.buffer + " stands there twice");
    if (node.level >= 0) check_capacity(node.holds.elements * dtype_size(node.holds.dtype), node.level, "buffer");
    buffers_.push_back(&node);
  }

  // What a leaf works in holds at least what it needs where it stands.
  void check_scratch(const TileNode& node) const {
    const std::string leaf = "leaf " + std::string(node.leaf->name);
    const auto needed = scratch_of(op_, node, op_.contraction ? most_of_k() : 0, machine_);
    if (!needed && node.buffer.empty()) return;
    if (!needed) fail(leaf + " works in no buffer");
    if (node.buffer.empty()) fail(leaf + " has no buffer to work in");
    const auto buffer = std::ranges::find(buffers_, node.buffer, &TileNode::buffer);
    if (buffer == buffers_.end()) fail(leaf + " has no buffer " + node.buffer + " where it stands");
    const cost::Scratch& holds = (*buffer)->holds;
    if (holds.dtype == needed->dtype && holds.elements >= needed->elements) return;
    fail("the buffer " + node.buffer + " does not hold the " + std::string(dtype_name(needed->dtype)) + "[" +
         std::to_string(needed->elements) + "] that " + leaf + " needs");
  }

  std::int64_t most_of_k() const {
    const auto k = static_cast<std::size_t>(*op_.contraction->only(ir::IteratorClass::kK));
    const std::int64_t extent = op_.tree.iterators[k].extent.max();
    return cuts_[k].step == 0 ? extent : std::min(extent, cuts_[k].step);
  }

  void visit_owned(const TileNode& node) {
    if (is_owned_) fail("work is divided among the threads twice");
    is_owned_ = true;
    visit(node.body);
    is_owned_ = false;
  }

  void visit_parallel(const TileNode& node) {
    Cut& cut = cuts_[static_cast<std::size_t>(node.iterator)];
    if (cut.step != 0) fail("parallel " + name(node.iterator) + " inside of a loop that cuts it");
    if (is_reduced(node.iterator)) fail("threads would share the sums along " + name(node.iterator));
    cut.is_divided = true;
    visit_owned(node);
    cut.is_divided = false;
  }

  bool is_reduced(int iterator) const {
    if (op_.contraction) {
      return op_.contraction->classes[static_cast<std::size_t>(iterator)] == ir::IteratorClass::kK;
    }
    return op_.nest && std::ranges::any_of(op_.nest->stages,
                                           [&](const ir::Stage& stage) { return !contains(stage.target, iterator); });
  }

  void visit_loop(const TileNode& node) {
    Cut& cut = cuts_[static_cast<std::size_t>(node.iterator)];
    if (cut.is_vector || (cut.step != 0 && node.step >= cut.step)) {
      fail("the loop over " + name(node.iterator) + " is no finer than the one around it");
    }
    if (node.kind == Kind::kVector) check_vector(node);
    const Cut before = cut;
    cut.step = node.step;
    cut.is_vector = node.kind == Kind::kVector;
    if (node.level >= 0) check_level(node);
    visit(node.body);
    cut = before;
  }

  // Lanes are a loop of one stage.
  void check_vector(const TileNode& node) const {
    const bool is_stage = node.body.size() == 1 && node.body[0].kind == Kind::kCompute && node.body[0].stage >= 0;
    if (!is_stage) fail("vector " + name(node.iterator) + " is around more than one stage");
  }

  void visit_when(const TileNode& node) {
    const std::vector<bool> before = computed_;
    visit(node.body);
    const std::vector<bool> then = computed_;
    computed_ = before;
    visit(node.otherwise);
    if (computed_ != then) fail("when " + name(node.iterator) + ": the two cases compute different stages");
  }

  void visit_stage(const TileNode& node) {
    if (!op_.nest || node.stage >= static_cast<int>(op_.nest->stages.size())) fail("there is no such stage");
    const ir::Stage& stage = op_.nest->stages[static_cast<std::size_t>(node.stage)];
    for (std::size_t i = 0; i < cuts_.size(); ++i) {
      const int iterator = static_cast<int>(i);
      const bool is_own = contains(stage.target, iterator) || contains(stage.reduced, iterator);
      const Cut& cut = cuts_[i];
      const bool is_element = cut.step == 1 || cut.is_vector;
      if (is_own && !is_element) fail("stage " + stage.name + " meets tiles of " + name(iterator));
      const bool repeats = !is_own && (cut.step != 0 || cut.is_divided);
      if (repeats) fail("stage " + stage.name + " is computed again for every " + name(iterator));
    }
    check_read_stages(stage.body);
    mark(static_cast<std::size_t>(node.stage));
  }

  void check_read_stages(const ir::ScalarExpr& body) const {
    if (body.kind == ir::ScalarExpr::Kind::kStage && !computed_[static_cast<std::size_t>(body.number)]) {
      fail("stage " + std::to_string(body.number) + " is read before it is computed");
    }
    for (const ir::ScalarExpr& argument : body.arguments) check_read_stages(argument);
  }

  void mark(std::size_t stage) {
    if (stage >= computed_.size()) fail("a call is computed by its function");
    if (!is_owned_) fail("every thread would compute the same");
    if (computed_[stage]) fail("stage " + std::to_string(stage) + " is computed twice");
    computed_[stage] = true;
  }

  void visit_leaf(const TileNode& node) {
    if (op_.nest) fail("leaf " + std::string(node.leaf->name) + " among the op's own loops");
    if (op_.contraction) check_blocks(*node.leaf);
    check_scratch(node);
    mark(0);
  }

  // A leaf that takes no blocks gets all of m and k; units are whole row tiles, panels, and groups along k.
  void check_blocks(const cost::Leaf& leaf) const {
    const ir::Contraction& of = *op_.contraction;
    const auto& right = op_.value->arguments[static_cast<std::size_t>(of.right)]->type().layout;
    for (std::size_t i = 0; i < cuts_.size(); ++i) {
      if (cuts_[i].step == 0) continue;
      const int iterator = static_cast<int>(i);
      const bool is_n = of.classes[i] == ir::IteratorClass::kN;
      if (!is_n && !leaf.takes_blocks) fail("leaf " + std::string(leaf.name) + " takes no blocks of " + name(iterator));
      const std::int64_t unit = is_n ? right.packs.at(0).lanes : block_unit(op_, iterator);
      if (cuts_[i].step % unit != 0) {
        fail("a block of " + std::to_string(cuts_[i].step) + " along " + name(iterator) + " is no multiple of " +
             std::to_string(unit));
      }
    }
  }

  // Of a contraction the block of the left operand is what stays.
  void check_level(const TileNode& node) const {
    if (!op_.contraction) return;
    const ir::TensorType& left = op_.value->arguments[static_cast<std::size_t>(op_.contraction->left)]->type();
    std::int64_t bytes = static_cast<std::int64_t>(dtype_size(left.dtype));
    for (const int iterator : op_.contraction->left_axes) {
      const auto i = static_cast<std::size_t>(iterator);
      const std::int64_t extent = op_.tree.iterators[i].extent.max();
      bytes *= cuts_[i].step == 0 ? extent : std::min(extent, cuts_[i].step);
    }
    check_capacity(bytes, node.level, "block");
  }

  void check_capacity(std::int64_t bytes, int at, const std::string& what) const {
    const machine::MemoryLevel& level = machine_.memory[static_cast<std::size_t>(at)];
    if (bytes > level.capacity_bytes) {
      fail("a " + what + " of " + std::to_string(bytes) + " bytes is larger than " + level.name);
    }
  }

  const ScheduledOp& op_;
  const machine::Machine& machine_;
  std::vector<Cut> cuts_;
  std::vector<bool> computed_;
  std::vector<const TileNode*> buffers_;  // in scope
  std::set<std::string> names_;           // of all buffers so far
  bool is_owned_ = false;
};

}  // namespace

void verify(const ScheduledOp& op, const machine::Machine& machine) {
  if (!op.is_view()) Verifier(op, machine).run();
}

}  // namespace strata::schedule
