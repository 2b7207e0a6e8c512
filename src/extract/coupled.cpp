// SPDX-License-Identifier: Apache-2.0
#include "extract/coupled.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "extract/greedy.h"
#include "extract/parts.h"

namespace strata::extract {
namespace {

// Doublings from a tenth of the choice's cost for the whole capacity to 1e14 times that.
constexpr int kMostDoublings = 50;
constexpr int kMostPrices = 30;

// Alternatives that exclude each other can't be bought apart; memory can.
std::vector<int> shared_limits(const Problem& problem) {
  std::vector<int> shared;
  for (int limit = 0; limit < std::ssize(problem.limits); ++limit)
    if (problem.limits[limit].uses.size() > 1 && !holds_one_use(problem.limits[limit])) shared.push_back(limit);
  return shared;
}

Problem without(Problem problem, const std::vector<int>& limits) {
  for (int limit : limits) problem.limits[limit].uses.clear();
  return problem;
}

// The parts' choices at a price on a limit: what they cost, and what they use.
struct Offer {
  std::vector<int> choice;
  double cost = 0;
  double used = 0;
};

class Pricing {
 public:
  // `free` is the problem without its shared limits.
  Pricing(const Problem& problem, const Problem& free, const Limit& limit, const Options& options, Work& work)
      : problem_(problem), free_(free), limit_(limit), options_(options), work_(work) {}

  // The best choice that keeps all limits, if one was found, with the best bound. `first` is the attempt at `free`,
  // which exceeds the limit.
  Attempt run(const Attempt& first) {
    best_ = first;
    best_.is_feasible = false;
    bound_ = first.solution.bound;
    Offer low = offer(first.solution.choice);
    if (std::optional<Offer> high = cheapest_that_fits(low)) {
      between(low, *high);
      mix(low, *high);
    }
    set_bound(bound_, best_.solution);
    return best_;
  }

 private:
  Offer offer(const std::vector<int>& choice) const {
    return {choice, dag_cost(problem_, choice), usage(limit_, choice)};
  }
  bool fits(const Offer& offer) const { return offer.used <= allowed(limit_); }

  // The parts' choices where each amount of the limit costs so much more.
  Offer at(double price) {
    Problem priced = free_;
    for (const Use& use : limit_.uses) priced.classes[use.cls][use.node].cost += price * use.amount;
    const Attempt attempt = attempt_by_parts(priced, options_, work_);
    bound_ = std::max(bound_, attempt.solution.bound - price * limit_.capacity);
    const Offer found = offer(attempt.solution.choice);
    take(found.choice);
    return found;
  }

  void take(const std::vector<int>& choice) {
    Solution solution = best_.solution;
    set_choice(problem_, choice, solution);
    if (!solution.exceeded.empty() || (best_.is_feasible && solution.objective >= best_.solution.objective)) return;
    best_.solution = std::move(solution);
    best_.is_feasible = true;
  }

  // Doubles the price until the choice fits; `low` becomes the last one that doesn't.
  std::optional<Offer> cheapest_that_fits(Offer& low) {
    double price = 0.1 * (low.cost > 0 ? low.cost : 1) / (limit_.capacity > 0 ? limit_.capacity : 1);
    for (int i = 0; i < kMostDoublings && !(options_.exact && work_.is_spent()); ++i, price *= 2) {
      Offer found = at(price);
      if (fits(found)) return found;
      low = std::move(found);
    }
    return std::nullopt;
  }

  // At the price where both cost the same there is a choice that costs less, or none: then it is the best price.
  void between(Offer& low, Offer& high) {
    for (int i = 0; i < kMostPrices; ++i) {
      const double price = (high.cost - low.cost) / (low.used - high.used);
      if (!(price > 0) || !std::isfinite(price)) return;
      Offer found = at(price);
      const double before = low.cost + price * low.used;
      if (found.cost + price * found.used >= before - kOptimality * before) return;
      (fits(found) ? high : low) = std::move(found);
    }
  }

  // What fits, with the shares of what doesn't, as far as there is room: the largest gains per amount first.
  void mix(const Offer& low, const Offer& high) {
    struct Exchange {
      Part part;
      double gain = 0, amount = 0;
    };
    std::vector<Exchange> exchanges;
    for (Part& part : split(free_)) {
      std::vector<int> other = high.choice;
      put_share(part, share(part, low.choice), other);
      const Offer exchanged = offer(other);
      Exchange exchange{std::move(part), high.cost - exchanged.cost, exchanged.used - high.used};
      if (exchange.gain > 0) exchanges.push_back(std::move(exchange));
    }
    const auto first = [](const Exchange& exchange) { return exchange.part.class_of.front(); };
    std::ranges::sort(exchanges, [&](const Exchange& a, const Exchange& b) {
      const double gain_of_a = a.gain * std::max(b.amount, 0.0), gain_of_b = b.gain * std::max(a.amount, 0.0);
      return gain_of_a != gain_of_b ? gain_of_a > gain_of_b : first(a) < first(b);
    });
    std::vector<int> mixed = high.choice;
    double room = allowed(limit_) - high.used;
    for (const Exchange& exchange : exchanges) {
      if (exchange.amount > room) continue;
      put_share(exchange.part, share(exchange.part, low.choice), mixed);
      room -= exchange.amount;
    }
    take(mixed);
  }

  const Problem& problem_;
  const Problem& free_;
  const Limit& limit_;
  const Options& options_;
  Work& work_;
  Attempt best_;
  double bound_ = 0;
};

bool is_good_enough(const Solution& solution, const Options& options) {
  return solution.gap <= std::max(options.relative_gap, kOptimality);
}

void settle(Solution& solution) {
  solution.method = Method::kOptimal;
  solution.is_limited = false;
  solution.reason.clear();
}

// One integer program of all parts, from the best choice so far.
Attempt joined(const Problem& problem, const Options& options, Work& work, const Attempt& priced) {
  Attempt result = attempt(problem, options, work, priced.is_feasible ? priced.solution.choice : std::vector<int>{});
  if (result.is_feasible && priced.solution.bound > result.solution.bound)
    set_bound(priced.solution.bound, result.solution);
  result.solution.parts = result.solution.different_parts = 1;
  if (result.is_feasible && is_good_enough(result.solution, options)) settle(result.solution);
  return result;
}

}  // namespace

Attempt attempt_coupled(const Problem& problem, const Options& options, Work& work) {
  const std::vector<int> shared = shared_limits(problem);
  const Problem free = without(problem, shared);
  Attempt first = attempt_by_parts(free, options, work);
  if (shared.empty() || first.is_refuted) return first;
  set_choice(problem, first.solution.choice, first.solution);
  const std::vector<int> exceeded = first.solution.exceeded;
  if (!first.is_feasible || exceeded.empty()) return first;
  first.is_feasible = false;
  const bool has_price = exceeded.size() == 1 && first.solution.parts > 1;
  if (!has_price) return joined(problem, options, work, first);
  Attempt priced = Pricing(problem, free, problem.limits[exceeded.front()], options, work).run(first);
  if (priced.is_feasible && is_good_enough(priced.solution, options)) {
    settle(priced.solution);
    return priced;
  }
  if (priced.is_feasible && !options.exact) return priced;
  return joined(problem, options, work, priced);
}

}  // namespace strata::extract
