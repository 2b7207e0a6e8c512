// SPDX-License-Identifier: Apache-2.0
#include "tensor/by_number.h"

#include <limits>

#include "reference.h"

namespace strata::tensor {
namespace {

TEST(Largest, KeepsTheFirstOfEqualOnesAndNumbersBeforeOthers) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const float x[2][5] = {{1, 3, 3, -2, 0}, {nan, -infinity, 2, nan, -infinity}};
  std::int32_t numbers[2][4];
  largest(x[0], 2, 5, 4, numbers[0]);
  EXPECT_EQ(std::vector<std::int32_t>(numbers[0], numbers[0] + 4), (std::vector<std::int32_t>{1, 2, 0, 4}));
  EXPECT_EQ(std::vector<std::int32_t>(numbers[1], numbers[1] + 4), (std::vector<std::int32_t>{2, 1, 4, 0}));
}

TEST(Largest, IsASortsBeginning) {
  constexpr std::int64_t kRows = 9, kSize = 67;
  const auto x = random_values<float>(kRows * kSize, 1);
  for (const std::int64_t k : {1, 2, 7, 67}) {
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(kRows * k));
    largest(x.data(), kRows, kSize, k, numbers.data());
    for (std::int64_t r = 0; r < kRows; ++r) {
      std::vector<std::int32_t> order(kSize);
      for (std::int32_t i = 0; i < kSize; ++i) order[static_cast<std::size_t>(i)] = i;
      const float* const row = x.data() + r * kSize;
      std::sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
      for (std::int64_t j = 0; j < k; ++j) ASSERT_EQ(numbers[r * k + j], order[j]) << r << ", " << j << " of " << k;
    }
  }
}

TEST(Take, ReadsEachRowsElements) {
  const float x[2][3] = {{1, 2, 3}, {4, 5, 6}};
  const std::int32_t numbers[2][2] = {{2, 0}, {1, 1}};
  float y[4];
  take(x[0], 2, 3, numbers[0], 2, y);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{3, 1, 5, 5}));
}

TEST(ByNumber, EachRowComesOnceInOrderWithItsMatrix) {
  constexpr std::int64_t kRows = 100, kMatrices = 7, kMost = 5;
  std::mt19937 engine(3);
  std::vector<std::int32_t> numbers(kRows), order(order_elements(kRows, kMatrices));
  for (std::int32_t& number : numbers) number = static_cast<std::int32_t>(engine() % (kMatrices - 1));  // one has none
  std::vector<int> seen(kRows, 0);
  std::int64_t before = -1, last = -1;
  by_number(numbers.data(), kRows, kMatrices, kMost, order.data(),
            [&](std::int64_t matrix, const std::int32_t* rows, std::int64_t count) {
              EXPECT_GE(count, 1);
              EXPECT_LE(count, kMost);
              EXPECT_GE(matrix, before);
              if (matrix != before) last = -1;
              before = matrix;
              for (std::int64_t i = 0; i < count; ++i) {
                EXPECT_EQ(numbers[static_cast<std::size_t>(rows[i])], matrix);
                EXPECT_GT(rows[i], last);
                last = rows[i];
                ++seen[static_cast<std::size_t>(rows[i])];
              }
            });
  EXPECT_EQ(seen, std::vector<int>(kRows, 1));
}

// Matrices whose columns are no whole panels, and a part of the columns that begins inside of one.
TEST(ByNumber, ProductsOfOneMatrixAreSomePanelsOfAll) {
  constexpr int kLanes = 8, kTile = 4;
  constexpr std::int64_t kRows = 11, kEach = 2, kMatrices = 3, kColumns = 21, kDepth = 9;
  const auto a = random_values<float>(kRows * kDepth, 1), b = random_values<float>(kMatrices * kColumns * kDepth, 2);
  std::vector<float> panels(packed_b_elements<kLanes, BLayout::kLanes>(kMatrices * kColumns, kDepth));
  pack_panels<kLanes, BLayout::kLanes>(b.data(), kMatrices * kColumns, kDepth, panels.data());
  std::mt19937 engine(4);
  std::vector<std::int32_t> numbers(kRows * kEach), order(order_elements(kRows * kEach, kMatrices));
  for (std::int32_t& number : numbers) number = static_cast<std::int32_t>(engine() % kMatrices);
  for (const Range part : {Range{0, kColumns}, Range{8, 16}, Range{16, kColumns}}) {
    constexpr std::int64_t kMost = 6;
    std::vector<float> c(kRows * kEach * kColumns, 7.0f), tile(kMost * tile_width(kLanes, kColumns));
    std::vector<float> taken(kTile * kDepth), rows_in_tiles(packed_rows_elements(kTile, kMost, kDepth));
    by_number(numbers.data(), kRows * kEach, kMatrices, kMost, order.data(),
              [&](std::int64_t matrix, const std::int32_t* rows, std::int64_t count) {
                const ColumnPanels<kLanes> columns(matrix, kColumns, part);
                pack_rows_by_number<kLanes, kTile>(a.data(), kDepth, kEach, rows, count, taken.data(),
                                                   rows_in_tiles.data());
                const GemmTarget target{tile_as_whole(tile.data(), columns.width(), 0, columns.first() * kLanes),
                                        columns.width(), count, columns.all()};
                gemm_block<kLanes, kTile, 2, BLayout::kLanes>(rows_in_tiles.data(), panels.data(), target, kDepth,
                                                              {0, count}, {0, kDepth}, columns.first(), columns.last());
                put_rows(tile.data(), columns, rows, count, c.data(), kColumns, part);
              });
    for (std::int64_t r = 0; r < kRows * kEach; ++r) {
      for (std::int64_t n = 0; n < kColumns; ++n) {
        const float made = c[static_cast<std::size_t>(r * kColumns + n)];
        if (n < part.begin || n >= part.end) {
          ASSERT_EQ(made, 7.0f) << "beyond the part";
          continue;
        }
        Dot dot;
        const std::int64_t row = numbers[static_cast<std::size_t>(r)] * kColumns + n;
        for (std::int64_t k = 0; k < kDepth; ++k) {
          dot.add(a[static_cast<std::size_t>(r / kEach * kDepth + k)], b[static_cast<std::size_t>(row * kDepth + k)]);
        }
        ASSERT_TRUE(near_dot(dot, made, std::to_string(r) + ", " + std::to_string(n)));
      }
    }
  }
}

}  // namespace
}  // namespace strata::tensor
