// SPDX-License-Identifier: Apache-2.0
#include "tensor/matmul.h"

#include <tuple>

#include "blocked_gemm.h"
#include "matmul_problem.h"

namespace strata::tensor {
namespace {

template <int L, Stream How, BLayout Layout, int Rows, class T>
void check_gemv() {
  for (const std::int64_t n : kColumns) {
    for (const std::int64_t k : kDepths) {
      const Problem<T> problem{Rows, n, k};
      const auto b = packed<L, Layout>(problem);
      auto c = problem.untouched();
      const std::int64_t panels = div_up(n, L), middle = panels / 2;
      gemv_panels<L, How, Layout, Rows>(problem.a.data(), k, b.data(), k, n, c.data(), problem.ldc(), 0, middle);
      gemv_panels<L, How, Layout, Rows>(problem.a.data(), k, b.data(), k, n, c.data(), problem.ldc(), middle, panels);
      ASSERT_TRUE(problem.check(c, problem.describe("gemv", L, Layout)));
    }
  }
}

// The left rows in pairs of bf16, an odd depth padded with a zero.
template <int L, Stream How, int Rows>
void check_gemv_of_pairs() {
  for (const std::int64_t n : kColumns) {
    for (const std::int64_t k : kDepths) {
      const Problem<bf16> problem{Rows, n, k};
      const auto b = packed<L, BLayout::kPairs>(problem);
      std::vector<bf16> a(packed_row_pairs_elements(1, Rows, k));
      const std::vector<bf16> rows(problem.a.begin(), problem.a.end());
      pack_rows_pairs<L, 1>(rows.data(), k, Rows, k, k, a.data());
      const std::int64_t lda = div_up(k, 2) * 2;
      auto c = problem.untouched();
      const std::int64_t panels = div_up(n, L), middle = panels / 2;
      const auto run = [&](std::int64_t begin, std::int64_t end) {
        gemv_panels<L, How, BLayout::kPairs, Rows>(a.data(), lda, b.data(), k, n, c.data(), problem.ldc(), begin, end);
      };
      run(0, middle);
      run(middle, panels);
      ASSERT_TRUE(problem.check(c, problem.describe("gemv bf16 pairs x", L, BLayout::kPairs), true));
    }
  }
}

template <int L>
void check_gemv_types() {
  check_gemv<L, Stream{4, 0, 0}, BLayout::kLanes, 1, float>();
  check_gemv<L, Stream{4, 0, 0}, BLayout::kLanes, 1, f16>();
  check_gemv<L, Stream{4, 0, 0}, BLayout::kLanes, 1, bf16>();
  check_gemv<L, Stream{4, 0, 0}, BLayout::kPairs, 1, bf16>();
  check_gemv<L, Stream{1, 4096, 0}, BLayout::kLanes, 1, float>();
  check_gemv<L, Stream{2, 8192, 3}, BLayout::kLanes, 2, f16>();
  check_gemv<L, Stream{2, 8192, 3}, BLayout::kLanes, 3, float>();
  check_gemv<L, Stream{2, 8192, 3}, BLayout::kPairs, 4, bf16>();
  check_gemv_of_pairs<L, Stream{1, 0, 0}, 1>();
  check_gemv_of_pairs<L, Stream{4, 4096, 0}, 1>();
  check_gemv_of_pairs<L, Stream{2, 8192, 3}, 3>();
}

TEST(Gemv, OfTheTypes) {
  for_each_width([]<int L>(Lanes<L>) { check_gemv_types<L>(); });
}

template <int L, int MR, int NV, BLayout Layout, class TA, bool Widened, class T>
void check_gemm_size(const Problem<T>& problem, Blocks blocks = {}) {
  const std::int64_t m = problem.m, n = problem.n, k = problem.k;
  const auto b = packed<L, Layout>(problem);
  std::vector<TA> a;
  if constexpr (std::is_same_v<TA, float>) {
    a.resize(packed_rows_elements(MR, m, k));
    pack_rows<L, MR>(problem.a.data(), k, m, k, k, a.data());
  } else {
    a.resize(packed_row_pairs_elements(MR, m, k));
    const std::vector<bf16> rows(problem.a.begin(), problem.a.end());
    pack_rows_pairs<L, MR>(rows.data(), k, m, k, k, a.data());
  }
  std::vector<float> scratch(widened_elements(L, NV, k));
  auto c = problem.untouched();
  const std::int64_t panels = div_up(n, L), middle = panels / 3;
  const GemmTarget out{c.data(), problem.ldc(), m, n};
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    for_each_block<MR>(m, k, blocks, [&](Range rows, Range depth) {
      if constexpr (Widened) {
        gemm_block_widened<L, MR, NV, Layout>(a.data(), b.data(), out, k, rows, depth, begin, end, scratch.data());
      } else {
        gemm_block<L, MR, NV, Layout, Stream{NV, 4096, 2}>(a.data(), b.data(), out, k, rows, depth, begin, end);
      }
    });
  };
  run(0, middle);
  run(middle, panels);
  const char* kernel = std::is_same_v<TA, float> ? "gemm f32 x" : "gemm bf16 pairs x";
  ASSERT_TRUE(problem.check(c, problem.describe(kernel, L, Layout), !std::is_same_v<TA, float>));
}

template <int L, int MR, int NV, BLayout Layout, class TA, class T, bool Widened = false>
void check_gemm() {
  for (std::int64_t m = 1; m <= 17; ++m) {
    for (const std::int64_t n : kColumns) {
      for (const std::int64_t k : kDepths) {
        check_gemm_size<L, MR, NV, Layout, TA, Widened>(Problem<T>{m, n, k});
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

template <int L, int MR, int NV>
void check_gemm_types() {
  check_gemm<L, MR, NV, BLayout::kLanes, float, float>();
  check_gemm<L, MR, NV, BLayout::kLanes, float, f16>();
  check_gemm<L, MR, NV, BLayout::kLanes, float, f16, true>();
  check_gemm<L, MR, NV, BLayout::kLanes, float, bf16, true>();
  check_gemm<L, MR, NV, BLayout::kPairs, float, bf16, true>();
  check_gemm<L, MR, NV, BLayout::kPairs, bf16, bf16>();
}

TEST(Gemm, Lanes16) {
  if_tested<16>([]<int L>(Lanes<L>) { check_gemm_types<L, 6, 4>(); });
}
TEST(Gemm, Lanes8) {
  if_tested<8>([]<int L>(Lanes<L>) { check_gemm_types<L, 6, 2>(); });
}
TEST(Gemm, Lanes4) {
  if_tested<4>([]<int L>(Lanes<L>) { check_gemm_types<L, 5, 3>(); });
}

// Blocks of k add to what the earlier ones have left, blocks of rows stand side by side.
TEST(Gemm, BlocksMakeTheWhole) {
  for (const std::int64_t k : {64, 1024, 1025, 2051}) {
    for (const Blocks blocks : {Blocks{6, 512}, Blocks{12, 32}, Blocks{264, 1024}}) {
      check_gemm_size<8, 6, 2, BLayout::kLanes, float, false>(Problem<float>{19, 33, k}, blocks);
      check_gemm_size<8, 6, 2, BLayout::kLanes, float, true>(Problem<f16>{19, 33, k}, blocks);
      check_gemm_size<8, 6, 2, BLayout::kPairs, float, true>(Problem<bf16>{19, 33, k}, blocks);
      check_gemm_size<8, 6, 2, BLayout::kPairs, bf16, false>(Problem<bf16>{19, 33, k}, blocks);
    }
  }
}

TEST(Parts, CoverTheRangeInEqualUnits) {
  for (std::int64_t n = 0; n <= 70; ++n) {
    for (const std::int64_t limit : {6, 12, 30}) {
      std::int64_t at = 5;
      for (const Range part : Parts({5, 5 + n}, limit, 6)) {
        ASSERT_EQ(part.begin, at);
        ASSERT_GT(part.size(), 0);
        ASSERT_LE(part.size(), limit);
        ASSERT_TRUE(part.size() % 6 == 0 || part.end == 5 + n);
        at = part.end;
      }
      ASSERT_EQ(at, 5 + n);
    }
  }
}

struct AddColumnNumber {
  float* out;
  std::int64_t ld;
  template <int N>
  void operator()(Lanes<N> lanes, float*, Vec<float, N> value, std::int64_t row, std::int64_t column) const {
    for (int i = 0; i < lanes.count; ++i) {
      out[row * ld + column + i] = lane(value, i) + static_cast<float>(100 * row + column + i);
    }
  }
};

TEST(Gemv, EpilogueSeesValueAndPosition) {
  const Problem<float> problem{2, 17, 7};
  const auto b = packed<8, BLayout::kLanes>(problem);
  std::vector<float> out(problem.m * problem.n), unused(out.size());
  gemv_panels<8, Stream{2}, BLayout::kLanes, 2>(problem.a.data(), problem.k, b.data(), problem.k, problem.n,
                                                unused.data(), problem.n, 0, 3, AddColumnNumber{out.data(), problem.n});
  for (std::int64_t i = 0; i < problem.m * problem.n; ++i) {
    Dot expected = problem.dot(i / problem.n, i % problem.n);
    expected.add(static_cast<float>(100 * (i / problem.n) + i % problem.n), 1.0);
    ASSERT_TRUE(near_dot(expected, out[i], "element " + std::to_string(i)));
  }
}

TEST(Pack, IndexFindsEveryElement) {
  const Problem<bf16> problem{1, 33, 7};
  const auto lanes = packed<16, BLayout::kLanes>(problem);
  const auto pairs = packed<16, BLayout::kPairs>(problem);
  for (std::int64_t n = 0; n < problem.n; ++n) {
    for (std::int64_t i = 0; i < problem.k; ++i) {
      const std::uint16_t expected = problem.b[n * problem.k + i].bits;
      const auto in_lanes = packed_b_index<16, BLayout::kLanes>(n, i, problem.k);
      const auto in_pairs = packed_b_index<16, BLayout::kPairs>(n, i, problem.k);
      ASSERT_EQ(lanes[in_lanes].bits, expected) << "lanes, B[" << n << "," << i << "]";
      ASSERT_EQ(pairs[in_pairs].bits, expected) << "pairs, B[" << n << "," << i << "]";
    }
  }
}

}  // namespace
}  // namespace strata::tensor
