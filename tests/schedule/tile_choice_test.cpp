// SPDX-License-Identifier: Apache-2.0
#include "schedule/tile_choice.h"

#include <algorithm>

#include "schedule/op_cost.h"
#include "tests/schedule/region_testing.h"

namespace strata::schedule {
namespace {

constexpr const char* kChoiceParameters =
    "%a: f32[seq, 1024]<6@0>, %e: f32[8192, 1024]<16@0>, %y: f32[seq, 8192]<16@1>, %p: f32[1, 1024]";
constexpr const char* kOneProduct = "    %0 = matmul_nt(%a, %e) : f32[seq, 8192]\n    return %0\n";
constexpr const char* kSum =
    "    %0 = matmul_nt(%a, %e) : f32[seq, 8192]\n    %1 = pack(%0) {layout = <16@1>} : f32[seq, 8192]<16@1>\n"
    "    %2 = add(%y, %1) : f32[seq, 8192]<16@1>\n    return %2\n";

std::string tree_of(const ScheduledOp& op) { return one_line(to_text(op.tree, zen5())); }

ScheduledOp lone_product() {
  static const Region kAlone(kChoiceParameters, kOneProduct);  // keeps the expressions
  return kAlone.functions[0].ops[0];
}

// Of the op and of the region: the default tree comes back, the others are trees that hold, differ, and are slower by
// prediction, the fastest of them first.
void expect_choices(const ScheduledOp& op, std::size_t most) {
  const std::vector<TileChoice> choices = best_choices(op, zen5(), {}, {}, 2, most);
  ASSERT_EQ(choices.size(), most);
  EXPECT_EQ(choices[0], predicted_choice(op, zen5()));
  EXPECT_EQ(tree_of(with_tiles(op, zen5(), {}, choices[0])), tree_of(op));
  std::vector<double> seconds;
  for (std::size_t i = 1; i < choices.size(); ++i) {
    const ScheduledOp other = with_tiles(op, zen5(), {}, choices[i]);
    EXPECT_EQ(fault(other, zen5()), "") << to_text(choices[i]);
    seconds.push_back(op_cost(other, zen5(), {}, 2).seconds);
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(tree_of(other), tree_of(with_tiles(op, zen5(), {}, choices[j]))) << to_text(choices[i]);
  }
  EXPECT_TRUE(std::ranges::is_sorted(seconds));
}

TEST(TileChoice, OfAProductAreItsBestTiles) {
  EXPECT_TRUE(has_tile_choice(lone_product()));
  EXPECT_EQ(to_text(predicted_choice(lone_product(), zen5())), "4x78x1024");
  expect_choices(lone_product(), 4);
}

TEST(TileChoice, OfARegionAlsoItsColumns) {
  Region region(kChoiceParameters, kSum);
  ASSERT_EQ(region.why_not, "");
  EXPECT_TRUE(has_tile_choice(region.op()));
  EXPECT_EQ(to_text(predicted_choice(region.op(), zen5())), "4x78x1024@640");
  expect_choices(region.op(), 6);
  const std::vector<TileChoice> choices = best_choices(region.op(), zen5(), {}, {}, 2, 6);
  EXPECT_EQ(std::ranges::count(choices, choices[0].products, &TileChoice::products), 3) << "columns alone";
}

TEST(TileChoice, ARowHasNone) {
  const Region row(kChoiceParameters, "    %0 = matmul_nt(%p, %e) : f32[1, 8192]\n    return %0\n");
  EXPECT_FALSE(has_tile_choice(row.functions[0].ops[0]));
}

}  // namespace
}  // namespace strata::schedule
