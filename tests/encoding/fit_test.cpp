// SPDX-License-Identifier: Apache-2.0
// What encodings hold of a matrix, by its statistics.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "encoding/encoding.h"

namespace strata::encoding {
namespace {

const Encoding& kept_in_12() { return *find_encoding("bf16_12"); }
const Encoding& kept_in_15() { return *find_encoding("f16_15"); }
const Encoding& kept_in_4() { return *find_encoding("i8_4"); }

bool has_exponent(const Fit& fit, int exponent) { return std::ranges::find(fit.table, exponent) != fit.table.end(); }

Statistics with_exponents(const std::map<int, std::int64_t>& counts) {
  Statistics all;
  for (const auto& [exponent, count] : counts) {
    all.bins(kept_in_12().statistics[0])[static_cast<std::size_t>(exponent)] = count;
    all.elements += count;
  }
  return all;
}

Statistics with_small(std::int64_t elements, std::int64_t small) {
  Statistics all;
  all.elements = elements;
  all.bins(kept_in_15().statistics[0])[0] = small;
  return all;
}

// How often a matrix has each of the numbers.
Statistics with_bytes(const std::map<int, std::int64_t>& counts) {
  Statistics all;
  for (const auto& [number, count] : counts) {
    all.bins(kept_in_4().statistics[0])[static_cast<std::uint8_t>(number)] = count;
    all.elements += count;
  }
  return all;
}

// The numbers -8, -1, 6, ... 97, so many of them.
std::map<int, std::int64_t> steps_of_seven(int count) {
  std::map<int, std::int64_t> counts;
  for (int i = 0; i < count; ++i) counts[7 * i - 8] = 1 + i;
  return counts;
}

TEST(Encodings, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> types;
  for (const Encoding* encoding : all_encodings()) {
    EXPECT_TRUE(names.insert(encoding->name).second) << encoding->name;
    EXPECT_TRUE(types.insert(encoding->panels.cpp_type).second) << encoding->name;
    EXPECT_EQ(find_encoding(encoding->name), encoding);
    EXPECT_NE(known_names().find(encoding->name), std::string::npos);
  }
  EXPECT_EQ(find_encoding("coded"), nullptr);
}

// Two statistics of one name are one: what is counted for one encoding is read by the other.
TEST(Encodings, AgreeOnTheirStatistics) {
  std::map<std::string_view, const Statistic*> known;
  for (const Encoding* encoding : all_encodings()) {
    EXPECT_FALSE(encoding->statistics.empty()) << encoding->name;
    for (const Statistic& statistic : encoding->statistics) {
      const Statistic& first = *known.try_emplace(statistic.name, &statistic).first->second;
      EXPECT_TRUE(first.number == statistic.number && first.bins == statistic.bins && first.count == statistic.count)
          << statistic.name;
    }
  }
}

TEST(Encodings, SayTheirBits) {
  EXPECT_EQ(form_text(DType::kBF16, &kept_in_12()), "bf16 in 12 bits");
  EXPECT_EQ(form_text(DType::kF32, &kept_in_15()), "f32 in 15 bits");
  EXPECT_EQ(form_text(DType::kI8, &kept_in_4()), "i8 in 4 bits");
  EXPECT_EQ(form_text(DType::kI8, find_encoding("i8_5")), "i8 in 5 bits");
  EXPECT_EQ(form_text(DType::kI8, find_encoding("i8_6")), "i8 in 6 bits");
  EXPECT_EQ(form_text(DType::kF32, nullptr), "f32");
}

TEST(Fit, OfBf16TabulatesTheMostFrequentExponentsAndZero) {
  std::map<int, std::int64_t> counts = {{200, 1000}};
  for (int i = 100; i < 120; ++i) counts[i] = i;
  const Fit fit = kept_in_12().fit(with_exponents(counts));
  EXPECT_EQ(fit.table[0], 0);
  EXPECT_TRUE(has_exponent(fit, 200));
  for (int i = 106; i < 120; ++i) EXPECT_TRUE(has_exponent(fit, i)) << i;
  for (int i = 100; i < 106; ++i) EXPECT_FALSE(has_exponent(fit, i)) << i;
  EXPECT_EQ(fit.exceptions, 100 + 101 + 102 + 103 + 104 + 105);
}

// Infinities have an exponent as others do, and zeros are no exceptions however few.
TEST(Fit, OfSpecialValues) {
  std::map<int, std::int64_t> counts = {{255, 3}};
  EXPECT_TRUE(has_exponent(kept_in_12().fit(with_exponents(counts)), 255));
  EXPECT_EQ(kept_in_12().fit(with_exponents(counts)).exceptions, 0);
  for (int i = 120; i < 135; ++i) counts[i] = 10;
  counts[0] = 1;
  EXPECT_EQ(kept_in_12().fit(with_exponents(counts)).exceptions, 3);
}

TEST(Fit, WhatIsNoNumberOfTheTypeIsAnException) {
  Statistics statistics = with_exponents({{100, 7}});
  statistics += with_small(13, 11);
  EXPECT_EQ(kept_in_12().fit(statistics).exceptions, 13);
  EXPECT_EQ(kept_in_15().fit(statistics).exceptions, 9);
}

TEST(Fit, OfBytesTabulatesSixteenNumbers) {
  const Fit fit = kept_in_4().fit(with_bytes(steps_of_seven(16)));
  EXPECT_EQ(fit.exceptions, 0);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(static_cast<std::int8_t>(fit.table[static_cast<std::size_t>(i)]), 7 * i - 8);
  EXPECT_TRUE(encodes(kept_in_4(), with_bytes(steps_of_seven(16))));
}

// However seldom the seventeenth is: kernels know no exceptions.
TEST(Fit, OfMoreBytesIsNone) {
  auto counts = steps_of_seven(17);
  counts[-1] = 1 << 20;
  const Statistics statistics = with_bytes(counts);
  EXPECT_EQ(kept_in_4().fit(statistics).exceptions, statistics.elements);
  EXPECT_FALSE(encodes(kept_in_4(), statistics));
}

// The largest number stands in the places that are left, so any index has one.
TEST(Fit, OfFewBytesRepeatsTheLargest) {
  const Fit fit = kept_in_4().fit(with_bytes({{127, 3}, {-128, 1}, {0, 9}}));
  EXPECT_EQ(fit.exceptions, 0);
  EXPECT_EQ(static_cast<std::int8_t>(fit.table[0]), -128);
  EXPECT_EQ(fit.table[1], 0);
  for (std::size_t i = 2; i < fit.table.size(); ++i) EXPECT_EQ(fit.table[i], 127) << i;
}

// Of a matrix with many numbers nothing is counted but its size: joined with another one it has no form, however
// small it is.
TEST(Fit, OfBytesThatAreNotCountedIsNone) {
  Statistics statistics = with_bytes({{1, 1 << 20}});
  Statistics other;
  other.elements = 1;
  statistics += other;
  EXPECT_EQ(kept_in_4().fit(statistics).exceptions, statistics.elements);
  EXPECT_FALSE(encodes(kept_in_4(), statistics));
  EXPECT_FALSE(encodes(kept_in_4(), with_exponents({{100, 7}})));
}

// Encodings of codes in a row, and how many these are.
struct Row {
  const char* name;
  int count;

  const Encoding& encoding() const { return *find_encoding(name); }
};
constexpr Row kRows[] = {{"i8_small_4", 16}, {"i8_5", 32}, {"i8_6", 64}};

// In the table is the least code, or one below it such that no digit is above 127.
TEST(Fit, OfCodesInARowKeepsTheLeast) {
  for (const Row& row : kRows) {
    for (const int low : {-128, -row.count / 2, 0, 5, 128 - row.count}) {
      const Statistics both = with_bytes({{low, 1}, {low + row.count - 1, 1 << 20}});
      EXPECT_EQ(row.encoding().fit(both).exceptions, 0) << row.name;
      EXPECT_EQ(row.encoding().fit(both).table, Table{static_cast<std::uint8_t>(low)}) << row.name;
      EXPECT_TRUE(encodes(row.encoding(), both)) << row.name;
    }
    const Fit largest = row.encoding().fit(with_bytes({{127, 3}}));
    EXPECT_EQ(largest.exceptions, 0);
    EXPECT_EQ(largest.table, Table{static_cast<std::uint8_t>(128 - row.count)}) << row.name;
    EXPECT_TRUE(row.encoding().is_sound(largest.table)) << row.name;
    EXPECT_EQ(row.encoding().fit({}).table, Table{}) << row.name;
  }
}

// However seldom the code is that lies outside: kernels know no exceptions.
TEST(Fit, OfCodesInALongerRowIsNone) {
  for (const Row& row : kRows) {
    const Statistics outside = with_bytes({{-20, 1 << 20}, {row.count - 20, 1}});
    EXPECT_EQ(row.encoding().fit(outside).exceptions, outside.elements) << row.name;
    EXPECT_FALSE(encodes(row.encoding(), outside)) << row.name;
    Statistics uncounted = with_bytes({{1, 1 << 20}});
    ++uncounted.elements;
    EXPECT_EQ(row.encoding().fit(uncounted).exceptions, uncounted.elements) << row.name;
  }
}

TEST(Select, LeavesCodesOfTheTable) {
  for (const Row& row : kRows) {
    const int low = 3 - row.count;
    std::vector<std::uint32_t> words(256);
    for (std::uint32_t byte = 0; byte < 256; ++byte) words[byte] = byte;
    row.encoding().select(Table{static_cast<std::uint8_t>(low)}, words);
    for (int code = -128; code < 128; ++code) {
      const bool is_inside = code >= low && code < low + row.count;
      const auto byte = static_cast<std::uint8_t>(code);
      EXPECT_EQ(words[byte], is_inside ? byte : 0x10000u) << row.name << " " << code;
    }
  }
}

// As the kernels take them: a byte has the lower halves of the digits of a value of k and of the fourth one behind it,
// and behind all of these lie the bits above; zero where there is none. Padding that isn't in the table is digit 0.
void expect_in_their_places(const Encoding& encoding, int count, const std::function<int(int digit)>& code_of) {
  constexpr std::int64_t kLanes = 4, kDim = 45, kStride = 64;
  std::map<int, std::int64_t> counts;
  for (int digit = 0; digit < count; ++digit) counts[code_of(digit)] = 1;
  const Table table = encoding.fit(with_bytes(counts)).table;
  const auto digit_at = [&](std::size_t i) { return static_cast<int>(i * 5) % count; };
  const auto is_padding = [](std::size_t i) { return i % kStride >= kDim; };
  std::vector<std::uint16_t> words(kLanes * kStride);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = is_padding(i) ? std::uint16_t{0} : static_cast<std::uint8_t>(code_of(digit_at(i)));
  std::vector<std::byte> bytes(static_cast<std::size_t>(panel_bytes(encoding, kLanes, kStride)));
  const auto bits = static_cast<std::size_t>(encoding.panels.bits());
  ASSERT_EQ(bytes.size(), words.size() * bits / 8);
  encoding.encode(table, {words, kLanes, kStride}, bytes.data());
  const auto depth = static_cast<std::size_t>(encoding.panels.depth);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t lane = i / kStride, k = i % kStride, quad = k % depth / 4, in_quad = lane * 4 + k % 4;
    const std::byte* const group = bytes.data() + k / depth * depth * kLanes * bits / 8;
    unsigned digit = static_cast<unsigned>(group[quad / 2 * 4 * kLanes + in_quad]) >> quad % 2 * 4 & 15;
    if (bits > 4) {
      const auto high = static_cast<unsigned>(group[depth / 2 * kLanes + in_quad]);
      digit |= (high >> quad * (bits - 4) & ((1u << (bits - 4)) - 1)) << 4;
    }
    EXPECT_EQ(static_cast<int>(digit), is_padding(i) ? 0 : digit_at(i))
        << encoding.name << " lane " << lane << " k " << k;
  }
}

TEST(Encode, DigitsLieInTheirPlaces) {
  expect_in_their_places(kept_in_4(), 16, [](int digit) { return 7 * digit - 120; });
  for (const Row& row : kRows)
    expect_in_their_places(row.encoding(), row.count, [&](int digit) { return digit - 10 - row.count; });
}

TEST(Fit, WithoutStatisticsIsExceptionsOnly) {
  Statistics nothing;
  nothing.elements = 7;
  for (const Encoding* encoding : all_encodings()) EXPECT_EQ(encoding->fit(nothing).exceptions, 7) << encoding->name;
  EXPECT_FALSE(is_encodable(nothing));
}

TEST(Fit, PaysWithFewExceptions) {
  std::map<int, std::int64_t> counts;
  for (int i = 100; i < 115; ++i) counts[i] = 1024;
  EXPECT_TRUE(encodes(kept_in_12(), with_exponents(counts)));
  counts[90] = 15;
  EXPECT_TRUE(encodes(kept_in_12(), with_exponents(counts)));
  counts[91] = 1;
  EXPECT_FALSE(encodes(kept_in_12(), with_exponents(counts)));
  EXPECT_TRUE(encodes(kept_in_15(), with_small(2048, 2046)));
  EXPECT_FALSE(encodes(kept_in_15(), with_small(2048, 2045)));
}

TEST(Statistics, OfTwoTensorsAdd) {
  Statistics sum = with_exponents({{100, 7}, {101, 2}});
  sum += with_small(4, 3);
  Statistics other = with_exponents({{100, 1}});
  other += with_small(2, 1);
  sum += other;
  EXPECT_EQ(sum.elements, 16);
  EXPECT_EQ(sum.of(kept_in_12().statistics[0])[100], 8);
  EXPECT_EQ(sum.of(kept_in_12().statistics[0])[101], 2);
  EXPECT_EQ(sum.of(kept_in_15().statistics[0])[0], 4);
}

}  // namespace
}  // namespace strata::encoding
