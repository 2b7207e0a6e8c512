// SPDX-License-Identifier: Apache-2.0
#include "ir/slices.h"

#include "ir/op.h"
#include "ir/sbp_signature.h"

namespace strata::ir {
namespace {

// The slices by a signature that divides the result's axis; nothing where it divides an axis of another size, which a
// slice of the result begins and ends elsewhere on.
std::optional<OperandSlices> slices_by(const SbpSignature& signature, std::span<const TensorType> operands,
                                       const Dim& size, const Attributes& slice) {
  OperandSlices slices(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Sbp& part = signature.operands[i];
    if (part.is_broadcast()) continue;
    if (!part.is_split() || !(operands[i].shape[static_cast<std::size_t>(part.axis)] == size)) return std::nullopt;
    slices[i] = slice;
    (*slices[i])["axis"] = static_cast<std::int64_t>(part.axis);
  }
  return slices;
}

}  // namespace

std::optional<OperandSlices> operand_slices(const Op& op, std::span<const TensorType> operands,
                                            const Attributes& attributes, const TensorType& result,
                                            const Attributes& slice) {
  const std::int64_t axis = std::get<std::int64_t>(slice.at("axis"));
  for (const SbpSignature& signature : op.sbp_signatures(operands, attributes, result)) {
    if (!signature.result.is_split() || signature.result.axis != axis) continue;
    if (auto slices = slices_by(signature, operands, result.shape[static_cast<std::size_t>(axis)], slice))
      return slices;
  }
  return std::nullopt;
}

}  // namespace strata::ir
