// SPDX-License-Identifier: Apache-2.0
#include "import/block_parts.h"

#include <algorithm>
#include <array>

#include "blocks/format.h"

namespace strata::importer {
namespace {

struct Suffix {
  BlockPart part;
  std::string_view text;
};

constexpr std::array<Suffix, 5> kSuffixes = {{{BlockPart::kCodes, ".codes"},
                                              {BlockPart::kScales, ".scales"},
                                              {BlockPart::kScaleCodes, ".scale_codes"},
                                              {BlockPart::kShifts, ".shifts"},
                                              {BlockPart::kShiftCodes, ".shift_codes"}}};

bool is_of_scales(BlockPart part) { return part == BlockPart::kScales || part == BlockPart::kScaleCodes; }

// Of a part, which isn't the codes.
const blocks::GroupNumbers& numbers_of(const blocks::Format& format, BlockPart part) {
  return is_of_scales(part) ? format.scale : format.offset;
}

bool has_part(const blocks::Format& format, BlockPart part) {
  if (part == BlockPart::kCodes) return true;
  if (!is_of_scales(part) && format.has_offset == blocks::Offset::kNone) return false;
  const bool is_code = part == BlockPart::kScaleCodes || part == BlockPart::kShiftCodes;
  return !is_code || numbers_of(format, part).integers.has_value();
}

// Elements that share one of the part's numbers.
std::int64_t shared_by(const blocks::Format& format, BlockPart part) {
  if (part == BlockPart::kCodes) return 1;
  const bool is_number = part == BlockPart::kScales || part == BlockPart::kShifts;
  return is_number && numbers_of(format, part).integers ? format.elements : format.group;
}

DType part_dtype(const blocks::Format& format, BlockPart part) {
  if (part != BlockPart::kScales && part != BlockPart::kShifts) return DType::kI8;
  return blocks::dtype_of(numbers_of(format, part).number);
}

}  // namespace

bool is_kept_in_blocks(const TensorView& weight) {
  return weight.format != nullptr && weight.scale == 1 && weight.shape.size() == 2;
}

std::vector<WeightLeaf> block_leaves(const std::string& name, const TensorView& weight) {
  std::vector<WeightLeaf> leaves;
  for (const auto& [part, suffix] : kSuffixes) {
    if (!has_part(*weight.format, part)) continue;
    const TensorView view = part_of(weight, part);
    leaves.push_back(
        {name + std::string(suffix), {.dtype = view.dtype, .shape = {view.shape[0], view.shape[1]}}, part});
  }
  return leaves;
}

std::string_view block_part_suffix(BlockPart part) {
  const auto* const found = std::ranges::find(kSuffixes, part, &Suffix::part);
  return found == kSuffixes.end() ? std::string_view() : found->text;
}

std::optional<LeafName> parse_leaf_name(std::string_view name) {
  for (const auto& [part, suffix] : kSuffixes) {
    if (name.ends_with(suffix)) return LeafName{std::string(name.substr(0, name.size() - suffix.size())), part};
  }
  return std::nullopt;
}

TensorView part_of(const TensorView& weight, BlockPart part) {
  TensorView view = weight;
  view.part = part;
  view.dtype = part_dtype(*weight.format, part);
  view.shape.back() = weight.shape.back() / shared_by(*weight.format, part);
  return view;
}

}  // namespace strata::importer
