// SPDX-License-Identifier: Apache-2.0
#include "tensor/scaled.h"

#include "quantised_weights.h"
#include "tensor/range.h"

namespace strata::tensor {
namespace {

constexpr float kNeverWritten = 12345.0f;
using F32 = BlockScales<float>;
using F16 = BlockScales<f16>;
using BF16 = BlockScales<bf16>;
using NestedF16 = NestedScales<std::int8_t, f16, 2>;
using InFour = Encoded<I8In4>;
using SmallInFour = Encoded<I8Small4>;
using InFive = Encoded<I8In5>;
using InSix = Encoded<I8In6>;

// The codes of weights: of any, those that 16 may be.
template <class Codes>
constexpr int kLow = -128;
template <int Bits>
constexpr int kLow<Encoded<CodesIn<Bits, Digits::kDistances>>> = 9 - (1 << Bits);
template <class Codes>
constexpr int kHigh = 127;
template <int Bits>
constexpr int kHigh<Encoded<CodesIn<Bits, Digits::kDistances>>> = 8;

// Every product of rows x [m][k], and what lies beside them in c, [m][n + 3].
template <std::int64_t Block, class Weights>
testing::AssertionResult check(const Weights& weights, const std::vector<float>& x, const std::vector<float>& c,
                               const char* kernel) {
  const std::int64_t n = weights.n, k = weights.k, ldc = n + 3;
  for (std::int64_t row = 0; row < std::ssize(c) / ldc; ++row) {
    for (std::int64_t column = 0; column < ldc; ++column) {
      const float actual = c[row * ldc + column];
      if (column >= n) {
        if (actual != kNeverWritten) return testing::AssertionFailure() << weights.describe() << ": written outside";
        continue;
      }
      const auto result =
          near_blocks(weights, column, k / Block, static_cast<double>(k + 8), actual, [&](std::int64_t block) {
            Dot sum;
            for (std::int64_t i = block * Block; i < block * Block + Block; ++i) {
              sum.add(x[row * k + i], static_cast<float>(weights.codes[column * k + i]));
            }
            return std::pair(sum.value, sum.magnitude);
          });
      if (!result) return testing::AssertionFailure() << kernel << " row " << row << ", " << result.message();
    }
  }
  return testing::AssertionSuccess();
}

template <int L, std::int64_t Block, class Codes, class Scales>
void check_row(std::int64_t n, std::int64_t k) {
  const QuantisedWeights<L, Block, Codes, Scales> weights{n, k, kLow<Codes>, kHigh<Codes>};
  const auto x = random_values<float>(k, 1);
  std::vector<float> c(static_cast<std::size_t>(n + 3), kNeverWritten);
  const std::int64_t panels = div_up(n, L), middle = panels / 2;
  const auto scales = weights.scale.scales();
  gemv_scaled<L, Block, Stream{}>(x.data(), weights.packed.data(), scales, k, n, c.data(), 0, middle);
  gemv_scaled<L, Block, Stream{1, 4096, 0}>(x.data(), weights.packed.data(), scales, k, n, c.data(), middle, panels);
  ASSERT_TRUE(check<Block>(weights, x, c, "row"));
}

template <int L, int MR, int NV, std::int64_t Block, class Codes, class Scales>
void check_tiles(std::int64_t m, std::int64_t n, std::int64_t k) {
  const QuantisedWeights<L, Block, Codes, Scales> weights{n, k, kLow<Codes>, kHigh<Codes>};
  const auto x = random_values<float>(m * k, 1);
  std::vector<float> a(static_cast<std::size_t>(packed_rows_elements(MR, m, k)));
  pack_rows<L, MR>(x.data(), k, m, k, k, a.data());
  std::vector<float> c(static_cast<std::size_t>(m * (n + 3)), kNeverWritten);
  std::vector<float> scratch(static_cast<std::size_t>(widened_elements(L, NV, k)));
  const std::int64_t panels = div_up(n, L), middle = panels / 3;
  for (const Range part : {Range{0, middle}, Range{middle, panels}}) {
    for (const Range rows : Parts({0, m}, 2 * MR, MR)) {
      for (const Range depth : Parts({0, k}, 2 * Block, Block)) {
        gemm_block_scaled<L, MR, NV, Block>(a.data(), weights.packed.data(), weights.scale.scales(),
                                            {c.data(), n + 3, m, n}, k, rows, depth, part.begin, part.end,
                                            scratch.data());
      }
    }
  }
  ASSERT_TRUE(check<Block>(weights, x, c, "tiles"));
}

template <int L, std::int64_t Block, class Codes, class Scales>
void check_both() {
  for (const std::int64_t n : {1, L, 3 * L + 5}) {
    for (const std::int64_t blocks : {2, 6}) {
      check_row<L, Block, Codes, Scales>(n, blocks * Block);
      check_tiles<L, 5, 2, Block, Codes, Scales>(13, n, blocks * Block);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Scaled, BytesInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_both<L, 8, std::int8_t, F32>();
    check_both<L, 16, std::int8_t, BF16>();
    check_both<L, 32, std::int8_t, F16>();
    check_both<L, 64, std::int8_t, NestedF16>();
    check_both<L, 256, std::int8_t, F32>();
  });
}

TEST(Scaled, FourBitsInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_both<L, 8, InFour, F16>();
    check_both<L, 16, InFour, NestedF16>();
    check_both<L, 32, InFour, F32>();
    check_both<L, 64, InFour, BF16>();
    check_both<L, 256, InFour, F16>();
  });
}

TEST(Scaled, SmallCodesInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_both<L, 8, SmallInFour, F16>();
    check_both<L, 32, SmallInFour, NestedF16>();
    check_both<L, 32, InFive, F16>();
    check_both<L, 64, InFive, NestedF16>();
    check_both<L, 16, InSix, NestedF16>();
    check_both<L, 64, InSix, BF16>();
  });
}

// As products read it, and by itself.
template <int L, class E>
void check_elements(int low, int high) {
  constexpr std::int64_t kRows = 21, kDim = 96;
  const auto codes = random_codes(kRows, kDim, low, high, kDifferent<Encoded<E>>);
  const auto packed = packed_codes<L>(codes, kRows, kDim, Encoded<E>{});
  const EncodedMatrix<E, L> matrix(packed.data(), kDim);
  const typename E::template Decoder<L> decoder(matrix.header());
  ASSERT_EQ(decoder.low(), low);
  for (std::int64_t i = 0; i < kRows * kDim; ++i) {
    const std::int64_t row = i / kDim, at = i % kDim, in = at % E::kDepth;
    const Encoded<E>* const group = matrix.group(row / L, at);
    std::int8_t quads[E::kDepth / 4][4 * L];
    std::uint8_t distances[E::kDepth / 4][4 * L];
    for_each_number<E::kDepth / 4>([&]<int V>(Lanes<V>) {
      const auto found = decoder.template quads<V>(group), above = decoder.template distances<V>(group);
      std::memcpy(quads[V], &found, sizeof(found));
      std::memcpy(distances[V], &above, sizeof(above));
    });
    const auto what = [&] { return std::to_string(kEncodedBits<E>) + " bits, lanes " + std::to_string(L); };
    ASSERT_EQ(decoder.element(group, in, row % L), codes[i]) << what() << " at " << row << ", " << at;
    ASSERT_EQ(quads[in / 4][row % L * 4 + in % 4], codes[i]) << what() << " at " << row << ", " << at;
    ASSERT_EQ(distances[in / 4][row % L * 4 + in % 4], codes[i] - low) << what() << " at " << row << ", " << at;
  }
}

TEST(Scaled, EveryElementOfCodes) {
  for_each_width([]<int L>(Lanes<L>) {
    check_elements<L, I8In4>(-128, 127);
    for (const int low : {-128, -8, 0, 112}) check_elements<L, I8Small4>(low, low + 15);
    for (const int low : {-128, -16, 0, 96}) check_elements<L, I8In5>(low, low + 31);
    for (const int low : {-128, -32, 1, 64}) check_elements<L, I8In6>(low, low + 63);
  });
}

}  // namespace
}  // namespace strata::tensor
