// SPDX-License-Identifier: Apache-2.0
#include "schedule/verify.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/ranges.h"
#include "machine/cost.h"
#include "schedule/attention_tree.h"
#include "schedule/products_tree.h"
#include "schedule/region.h"
#include "schedule/tile_image.h"
#include "schedule/verifier.h"

namespace strata::schedule {
namespace {

using Kind = TileNode::Kind;

}  // namespace

void Verifier::run() {
  cuts_.resize(op_.tree.iterators.size());
  for (std::size_t i = 0; i < cuts_.size(); ++i) cuts_[i].part.steps = op_.tree.iterators[i].extent.max();
  computed_.resize(stages() + (has_leaf() ? std::max(parts().size(), std::size_t{1}) : 0));
  writers_.resize(stages());
  if (is_in_each_thread(op_.tree) && std::ranges::count_if(op_.tree.body, is_work) > 1) {
    fail("each thread would compute a part of what the threads share");
  }
  visit(op_.tree.body);
  for (std::size_t s = 0; s < computed_.size(); ++s) {
    if (!computed_[s]) fail(missing(s));
  }
  if (managed_ != nullptr && !op_.is_call() && !copied_out_.contains(result())) fail("the result is not copied out");
}

void Verifier::fail(const std::string& what) const {
  const std::string name = op_.is_call() ? "the call of @" + op_.value->callee->name : op_.value->op->name();
  throw std::logic_error("tile tree of " + name + ": " + what);
}

std::span<const std::string_view> Verifier::parts() const {
  return op_.is_call() ? std::span<const std::string_view>() : op_.leaf->parts;
}

std::string Verifier::missing(std::size_t stage) const {
  if (stage < stages()) return "stage " + std::to_string(stage) + " is not computed";
  return parts().empty() ? "no leaf computes it" : "leaf " + std::string(parts()[stage - stages()]) + " is missing";
}

void Verifier::visit(const std::vector<TileNode>& nodes) {
  const std::size_t before = buffers_.size();
  const std::size_t values = values_.size();
  const std::size_t copies = copies_.size();
  const std::int64_t live = live_bytes_;
  for (const TileNode& node : nodes) visit(node);
  live_bytes_ = live;
  copies_.resize(copies);
  buffers_.resize(before);
  values_.resize(values);
}

void Verifier::visit(const TileNode& node) {
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
    case Kind::kEach:
      if (std::ranges::find(op_.tree.body, &node, [](const TileNode& outer) { return &outer; }) ==
          op_.tree.body.end()) {
        fail("each thread would compute a part of what the threads share");
      }
      return visit_owned(node);
    case Kind::kNumbered:
      return visit_numbered(node);
    case Kind::kWhen:
      return visit_when(node);
    case Kind::kBarrier:
      if (is_owned_) fail("not all threads come to the barrier");
      ++barriers_;
      return;
    case Kind::kBuffer:
      return visit_buffer(node);
    case Kind::kCopy:
      return visit_copy(node);
    case Kind::kCompute:
      if (node.stage < 0) return visit_leaf(node);
      return is_own_stage(node) ? visit_stage(node) : visit_product(node);
  }
}

bool Verifier::has_iterator(const TileNode& node) {
  return node.kind != Kind::kOnce && node.kind != Kind::kEach && node.kind != Kind::kBarrier &&
         node.kind != Kind::kBuffer && node.kind != Kind::kCopy && node.kind != Kind::kCompute;
}

void Verifier::visit_buffer(const TileNode& node) {
  if (!names_.insert(node.buffer).second) fail("the buffer " + node.buffer + " stands there twice");
  const bool is_inside = std::ranges::any_of(cuts_, [](const Cut& cut) { return cut.step != 0 || cut.is_divided; });
  if (node.slots != 0 && (is_inside || is_owned_)) fail("the buffer " + node.buffer + " is not of all threads there");
  const std::int64_t elements = std::max<std::int64_t>(node.slots, 1) * node.holds.elements;
  if (node.level >= 0) check_capacity(elements * dtype_size(node.holds.dtype), node.level, "buffer");
  buffers_.push_back({&node, cuts_});
  if (managed_ == nullptr) return;
  if (node.level != 0) fail("the buffer " + node.buffer + " is not in " + managed_->name);
  live_bytes_ += cost::scratch_bytes(node.holds);
  if (live_bytes_ > managed_->capacity_bytes) {
    fail("the buffers that are there together with " + node.buffer + " take " + std::to_string(live_bytes_) +
         " bytes, more than " + managed_->name + " has");
  }
}

const Verifier::Buffer* Verifier::find_buffer(const std::string& name) const {
  const auto found = std::ranges::find_if(buffers_, [&](const Buffer& b) { return b.node->buffer == name; });
  return found == buffers_.end() ? nullptr : &*found;
}

std::vector<std::int64_t> Verifier::extents() const {
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    all.push_back(steps(static_cast<int>(i), cuts_[i]));
  }
  return all;
}

std::int64_t Verifier::steps(int iterator, const Cut& cut) const {
  const std::int64_t extent = op_.tree.iterators[static_cast<std::size_t>(iterator)].extent.max();
  const std::int64_t most = cut.most == 0 ? extent : std::min(extent, cut.most);
  return cut.step == 0 ? most : std::min(most, cut.step);
}

void Verifier::visit_owned(const TileNode& node) {
  if (is_owned_) fail("work is divided among the threads twice");
  is_owned_ = true;
  owner_ = &node;
  visit(node.body);
  is_owned_ = false;
}

void Verifier::visit_parallel(const TileNode& node) {
  Cut& cut = cuts_[static_cast<std::size_t>(node.iterator)];
  if (cut.step != 0) fail("parallel " + name(node.iterator) + " inside of a loop that cuts it");
  if (is_row(node.iterator)) check_unit(node.iterator, node.step);
  if (node.parts != 0) {
    check_split(node);
  } else if (is_reduced(node.iterator)) {
    fail("threads would share the sums along " + name(node.iterator));
  }
  const Cut before = cut;
  const TileNode* const outside = split_;
  cut.is_divided = true;
  cut.grain = std::gcd(cut.grain, node.step);
  const TileNode* const inner = divided_inside(node);
  if (node.parts != 0) {
    if (managed_ != nullptr) fail("threads share sums along " + name(node.iterator) + ", which no copies are for");
    split_ = &node;
  } else {
    cut.part = part_inside(op_, node, cut.part, inner != nullptr || is_unit_);
    if (inner != nullptr || is_unit_) cut = {node.step, &node, false, true, cut.grain, cut.most, cut.part};
  }
  is_unit_ = inner != nullptr;
  if (inner != nullptr) {
    visit(*inner);
  } else {
    visit_owned(node);
  }
  cut = before;
  split_ = outside;
}

void Verifier::check_split(const TileNode& node) const {
  const bool combines = op_.attention && !op_.leaf->combine.empty() && node.iterator == op_.attention->key;
  if (!combines) fail("no leaf combines parts of " + name(node.iterator));
  if (split_ != nullptr) fail("the parts of " + name(node.iterator) + " are divided again");
  if (node.parts < 1) fail("a split into " + std::to_string(node.parts) + " parts");
}

bool Verifier::is_reduced(int iterator) const {
  const auto i = static_cast<std::size_t>(iterator);
  for (const ProductStage& product : op_.products) {
    if (product.of.classes[i] == ir::IteratorClass::kK) return true;
  }
  if (op_.attention) return iterator == op_.attention->key || iterator == op_.attention->inner;
  if (op_.contraction) return op_.contraction->classes[i] == ir::IteratorClass::kK;
  return op_.nest && std::ranges::any_of(op_.nest->stages,
                                         [&](const ir::Stage& stage) { return !contains(stage.target, iterator); });
}

void Verifier::visit_loop(const TileNode& node) {
  Cut& cut = cuts_[static_cast<std::size_t>(node.iterator)];
  // What threads share in single steps, a loop may count.
  const bool counts = node.step == 1 && cut.step == 1 && cut.loop->kind == Kind::kParallel;
  if (cut.is_vector || (cut.step != 0 && node.step >= cut.step && !counts)) {
    fail("the loop over " + name(node.iterator) + " is no finer than the one around it");
  }
  if (node.kind == Kind::kVector) check_vector(node, cut.grain);
  const Cut before = cut;
  const int reduced = reduced_stage(node);
  if (reduced >= 0 && node.kind == Kind::kSerial && node.step != 1) {
    fail("the sums along " + name(node.iterator) + " are not made in parts");
  }
  const int reduction = reducing_ ? -1 : reduced;
  if (reduction >= 0) reducing_ = true;
  if (node.kind == Kind::kSerial) {
    check_bounds(node);
    cut.part = part_inside(op_, node, cut.part, false);
  }
  cut.step = node.step;
  cut.grain = std::gcd(cut.grain, node.step);
  cut.loop = &node;
  cut.is_vector = node.kind == Kind::kVector;
  if (node.level >= 0) check_level(node);
  visit(node.body);
  cut = before;
  if (reduction < 0) return;
  reducing_ = false;
  values_.push_back(reduction);
}

void Verifier::check_bounds(const TileNode& node) const {
  if (managed_ == nullptr || !op_.attention || node.iterator != op_.attention->key) return;
  for (const int operand : bound_operands(op_)) {
    if (!is_copied(CopyOf::kOperand, operand))
      fail("the bounds of " + name(node.iterator) + " are read from operand " + std::to_string(operand) +
           ", which is in no buffer");
  }
}

int Verifier::reduced_stage(const TileNode& node) const {
  const TileNode* const last = last_compute(node);
  if (last == nullptr || last->stage < 0 || last->stage >= static_cast<int>(stages())) return -1;
  return contains(stage(last->stage).reduced, node.iterator) ? last->stage : -1;
}

void Verifier::check_vector(const TileNode& node, std::int64_t grain) const {
  const std::string loop = "vector " + name(node.iterator);
  for (const TileNode& inner : node.body) {
    if (!is_own_stage(inner)) fail(loop + " is around more than stages");
    if (inner.stage >= static_cast<int>(stages())) fail("there is no such stage");
    const ir::Stage& of = stage(inner.stage);
    const bool is_in_blocks = std::ranges::any_of(
        op_.nest->accesses, [&](const StridedAccess& access) { return divides(access, node.iterator); });
    if (is_in_blocks && grain % node.step != 0) {
      fail(loop + " by " + std::to_string(node.step) + " begins between two blocks in parts of " +
           std::to_string(grain));
    }
    if (!can_run_in_lanes(*op_.nest, inner.stage, node.iterator, node.step)) {
      fail(loop + ": what stage " + std::to_string(inner.stage) + " computes is not alike along it");
    }
    const bool reduces = contains(of.reduced, node.iterator);
    if (reduces && &inner != &node.body.back()) fail(loop + " goes on behind the sums of " + of.name);
    const bool is_stored = !reduces && is_kept(inner) && node.step > 1;
    if (is_stored && (of.target.empty() || of.target.back() != node.iterator)) {
      fail(loop + ": neighbours along it do not lie side by side in what stage " + std::to_string(inner.stage) +
           " makes");
    }
  }
}

bool Verifier::is_kept(const TileNode& node) const {
  return op_.made[static_cast<std::size_t>(node.stage)] != nullptr && !node.in_lanes;
}

void Verifier::visit_when(const TileNode& node) {
  const std::vector<bool> before = computed_;
  const std::set<int> copied_before = copied_out_;
  Cut& cut = cuts_[static_cast<std::size_t>(node.iterator)];
  const std::int64_t outside = std::exchange(cut.most, node.step);
  visit(node.body);
  cut.most = outside;
  const std::vector<bool> then = computed_;
  const std::vector<Writer> writers = writers_;
  const std::set<int> copied_then = std::exchange(copied_out_, copied_before);
  computed_ = before;
  visit(node.otherwise);
  const std::string loop = "when " + name(node.iterator);
  if (computed_ != then) fail(loop + ": the two cases compute different stages");
  if (copied_out_ != copied_then) fail(loop + ": the two cases copy different stages out");
  for (std::size_t s = 0; s < writers.size(); ++s) {
    if (before[s] || !then[s]) continue;
    const TileNode& one = *writers[s].node;
    const TileNode& other = *writers_[s].node;
    if (one.in_lanes != other.in_lanes || one.buffer.empty() != other.buffer.empty()) {
      fail(loop + ": the two cases keep stage " + std::to_string(s) + " in different places");
    }
  }
}

void Verifier::visit_stage(const TileNode& node) {
  if (node.stage >= static_cast<int>(stages())) fail("there is no such stage");
  const ir::Stage& of = stage(node.stage);
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const int iterator = static_cast<int>(i);
    const bool is_own = contains(of.target, iterator) || contains(of.reduced, iterator);
    const Cut& cut = cuts_[i];
    const bool is_element = cut.step == 1 || cut.is_vector;
    if (is_own && !is_element) fail("stage " + of.name + " meets tiles of " + name(iterator));
    const bool repeats = !is_own && (cut.step != 0 || cut.is_divided);
    if (repeats) fail("stage " + of.name + " is computed again for every " + name(iterator));
  }
  check_read_stages(of.body);
  check_copies(node);
  check_keeping(node);
  mark(static_cast<std::size_t>(node.stage));
  writers_[static_cast<std::size_t>(node.stage)] = {&node, owner_, barriers_};
  if (of.combiner == ir::Combiner::kNone) values_.push_back(node.stage);
}

void Verifier::visit_product(const TileNode& node) {
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  if (managed_ != nullptr) fail(leaf + " beside loops has no copies");
  const auto product = std::ranges::find(op_.products, node.stage, &ProductStage::stage);
  if (product == op_.products.end()) fail(leaf + " computes no stage " + std::to_string(node.stage));
  const ScheduledOp part = product_part(op_, *product);
  if (node.leaf != part.leaf && node.leaf->name != part.leaf->few)
    fail(leaf + " does not make stage " + std::to_string(node.stage));
  check_blocks(part, *node.leaf, product->unit);
  check_scratch(part, node);
  check_keeping(node);
  check_product_tile(node, *product);
  mark(static_cast<std::size_t>(node.stage));
  writers_[static_cast<std::size_t>(node.stage)] = {&node, owner_, barriers_};
}

void Verifier::check_product_tile(const TileNode& node, const ProductStage& product) const {
  const std::string what = "the product of stage " + std::to_string(product.stage);
  const Buffer* const buffer = node.buffer.empty() ? nullptr : find_buffer(node.buffer);
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const ir::IteratorClass of = product.of.classes[i];
    const std::string iterator = name(static_cast<int>(i));
    const bool is_cut = cuts_[i].step != 0 || cuts_[i].is_divided;
    if (of == ir::IteratorClass::kBatch && is_cut) fail(what + " is computed again for every " + iterator);
    if (buffer == nullptr) continue;
    const bool is_summed = of == ir::IteratorClass::kK;
    if (is_summed && buffer->cuts[i].step != 0) fail(what + " has its sums in a buffer of one block of " + iterator);
    if (!is_summed && buffer->cuts[i].step != cuts_[i].step)
      fail(what + " is for another part of " + iterator + " than " + node.buffer + " holds");
  }
}

void Verifier::check_keeping(const TileNode& node) const {
  if (!node.in_lanes && node.buffer.empty()) return;
  const std::string what = "stage " + std::to_string(node.stage);
  const ir::Expr* const value = op_.made[static_cast<std::size_t>(node.stage)];
  const bool may_leave = managed_ == nullptr || node.in_lanes;
  if (value == nullptr || (may_leave && value == op_.value)) fail(what + " is no value that may be kept elsewhere");
  const DType dtype = value->type().dtype;
  if (may_leave && !is_floating(dtype)) fail(what + " makes no floating numbers");
  if (node.buffer.empty()) return;
  const Buffer* const buffer = find_buffer(node.buffer);
  if (buffer == nullptr) fail(what + " has no buffer " + node.buffer + " where it stands");
  if (buffer->node->slots != 0) fail(what + " needs memory of each thread, and " + node.buffer + " is of all");
  const cost::Scratch& holds = buffer->node->holds;
  const std::int64_t tile = tile_elements(stage(node.stage), buffer->cuts);
  if (holds.dtype != dtype || holds.elements < tile) {
    fail("the buffer " + node.buffer + " does not hold the " + std::string(dtype_name(dtype)) + "[" +
         std::to_string(tile) + "] that " + what + " makes in it");
  }
}

std::int64_t Verifier::tile_elements(const ir::Stage& of, const std::vector<Cut>& cuts) const {
  std::int64_t elements = 1;
  for (const int iterator : of.target) {
    elements *= steps(iterator, cuts[static_cast<std::size_t>(iterator)]);
  }
  return elements;
}

void Verifier::check_read_stages(const ir::ScalarExpr& body) const {
  if (body.kind == ir::ScalarExpr::Kind::kStage) check_read(static_cast<std::size_t>(body.number));
  // Other elements of it are all there: the reader stands in no loop over them.
  const bool is_access = body.kind == ir::ScalarExpr::Kind::kOperand;
  const int apart = is_access ? op_.nest->accesses[static_cast<std::size_t>(body.number)].stage : -1;
  if (apart >= 0) check_read(static_cast<std::size_t>(apart));
  for (const ir::ScalarExpr& argument : body.arguments) check_read_stages(argument);
}

void Verifier::check_read(std::size_t number) const {
  const std::string what = "stage " + std::to_string(number);
  if (!computed_[number]) fail(what + " is read before it is computed");
  if (contains(values_, static_cast<int>(number))) return;
  const Writer& writer = writers_[number];
  if (!is_kept(*writer.node)) fail(what + " is read outside of the loops that compute it");
  if (!writer.node->buffer.empty()) {
    if (find_buffer(writer.node->buffer) == nullptr) fail(what + " is read where its buffer is gone");
    if (writer.owner != owner_) fail(what + " is read by threads that have not made what their buffer holds");
  } else if (writer.owner != owner_ && writer.barriers == barriers_) {
    fail(what + " is read by threads that have not waited for those that compute it");
  }
}

void Verifier::mark(std::size_t stage) {
  if (!is_owned_) fail("every thread would compute the same");
  if (computed_[stage]) {
    if (stage < stages()) fail("stage " + std::to_string(stage) + " is computed twice");
    fail(parts().empty() ? "a leaf computes it twice"
                         : "leaf " + std::string(parts()[stage - stages()]) + " stands there twice");
  }
  computed_[stage] = true;
}

void Verifier::check_capacity(std::int64_t bytes, int at, const std::string& what) const {
  const machine::MemoryLevel& level = machine_.memory[static_cast<std::size_t>(at)];
  if (bytes > level.capacity_bytes) {
    fail("a " + what + " of " + std::to_string(bytes) + " bytes is larger than " + level.name);
  }
}
void verify(const ScheduledOp& op, const machine::Machine& machine) {
  if (op.has_code()) Verifier(op, machine).run();
}

std::string fault(const ScheduledOp& op, const machine::Machine& machine) {
  try {
    verify(op, machine);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

void verify(const ScheduledFunction& function, const machine::Machine& machine) {
  for (const ScheduledOp& op : function.ops) {
    verify(op, machine);
    for (const ir::Expr* value : leaving(function, op)) {
      if (is_in_memory(op, value)) continue;
      throw std::logic_error("tile tree of " + op.value->op->name() + ": stage " + std::to_string(stage_of(op, value)) +
                             " is kept nowhere, and other ops read it");
    }
  }
}

}  // namespace strata::schedule
