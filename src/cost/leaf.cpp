// SPDX-License-Identifier: Apache-2.0
#include "cost/leaf.h"

#include <algorithm>

#include "base/error.h"

namespace strata::cost {

Signature::Signature(const ir::Op& the_op, std::span<const ir::TensorType> types, const ir::Attributes& with,
                     const ir::TensorType& made)
    : op(the_op), operands(types), attributes(with), result(made), nest(the_op.loops(types, with)) {
  if (nest) contraction = ir::contraction(*nest);
  has_plain_loops = nest && ir::is_plain(*nest);
  if (nest && !has_plain_loops) attention = ir::attention_form(*nest);
  if (nest) form = ir::form_operands(*nest, contraction, attention);
  is_in_memory_order = std::ranges::all_of(operands, ir::is_row_major_in_memory) && ir::is_row_major_in_memory(result);
}

const ir::TensorType* Signature::find(std::string_view name) const {
  const int number = ir::find_operand(form, name);
  return number < 0 ? nullptr : &operands[static_cast<std::size_t>(number)];
}

const Leaf* find_leaf(const Signature& signature) {
  for (const Leaf& leaf : all_leaves()) {
    if (leaf.takes != nullptr && leaf.takes(signature)) return &leaf;
  }
  return nullptr;
}

const Leaf* find_leaf(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                      const ir::TensorType& result) {
  return find_leaf(Signature(op, operands, attributes, result));
}

bool is_view(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
             const ir::TensorType& result) {
  const Leaf* const found = find_leaf(op, operands, attributes, result);
  return found != nullptr && found->domain == Leaf::Domain::kView;
}

const Leaf& leaf(std::string_view name) {
  const auto found = std::ranges::find(all_leaves(), name, &Leaf::name);
  STRATA_CHECK(found != all_leaves().end(), "there is no leaf " + std::string(name));
  return *found;
}

std::int64_t loop_lanes(std::span<const ir::TensorType> operands) {
  std::int64_t lanes = 1;
  for (const ir::TensorType& type : operands) {
    if (!type.layout.packs.empty()) lanes = std::max(lanes, type.layout.packs.back().lanes);
  }
  return lanes;
}

bool writes_result(const Leaf& leaf) { return leaf.code.find("{out}") != std::string_view::npos; }

}  // namespace strata::cost
