// SPDX-License-Identifier: Apache-2.0
#include "search/search.h"

#include <gtest/gtest.h>

#include <set>

namespace strata::search {
namespace {

// A row of items cut into pieces: a state says of each item which is the last one of its piece. Moves join two
// neighbouring pieces, unless a piece is forbidden, or cut one in two.
class Row : public Space {
 public:
  Row(std::uint32_t items, std::uint64_t seed) : items_(items), seed_(seed) {}

  void forbid(std::uint32_t first, std::uint32_t last) { forbidden_.insert({first, last}); }

  State start() override {
    State state;
    for (std::uint32_t i = 0; i < items_; ++i) state.push_back(i);
    return state;
  }

  std::vector<Move> moves(const State& state) override {
    std::vector<Move> moves;
    std::uint32_t first = 0;
    for (std::uint32_t i = 0; i + 1 < items_; ++i) {
      if (state[i] != i) continue;
      if (!forbidden_.contains({first, state[i + 1]})) {
        moves.push_back({state, state[i + 1], price(first, state[i + 1]) - price(first, i)});
        for (std::uint32_t j = first; j <= i; ++j) moves.back().to[j] = state[i + 1];
      }
      first = i + 1;
    }
    return moves;
  }

  std::vector<Move> undos(const State& state) override {
    std::vector<Move> moves;
    for (std::uint32_t i = 0; i + 1 < items_; ++i) {
      const std::uint32_t from = start_of(state, i);
      if (state[i] == i || forbidden_.contains({from, i}) || forbidden_.contains({i + 1, state[i]})) continue;
      moves.push_back({state, i, price(from, i) + price(i + 1, state[i]) - price(from, state[i])});
      for (std::uint32_t j = from; j <= i; ++j) moves.back().to[j] = i;
    }
    return moves;
  }

  double cost(const State& state) override {
    ++costed;
    EXPECT_TRUE(seen_.insert(state).second) << "a state is costed twice";
    double sum = 0;
    for (std::uint32_t i = 0, first = 0; i < items_; ++i) {
      if (state[i] != i) continue;
      EXPECT_FALSE(forbidden_.contains({first, i}));
      sum += price(first, i);
      first = i + 1;
    }
    return sum;
  }

  void forget() {
    seen_.clear();
    costed = 0;
  }

  std::int64_t costed = 0;

 private:
  static std::uint32_t start_of(const State& state, std::uint32_t item) {
    std::uint32_t first = item;
    while (first > 0 && state[first - 1] == state[item]) --first;
    return first;
  }

  // Between 1 and 2 for each piece by chance, and a fixed price for each of its items but the first.
  double price(std::uint32_t first, std::uint32_t last) const {
    std::uint64_t x = seed_ * 1000003 + first * 1009 + last;
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
    return 1 + static_cast<double>((x ^ (x >> 33)) % 1000) / 1000 + 1.25 * static_cast<double>(last - first);
  }

  const std::uint32_t items_;
  const std::uint64_t seed_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> forbidden_;
  std::set<State> seen_;
};

Result run_again(Row& row, const Options& options) {
  row.forget();
  return run(row, options);
}

TEST(Search, FewStatesAreExhausted) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Row row(8, seed);
    const Result all = run_again(row, {.method = Method::kExhaustive});
    EXPECT_EQ(all.states, 128);
    EXPECT_EQ(all.stop_reason, StopReason::kExhausted);
    const Result found = run_again(row, {.visits = 200});
    EXPECT_EQ(found.cost, all.cost);
    EXPECT_EQ(found.method, Method::kExhaustive);
    EXPECT_EQ(found.stop_reason, StopReason::kExhausted);
    EXPECT_EQ(found.states, 128);
  }
}

// Of 2048 states.
TEST(Search, TreeSearchFindsWhatGreedyMisses) {
  int greedy_misses = 0, misses = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Row row(12, seed);
    const Result all = run_again(row, {.method = Method::kExhaustive, .visits = 3000});
    ASSERT_EQ(all.states, 2048);
    greedy_misses += run_again(row, {.method = Method::kGreedy}).cost > all.cost ? 1 : 0;
    const Result found = run_again(row, {.visits = 600});
    EXPECT_EQ(found.method, Method::kUct);
    EXPECT_LE(found.cost, found.greedy_cost);
    misses += found.cost > all.cost ? 1 : 0;
  }
  EXPECT_GT(greedy_misses, 10);
  EXPECT_LT(misses, 4);
}

TEST(Search, OneSeedGivesOneResult) {
  Row row(16, 3);
  const Result a = run_again(row, {.visits = 300, .seed = 7});
  const Result b = run_again(row, {.visits = 300, .seed = 7});
  EXPECT_EQ(a.best, b.best);
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.curve, b.curve);
  EXPECT_EQ(a.states, b.states);
}

TEST(Search, BudgetsAreKept) {
  Row row(20, 5);
  const std::int64_t greedy = run_again(row, {.method = Method::kGreedy}).states;
  for (const std::int64_t visits : {0, 1, 10, 50, 400}) {
    for (const Method method : {Method::kUct, Method::kBeam, Method::kExhaustive}) {
      const Result found = run_again(row, {.method = method, .visits = visits});
      EXPECT_EQ(found.states, row.costed);
      EXPECT_LE(found.states, std::max(visits, method == Method::kUct ? greedy : 1));
      if (method == Method::kUct) {
        EXPECT_LE(found.visits, visits);
      }
      EXPECT_EQ(found.stop_reason, StopReason::kVisits);
    }
  }
}

TEST(Search, TheCurveFallsFromTheStart) {
  Row row(16, 9);
  const Result found = run_again(row, {.visits = 400});
  ASSERT_GT(found.curve.size(), 1U);
  EXPECT_EQ(found.curve.front(), (Improvement{1, found.start_cost}));
  EXPECT_EQ(found.curve.back().cost, found.cost);
  for (std::size_t i = 1; i < found.curve.size(); ++i) {
    EXPECT_LT(found.curve[i].cost, found.curve[i - 1].cost);
    EXPECT_GT(found.curve[i].states, found.curve[i - 1].states);
  }
  row.forget();
  EXPECT_EQ(row.cost(found.best), found.cost);
}

// What moves do not lead to is in no state: Row::cost() looks.
TEST(Search, WhatIsForbiddenIsNotTaken) {
  Row row(12, 4);
  const State best = run_again(row, {.method = Method::kExhaustive, .visits = 4096}).best;
  std::uint32_t first = 0;
  for (std::uint32_t i = 0; i < best.size(); ++i) {
    if (best[i] != i) continue;
    if (i > first) row.forbid(first, i);
    first = i + 1;
  }
  for (const Method method : {Method::kUct, Method::kBeam, Method::kExhaustive, Method::kGreedy}) {
    EXPECT_NE(run_again(row, {.method = method, .visits = 1000}).best, best);
  }
}

TEST(Search, NothingToChooseIsOneState) {
  Row row(1, 1);
  for (const Method method : {Method::kUct, Method::kBeam, Method::kExhaustive, Method::kGreedy}) {
    const Result found = run_again(row, {.method = method});
    EXPECT_EQ(found.states, 1);
    EXPECT_EQ(found.cost, found.start_cost);
  }
}

TEST(Search, AllMovesAreTakenInOrder) {
  Row row(6, 1);
  EXPECT_EQ(after_all_moves(row), State(6, 5));
}

}  // namespace
}  // namespace strata::search
