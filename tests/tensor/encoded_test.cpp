// SPDX-License-Identifier: Apache-2.0
#include "tensor/encoded.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "blocked_gemm.h"
#include "matmul_problem.h"
#include "tensor/encoding/bf16_12.h"
#include "tensor/encoding/f16_15.h"
#include "tensor/gather.h"

namespace strata::tensor {
namespace {

// One element into its group, by the definition; false if it has no form in the encoding.
template <int L>
bool put(const EncodedHeader& header, bf16 element, std::int64_t i, std::int64_t lane, Encoded<Bf16In12>* group) {
  const auto* const end = std::end(header.table);
  const auto* const index = std::find(std::begin(header.table), end, element.bits >> 7 & 0xff);
  if (index == end) return false;
  const std::int64_t byte = Bf16In12::byte(i, lane);
  group[byte].byte = static_cast<std::uint8_t>((element.bits >> 8 & 0x80) | (element.bits & 0x7f));
  group[4 * L + byte / 2].byte |= static_cast<std::uint8_t>((index - header.table) << (byte % 2 * 4));
  return true;
}
template <int L>
bool put(const EncodedHeader&, f16 element, std::int64_t i, std::int64_t lane, Encoded<F16In15>* group) {
  if ((element.bits >> F16In15::kHole & 1) != 0) return false;
  const auto add = [&](std::int64_t vector, unsigned bits) {
    Encoded<F16In15>* const word = group + (vector * 2 + i % 2) * 2 * L + lane * 2;
    word[0].byte |= static_cast<std::uint8_t>(bits & 0xff);
    word[1].byte |= static_cast<std::uint8_t>(bits >> 8);
  };
  if (i / 2 < F16In15::kStored) {
    add(i / 2, element.bits);
  } else {
    for (int v = 0; v < F16In15::kStored; ++v) add(v, (element.bits >> F16In15::bit_of(v) & 1u) << F16In15::kHole);
  }
  return true;
}

// A matrix [n][k] encoded element by element; elements without a form become exceptions. The exponents are bf16's.
template <int L, class E>
std::vector<Encoded<E>> encoded(const std::vector<typename E::Number>& elements, std::int64_t n, std::int64_t k,
                                const std::vector<std::uint8_t>& exponents) {
  EncodedHeader header{};
  std::copy(exponents.begin(), exponents.end(), header.table + 1);
  header.panels = div_up(n, L);
  const std::int64_t panel_bytes = encoded_panel_bytes<E>(L, k);
  const std::int64_t size = static_cast<std::int64_t>(sizeof(header)) + header.panels * panel_bytes;
  std::vector<std::vector<EncodedException>> exceptions(static_cast<std::size_t>(header.panels));
  std::vector<Encoded<E>> out(static_cast<std::size_t>(size));
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto element = elements[row * k + i];
      auto* const group = &out[sizeof(header) + row / L * panel_bytes + i / E::kDepth * E::bytes(L)];
      if (put<L>(header, element, i % E::kDepth, row % L, group)) continue;
      exceptions[row / L].push_back({static_cast<std::uint32_t>(i * L + row % L), static_cast<float>(element)});
    }
  }
  std::vector<std::uint32_t> first = {0};
  std::vector<EncodedException> all;
  for (const auto& panel : exceptions) {
    all.insert(all.end(), panel.begin(), panel.end());
    first.push_back(static_cast<std::uint32_t>(all.size()));
  }
  if (!all.empty()) {
    header.exceptions = size;
    out.resize(static_cast<std::size_t>(size + exceptions_bytes(header.panels, std::ssize(all))));
    std::memcpy(&out[size], first.data(), first.size() * sizeof(first[0]));
    std::memcpy(&out[size + exceptions_bytes(header.panels, 0)], all.data(), all.size() * sizeof(all[0]));
  }
  std::memcpy(out.data(), &header, sizeof(header));
  return out;
}

// The 15 exponents from `last` down. Those of values in (-1, 1) end at 126.
std::vector<std::uint8_t> exponents_from(int last) {
  std::vector<std::uint8_t> exponents(15);
  std::iota(exponents.rbegin(), exponents.rend(), static_cast<std::uint8_t>(last - 14));
  return exponents;
}

// An encoding with few exceptions, with some and with nearly nothing else. Of bf16 the table changes, of f16 the
// values.
struct Fill {
  std::vector<std::uint8_t> exponents;
  float scale;
};
const Fill kFills[] = {{exponents_from(126), 1}, {exponents_from(125), 4}, {exponents_from(90), 1e4f}};

template <class T>
Problem<T> problem_of(std::int64_t m, std::int64_t n, std::int64_t k, const Fill& test) {
  Problem<T> problem{m, n, k};
  if (std::is_same_v<T, f16>) {
    for (T& element : problem.b) element = T(static_cast<float>(element) * test.scale);
  }
  return problem;
}

// The left rows as kernels take them.
template <int L, int MR, class T>
std::vector<bf16> tiles_of(const Problem<T>& problem, bf16) {
  std::vector<bf16> a(packed_row_pairs_elements(MR, problem.m, problem.k));
  const std::vector<bf16> rows(problem.a.begin(), problem.a.end());
  pack_rows_pairs<L, MR>(rows.data(), problem.k, problem.m, problem.k, problem.k, a.data());
  return a;
}
template <int L, int MR, class T>
std::vector<float> tiles_of(const Problem<T>& problem, float) {
  std::vector<float> a(packed_rows_elements(MR, problem.m, problem.k));
  pack_rows<L, MR>(problem.a.data(), problem.k, problem.m, problem.k, problem.k, a.data());
  return a;
}

template <class TA>
std::string kernel_name(const char* kernel) {
  return std::string(kernel) + " of " + type_name<TA>() + ",";
}

template <int L, class E, class TA>
void check_rows() {
  for (const Fill& test : kFills) {
    for (const std::int64_t n : kColumns) {
      for (const std::int64_t k : kDepths) {
        const auto problem = problem_of<typename E::Number>(1, n, k, test);
        const auto b = encoded<L, E>(problem.b, n, k, test.exponents);
        const auto a = tiles_of<L, 1>(problem, TA{});
        auto c = problem.untouched();
        const std::int64_t panels = div_up(n, L), middle = panels / 2;
        const auto run = [&]<int Ahead>(Lanes<Ahead>, std::int64_t begin, std::int64_t end) {
          gemv_encoded<L, Stream{1, Ahead, 0}>(a.data(), b.data(), k, n, c.data(), begin, end);
        };
        run(Lanes<0>{}, 0, middle);
        run(Lanes<4096>{}, middle, panels);
        const std::string what = problem.describe(kernel_name<TA>("encoded row").c_str(), L, BLayout::kPairs);
        ASSERT_TRUE(problem.check(c, what, sizeof(TA) == 2));
      }
    }
  }
}

template <int L, int MR, int NV, class E, class TA>
void check_tiles(std::int64_t m, std::int64_t n, std::int64_t k, const Fill& test, Blocks blocks = {}) {
  const auto problem = problem_of<typename E::Number>(m, n, k, test);
  const auto b = encoded<L, E>(problem.b, n, k, test.exponents);
  const auto a = tiles_of<L, MR>(problem, TA{});
  std::vector<TA> scratch(decoded_elements(L, NV, E::kDepth, k));
  auto c = problem.untouched();
  const std::int64_t panels = div_up(n, L), middle = panels / 3;
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    const GemmTarget out{c.data(), problem.ldc(), m, n};
    if (m <= MR) return gemm_few_encoded<L, MR, Stream{1, 8192, 2}>(a.data(), b.data(), out, k, begin, end);
    for_each_block<MR>(m, k, blocks, [&](Range rows, Range depth) {
      gemm_block_encoded<L, MR, NV>(a.data(), b.data(), out, k, rows, depth, begin, end, scratch.data());
    });
  };
  run(0, middle);
  run(middle, panels);
  const std::string what = problem.describe(kernel_name<TA>("encoded tiles").c_str(), L, BLayout::kPairs);
  ASSERT_TRUE(problem.check(c, what, sizeof(TA) == 2));
}

template <int L, int MR, int NV>
void check_many_rows() {
  for (const Fill& test : kFills) {
    for (const std::int64_t m : {1, 2, 3, 5, 6, 7, 13}) {
      for (const std::int64_t n : kColumns) {
        for (const std::int64_t k : kDepths) {
          check_tiles<L, MR, NV, Bf16In12, bf16>(m, n, k, test);
          check_tiles<L, MR, NV, Bf16In12, float>(m, n, k, test);
          check_tiles<L, MR, NV, F16In15, float>(m, n, k, test);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

template <int L, class E>
void check_table_rows() {
  constexpr std::int64_t kRows = 21;
  const std::vector<std::int32_t> ids = {0, 20, 7, 7, 16};
  for (const Fill& test : kFills) {
    for (const std::int64_t dim : {1, 7, 16, 33, 100}) {
      const auto elements = problem_of<typename E::Number>(1, kRows, dim, test).b;
      const auto table = encoded<L, E>(elements, kRows, dim, test.exponents);
      const std::int64_t ldo = dim + 1;
      std::vector<float> out(ids.size() * ldo, kUntouched);
      gather_encoded_rows<L>(table.data(), ids.data(), ids.size(), dim, out.data(), ldo);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        for (std::int64_t j = 0; j < ldo; ++j) {
          const float expected = j < dim ? static_cast<float>(elements[ids[i] * dim + j]) : kUntouched;
          ASSERT_EQ(out[i * ldo + j], expected) << "lanes " << L << " dim " << dim << " at [" << i << "," << j << "]";
        }
      }
    }
  }
}

TEST(Encoded, OneRowInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_rows<L, Bf16In12, bf16>();
    check_rows<L, Bf16In12, float>();
    check_rows<L, F16In15, float>();
  });
}

TEST(Encoded, ManyRowsInLanes16) {
  if_tested<16>([]<int L>(Lanes<L>) { check_many_rows<L, 6, 4>(); });
}
TEST(Encoded, ManyRowsInLanes8) {
  if_tested<8>([]<int L>(Lanes<L>) { check_many_rows<L, 6, 2>(); });
}
TEST(Encoded, ManyRowsInLanes4) {
  if_tested<4>([]<int L>(Lanes<L>) { check_many_rows<L, 5, 3>(); });
}

// Panels are decoded block by block of k.
TEST(Encoded, BlocksMakeTheWhole) {
  for (const std::int64_t k : {1024, 1025, 2051}) {
    for (const Blocks blocks : {Blocks{6, 512}, Blocks{12, 1024}}) {
      check_tiles<8, 6, 2, Bf16In12, bf16>(19, 33, k, kFills[1], blocks);
      check_tiles<8, 6, 2, Bf16In12, float>(19, 33, k, kFills[1], blocks);
      check_tiles<8, 6, 2, F16In15, float>(19, 33, k, kFills[1], blocks);
    }
  }
}

TEST(Encoded, RowsOfATableInEveryWidth) {
  for_each_width([]<int L>(Lanes<L>) {
    check_table_rows<L, Bf16In12>();
    check_table_rows<L, F16In15>();
  });
}

// Every sign, mantissa and exponent comes back as it was, zeros, subnormal numbers and infinities too.
TEST(Encoded, EveryBitPatternOfF16) {
  constexpr std::int64_t kLanes = 16, kDim = 4096;
  std::vector<f16> elements(kLanes * kDim);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i].bits = static_cast<std::uint16_t>(i * 40503);
  const auto table = encoded<kLanes, F16In15>(elements, kLanes, kDim, {});
  const EncodedMatrix<F16In15, kLanes> matrix(table.data(), kDim);
  const F16In15::Decoder<kLanes> decoder(matrix.header());
  std::vector<float> exceptions(elements.size());
  matrix.for_each_exception(0, 0, kDim,
                            [&](std::int64_t i, int lane, float element) { exceptions[lane * kDim + i] = element; });
  for (std::int64_t row = 0; row < kLanes; ++row) {
    for (std::int64_t i = 0; i < kDim; ++i) {
      const std::uint16_t bits = elements[row * kDim + i].bits;
      const bool is_large = (bits & 0x4000) != 0;
      ASSERT_EQ(decoder.element(matrix.group(0, i), i % 32, row), is_large ? 0 : bits);
      if (std::isnan(static_cast<float>(elements[row * kDim + i]))) continue;
      ASSERT_EQ(exceptions[row * kDim + i], is_large ? static_cast<float>(elements[row * kDim + i]) : 0);
    }
  }
}

TEST(Encoded, EveryBitPatternOfEveryExponent) {
  constexpr std::int64_t kLanes = 16, kDim = 256;
  for (int last = 15; last < 256; last += 15) {
    const std::vector<std::uint8_t> exponents = exponents_from(last);
    std::vector<bf16> elements(kLanes * kDim);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const int exponent = i / 256 == 0 ? 0 : exponents[i / 256 - 1];
      elements[i].bits = static_cast<std::uint16_t>((i & 0x80) << 8 | exponent << 7 | (i & 0x7f));
    }
    const auto table = encoded<kLanes, Bf16In12>(elements, kLanes, kDim, exponents);
    const EncodedMatrix<Bf16In12, kLanes> matrix(table.data(), kDim);
    std::vector<bf16> decoded(elements.size());
    decode_panels<kLanes, 1>(matrix, 0, 0, kDim, decoded.data());
    for (std::int64_t row = 0; row < kLanes; ++row) {
      for (std::int64_t i = 0; i < kDim; ++i) {
        const bf16 found = decoded[packed_b_index<kLanes, BLayout::kPairs>(row, i, kDim)];
        ASSERT_EQ(found.bits, elements[row * kDim + i].bits) << "at [" << row << "," << i << "]";
      }
    }
  }
}

}  // namespace
}  // namespace strata::tensor
