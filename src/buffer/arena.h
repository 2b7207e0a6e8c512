// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::buffer {

// Memory that is wanted from one time to another, both inclusive.
struct Interval {
  std::int64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// The largest sum of bytes that are live at one time: no layout has a smaller peak.
std::int64_t live_peak(std::span<const Interval> intervals);

struct ArenaLayout {
  std::vector<std::int64_t> offsets;  // by interval
  std::int64_t peak = 0;
  bool is_optimal = false;  // proved: the peak is the lower bound, or the search ended
};

// How much work a layout is worth.
enum class ArenaEffort {
  kGreedy,  // one order, for a plan of which only the touches are wanted
  kExact,   // several orders, then branch and bound; each only while the peak is above the lower bound
};

// Steps of branch and bound: intervals that are compared, times that are changed. A few milliseconds.
inline constexpr std::int64_t kArenaWork = 4'000'000;

// Offsets at which no two intervals that are live at the same time overlap, with a small peak: dynamic storage
// allocation, which is NP-hard. An order of the intervals, each put to the lowest offset where it has room, gives a
// layout (largest first: Pisarchyk and Lee 2020, "greedy by size"). kExact also tries the smallest gap that fits, and
// intervals by lifetime, area and start; then what reaches the peak is placed first, some hundred times. What is left
// is searched depth first by rising offsets, each interval on what lies below it: some such order gives an optimal
// layout. A partial layout is left where at one time what lies there and what is still to come reach the best peak. Of
// equal peaks the first is taken; the result depends on the intervals and their order alone.
ArenaLayout lay_out(std::span<const Interval> intervals, ArenaEffort effort, std::int64_t work = kArenaWork);

}  // namespace strata::buffer
