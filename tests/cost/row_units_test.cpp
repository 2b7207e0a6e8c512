// SPDX-License-Identifier: Apache-2.0
#include "cost/row_units.h"

#include <gtest/gtest.h>

#include "cost/tiled_product.h"
#include "machine/cost.h"

namespace strata::cost {
namespace {

using Rows = std::vector<std::int64_t>;

TEST(RowUnits, AreWholeTilesOfPartsThatKeepThreadsBusy) {
  EXPECT_EQ(row_units(512, 6, 0, 16, 64), (Rows{132, 66, 48, 36}));
  EXPECT_EQ(row_units(512, 6, 48, 16, 64), (Rows{132, 66, 48})) << "fewer rows have a leaf of their own";
  EXPECT_EQ(row_units(512, 6, 0, 96, 64), (Rows{258})) << "three units a thread";
  EXPECT_EQ(row_units(16, 8, 0, 16, 64), (Rows{8}));
}

TEST(RowUnits, NoneWhereColumnsAreEnoughOrRowsAreOneTile) {
  for (const int threads : {1, 2, 4, 8, 16}) EXPECT_EQ(row_units(512, 6, 0, 16, threads), Rows{}) << threads;
  EXPECT_EQ(row_units(512, 6, 0, 2048, 64), Rows{});
  EXPECT_EQ(row_units(6, 6, 0, 16, 64), Rows{});
  EXPECT_EQ(row_units(1, 1, 0, 16, 64), Rows{});
}

// 16 groups of 4 panels, in 4 parts of the rows.
TEST(SharedRowsCost, SeveralThreadsReadOneGroup) {
  const machine::Machine machine = machine::load("avx512-zen4");
  const TiledProduct product{.rows = 512,
                             .columns = 1024,
                             .depth = 2048,
                             .lanes = 16,
                             .row_tile = 6,
                             .element_bytes = 4,
                             .right_bytes = 4.0 * 1024 * 2048,
                             .slots_per_s = 1e9};
  const ProductTiles whole{4, 78, 1024, 1}, shared{4, 78, 1024, 1, 0, 132};
  const TiledWork by_columns(machine, product, whole), by_rows(machine, product, shared);
  EXPECT_EQ(by_columns.row_blocks(), 7);
  EXPECT_EQ(by_rows.row_blocks(), 8) << "4 units of two blocks";
  EXPECT_EQ(by_columns.panels_of_others(64).bytes, 0);
  // All have a group of their own, or three more read each.
  EXPECT_EQ(by_rows.panels_of_others(16).bytes, 0);
  EXPECT_EQ(by_rows.panels_of_others(64).bytes, 3 * product.right_bytes);
  // Where a group ends in the middle of a thread's units, two read it.
  EXPECT_EQ(by_rows.panels_of_others(32).bytes, product.right_bytes);
  EXPECT_EQ(by_rows.panels_of_others(5).bytes, 4 * product.right_bytes / 16);
  // What a thread doesn't read first it finds in its own caches.
  EXPECT_EQ(by_rows.panels_again(16).bytes, 7 * product.right_bytes);
  EXPECT_EQ(by_rows.panels_again(64).bytes, 4 * product.right_bytes);
  // The rows of all groups but each thread's first.
  const double rows = 512 * product.depth * product.element_bytes;
  EXPECT_NEAR(by_rows.rows_again(64).bytes, 0, rows / 1e6);
  EXPECT_NEAR(by_rows.rows_again(16).bytes, 12 * rows, rows / 8);
  EXPECT_GT(by_rows.rows_again(16).shared, 0);
}

}  // namespace
}  // namespace strata::cost
