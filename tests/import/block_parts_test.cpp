// SPDX-License-Identifier: Apache-2.0
#include "import/block_parts.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::importer {
namespace {

const blocks::Format& format_named(std::string_view name) {
  for (const blocks::Format& format : blocks::all_formats()) {
    if (format.name == name) return format;
  }
  throw std::out_of_range(std::string(name));
}

TensorView weight(std::string_view format) {
  return {.name = "w", .dtype = DType::kF16, .shape = {6, 512}, .bytes = {}, .format = &format_named(format)};
}

// "w.codes i8[6, 512], w.scales f16[6, 16]".
std::string leaves(std::string_view format) {
  std::string text;
  for (const WeightLeaf& leaf : block_leaves("w", weight(format))) {
    text += (text.empty() ? "" : ", ") + leaf.name + " " + leaf.type.text();
    EXPECT_EQ(leaf.name, "w" + std::string(block_part_suffix(leaf.part)));
  }
  return text;
}

TEST(BlockParts, AreLeavesOfTheirOwn) {
  EXPECT_EQ(leaves("Q8_0"), "w.codes i8[6, 512], w.scales f16[6, 16]");
  EXPECT_EQ(leaves("Q4_1"), "w.codes i8[6, 512], w.scales f16[6, 16], w.shifts f16[6, 16]");
  EXPECT_EQ(leaves("Q6_K"), "w.codes i8[6, 512], w.scales f16[6, 2], w.scale_codes i8[6, 32]");
  EXPECT_EQ(leaves("Q4_K"),
            "w.codes i8[6, 512], w.scales f16[6, 2], w.scale_codes i8[6, 16], w.shifts f16[6, 2], "
            "w.shift_codes i8[6, 16]");
  EXPECT_EQ(leaves("MXFP4"), "w.codes i8[6, 512], w.scales bf16[6, 16]") << "powers of two beyond f16";
  EXPECT_EQ(leaves("NVFP4"), "w.codes i8[6, 512], w.scales f16[6, 32]");
  EXPECT_EQ(leaves("TQ2_0"), "w.codes i8[6, 512], w.scales f16[6, 2]");
}

TEST(BlockParts, AreReadByTheNameOfTheirLeaf) {
  for (const blocks::Format& format : blocks::all_formats()) {
    for (const WeightLeaf& leaf : block_leaves("layers.0.w.weight", weight(format.name))) {
      const auto name = parse_leaf_name(leaf.name);
      ASSERT_TRUE(name.has_value()) << leaf.name;
      EXPECT_EQ(name->weight, "layers.0.w.weight");
      EXPECT_EQ(name->part, leaf.part) << leaf.name;
    }
  }
  for (const char* name : {"", "w", "w.weight", "codes", "w.codes.weight", "w_codes", "w.scale"})
    EXPECT_FALSE(parse_leaf_name(name).has_value()) << name;
  EXPECT_EQ(parse_leaf_name("w.codes.scales")->weight, "w.codes");
  EXPECT_EQ(block_part_suffix(BlockPart::kValues), "");
}

TEST(BlockParts, KeepWhereTheWeightLies) {
  TensorView whole = weight("Q4_K");
  whole.head_rows.heads = 3;
  const TensorView part = part_of(whole, BlockPart::kShifts);
  EXPECT_EQ(part.part, BlockPart::kShifts);
  EXPECT_EQ(part.format, whole.format);
  EXPECT_EQ(part.head_rows.heads, 3);
  EXPECT_EQ(part.row(), 2);
}

TEST(BlockParts, AreOfMatricesInBlocksOnly) {
  EXPECT_TRUE(is_kept_in_blocks(weight("Q4_K")));
  TensorView other = weight("Q4_K");
  other.scale = 0.5F;
  EXPECT_FALSE(is_kept_in_blocks(other)) << "a scale of its own";
  other = weight("Q4_K");
  other.shape = {6 * 512};
  EXPECT_FALSE(is_kept_in_blocks(other)) << "a vector";
  other = weight("Q4_K");
  other.format = nullptr;
  EXPECT_FALSE(is_kept_in_blocks(other));
}

}  // namespace
}  // namespace strata::importer
