// SPDX-License-Identifier: Apache-2.0
#include "cost/solved_tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace strata::cost {
namespace {

constexpr SolvedTiles kOne = {{4, 78, 1024, 1}, 1.0 / 3};

TEST(SolvedTiles, AreTheSameToTheBit) {
  for (const double time : {1.0 / 3, 1e-9, 4.9e-324, 1.0, static_cast<double>(INFINITY)}) {
    const SolvedTiles solved{{3, 6, 32, 2}, time};
    EXPECT_EQ(parse_solved_tiles(to_text(solved)), solved) << to_text(solved);
    const SolvedTiles in_parts{{3, 6, 32, 2, 48}, time};
    EXPECT_EQ(parse_solved_tiles(to_text(in_parts)), in_parts) << to_text(in_parts);
  }
}

TEST(SolvedTiles, AreSizesOfTiles) {
  ASSERT_TRUE(parse_solved_tiles("4 78 1024 1 1p-2"));
  for (const char* text : {"", "4 78 1024 1", "4 78 1024 1 1p-2 0", "4 78 1024 1 1p-2 x", "4 78 1024 1 1p-2 5 6",
                           "0 78 1024 1 1p-2", "4 0 1024 1 1p-2", "4 78 -1 1 1p-2", "4 78 1024 -1 1p-2",
                           "4 78 1024 99 1p-2", "4 78 1024 1 0", "4 78 1024 1 nan", "4 78 1024 1 x",
                           "4 78 1024 1 -1p-2", "4  78 1024 1 1p-2", "99999999999999999999 78 1 1 1p-2"})
    EXPECT_EQ(parse_solved_tiles(text), std::nullopt) << text;
}

TEST(TileMemory, SolvesOnce) {
  TileMemory memory;
  int solved = 0;
  const auto solve = [&] { return ++solved, kOne; };
  const std::vector<double> key = {1, 2, 3}, other = {1, 2, 4};
  EXPECT_EQ(memory.at(key, solve), kOne);
  EXPECT_EQ(memory.at(key, solve), kOne);
  EXPECT_EQ(solved, 1);
  memory.at(other, solve);
  EXPECT_EQ(solved, 2);
}

TEST(TileMemory, IsHandedOn) {
  TileMemory first, second;
  const std::vector<double> key = {1, 2, 3};
  first.at(key, [] { return kOne; });
  second.add(first.records());
  EXPECT_EQ(second.at(key, [] { return ADD_FAILURE() << "it is known", SolvedTiles(); }), kOne);
  EXPECT_EQ(second.records(), first.records());
}

TEST(TileMemory, KeepsWhatItHasAndLeavesOutWhatIsMalformed) {
  TileMemory memory;
  const std::vector<double> key = {1};
  memory.at(key, [] { return kOne; });
  Records others = memory.records();
  others.begin()->second = "1 2 3 0 1p0";
  others["f"] = "no tiles";
  const Records before = memory.records();
  memory.add(others);
  EXPECT_EQ(memory.records(), before);
}

}  // namespace
}  // namespace strata::cost
