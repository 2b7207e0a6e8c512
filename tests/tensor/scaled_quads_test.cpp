// SPDX-License-Identifier: Apache-2.0
#include "tensor/scaled_quads.h"

#include "quantised_weights.h"
#include "tensor/quads.h"
#include "tensor/range.h"

namespace strata::tensor {
namespace {

constexpr float kNotWritten = 12345.0f;
using F32 = BlockScales<float>;
using F16 = BlockScales<f16>;
using BF16 = BlockScales<bf16>;
using NestedBF16 = NestedScales<std::int8_t, bf16, 2>;
using InFour = Encoded<I8In4>;
using SmallInFour = Encoded<I8Small4>;
using InFive = Encoded<I8In5>;
using InSix = Encoded<I8In6>;

// The least and the largest code of weights.
struct CodeBounds {
  int low = -128;
  int high = 127;
};

// Rows [m][k] of codes, those of the first two the extremes, and their scales [m][k / Block].
struct Rows {
  std::int64_t m, k, blocks;
  std::vector<std::int8_t> codes = std::vector<std::int8_t>(static_cast<std::size_t>(m * k));
  std::vector<float> scales = random_values<float>(m * blocks, 4);

  Rows(std::int64_t rows, std::int64_t depth, std::int64_t block) : m(rows), k(depth), blocks(depth / block) {
    std::mt19937 random(6);
    for (std::int64_t i = 0; i < m * k; ++i) {
      const int any = static_cast<int>(random() % 255) - 127;
      codes[i] = static_cast<std::int8_t>(i / k == 0 ? 127 : i / k == 1 ? -127 : any);
    }
  }
};

// Sums of a block are exact: what is rounded is their conversion, the scale, the product and the sum of blocks.
template <std::int64_t Block, class Weights>
testing::AssertionResult check(const Weights& weights, const Rows& x, const std::vector<float>& c, const char* kernel) {
  const std::int64_t n = weights.n, k = weights.k, ldc = n + 3;
  for (std::int64_t row = 0; row < x.m; ++row) {
    for (std::int64_t column = 0; column < ldc; ++column) {
      const float actual = c[row * ldc + column];
      if (column >= n) {
        if (actual != kNotWritten) return testing::AssertionFailure() << weights.describe() << ": written outside";
        continue;
      }
      const auto result =
          near_blocks(weights, column, x.blocks, static_cast<double>(x.blocks + 4), actual, [&](std::int64_t block) {
            std::int64_t sum = 0;
            for (std::int64_t i = block * Block; i < block * Block + Block; ++i) {
              sum += x.codes[row * k + i] * weights.codes[column * k + i];
            }
            const double scaled = static_cast<double>(sum) * x.scales[row * x.blocks + block];
            return std::pair(scaled, std::abs(scaled));
          });
      if (!result) return testing::AssertionFailure() << kernel << " row " << row << ", " << result.message();
    }
  }
  return testing::AssertionSuccess();
}

template <int L, std::int64_t Block, CodeBounds Bounds, class Codes, class Scales>
void check_quads_row(std::int64_t n, std::int64_t k) {
  const QuantisedWeights<L, Block, Codes, Scales> weights{n, k, Bounds.low, Bounds.high};
  const Rows all(3, k, Block);
  const std::int64_t panels = div_up(n, L), middle = panels / 2, blocks = k / Block;
  std::vector<float> c(static_cast<std::size_t>(all.m * (n + 3)), kNotWritten);
  std::vector<std::int32_t> scratch(static_cast<std::size_t>(scaled_quads_starts(Block, 1, k)));
  std::int32_t* const s = scratch.data();
  const auto scales = weights.scale.scales();
  for (std::int64_t row = 0; row < all.m; ++row) {
    const std::int8_t* const a = &all.codes[row * k];
    const float* const t = &all.scales[row * blocks];
    float* const to = &c[row * (n + 3)];
    gemv_scaled_quads<L, Block, Stream{}>(a, t, weights.packed.data(), scales, k, n, to, 0, middle, s);
    gemv_scaled_quads<L, Block, Stream{1, 4096, 0}>(a, t, weights.packed.data(), scales, k, n, to, middle, panels, s);
  }
  ASSERT_TRUE(check<Block>(weights, all, c, "row"));
}

template <int L, int MR, int NV, std::int64_t Block, CodeBounds Bounds, class Codes, class Scales>
void check_quads_tiles(std::int64_t m, std::int64_t n, std::int64_t k) {
  const QuantisedWeights<L, Block, Codes, Scales> weights{n, k, Bounds.low, Bounds.high};
  const Rows x(m, k, Block);
  std::vector<std::int8_t> a(static_cast<std::size_t>(packed_rows_elements(MR, m, k)), 1);
  pack_rows_quads<MR>(x.codes.data(), k, m, k, k, a.data());
  std::vector<float> t(static_cast<std::size_t>(packed_rows_elements(MR, m, x.blocks)));
  pack_rows<L, MR>(x.scales.data(), x.blocks, m, x.blocks, x.blocks, t.data());
  std::vector<float> c(static_cast<std::size_t>(m * (n + 3)), kNotWritten);
  std::vector<std::int32_t> scratch(
      static_cast<std::size_t>(scaled_quads_scratch(L, NV, Block, div_up(m, MR) * MR, k)));
  const std::int64_t panels = div_up(n, L), middle = panels / 3;
  for (const Range part : {Range{0, middle}, Range{middle, panels}}) {
    if (m <= MR) {
      gemm_few_scaled_quads<L, MR, NV, Block, Stream{1, 2048, 0}>(a.data(), t.data(), weights.packed.data(),
                                                                  weights.scale.scales(), {c.data(), n + 3, m, n}, k,
                                                                  part.begin, part.end, scratch.data());
      continue;
    }
    for (const Range rows : Parts({0, m}, 2 * MR, MR)) {
      for (const Range depth : Parts({0, k}, 4 * Block, Block)) {
        gemm_block_scaled_quads<L, MR, NV, Block>(a.data(), t.data(), weights.packed.data(), weights.scale.scales(),
                                                  {c.data(), n + 3, m, n}, k, rows, depth, part.begin, part.end,
                                                  scratch.data());
      }
    }
  }
  ASSERT_TRUE(check<Block>(weights, x, c, "tiles"));
}

template <int L, std::int64_t Block, CodeBounds Bounds, class Codes, class Scales>
void check_quads() {
  for (const std::int64_t n : {1, L, 3 * L + 5}) {
    for (const std::int64_t blocks : {2, 6}) {
      check_quads_row<L, Block, Bounds, Codes, Scales>(n, blocks * Block);
      check_quads_tiles<L, 2, 1, Block, Bounds, Codes, Scales>(2, n, blocks * Block);
      check_quads_tiles<L, 2, 1, Block, Bounds, Codes, Scales>(5, n, blocks * Block);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(ScaledQuads, BytesInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_quads<L, 8, CodeBounds{}, std::int8_t, F32>();
    check_quads<L, 16, CodeBounds{}, std::int8_t, BF16>();
    check_quads<L, 32, CodeBounds{}, std::int8_t, F16>();
    check_quads<L, 64, CodeBounds{}, std::int8_t, NestedBF16>();
    check_quads<L, 256, CodeBounds{}, std::int8_t, F32>();
  });
}

// The fewer bits codes have, the longer sums of pairs stay in 16 bits; their extremes meet those of rows.
TEST(ScaledQuads, SmallCodesInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_quads<L, 8, CodeBounds{-8, 7}, SmallInFour, F32>();
    check_quads<L, 32, CodeBounds{0, 15}, SmallInFour, F16>();
    check_quads<L, 64, CodeBounds{-128, -113}, SmallInFour, NestedBF16>();
    check_quads<L, 256, CodeBounds{112, 127}, SmallInFour, BF16>();
    check_quads<L, 32, CodeBounds{-16, 15}, InFive, F16>();
    check_quads<L, 64, CodeBounds{96, 127}, InFive, NestedBF16>();
    check_quads<L, 256, CodeBounds{-128, -97}, InFive, F32>();
    check_quads<L, 16, CodeBounds{-32, 31}, InSix, NestedBF16>();
    check_quads<L, 32, CodeBounds{64, 127}, InSix, F16>();
    check_quads<L, 256, CodeBounds{-128, -65}, InSix, F32>();
  });
}

TEST(ScaledQuads, FourBitsInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_quads<L, 8, CodeBounds{}, InFour, F16>();
    check_quads<L, 16, CodeBounds{-12, 12}, InFour, NestedBF16>();
    check_quads<L, 32, CodeBounds{-8, 7}, InFour, F16>();
    check_quads<L, 64, CodeBounds{0, 15}, InFour, BF16>();
    check_quads<L, 256, CodeBounds{-8, 7}, InFour, F32>();
    check_quads<L, 32, CodeBounds{-127, 113}, InFour, F32>();
  });
}

// Tiles of heights that the lanes don't divide, and of several panels.
template <int L, int MR, int NV, std::int64_t Block>
void check_shape() {
  for (const std::int64_t m : {1, 2, MR, MR + 1, 2 * MR + 2}) {
    check_quads_tiles<L, MR, NV, Block, CodeBounds{-8, 7}, SmallInFour, F16>(m, 5 * L + 1, 6 * Block);
    if constexpr (Block % 32 == 0)
      check_quads_tiles<L, MR, NV, Block, CodeBounds{-9, 22}, InFive, F16>(m, 5 * L + 1, 6 * Block);
    if (testing::Test::HasFatalFailure()) return;
  }
}
TEST(ScaledQuads, TilesOfManyShapes) {
  if_tested<8>([]<int L>(Lanes<L>) {
    check_shape<L, 1, 4, 32>();
    check_shape<L, 3, 3, 16>();
    check_shape<L, 5, 2, 8>();
    check_shape<L, 6, 2, 32>();
    check_shape<L, 12, 1, 32>();
  });
  if_tested<4>([]<int L>(Lanes<L>) { check_shape<L, 6, 3, 32>(); });
}

}  // namespace
}  // namespace strata::tensor
