// SPDX-License-Identifier: Apache-2.0
#include "tensor/pack.h"

#include "reference.h"

namespace strata::tensor {
namespace {

constexpr std::uint32_t kUntouched = 0x7b7b7b7b;

// Every bit pattern is as likely, among them NaNs with payloads, infinities, subnormals and ties of the rounding.
std::vector<std::uint32_t> random_words(std::int64_t count) {
  constexpr std::uint32_t kSpecial[] = {0x7f800001, 0xffffffff, 0x7f800000, 0xff800000, 0x00000001, 0x807fffff,
                                        0x3f808000, 0x3f818000, 0x7f7fffff, 0x80000000, 0x00008000, 0x7fffffff};
  std::mt19937 engine(11);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(count));
  for (std::uint32_t& word : words) {
    const auto any = static_cast<std::uint32_t>(engine());
    word = any % 4 == 0 ? kSpecial[any / 4 % std::size(kSpecial)] : any;
  }
  return words;
}

struct Matrix {
  std::int64_t m, k;
  std::int64_t ld = k + 3;
  std::vector<std::uint32_t> words = random_words((m - 1) * ld + k);

  const float* data() const { return reinterpret_cast<const float*>(words.data()); }
  float at(std::int64_t row, std::int64_t column) const {
    return row < m && column < k ? bit_cast<float>(words[row * ld + column]) : 0.0f;
  }
  // What the packed buffer holds as words, one word beyond its end included.
  std::vector<std::uint32_t> packed(int mr, bool pairs) const {
    std::vector<std::uint32_t> out;
    for (std::int64_t row = 0; row < m; row += mr) {
      for (std::int64_t i = 0; i < k; i += pairs ? 2 : 1) {
        for (int r = 0; r < mr; ++r) {
          const std::uint32_t odd = bf16(at(row + r, i + 1)).bits;
          out.push_back(pairs ? bf16(at(row + r, i)).bits | odd << 16 : bit_cast<std::uint32_t>(at(row + r, i)));
        }
      }
    }
    out.push_back(kUntouched);
    return out;
  }
};

template <int L, int MR>
void check_size(const Matrix& x) {
  const auto check = [&](bool pairs, auto&& pack) {
    const auto expected = x.packed(MR, pairs);
    std::vector<std::uint32_t> actual(expected.size(), kUntouched);
    pack(actual.data());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(actual[i], expected[i]) << (pairs ? "pairs" : "f32") << " lanes " << L << " MR " << MR << " m " << x.m
                                        << " k " << x.k << " at word " << i;
    }
  };
  check(false, [&](void* out) { pack_rows<L, MR>(x.data(), x.ld, x.m, x.k, x.k, static_cast<float*>(out)); });
  const std::vector<bf16> halves(x.data(), x.data() + x.words.size());
  check(true, [&](void* out) { pack_rows_pairs<L, MR>(halves.data(), x.ld, x.m, x.k, x.k, static_cast<bf16*>(out)); });
}

template <int L, int... MR>
void check_rows() {
  for (const std::int64_t m : {1, 5, 6, 7, 13}) {
    for (const std::int64_t k : {1, 2, 7, 16, 17, 31, 33, 64, 100}) {
      const Matrix x{m, k};
      (check_size<L, MR>(x), ...);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Pack, EveryBitOfEveryRowCount) {
  for_each_width([]<int L>(Lanes<L>) { check_rows<L, 1, 2, 3, 4, 5, 6, 8, 9, 14, 16>(); });
  check_rows<1, 1, 6>();
}

TEST(Pack, RowsArePaddedWithZeros) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9};  // [3][3]
  std::vector<float> out(packed_rows_elements(2, 3, 3), -1.0f);
  pack_rows<4, 2>(x.data(), 3, 3, 3, 3, out.data());
  EXPECT_EQ(out, (std::vector<float>{1, 4, 2, 5, 3, 6, 7, 0, 8, 0, 9, 0}));
}

TEST(Pack, RowPairsArePaddedWithZeros) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8, 9};  // [3][3]
  const std::vector<bf16> x(values.begin(), values.end());
  std::vector<bf16> out(packed_row_pairs_elements(2, 3, 3), bf16(-1.0f));
  pack_rows_pairs<4, 2>(x.data(), 3, 3, 3, 3, out.data());
  const std::vector<float> expected = {1, 2, 4, 5, 3, 0, 6, 0, 7, 8, 0, 0, 9, 0, 0, 0};
  ASSERT_EQ(out.size(), expected.size());
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(static_cast<float>(out[i]), expected[i]) << "element " << i;
}

}  // namespace
}  // namespace strata::tensor
