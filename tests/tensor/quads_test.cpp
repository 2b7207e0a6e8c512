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

TEST(Quads, ProductsOfBytesAreExact) {
  for_each_width([]<int L>(Lanes<L>) { check_sizes<L>(); });
}

}  // namespace
}  // namespace strata::tensor
