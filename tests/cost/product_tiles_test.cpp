// SPDX-License-Identifier: Apache-2.0
#include "cost/product_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cost/op_cost.h"
#include "ir/text.h"
#include "machine/cost.h"
#include "ops/register.h"

namespace strata::cost {
namespace {

machine::Machine machine_zen4() { return machine::load("avx512-zen4"); }
machine::Machine machine_avx2() { return machine::load("avx2-generic"); }

// A product of f32 on one of the machine's vectors, or of bf16 pairs.
TiledProduct product_of(const machine::Machine& machine, std::int64_t m, std::int64_t n, std::int64_t k,
                        std::int64_t row_tile, bool are_pairs = false) {
  const std::int64_t lanes = machine::vector_lanes(machine, DType::kF32);
  const DType dtype = are_pairs ? DType::kBF16 : DType::kF32;
  ir::Layout left{{{row_tile, 0}}}, right{{{lanes, 0}}};
  if (are_pairs) left.packs.push_back({2, 1}), right.packs.push_back({2, 1});
  const std::vector<ir::TensorType> types = {{dtype, {m, k}, left}, {dtype, {n, k}, right}};
  const ir::Contraction contraction{.left = 0, .right = 1, .classes = {}, .left_axes = {}, .right_axes = {}};
  return tiled_product(machine, types, contraction);
}

// All tiles that the program knows, and whether they keep its limits.
template <class F>
void for_each_tiles(const tiles::Program& program, int level, const F& f) {
  const auto& v = program.variables;
  for (int p = 0; p < std::ssize(v[0].candidates); ++p) {
    for (int r = 0; r < std::ssize(v[1].candidates); ++r) {
      for (int d = 0; d < std::ssize(v[2].candidates); ++d) {
        const std::vector<int> choice = {p, r, d};
        if (tiles::keeps_limits(program, choice))
          f(ProductTiles{v[0].candidates[p], v[1].candidates[r], v[2].candidates[d], level},
            tiles::time_of(program, choice));
      }
    }
  }
}

TEST(ProductTiles, AreTheBestOfAll) {
  for (const auto& [m, n, k] : {std::array{512, 6144, 1024}, {8, 1024, 3072}, {100, 37, 77}, {1, 16, 32}}) {
    for (const machine::Machine& machine : {machine_zen4(), machine_avx2()}) {
      const TiledProduct product = product_of(machine, m, n, k, 6);
      const tiles::Program program = tile_program(machine, product);
      double least = std::numeric_limits<double>::infinity(), chosen = 0;
      int all = 0;
      for_each_tiles(program, product_tiles(machine, product).level, [&](const ProductTiles& tiles, double time) {
        least = std::min(least, time);
        if (tiles == product_tiles(machine, product)) chosen = time;
        ++all;
      });
      EXPECT_EQ(chosen, least) << m << " x " << n << " x " << k;
      const tiles::Solution solution = tiles::solve(program);
      EXPECT_TRUE(solution.is_proved);
      if (all > 1000) EXPECT_LT(solution.nodes, all / 2);
    }
  }
}

// With copies: all buffers fit the level, nothing that does is faster, and more room is never slower.
TEST(ProductTiles, BuffersOfCopiesFitTheLevelThatSoftwareManages) {
  for (const auto& [m, n, k] : {std::array{512, 6144, 1024}, {8, 1024, 3072}, {100, 37, 77}}) {
    double before = std::numeric_limits<double>::infinity();
    for (const std::int64_t bytes : {8192, 65536, 262144}) {
      machine::Machine machine = machine::load("scratchpad-generic");
      machine.memory[0].capacity_bytes = bytes;
      const TiledProduct product = product_of(machine, m, n, k, 6);
      const ProductTiles tiles = product_tiles(machine, product);
      EXPECT_GT(tiles.columns, 0) << m << " x " << n << " x " << k << " in " << bytes;
      EXPECT_LE(TiledWork(machine, product, tiles).buffer_bytes(), static_cast<double>(bytes));
      const tiles::Solution solution = tiles::solve(tile_program(machine, product));
      EXPECT_TRUE(solution.is_proved);
      EXPECT_LE(solution.time, before);
      before = solution.time;
    }
    machine::Machine tiny = machine::load("scratchpad-generic");
    tiny.memory[0].capacity_bytes = 1024;
    EXPECT_EQ(product_tiles(tiny, product_of(tiny, m, n, k, 6)).columns, 0) << "no tiles fit";
  }
}

// Of the op as the search and the plan price it, with the other operands' traffic too.
TEST(ProductTiles, AreTheBestOfTheOpsCost) {
  ops::register_all();
  const ir::Module module = ir::parse_module(
      "module m {\n  func @f(%a: f32[512, 1024]<6@0>, %b: f32[3072, 1024]<16@0>) {\n    %0 = matmul_nt(%a, %b) : "
      "f32[512, 3072]\n    return %0\n  }\n}\n",
      "test");
  const ir::Expr& value = *module.functions()[0]->results[0];
  const std::vector<Operand> operands = {{value.arguments[0]->type()},
                                         {value.arguments[1]->type(), Residence::kStream}};
  const machine::Machine machine = machine_zen4();
  const auto seconds = [&](const std::optional<ProductTiles>& tiles) {
    return op_cost(*value.op, operands, {}, value.type(), machine, {.tiles = tiles}).seconds;
  };
  const TiledProduct product = product_of(machine, 512, 3072, 1024, 6);
  const ProductTiles best = product_tiles(machine, product);
  EXPECT_DOUBLE_EQ(seconds(std::nullopt), seconds(best)) << "the default";
  double least = std::numeric_limits<double>::infinity();
  for_each_tiles(tile_program(machine, product), best.level,
                 [&](const ProductTiles& tiles, double) { least = std::min(least, seconds(tiles)); });
  EXPECT_LE(seconds(best), 1.001 * least);
  EXPECT_LT(seconds(best), seconds(ProductTiles{1, 512, 1024, best.level})) << "few accumulators wait";
}

TEST(ProductTiles, FitTheRegistersAndTheCache) {
  for (machine::Machine machine :
       {machine_zen4(), machine_avx2(), machine::load("x86-64-baseline"), machine::load("rvv-generic")}) {
    for (const std::int64_t capacity : {32, 128, 256, 1024}) {
      if (machine.memory[1].shared_by == 1) machine.memory[1].capacity_bytes = capacity * 1024;
      for (const std::int64_t rows : {2, 8, 100, 512}) {
        const ProductTiles tiles = product_tiles(machine, product_of(machine, rows, 6144, 1024, 6));
        const auto lanes = static_cast<std::int64_t>(machine::vector_lanes(machine, DType::kF32));
        EXPECT_LE(6 * tiles.panels + tiles.panels + 1, machine.vector_registers.count);
        EXPECT_LE((tiles.rows + 2 * tiles.panels * lanes) * tiles.depth * 4,
                  machine.memory[static_cast<std::size_t>(tiles.level)].capacity_bytes);
        EXPECT_EQ(tiles.rows % 6, 0);
        EXPECT_EQ(tiles.depth % machine::kDepthUnit, 0);
      }
    }
  }
}

// What an accumulator costs apart from its products makes blocks deep, what others need of a cache makes them small.
TEST(ProductTiles, FollowTheFiguresOfTheCore) {
  machine::Machine machine = machine_zen4();
  const auto tiles = [&] { return product_tiles(machine, product_of(machine, 512, 6144, 1024, 6)); };
  const ProductTiles usual = tiles();
  machine.core.block_share = 0.2;
  const ProductTiles small = tiles();
  EXPECT_LT(small.rows * small.depth, usual.rows * usual.depth / 2);
  const std::int64_t depth_before = small.depth;
  machine.core.tile_store_slots = 1000;
  EXPECT_GT(tiles().depth, depth_before);
}

// A core's cache of a quarter keeps a smaller block.
TEST(ProductTiles, ShrinkWithTheCache) {
  machine::Machine small = machine_zen4();
  small.memory[1].capacity_bytes = 256 * 1024;
  const auto block = [](const machine::Machine& machine) {
    const ProductTiles tiles = product_tiles(machine, product_of(machine, 512, 6144, 1024, 6));
    return tiles.rows * tiles.depth * 4;
  };
  EXPECT_LE(block(small), 256 * 1024);
  EXPECT_GT(block(machine_zen4()), 256 * 1024);
}

TEST(ProductTiles, MoveWithTheLatency) {
  machine::Machine machine = machine_zen4();
  const TiledProduct product = product_of(machine, 2, 4096, 512, 2);
  machine.core.fma_latency_slots = 4;
  const std::int64_t few = product_tiles(machine, product).panels;
  machine.core.fma_latency_slots = 16;
  EXPECT_GE(product_tiles(machine, product).panels, 8);
  EXPECT_LE(few, 8);
}

// Row counts that a tile of the machine's usual rows doesn't divide.
TEST(RowTiles, FollowTheRowCount) {
  const auto has = [](const machine::Machine& machine, std::int64_t rows, std::int64_t wanted, bool are_pairs = false) {
    const auto found = row_tiles(machine, product_of(machine, rows, 3072, 1024, 6, are_pairs));
    EXPECT_EQ(found[0], machine::register_tile(machine).rows) << "the machine's is always one of them";
    EXPECT_LE(found.size(), 3U);
    return std::ranges::find(found, wanted) != found.end();
  };
  EXPECT_TRUE(has(machine_zen4(), 8, 8));
  EXPECT_TRUE(has(machine_zen4(), 16, 8));
  EXPECT_TRUE(has(machine_zen4(), 8, 8, true));
  EXPECT_TRUE(has(machine_avx2(), 8, 4));
  EXPECT_EQ(row_tiles(machine_zen4(), product_of(machine_zen4(), 512, 3072, 1024, 6)), std::vector<std::int64_t>{6});
  EXPECT_EQ(row_tiles(machine_zen4(), product_of(machine_zen4(), 1, 3072, 1024, 6)), std::vector<std::int64_t>{6});
}

// What no row tile fetches ahead is waited for: of 16 rows three tiles of 6 fetch three panels.
TEST(ProductTiles, AreNoWiderThanWhatIsFetchedAhead) {
  const machine::Machine machine = machine_zen4();
  EXPECT_EQ(product_tiles(machine, product_of(machine, 16, 3072, 1024, 6)).panels, 3);
  EXPECT_EQ(product_tiles(machine, product_of(machine, 6, 3072, 1024, 6)).panels, 4) << "a single tile fetches all";
  EXPECT_EQ(product_tiles(machine, product_of(machine, 512, 3072, 1024, 6)).panels, 4);
}

TEST(ProductTiles, TheNextBestAreApart) {
  const machine::Machine machine = machine_zen4();
  const TiledProduct product = product_of(machine, 512, 6144, 1024, 6);
  std::vector<ProductTiles> best;
  double before = 0;
  for (const RankedTiles& ranked : best_product_tiles(machine, product, 5)) {
    best.push_back(ranked.tiles);
    EXPECT_GE(ranked.seconds, before);
    before = ranked.seconds;
  }
  ASSERT_EQ(best.size(), 5);
  EXPECT_EQ(best[0], product_tiles(machine, product));
  const auto ratio = [](std::int64_t a, std::int64_t b) {
    return static_cast<double>(std::min(a, b)) / static_cast<double>(std::max(a, b));
  };
  for (std::size_t i = 0; i < best.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_LE(std::min({ratio(best[i].panels, best[j].panels), ratio(best[i].rows, best[j].rows),
                          ratio(best[i].depth, best[j].depth)}),
                0.75);
    }
  }
  EXPECT_EQ(best_product_tiles(machine, product_of(machine, 1, 16, 32, 6), 5).size(), 1) << "there are no others";
}

TEST(ProductTiles, MayBeFixed) {
  machine::Machine machine = machine_zen4();
  machine.has_fixed_tiles = true;
  const ProductTiles tiles = product_tiles(machine, product_of(machine, 512, 6144, 1024, 6));
  EXPECT_EQ(tiles, (ProductTiles{4, 288, 512, 1}));
  EXPECT_EQ(row_tiles(machine, product_of(machine, 8, 6144, 1024, 6)), std::vector<std::int64_t>{6});
}

}  // namespace
}  // namespace strata::cost
