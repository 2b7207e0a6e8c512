// SPDX-License-Identifier: Apache-2.0
#include "runtime/page_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "tests/sweep.h"

namespace strata::runtime {
namespace {

using TokenList = std::vector<std::int32_t>;

TokenList tokens_from(std::size_t count, std::int32_t first = 0) {
  TokenList tokens(count);
  for (std::int32_t& token : tokens) token = first++;
  return tokens;
}

TokenList one_behind(TokenList a, const TokenList& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Sequences with what their rows of the caches must hold: a number that all tokens up to the row's decide about.
class Caches {
 public:
  Caches(std::int64_t pages, int sequences)
      : table(pages, sequences, 100),
        rows_(static_cast<std::size_t>(pages * PageTable::kRows)),
        held_(static_cast<std::size_t>(sequences)) {}

  std::int64_t begin(int sequence, const TokenList& tokens) {
    const std::int64_t held = table.begin(sequence, tokens);
    of(sequence).assign(tokens.begin(), tokens.begin() + held);
    return held;
  }

  bool append(int sequence, const TokenList& tokens) {
    const PageTable::Appended appended = table.append(sequence, tokens);
    if (!appended.has_room) return false;
    if (appended.copy) {
      constexpr auto kRows = PageTable::kRows;
      std::copy_n(rows_.begin() + appended.copy->from * kRows, kRows, rows_.begin() + appended.copy->to * kRows);
    }
    std::uint64_t number = numbers(of(sequence)).back();
    for (const std::int32_t token : tokens) {
      number = next(number, token);
      of(sequence).push_back(token);
      rows_[static_cast<std::size_t>(table.row(sequence, std::ssize(of(sequence)) - 1))] = number;
    }
    return true;
  }

  void truncate(int sequence, std::int64_t tokens) {
    table.truncate(sequence, tokens);
    of(sequence).resize(static_cast<std::size_t>(tokens));
  }

  void release(int sequence) {
    table.release(sequence);
    of(sequence).clear();
  }

  void check() {
    for (int sequence = 0; sequence < static_cast<int>(held_.size()); ++sequence) {
      const std::vector<std::uint64_t> expected = numbers(of(sequence));
      for (std::size_t i = 1; i < expected.size(); ++i) {
        const auto position = static_cast<std::int64_t>(i) - 1;
        ASSERT_EQ(rows_[static_cast<std::size_t>(table.row(sequence, position))], expected[i])
            << "sequence " << sequence << ", row " << position << " of " << of(sequence).size();
      }
    }
  }

  TokenList& of(int sequence) { return held_[static_cast<std::size_t>(sequence)]; }

  PageTable table;

 private:
  static std::uint64_t next(std::uint64_t number, std::int32_t token) {
    return number * 6364136223846793005U + static_cast<std::uint64_t>(token) + 1442695040888963407U;
  }
  static std::vector<std::uint64_t> numbers(const TokenList& tokens) {
    std::vector<std::uint64_t> all = {17};
    for (const std::int32_t token : tokens) all.push_back(next(all.back(), token));
    return all;
  }

  std::vector<std::uint64_t> rows_;
  std::vector<TokenList> held_;
};

TEST(PageTable, SequencesThatBeginAlikeShareWholePagesAndCopyTheLast) {
  Caches caches(8, 2);
  const TokenList start = tokens_from(600);
  EXPECT_TRUE(caches.append(0, start));
  EXPECT_EQ(caches.begin(1, one_behind(start, {7, 8})), 600);
  EXPECT_TRUE(std::ranges::equal(caches.table.of(0), caches.table.of(1)));
  EXPECT_TRUE(caches.append(1, {7}));
  EXPECT_TRUE(caches.append(0, {9}));
  EXPECT_EQ(caches.table.of(0)[1], caches.table.of(1)[1]);
  EXPECT_NE(caches.table.of(0)[2], caches.table.of(1)[2]);
  caches.check();
}

TEST(PageTable, WhatEndedServesWhoBeginsAlikeUntilThereIsNoRoom) {
  Caches caches(4, 2);
  caches.append(0, tokens_from(300));
  caches.release(0);
  EXPECT_EQ(caches.begin(1, tokens_from(1000)), 300);
  caches.release(1);
  EXPECT_TRUE(caches.append(0, tokens_from(600, 5000)));
  EXPECT_EQ(caches.begin(1, tokens_from(1000)), 256) << "the last page went first";
  caches.release(1);
  EXPECT_TRUE(caches.append(0, tokens_from(400, 9000)));
  EXPECT_EQ(caches.begin(1, tokens_from(1000)), 0);
  EXPECT_FALSE(caches.append(1, {1})) << "all are in use";
  caches.check();
}

TEST(PageTable, TheOnlyPageIsWrittenFromWhereItsTokensDiffer) {
  Caches caches(1, 1);
  caches.append(0, tokens_from(200));
  EXPECT_EQ(caches.begin(0, one_behind(tokens_from(100), {7, 7})), 100);
  EXPECT_TRUE(caches.append(0, {7, 7}));
  EXPECT_EQ(caches.begin(0, tokens_from(200)), 100);
  caches.check();
  Caches two(2, 1);
  two.append(0, tokens_from(300));
  EXPECT_EQ(two.begin(0, one_behind(tokens_from(100), {7})), 100);
  EXPECT_TRUE(two.append(0, TokenList(200, 7))) << "in place of what was behind it too";
  two.check();
}

// Three texts, in a page each, go on by turns from a little before their ends.
TEST(PageTable, NoOtherPageGoesForALittleOfOnesOwn) {
  Caches caches(3, 1);
  for (const std::int32_t last : {7, 8, 9}) {
    EXPECT_EQ(caches.begin(0, TokenList(120, last)), 0);
    EXPECT_TRUE(caches.append(0, one_behind(TokenList(120, last), {1, 2, 3})));
    caches.release(0);
  }
  for (const std::int32_t last : {7, 8, 9, 7}) {
    const TokenList prompt(120, last);
    EXPECT_EQ(caches.begin(0, prompt), 120) << last;
    EXPECT_TRUE(caches.append(0, {5}));
    caches.check();
  }
}

TEST(PageTable, WhatIsForgottenServesNobody) {
  Caches caches(4, 2);
  caches.append(0, tokens_from(300));
  caches.truncate(0, 10);
  caches.release(0);
  EXPECT_EQ(caches.begin(1, tokens_from(300)), 10);
  EXPECT_TRUE(caches.append(1, tokens_from(20, 10)));
  caches.check();
}

// Any order of everything, with prompts that begin alike, and too few pages or as many as all sequences may have.
TEST(PageTable, RowsAreAlwaysTheirTokens) {
  const std::size_t runs = sweep_size(40, 4000);
  for (unsigned seed = 0; seed < runs; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random()) % n; };
    const std::int64_t most = 1 + below(4) * PageTable::kRows;
    const bool has_room = seed % 2 == 0;
    Caches caches(has_room ? 3 * ((most + PageTable::kRows - 1) / PageTable::kRows) : 3 + below(8), 3);
    for (int step = 0; step < 60; ++step) {
      const int sequence = static_cast<int>(below(3));
      const TokenList more = tokens_from(static_cast<std::size_t>(1 + below(400)), static_cast<std::int32_t>(below(2)));
      const bool fits = std::ssize(caches.of(sequence)) + std::ssize(more) <= most;
      switch (below(5)) {
        case 0: {
          TokenList prompt = one_behind(caches.of(static_cast<int>(below(3))), more);
          prompt.resize(std::min(prompt.size(), static_cast<std::size_t>(most)));
          caches.begin(sequence, prompt);
          break;
        }
        case 1:
          caches.release(sequence);
          break;
        case 2:
          caches.truncate(sequence, below(std::ssize(caches.of(sequence)) + 1));
          break;
        default:
          if (fits && !caches.append(sequence, more)) ASSERT_FALSE(has_room) << "seed " << seed << ", step " << step;
      }
      caches.check();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace strata::runtime
