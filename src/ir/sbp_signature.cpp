// SPDX-License-Identifier: Apache-2.0
#include "ir/sbp_signature.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "ir/loop_division.h"
#include "ir/op.h"

namespace strata::ir {
namespace {

constexpr std::array kPartialCombiners = {Combiner::kSum, Combiner::kMax, Combiner::kMin, Combiner::kProduct};

// The operands of the subset, by bits; nothing where one can't be partial.
std::optional<std::vector<Sbp>> partial_operands(std::span<const TensorType> operands, std::size_t subset,
                                                 Combiner combiner) {
  std::vector<Sbp> partial(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if ((subset >> i & 1) == 0) continue;
    partial[i] = Sbp::partial(combiner);
    if (!can_hold(operands[i].dtype, partial[i])) return std::nullopt;
  }
  return partial;
}

std::string operands_text(const Op& op, const std::vector<Sbp>& operands) {
  const std::vector<std::string> names = op.operand_names();
  std::string text;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    text += (text.empty() ? "" : ", ") + names[i] + ": " + operands[i].text();
  }
  return text;
}

[[noreturn]] void refuse(const Op& op, const std::string& mesh_axis, const std::vector<Sbp>& given,
                         std::span<const SbpSignature> signatures) {
  std::string known;
  for (const SbpSignature& signature : signatures) known += operands_text(op, signature.operands) + " or ";
  throw usage_error(op.name() + ": no signature takes operands that lie as " + operands_text(op, given) +
                        " on the mesh axis " + mesh_axis,
                    "give them as " + known + "B each");
}

}  // namespace

std::string SbpSignature::text(const Op& op) const { return operands_text(op, operands) + " -> " + result.text(); }

std::vector<SbpSignature> loop_signatures(const LoopNest& nest, std::span<const TensorType> operands,
                                          const TensorType& result) {
  std::vector<SbpSignature> found;
  const std::size_t count = operands.size();
  for (int i = 0; i < static_cast<int>(nest.iterators.size()); ++i) {
    const auto signature = divided(nest, operands, {.iterator = i}, std::vector<Sbp>(count));
    if (signature && can_hold(result.dtype, signature->result)) found.push_back(*signature);
  }
  for (const Combiner combiner : kPartialCombiners) {
    for (std::size_t subset = 1; subset < (std::size_t{1} << count); ++subset) {
      const auto partial = partial_operands(operands, subset, combiner);
      if (!partial) continue;
      const auto signature = divided(nest, operands, {}, *partial);
      if (signature && can_hold(result.dtype, signature->result)) found.push_back(*signature);
    }
  }
  return found;
}

std::vector<SbpSignature> copy_signatures(const TensorType& operand, const TensorType& result,
                                          const std::function<std::optional<int>(int)>& result_axis) {
  std::vector<SbpSignature> found;
  for (int axis = 0; axis < operand.rank(); ++axis) {
    if (const std::optional<int> to = result_axis(axis)) found.push_back({{Sbp::split(axis)}, Sbp::split(*to)});
  }
  for (const Combiner combiner : kPartialCombiners) {
    const Sbp parts = Sbp::partial(combiner);
    if (can_hold(operand.dtype, parts) && can_hold(result.dtype, parts)) found.push_back({{parts}, parts});
  }
  return found;
}

Placement implied_placement(const Op& op, std::span<const TensorType> operands,
                            std::span<const SbpSignature> signatures) {
  std::set<std::string> mesh_axes;
  for (const TensorType& operand : operands) {
    for (const AxisPlacement& axis : operand.placement.axes) mesh_axes.insert(axis.mesh_axis);
  }
  Placement placement;
  for (const std::string& mesh_axis : mesh_axes) {
    std::vector<Sbp> given;
    for (const TensorType& operand : operands) given.push_back(operand.placement.on(mesh_axis));
    const auto found = std::ranges::find(signatures, given, &SbpSignature::operands);
    if (found == signatures.end()) refuse(op, mesh_axis, given, signatures);
    placement.set(mesh_axis, found->result);
  }
  return placement;
}

}  // namespace strata::ir
