// SPDX-License-Identifier: Apache-2.0
#include "buffer/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include "tests/sweep.h"

namespace strata::buffer {
namespace {

using Intervals = std::vector<Interval>;

Intervals random_intervals(std::mt19937& random, std::size_t count, std::int64_t times, std::int64_t most_bytes) {
  Intervals intervals;
  for (std::size_t i = 0; i < count; ++i) {
    const auto draw = [&](std::int64_t most) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most));
    };
    const std::int64_t first = draw(times);
    intervals.push_back({64 * (1 + draw(most_bytes)), first, std::min(first + draw(times / 2 + 1), times - 1)});
  }
  return intervals;
}

std::int64_t lowest(const Intervals& intervals, const std::vector<std::size_t>& placed,
                    const std::vector<std::int64_t>& offsets, std::size_t item) {
  std::int64_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::size_t other : placed) {
      const bool in_time =
          intervals[other].first <= intervals[item].last && intervals[item].first <= intervals[other].last;
      const std::int64_t end = offsets[other] + intervals[other].bytes;
      if (!in_time || end <= offset || offset + intervals[item].bytes <= offsets[other]) continue;
      offset = end;
      moved = true;
    }
  }
  return offset;
}

// The least peak of all orders, each interval at the lowest offset where it has room: one of them is optimal.
std::int64_t least_peak(const Intervals& intervals) {
  std::vector<std::size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  do {
    std::vector<std::int64_t> offsets(intervals.size());
    std::vector<std::size_t> placed;
    std::int64_t peak = 0;
    for (const std::size_t item : order) {
      offsets[item] = lowest(intervals, placed, offsets, item);
      peak = std::max(peak, offsets[item] + intervals[item].bytes);
      placed.push_back(item);
    }
    least = std::min(least, peak);
  } while (std::ranges::next_permutation(order).found);
  return least;
}

void expect_sound(const Intervals& intervals, const ArenaLayout& layout) {
  ASSERT_EQ(layout.offsets.size(), intervals.size());
  std::int64_t peak = 0;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    EXPECT_GE(layout.offsets[i], 0);
    EXPECT_EQ(layout.offsets[i] % 64, 0);
    peak = std::max(peak, layout.offsets[i] + intervals[i].bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart_in_time = intervals[i].last < intervals[j].first || intervals[j].last < intervals[i].first;
      const bool apart_in_space = layout.offsets[i] + intervals[i].bytes <= layout.offsets[j] ||
                                  layout.offsets[j] + intervals[j].bytes <= layout.offsets[i];
      EXPECT_TRUE(apart_in_time || apart_in_space) << i << " and " << j;
    }
  }
  EXPECT_EQ(layout.peak, peak);
  EXPECT_GE(layout.peak, live_peak(intervals));
}

TEST(LivePeak, IsTheLargestSumOfLiveBytes) {
  EXPECT_EQ(live_peak({}), 0);
  EXPECT_EQ(live_peak(Intervals{{64, 0, 3}, {128, 4, 5}, {256, 3, 3}}), 320);
  EXPECT_EQ(live_peak(Intervals{{64, 0, 3}, {128, 3, 5}}), 192);
}

TEST(Arena, SmallInstancesAreOptimal) {
  std::mt19937 random(7);
  int better_than_greedy = 0;
  for (std::size_t i = 0; i < sweep_size(300, 3000); ++i) {
    const Intervals intervals = random_intervals(random, 2 + random() % 5, 8, 6);
    const ArenaLayout greedy = lay_out(intervals, ArenaEffort::kGreedy),
                      exact = lay_out(intervals, ArenaEffort::kExact);
    expect_sound(intervals, greedy);
    expect_sound(intervals, exact);
    EXPECT_TRUE(exact.is_optimal);
    EXPECT_EQ(exact.peak, least_peak(intervals)) << i;
    better_than_greedy += exact.peak < greedy.peak;
  }
  if (!kIsSanitized) EXPECT_GT(better_than_greedy, 0);
}

// Without work there are the orders alone.
TEST(Arena, SearchFindsWhatNoOrderDoes) {
  std::mt19937 random(11);
  int searched = 0;
  for (std::size_t i = 0; i < sweep_size(300, 3000); ++i) {
    const Intervals intervals = random_intervals(random, 8, 10, 9);
    const ArenaLayout without = lay_out(intervals, ArenaEffort::kExact, 0),
                      with = lay_out(intervals, ArenaEffort::kExact);
    EXPECT_LE(with.peak, without.peak);
    searched += with.peak < without.peak;
  }
  if (!kIsSanitized) EXPECT_GT(searched, 0);
}

TEST(Arena, LargerInstancesAreNearTheBoundAndSound) {
  std::mt19937 random(13);
  for (std::size_t i = 0; i < sweep_size(60, 600); ++i) {
    const Intervals intervals = random_intervals(random, 10 + random() % 50, 40, 40);
    const ArenaLayout layout = lay_out(intervals, ArenaEffort::kExact);
    expect_sound(intervals, layout);
    const double ratio = static_cast<double>(layout.peak) / static_cast<double>(live_peak(intervals));
    EXPECT_TRUE(layout.is_optimal || ratio <= 1.05) << i << ": " << ratio;
    EXPECT_EQ(lay_out(intervals, ArenaEffort::kExact).offsets, layout.offsets);
    EXPECT_LE(layout.peak, lay_out(intervals, ArenaEffort::kGreedy).peak);
  }
}

TEST(Arena, WorkIsLimited) {
  std::mt19937 random(17);
  const Intervals intervals = random_intervals(random, 400, 300, 1000);
  expect_sound(intervals, lay_out(intervals, ArenaEffort::kExact, 10'000));
}

TEST(Arena, NothingTakesNothing) {
  const ArenaLayout layout = lay_out({}, ArenaEffort::kExact);
  EXPECT_EQ(layout.peak, 0);
  EXPECT_TRUE(layout.is_optimal);
}

}  // namespace
}  // namespace strata::buffer
