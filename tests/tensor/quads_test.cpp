// SPDX-License-Identifier: Apache-2.0
#include "tensor/quads.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "blocked_gemm.h"
#include "reference.h"

namespace strata::tensor {
namespace {

std::vector<std::int8_t> random_bytes(std::int64_t count, std::mt19937& random) {
  std::vector<std::int8_t> bytes(static_cast<std::size_t>(count));
  for (std::int8_t& byte : bytes) byte = static_cast<std::int8_t>(random() % 256);
  bytes.front() = -128;  // whose product with itself is the largest
  return bytes;
}

// Every element, exactly; what lies beside the columns is left alone.
template <int L, int MR, int NV>
void check(std::int64_t m, std::int64_t n, std::int64_t k) {
  SCOPED_TRACE(testing::Message() << L << " lanes, m " << m << ", n " << n << ", k " << k);
  std::mt19937 random(static_cast<unsigned>(m * 1000 + n * 10 + k));
  const std::vector<std::int8_t> a = random_bytes(m * k, random), b = random_bytes(n * k, random);
  std::vector<std::int8_t> rows(static_cast<std::size_t>(div_up(m, MR) * MR * div_up(k, 4) * 4), 1);
  std::vector<std::int8_t> panels(static_cast<std::size_t>(packed_b_elements<L, BLayout::kQuads>(n, k)), 1);
  pack_rows_quads<MR>(a.data(), k, m, k, k, rows.data());
  pack_panels<L, BLayout::kQuads>(b.data(), n, k, panels.data());
  const std::int64_t ldc = n + 3;
  std::vector<float> c(static_cast<std::size_t>(m * ldc), -7.0f);
  for_each_block<MR>(m, k, {2 * MR, 64}, [&](Range of_m, Range of_k) {
    gemm_block<L, MR, NV, BLayout::kQuads>(rows.data(), panels.data(), {c.data(), ldc, m, n}, k, of_m, of_k, 0,
                                           div_up(n, L));
  });
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < ldc; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t s = 0; j < n && s < k; ++s) sum += a[i * k + s] * b[j * k + s];
      ASSERT_EQ(c[i * ldc + j], j < n ? static_cast<float>(sum) : -7.0f) << i << ", " << j;
    }
  }
}

template <int L>
void check_sizes() {
  for (const std::int64_t m : {1, 6, 17}) {
    for (const std::int64_t n : {1, 16, 37, 130}) {
      for (const std::int64_t k : {1, 4, 7, 64, 203}) check<L, 6, 4>(m, n, k);
    }
  }
  check<L, 4, 2>(5, 3 * L, 33);
}

TEST(Quads, RowsArePaddedWithZeros) {
  const std::vector<std::int8_t> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};  // [3][5]
  std::vector<std::int8_t> out(32, -1);
  pack_rows_quads<2>(x.data(), 5, 3, 5, 5, out.data());
  EXPECT_EQ(out, (std::vector<std::int8_t>{1,  2,  3,  4,  6, 7, 8, 9, 5,  0, 0, 0, 10, 0, 0, 0,
                                           11, 12, 13, 14, 0, 0, 0, 0, 15, 0, 0, 0, 0,  0, 0, 0}));
}

// Byte i of four that fit a quad.
std::int32_t quad(const std::vector<int>& bytes) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word |= static_cast<std::uint32_t>(bytes[i] & 0xff) << (8 * i);
  return static_cast<std::int32_t>(word);
}

// Each pair of bytes beside the pair of extremes that adds most to it.
template <int L>
void check_dots() {
  using Sums = Vec<std::int32_t, L>;
  for (int a = -128; a < 256; ++a) {
    for (int b = -128; b < 128; ++b) {
      const int other = b < 0 ? -128 : 127;
      if (a >= 0) {
        const Sums sums = arch::i8_dot<L>(Sums{} + 7, Sums{} + quad({a, 255, 3, 1}), Sums{} + quad({b, other, -2, 5}));
        if (!arch::kHasSignedDot<L>) ASSERT_EQ(sums[L - 1], 7 + a * b + 255 * other - 6 + 5) << a << " * " << b;
      }
      if (a == -128 || a > 127) continue;
      const int most = (a < 0) == (b < 0) ? 127 : -127;
      const Sums x = Sums{} + quad({a, b < 0 ? -most : most, 3, 1}), w = Sums{} + quad({b, other, -2, 5});
      const int expected = 7 + a * b + (b < 0 ? -most : most) * other - 6 + 5;
      ASSERT_EQ((arch::i8_dot_signed<L>(Sums{} + 7, x, w)[0]), expected) << a << " * " << b;
    }
  }
}
TEST(Quads, DotsOfEveryPairOfBytes) {
  for_each_width([]<int L>(Lanes<L>) { check_dots<L>(); });
}

TEST(Quads, ProductsOfBytesAreExact) {
  for_each_width([]<int L>(Lanes<L>) { check_sizes<L>(); });
}

}  // namespace
}  // namespace strata::tensor
