// SPDX-License-Identifier: Apache-2.0
#include "tiles/tile_program.h"

#include <algorithm>
#include <compare>

#include "base/error.h"

namespace strata::tiles {
namespace {

std::size_t candidates_of(std::span<const Variable> variables, int variable) {
  return variables[static_cast<std::size_t>(variable)].candidates.size();
}

double value_of(std::span<const Variable> variables, const Term& term, std::span<const int> choice) {
  std::size_t index = 0;
  for (const int variable : term.variables) {
    index = index * candidates_of(variables, variable) +
            static_cast<std::size_t>(choice[static_cast<std::size_t>(variable)]);
  }
  return term.values[index];
}

double value_of(std::span<const Variable> variables, const Sum& sum, std::span<const int> choice) {
  double total = 0;
  for (const Term& part : sum) total += value_of(variables, part, choice);
  return total;
}

// What machine::seconds makes of the times; it grows with each of them.
double overlapped(std::span<const double> times, double contention) {
  double slowest = 0, sum = 0;
  for (const double time : times) {
    slowest = std::max(slowest, time);
    sum += time;
  }
  return (1 - contention) * slowest + contention * sum;
}

// A term and its least values where only its first variables are chosen.
class BoundedTerm {
 public:
  BoundedTerm(std::span<const Variable> variables, const Term& term) : variables_(variables), scope_(term.variables) {
    tables_.assign(scope_.size() + 1, term.values);
    for (std::size_t known = scope_.size(); known-- > 0;) {
      const std::size_t width = candidates_of(variables, scope_[known]);
      const std::vector<double>& longer = tables_[known + 1];
      std::vector<double> least;
      for (auto row = longer.begin(); row != longer.end(); row += static_cast<std::ptrdiff_t>(width))
        least.push_back(*std::min_element(row, row + static_cast<std::ptrdiff_t>(width)));
      tables_[known] = std::move(least);
    }
  }

  // Of the variables before `depth` the choice is known.
  double least(std::span<const int> choice, int depth) const {
    std::size_t index = 0, known = 0;
    for (; known < scope_.size() && scope_[known] < depth; ++known) {
      index = index * candidates_of(variables_, scope_[known]) +
              static_cast<std::size_t>(choice[static_cast<std::size_t>(scope_[known])]);
    }
    return tables_[known][index];
  }

 private:
  std::span<const Variable> variables_;
  const std::vector<int>& scope_;
  std::vector<std::vector<double>> tables_;  // [n]: by the first n variables
};

using BoundedSum = std::vector<BoundedTerm>;

BoundedSum bounded(const Program& program, const Sum& sum) {
  BoundedSum result;
  for (const Term& term : sum) result.emplace_back(program.variables, term);
  return result;
}

class Search {
 public:
  Search(const Program& program, const SearchLimits& limits, std::size_t wanted)
      : program_(program),
        limits_(limits),
        wanted_(wanted),
        choice_(program.variables.size(), 0),
        times_(program.times.size()) {
    for (const Sum& sum : program.times) time_sums_.push_back(bounded(program, sum));
    for (const Limit& limit : program.limits) limit_sums_.push_back(bounded(program, limit.sum));
    waits_ = bounded(program, program.waits);
  }

  void run() { descend(0, least_time(0)); }

  // The fastest first; of equals that which was found first.
  std::vector<Choice>& found() { return found_; }

  Solution solution() const {
    Solution best;
    best.nodes = nodes_;
    const double least = found_.empty() ? limits_.less_than : found_[0].time;
    best.is_proved = !is_cut_;
    best.bound = is_cut_ ? std::min(open_, least) : least;
    if (found_.empty()) return best;
    best.choice = found_[0].choice;
    best.time = least;
    return best;
  }

 private:
  struct Child {
    double bound;
    int candidate;
    auto operator<=>(const Child&) const = default;
  };

  // What a choice must be faster than.
  double threshold() const { return found_.size() < wanted_ ? limits_.less_than : found_.back().time; }

  void keep(double time) {
    const auto behind = std::ranges::upper_bound(found_, time, {}, &Choice::time);
    found_.insert(behind, {choice_, time});
    if (found_.size() > wanted_) found_.pop_back();
  }

  static double least(const BoundedSum& sum, std::span<const int> choice, int depth) {
    double total = 0;
    for (const BoundedTerm& term : sum) total += term.least(choice, depth);
    return total;
  }

  // Infinite where a limit can't be kept any more.
  double least_time(int depth) {
    for (std::size_t i = 0; i < limit_sums_.size(); ++i) {
      if (least(limit_sums_[i], choice_, depth) > program_.limits[i].most)
        return std::numeric_limits<double>::infinity();
    }
    for (std::size_t i = 0; i < time_sums_.size(); ++i) times_[i] = least(time_sums_[i], choice_, depth);
    return overlapped(times_, program_.contention) + least(waits_, choice_, depth);
  }

  std::vector<Child> children(int depth) {
    std::vector<Child> found;
    int& chosen = choice_[static_cast<std::size_t>(depth)];
    for (chosen = 0; chosen < static_cast<int>(candidates_of(program_.variables, depth)); ++chosen) {
      const double bound = least_time(depth + 1);
      ++nodes_;
      if (bound < threshold()) found.push_back({bound, chosen});
    }
    std::ranges::sort(found);
    return found;
  }

  void descend(int depth, double bound) {
    if (bound >= threshold()) return;
    if (depth == static_cast<int>(program_.variables.size())) return keep(bound);
    if (nodes_ >= limits_.nodes) {
      open_ = std::min(open_, bound);
      is_cut_ = true;
      return;
    }
    for (const Child& child : children(depth)) {
      choice_[static_cast<std::size_t>(depth)] = child.candidate;
      descend(depth + 1, child.bound);
    }
  }

  const Program& program_;
  const SearchLimits limits_;
  const std::size_t wanted_;
  std::vector<BoundedSum> time_sums_, limit_sums_;
  BoundedSum waits_;
  std::vector<int> choice_;
  std::vector<double> times_;
  std::vector<Choice> found_;
  std::int64_t nodes_ = 1;
  double open_ = std::numeric_limits<double>::infinity();  // the least bound of what was not looked into
  bool is_cut_ = false;
};

void check(const Program& program) {
  STRATA_CHECK(program.contention >= 0 && program.contention <= 1, "a contention from 0 to 1");
  for (const Variable& variable : program.variables)
    STRATA_CHECK(!variable.candidates.empty(), variable.name + " has no candidates");
}

}  // namespace

Term term(std::span<const Variable> variables, std::vector<int> scope, const TermFunction& function) {
  STRATA_CHECK(std::ranges::is_sorted(scope), "a term's variables ascend");
  std::vector<std::size_t> at(scope.size(), 0);
  std::vector<std::int64_t> sizes(scope.size());
  std::vector<double> values;
  while (true) {
    for (std::size_t i = 0; i < scope.size(); ++i)
      sizes[i] = variables[static_cast<std::size_t>(scope[i])].candidates[at[i]];
    values.push_back(function(sizes));
    std::size_t next = scope.size();
    while (next > 0 && ++at[next - 1] == candidates_of(variables, scope[next - 1])) at[--next] = 0;
    if (next == 0) break;
  }
  return {std::move(scope), std::move(values)};
}

double time_of(const Program& program, std::span<const int> choice) {
  std::vector<double> times;
  for (const Sum& sum : program.times) times.push_back(value_of(program.variables, sum, choice));
  return overlapped(times, program.contention) + value_of(program.variables, program.waits, choice);
}

bool keeps_limits(const Program& program, std::span<const int> choice) {
  return std::ranges::all_of(
      program.limits, [&](const Limit& limit) { return value_of(program.variables, limit.sum, choice) <= limit.most; });
}

Solution solve(const Program& program, const SearchLimits& limits) {
  check(program);
  Search search(program, limits, 1);
  search.run();
  return search.solution();
}

std::vector<Choice> fastest(const Program& program, std::size_t count, const SearchLimits& limits) {
  check(program);
  STRATA_CHECK(count >= 1, "no choices are wanted");
  Search search(program, limits, count);
  search.run();
  return std::move(search.found());
}

std::vector<std::int64_t> tile_candidates(std::int64_t extent, std::int64_t unit) {
  STRATA_CHECK(extent >= 1 && unit >= 1, "tiles of nothing");
  const std::int64_t units = (extent + unit - 1) / unit;
  std::vector<std::int64_t> sizes;
  for (std::int64_t tile = 1; tile <= units;) {
    sizes.push_back(tile * unit);
    if (tile == units) break;
    // The smallest tile that takes fewer steps.
    const std::int64_t trips = (units + tile - 1) / tile;
    tile = (units + trips - 2) / (trips - 1);
  }
  return sizes;
}

}  // namespace strata::tiles
