// SPDX-License-Identifier: Apache-2.0
#include "tensor/quantise.h"

#include <cfenv>

#include "reference.h"

namespace strata::tensor {
namespace {

template <int L, std::int64_t Block>
void check_rows(std::int64_t m, std::int64_t k) {
  SCOPED_TRACE(testing::Message() << L << " lanes, block " << Block << ", m " << m << ", k " << k);
  const std::int64_t ldx = k + 3, blocks = div_up(k, Block);
  auto x = random_values<float>(m * ldx, 7);
  for (std::int64_t i = 0; i < Block && i < k; ++i) x[i] = i % 2 == 0 ? 0.0f : -0.0f;               // scale 0
  for (std::int64_t i = Block; i < 2 * Block && i < k; ++i) x[i] = static_cast<float>(i % 16) / 2;  // ties
  if (k > Block) x[Block] = -127.0f;                                                                // scale 1
  if (k > 2 * Block) x[2 * Block] = -190 * 0x1p-149f;  // over 127 times what the scale rounds to
  for (std::int64_t i = 2 * Block + 1; i < 3 * Block && i < k; ++i) x[i] = 0;
  std::vector<float> t(static_cast<std::size_t>(m * blocks + 1), -1.0f);
  std::vector<std::int8_t> q(static_cast<std::size_t>(m * k + 1), 99);
  row_block_scales<L, Block>(x.data(), ldx, m, k, t.data());
  quantise_rows<L, Block>(x.data(), ldx, t.data(), m, k, q.data());
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t first = i / Block * Block;
      float most = 0;
      for (std::int64_t j = first; j < first + Block && j < k; ++j) most = std::max(most, std::abs(x[row * ldx + j]));
      const float scale = most / 127.0f;
      ASSERT_EQ(t[row * blocks + i / Block], scale);
      const float expected = scale == 0 ? 0 : std::clamp(std::nearbyint(x[row * ldx + i] / scale), -127.0f, 127.0f);
      ASSERT_EQ(q[row * k + i], static_cast<int>(expected)) << row << ", " << i;
    }
  }
  EXPECT_EQ(t.back(), -1.0f);
  EXPECT_EQ(q.back(), 99);
}

TEST(Quantise, RowsInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    for (const std::int64_t m : {1, 3}) {
      check_rows<L, 8>(m, 40);
      check_rows<L, 32>(m, 128);
      check_rows<L, 64>(m, 257);
      check_rows<L, 256>(m, 768);
    }
  });
}

}  // namespace
}  // namespace strata::tensor
