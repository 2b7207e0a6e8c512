// SPDX-License-Identifier: Apache-2.0
// What encodings hold of a matrix, by its statistics.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "encoding/encoding.h"

namespace strata::encoding {
namespace {

const Encoding& kept_in_12() { return *find_encoding("bf16_12"); }
const Encoding& kept_in_15() { return *find_encoding("f16_15"); }

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
