// SPDX-License-Identifier: Apache-2.0
// On a machine with a memory level that software manages: what is copied where, and that nothing else is touched.
#include <algorithm>
#include <stdexcept>

#include "cost/leaf.h"
#include "schedule/verifier.h"

namespace strata::schedule {

std::string Verifier::copied_name(CopyOf of, int number) {
  if (of == CopyOf::kResult) return "the result";
  const std::string kind = of == CopyOf::kOperand ? "operand " : of == CopyOf::kAccess ? "access " : "stage ";
  return kind + std::to_string(number);
}

TileImage Verifier::image(CopyOf of, int number) const {
  try {
    return image_of(op_, of, number);
  } catch (const std::logic_error& error) {
    fail(error.what());
  }
}

std::vector<IteratorPart> Verifier::parts_of(const std::vector<Cut>& cuts) {
  std::vector<IteratorPart> parts;
  for (const Cut& cut : cuts) parts.push_back(cut.part);
  return parts;
}

void Verifier::visit_copy(const TileNode& node) {
  const std::string what = copied_name(node.of, node.copied);
  if (managed_ == nullptr) fail("a copy of " + what + ", and software manages no memory of this machine");
  if (!is_owned_) fail("every thread would copy the same");
  const Buffer* const buffer = find_buffer(node.buffer);
  if (buffer == nullptr) fail("the copy of " + what + " has no buffer " + node.buffer + " where it stands");
  const TileImage of = image(node.of, node.copied);
  if (const std::vector<int> moving = moved_by(of); moving != node.along) {
    fail(what + " is copied along [" + names(node.along) + "], and moves along [" + names(moving) + "]");
  }
  for (const int numbers : numbers_of(of)) check_numbers(what, numbers);
  check_holds(node, of, cuts_);
  if (is_copied_out(node.of)) return visit_copy_out(node, *buffer);
  if (!filled_.insert(node.buffer).second) fail("the buffer " + node.buffer + " is filled twice");
  copies_.push_back({node.of, node.copied});
}

std::string Verifier::names(const std::vector<int>& iterators) const {
  std::string text;
  for (const int iterator : iterators) {
    const bool is_known = iterator >= 0 && iterator < static_cast<int>(cuts_.size());
    text += (text.empty() ? "" : ", ") + (is_known ? name(iterator) : "?");
  }
  return text;
}

void Verifier::check_holds(const TileNode& node, const TileImage& of, const std::vector<Cut>& cuts) const {
  const cost::Scratch& holds = find_buffer(node.buffer)->node->holds;
  const std::int64_t elements = layout_of(of, op_.tree, parts_of(cuts)).elements;
  const DType dtype = of.value->type().dtype;
  if (holds.dtype == dtype && holds.elements >= elements) return;
  fail("the buffer " + node.buffer + " does not hold the " + std::string(dtype_name(dtype)) + "[" +
       std::to_string(elements) + "] of a tile of " +
       (node.kind == Kind::kCopy ? copied_name(node.of, node.copied) : "the result"));
}

void Verifier::check_numbers(const std::string& what, int numbers) const {
  if (!is_copied(CopyOf::kOperand, numbers)) {
    fail("where " + what + " lies is read from operand " + std::to_string(numbers) + ", which is in no buffer");
  }
  for (const int iterator : moved_by(image(CopyOf::kOperand, numbers))) {
    if (cuts_[static_cast<std::size_t>(iterator)].part.steps > 1) {
      fail("where " + what + " lies is another place for each " + name(iterator));
    }
  }
}

bool Verifier::is_copied(CopyOf of, int number) const {
  return std::ranges::any_of(copies_, [&](const Copied& copied) {
    if (copied.of != of) return false;
    if (copied.number == number || of != CopyOf::kAccess) return copied.number == number;
    const auto& accesses = op_.nest->accesses;
    return accesses[static_cast<std::size_t>(copied.number)] == accesses[static_cast<std::size_t>(number)];
  });
}

void Verifier::visit_copy_out(const TileNode& node, const Buffer& buffer) {
  const bool is_stage = node.of == CopyOf::kStage;
  const std::string what = copied_name(node.of, node.copied);
  const std::size_t first = is_stage ? static_cast<std::size_t>(node.copied) : stages();
  const std::size_t last = is_stage ? first : computed_.size() - 1;
  for (std::size_t s = first; s <= last; ++s) {
    if (!computed_[s]) fail(what + " is copied out before it is computed");
  }
  const std::string& made_in = is_stage ? writers_[first].node->buffer : leaf_buffer_;
  if (made_in != node.buffer) fail(what + " is copied out of " + node.buffer + ", and is not made there");
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    if (cuts_[i].step != buffer.cuts[i].step) {
      fail(what + " is copied out for another part of " + name(static_cast<int>(i)) + " than " + node.buffer +
           " holds");
    }
  }
  if (!copied_out_.insert(is_stage ? node.copied : -1).second) fail(what + " is copied out twice");
}

void Verifier::check_copies(const TileNode& node) const {
  if (managed_ == nullptr) return;
  check_accesses(node, stage(node.stage).body);
  if (is_kept(node) && node.buffer.empty()) {
    fail("stage " + std::to_string(node.stage) + " is made outside of " + managed_->name);
  }
}

void Verifier::check_accesses(const TileNode& node, const ir::ScalarExpr& body) const {
  if (body.kind == ir::ScalarExpr::Kind::kOperand) {
    const int operand = op_.nest->accesses[static_cast<std::size_t>(body.number)].operand;
    const bool is_number = op_.inputs[static_cast<std::size_t>(operand)]->kind == ir::Expr::Kind::kScalar;
    if (!is_number && !is_copied(CopyOf::kAccess, body.number)) {
      fail("access " + std::to_string(body.number) + " of stage " + std::to_string(node.stage) +
           " is read outside of " + managed_->name);
    }
  }
  for (const ir::ScalarExpr& argument : body.arguments) check_accesses(node, argument);
}

void Verifier::check_leaf_copies(const TileNode& node) {
  const std::string leaf = "leaf " + std::string(node.leaf->name);
  if (managed_ == nullptr) {
    if (!node.buffer.empty()) fail(leaf + " makes its result in a buffer, and nothing copies it out");
    return;
  }
  if (op_.nest) fail(leaf + " behind loops has no copies");
  for (const int operand : operands_read(op_, *node.leaf)) {
    if (!is_copied(CopyOf::kOperand, operand))
      fail("operand " + std::to_string(operand) + " of " + leaf + " is read outside of " + managed_->name);
  }
  if (!cost::writes_result(*node.leaf)) return;
  const Buffer* const buffer = node.buffer.empty() ? nullptr : find_buffer(node.buffer);
  if (buffer == nullptr) fail(leaf + " makes its result outside of " + managed_->name);
  const TileImage of = image(CopyOf::kResult, 0);
  check_holds(node, of, buffer->cuts);
  for (const int iterator : moved_by(of)) {
    const auto i = static_cast<std::size_t>(iterator);
    if (cuts_[i].step != buffer->cuts[i].step)
      fail(leaf + " makes another part of " + name(iterator) + " than " + node.buffer + " holds");
  }
  leaf_buffer_ = node.buffer;
}

}  // namespace strata::schedule
