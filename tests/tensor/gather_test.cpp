// SPDX-License-Identifier: Apache-2.0
#include "tensor/gather.h"

#include "quantised_weights.h"
#include "tensor/encoded.h"

namespace strata::tensor {
namespace {

// Of bytes, whole numbers of all sizes.
template <class T>
std::vector<T> random_table(std::int64_t count) {
  if constexpr (!std::is_integral_v<T>) return random_values<T>(count, 5);
  std::vector<T> table;
  for (const float value : random_values<float>(count, 5)) table.push_back(static_cast<T>(value * 128));
  return table;
}

template <int L, class T>
void check_gather() {
  constexpr std::int64_t kRows = 21;
  const std::vector<std::int32_t> ids = {0, 20, 7, 7, 16};
  for (const std::int64_t dim : {1, 2, 7, 16, 33, 100}) {
    const auto table = random_table<T>(kRows * dim);
    const std::int64_t ldo = dim + 1;
    std::vector<float> plain(ids.size() * ldo, -9.0f), lanes = plain, pairs = plain, quads = plain;
    gather_rows<L>(table.data(), ids.data(), ids.size(), dim, plain.data(), ldo);

    std::vector<T> packed(packed_b_elements<L, BLayout::kQuads>(kRows, dim));
    pack_panels<L, BLayout::kLanes>(table.data(), kRows, dim, packed.data());
    gather_packed_rows<L, BLayout::kLanes>(packed.data(), ids.data(), ids.size(), dim, lanes.data(), ldo);
    pack_panels<L, BLayout::kPairs>(table.data(), kRows, dim, packed.data());
    gather_packed_rows<L, BLayout::kPairs>(packed.data(), ids.data(), ids.size(), dim, pairs.data(), ldo);
    pack_panels<L, BLayout::kQuads>(table.data(), kRows, dim, packed.data());
    gather_packed_rows<L, BLayout::kQuads>(packed.data(), ids.data(), ids.size(), dim, quads.data(), ldo);

    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (std::int64_t j = 0; j < ldo; ++j) {
        const float expected = j < dim ? static_cast<float>(table[ids[i] * dim + j]) : -9.0f;
        const auto where = [&] {
          return ::testing::Message() << type_name<T>() << " lanes " << L << " dim " << dim << " at [" << i << "," << j
                                      << "]";
        };
        ASSERT_EQ(plain[i * ldo + j], expected) << "row-major " << where();
        ASSERT_EQ(lanes[i * ldo + j], expected) << "lanes " << where();
        ASSERT_EQ(pairs[i * ldo + j], expected) << "pairs " << where();
        ASSERT_EQ(quads[i * ldo + j], expected) << "quads " << where();
      }
    }
  }
}

TEST(GatherRows, EveryTypeAndLayout) {
  for_each_width([]<int L>(Lanes<L>) {
    check_gather<L, float>();
    check_gather<L, f16>();
    check_gather<L, bf16>();
    check_gather<L, std::int8_t>();
  });
}

// Rows of codes in fewer bits are the codes.
template <int L, class E>
void check_codes(int low, int high) {
  const std::vector<std::int32_t> ids = {0, 20, 7, 7, 16};
  for (const std::int64_t dim : {1, 7, 8, 33, 96}) {
    const auto codes = random_codes(21, dim, low, high, kDifferent<Encoded<E>>);
    std::vector<float> out(ids.size() * (dim + 1), -9.0f);
    gather_encoded_rows<L>(packed_codes<L>(codes, 21, dim, Encoded<E>{}).data(), ids.data(), ids.size(), dim,
                           out.data(), dim + 1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (std::int64_t j = 0; j <= dim; ++j) {
        const float expected = j < dim ? codes[ids[i] * dim + j] : -9.0f;
        ASSERT_EQ(out[i * (dim + 1) + j], expected)
            << kEncodedBits<E> << " bits, lanes " << L << " dim " << dim << " [" << i << "," << j << "]";
      }
    }
  }
}

TEST(GatherRows, OfCodesInFewerBits) {
  for_each_width([]<int L>(Lanes<L>) {
    check_codes<L, I8In4>(-100, 90);
    check_codes<L, I8Small4>(-8, 7);
    check_codes<L, I8In5>(0, 31);
    check_codes<L, I8In6>(-32, 31);
  });
}

TEST(GatherRows, SixtyFourBitIds) {
  const auto table = random_values<float>(12, 6);
  const std::int64_t id = 2;
  float out[4];
  gather_rows<4>(table.data(), &id, 1, 4, out, 4);
  for (int j = 0; j < 4; ++j) EXPECT_EQ(out[j], table[8 + j]);
}

}  // namespace
}  // namespace strata::tensor
