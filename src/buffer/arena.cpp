// SPDX-License-Identifier: Apache-2.0
#include "buffer/arena.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "base/saturating.h"

namespace strata::buffer {
namespace {

bool meet_in_time(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

using Order = std::vector<std::size_t>;

// Ascending keys; of equal ones, as they come.
template <class Key>
Order order_by(std::span<const Interval> intervals, const Key& key) {
  Order order(intervals.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(key(intervals[i]), i); });
  return order;
}

enum class Fit { kLowest, kSmallestGap };

// Places an interval among those that are there, by their offsets.
std::int64_t place(std::int64_t bytes, std::vector<std::pair<std::int64_t, std::int64_t>>& taken, Fit fit) {
  std::ranges::sort(taken);
  std::int64_t top = 0, gap = std::numeric_limits<std::int64_t>::max();
  std::optional<std::int64_t> found;
  for (const auto& [begin, end] : taken) {
    if (top + bytes <= begin && begin - top < gap) {
      if (fit == Fit::kLowest) return top;
      found = top;
      gap = begin - top;
    }
    top = std::max(top, end);
  }
  return found.value_or(top);
}

ArenaLayout in_order(std::span<const Interval> intervals, const Order& order, Fit fit) {
  ArenaLayout layout{std::vector<std::int64_t>(intervals.size())};
  std::vector<std::pair<std::int64_t, std::int64_t>> taken;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const Interval& item = intervals[order[at]];
    taken.clear();
    for (std::size_t before = 0; before < at; ++before) {
      const Interval& other = intervals[order[before]];
      const std::int64_t offset = layout.offsets[order[before]];
      if (meet_in_time(item, other)) taken.emplace_back(offset, offset + other.bytes);
    }
    const std::int64_t offset = place(item.bytes, taken, fit);
    layout.offsets[order[at]] = offset;
    layout.peak = std::max(layout.peak, offset + item.bytes);
  }
  return layout;
}

Order by_size(std::span<const Interval> intervals) {
  return order_by(intervals, [](const Interval& item) { return std::tuple(-item.bytes, item.first, item.last); });
}

// Intervals placed by rising offsets, each on the highest of those below it.
class BranchAndBound {
 public:
  BranchAndBound(std::span<const Interval> intervals, std::int64_t bound, std::int64_t work, ArenaLayout& best)
      : intervals_(intervals), bound_(bound), work_(work), best_(best), order_(by_size(intervals)) {
    for (const Interval& item : intervals) times_.insert(times_.end(), {item.first, item.last + 1});
    std::ranges::sort(times_);
    times_.erase(std::ranges::unique(times_).begin(), times_.end());
    height_.resize(times_.size());
    rest_.resize(times_.size());
    offsets_.resize(intervals.size(), kNowhere);
    for (const Interval& item : intervals) {
      spans_.push_back({number(item.first), number(item.last + 1)});
      for (std::size_t t = spans_.back().begin; t < spans_.back().end; ++t) rest_[t] += item.bytes;
    }
  }

  void run() {
    extend(intervals_.size(), 0, 0);
    best_.is_optimal = work_ > 0;
  }

 private:
  static constexpr std::int64_t kNowhere = -1;

  struct Span {
    std::size_t begin, end;  // of times_
  };
  struct Candidate {
    std::int64_t offset;
    std::size_t at;  // of order_
  };

  std::size_t number(std::int64_t time) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(times_, time) - times_.begin());
  }

  bool is_done() const { return work_ <= 0 || best_.peak == bound_; }

  // Whether a layout in which all that is left lies at `lowest` or above it may be better than the best.
  bool may_improve(std::int64_t lowest) {
    work_ -= static_cast<std::int64_t>(times_.size());
    for (std::size_t t = 0; t < times_.size(); ++t) {
      if (rest_[t] > 0 && std::max(height_[t], lowest) + rest_[t] >= best_.peak) return false;
    }
    return true;
  }

  // Those that may come next: at `lowest` or above, of equal offsets in one order only, and of equal intervals the
  // first.
  std::vector<Candidate> candidates(std::int64_t lowest, std::size_t next) {
    std::vector<Candidate> found;
    const Interval* before = nullptr;
    for (std::size_t at = 0; at < order_.size(); ++at) {
      const std::size_t i = order_[at];
      if (offsets_[i] != kNowhere) continue;
      const Interval& item = intervals_[i];
      const bool is_alike =
          before != nullptr && before->bytes == item.bytes && before->first == item.first && before->last == item.last;
      before = &item;
      if (is_alike) continue;
      std::int64_t offset = 0;
      for (std::size_t t = spans_[i].begin; t < spans_[i].end; ++t) offset = std::max(offset, height_[t]);
      work_ -= static_cast<std::int64_t>(spans_[i].end - spans_[i].begin) + 1;
      if (offset > lowest || (offset == lowest && at >= next)) found.push_back({offset, at});
    }
    std::ranges::sort(found, {}, [](const Candidate& candidate) { return std::pair(candidate.offset, candidate.at); });
    return found;
  }

  void extend(std::size_t left, std::int64_t lowest, std::size_t next) {
    if (left == 0) return take();
    for (const Candidate& candidate : candidates(lowest, next)) {
      if (is_done() || !may_improve(candidate.offset)) return;
      const std::size_t i = order_[candidate.at];
      const std::int64_t end = candidate.offset + intervals_[i].bytes;
      if (end >= best_.peak) continue;
      std::vector<std::int64_t> heights(height_.begin() + static_cast<std::ptrdiff_t>(spans_[i].begin),
                                        height_.begin() + static_cast<std::ptrdiff_t>(spans_[i].end));
      for (std::size_t t = spans_[i].begin; t < spans_[i].end; ++t) {
        height_[t] = end;
        rest_[t] -= intervals_[i].bytes;
      }
      offsets_[i] = candidate.offset;
      extend(left - 1, candidate.offset, candidate.at + 1);
      offsets_[i] = kNowhere;
      for (std::size_t t = spans_[i].begin; t < spans_[i].end; ++t) {
        height_[t] = heights[t - spans_[i].begin];
        rest_[t] += intervals_[i].bytes;
      }
    }
  }

  void take() {
    best_.offsets = offsets_;
    best_.peak = *std::ranges::max_element(height_);
  }

  const std::span<const Interval> intervals_;
  const std::int64_t bound_;
  std::int64_t work_;
  ArenaLayout& best_;
  const Order order_;                 // largest first
  std::vector<std::int64_t> times_;   // at which the live intervals change
  std::vector<std::int64_t> height_;  // by time: the highest end of what is placed
  std::vector<std::int64_t> rest_;    // by time: bytes that are not placed yet
  std::vector<std::int64_t> offsets_;
  std::vector<Span> spans_;
};

// The best of several orders and fits, until one meets the bound.
void try_orders(std::span<const Interval> intervals, std::int64_t bound, ArenaLayout& best) {
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
  const auto length = [](const Interval& item) { return item.last - item.first + 1; };
  const std::vector<std::function<Key(const Interval&)>> keys = {
      [](const Interval& item) { return Key(-item.bytes, item.first, item.last); },
      [&](const Interval& item) { return Key(-length(item), -item.bytes, item.first); },
      [&](const Interval& item) { return Key(-saturating_product(item.bytes, length(item)), -item.bytes, item.first); },
      [](const Interval& item) { return Key(item.first, -item.bytes, item.last); },
      [](const Interval& item) { return Key(-item.last, -item.bytes, item.first); },
  };
  for (const auto& key : keys) {
    const Order order = order_by(intervals, key);
    for (const Fit fit : {Fit::kLowest, Fit::kSmallestGap}) {
      if (best.peak == bound) return;
      ArenaLayout layout = in_order(intervals, order, fit);
      if (layout.peak < best.peak) best = std::move(layout);
    }
  }
}

// Again and again, what reaches the peak is placed first ("squeaky wheel" optimisation, Joslin and Clements 1999).
void place_highest_first(std::span<const Interval> intervals, std::int64_t bound, std::int64_t work,
                         ArenaLayout& best) {
  constexpr std::int64_t kMostRounds = 300;
  const auto size = static_cast<std::int64_t>(intervals.size());
  Order order = by_size(intervals);
  ArenaLayout layout = in_order(intervals, order, Fit::kLowest);
  for (std::int64_t round = 0; round < std::min(kMostRounds, work / (size * size + 1)) && best.peak > bound; ++round) {
    const auto highest = std::ranges::find_if(
        order, [&](std::size_t i) { return layout.offsets[i] + intervals[i].bytes == layout.peak; });
    std::rotate(order.begin(), highest, highest + 1);
    layout = in_order(intervals, order, Fit::kLowest);
    if (layout.peak < best.peak) best = layout;
  }
}

}  // namespace

std::int64_t live_peak(std::span<const Interval> intervals) {
  std::vector<std::pair<std::int64_t, std::int64_t>> changes;  // what ends is gone before what begins
  for (const Interval& item : intervals) {
    changes.emplace_back(item.first, item.bytes);
    changes.emplace_back(item.last + 1, -item.bytes);
  }
  std::ranges::sort(changes);
  std::int64_t live = 0, largest = 0;
  for (const auto& [time, bytes] : changes) {
    live += bytes;
    largest = std::max(largest, live);
  }
  return largest;
}

ArenaLayout lay_out(std::span<const Interval> intervals, ArenaEffort effort, std::int64_t work) {
  const std::int64_t bound = live_peak(intervals);
  ArenaLayout best = in_order(intervals, by_size(intervals), Fit::kLowest);
  if (effort == ArenaEffort::kExact) {
    try_orders(intervals, bound, best);
    place_highest_first(intervals, bound, work, best);
    if (best.peak > bound) BranchAndBound(intervals, bound, work, best).run();
  }
  best.is_optimal |= best.peak == bound;
  return best;
}

}  // namespace strata::buffer
