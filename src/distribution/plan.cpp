// SPDX-License-Identifier: Apache-2.0
#include "distribution/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/error.h"

namespace strata::distribution {
namespace {

constexpr int kDoublings = 60;
constexpr int kBisections = 16;

// Rounds of exchanges, and the entries of tables that the search may have looked at before one.
constexpr int kExchanges = 4;
constexpr std::int64_t kExchangeWork = std::int64_t{1} << 29;

// Plans whose times differ by less, in parts, are equally fast: the one that stores less is taken.
constexpr double kTie = 1e-6;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// "1.92 GiB".
std::string size_text(double bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fixed(bytes, 0) + " bytes";
  std::size_t unit = 0;
  for (bytes /= 1024; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return fixed(bytes, 2) + " " + kUnits[unit];
}

// A way of storing, and the fastest phases with it.
struct Candidate {
  Stored stored;
  std::vector<std::vector<int>> choices;  // by phase
  double seconds = 0;
  double bytes = 0;  // on a device, the arena included
};

class Search {
 public:
  Search(const Graph& graph, const Mesh& mesh, const machine::Machine& machine, const std::vector<Phase>& phases,
         const SearchOptions& options)
      : graph_(graph), mesh_(mesh), options_(options), phases_(phases) {
    limit_ =
        options.memory_bytes > 0 ? options.memory_bytes : static_cast<double>(machine.memory.back().capacity_bytes);
    if (phases[0].equal_parts) {
      load_price_ = 1 / machine.storage_read_bytes_per_s;
      each_.emplace_back(graph, mesh, machine, phases);
      return;
    }
    for (const Phase& phase : phases) each_.emplace_back(graph, mesh, machine, std::vector<Phase>{phase});
    if (phases.size() > 1) all_.emplace(graph, mesh, machine, phases);
  }

  DistributionPlan run() {
    refuse_if_too_large();
    std::vector<Stored> free;
    const double fastest = bound_at(0, &free);
    for (const Stored& stored : free) take(stored);
    consider(kTie * fastest / limit_ + load_price_);
    if (!best_ || best_->bytes > limit_) price_memory();
    if (!best_ || best_->bytes > limit_) refuse(smallest_);
    exchange();
    return report();
  }

 private:
  void refuse_if_too_large() const {
    const double least = each_[0].least_bytes();
    if (least > limit_) refuse(least);
  }

  [[noreturn]] void refuse(double least) const {
    // Where both look alike, all digits.
    const bool is_alike = size_text(least) == size_text(limit_);
    const auto text = [&](double bytes) { return is_alike ? fixed(bytes, 0) + " bytes" : size_text(bytes); };
    throw resource_error("the model doesn't fit: each of the " + std::to_string(devices(mesh_)) +
                             " devices would need at least " + text(least) + " and has " + text(limit_),
                         "the machine's mesh", "give more devices or memory, a shorter context or fewer sequences");
  }

  // No plan that fits is faster: each phase at its own best, with memory at a price. Adds how these store.
  double bound_at(double price, std::vector<Stored>* ways = nullptr) {
    double bound = -price * limit_;
    for (const Problem& problem : each_) {
      const Minimum found = solve(problem.factors(price / static_cast<double>(each_.size())));
      bound += found.cost;
      if (ways != nullptr) ways->push_back(problem.stored(found.choice));
    }
    bound_ = std::max(bound_, bound);
    return bound;
  }

  // The best ways of storing at a price of memory, of each phase alone and of all together.
  void consider(double price) {
    std::vector<Stored> ways;
    bound_at(price, &ways);
    if (all_) ways.push_back(all_->stored(solve(all_->factors(price)).choice));
    is_any_within_ = false;
    for (const Stored& stored : ways) take(stored);
  }

  void take(const Stored& stored) {
    const auto known = std::ranges::find(seen_, stored, &Candidate::stored);
    if (known != seen_.end()) {
      is_any_within_ = is_any_within_ || known->bytes <= limit_;
      return;
    }
    Candidate candidate{stored, {}, 0, 0};
    for (const auto& [value, state] : stored) {
      candidate.bytes += stored_bytes(graph_.values[static_cast<std::size_t>(value)], state, mesh_, phases_[0]);
    }
    if (best_ && best_->bytes <= limit_ && candidate.bytes > limit_) return;
    double arena = 0;
    for (const Problem& problem : each_) {
      const Minimum found = solve(problem.factors(0, &stored));
      candidate.seconds += found.cost;
      if (found.cost == kInfinite) return;
      candidate.choices.push_back(found.choice);
      for (std::size_t phase = 0; phase < problem.phases().size(); ++phase)
        arena = std::max(arena, problem.arena_bytes(found.choice, phase));
    }
    candidate.bytes += arena;
    seen_.push_back(candidate);
    smallest_ = std::min(smallest_, candidate.bytes);
    is_any_within_ = is_any_within_ || candidate.bytes <= limit_;
    if (!best_ || is_better(candidate, *best_)) best_ = std::move(candidate);
  }

  bool is_better(const Candidate& a, const Candidate& b) const {
    if ((a.bytes <= limit_) != (b.bytes <= limit_)) return a.bytes <= limit_;
    const double a_seconds = a.seconds + load_price_ * a.bytes, b_seconds = b.seconds + load_price_ * b.bytes;
    if (a_seconds < b_seconds * (1 - kTie)) return true;
    return a_seconds <= b_seconds * (1 + kTie) && a.bytes < b.bytes;
  }

  // The price rises until a plan fits, and is then found by bisection: of its logarithm, as it spans many orders.
  void price_memory() {
    double high = std::max(best_ ? best_->seconds : 1, 1e-9) / limit_ * 1e-3, low = 0;
    for (int i = 0; i < kDoublings; ++i) {
      consider(high);
      if (is_any_within_) break;
      low = high;
      high *= 2;
    }
    if (!is_any_within_) return;
    for (int i = 0; i < kBisections; ++i) {
      const double price = low == 0 ? high / 4 : (low + high) / 2;
      consider(price);
      (is_any_within_ ? high : low) = price;
    }
  }

  // A price finds only plans on the convex hull of time and memory, and the phases' own best plans may store alike only
  // in part. From the best plan on single stored values are exchanged, for a state that some plan before had, while
  // that is faster, or as fast and smaller.
  void exchange() {
    for (int round = 0; round < kExchanges; ++round) {
      const Stored from = best_->stored;
      for (const auto& [value, state] : from) {
        for (const State& other : seen_states(value)) {
          if (work_ > kExchangeWork) return;
          Stored stored = best_->stored;
          if (std::exchange(stored.at(value), other) != other) take(stored);
        }
      }
      if (best_->stored == from) return;
    }
  }

  std::vector<State> seen_states(int value) const {
    std::vector<State> states;
    for (const Candidate& candidate : seen_) {
      const State& state = candidate.stored.at(value);
      if (std::ranges::find(states, state) == states.end()) states.push_back(state);
    }
    return states;
  }

  Minimum solve(const FactorGraph& factors) {
    std::optional<Minimum> found = minimise(factors, options_.most_entries);
    if (!found) {
      throw resource_error("the search for a distribution would need a table of more than " +
                               std::to_string(options_.most_entries) + " entries",
                           "the machine's mesh", "give a mesh of fewer axes");
    }
    work_ += found->entries;
    return *std::move(found);
  }

  DistributionPlan report() const {
    DistributionPlan plan;
    plan.mesh = mesh_;
    plan.limit_bytes = limit_;
    plan.seconds = best_->seconds;
    plan.bound_s = std::min(std::max(bound_, 0.0), plan.seconds);
    plan.gap = plan.seconds > 0 ? (plan.seconds - plan.bound_s) / plan.seconds : 0;
    plan.work = work_;
    for (std::size_t i = 0; i < each_.size(); ++i) {
      for (std::size_t phase = 0; phase < each_[i].phases().size(); ++phase) {
        plan.phases.push_back(phase_plan(each_[i], best_->choices[i], phase));
        plan.arena_bytes = std::max(plan.arena_bytes, plan.phases.back().arena_bytes);
      }
    }
    if (phases_[0].equal_parts) plan.division = each_[0].division(best_->choices[0]);
    if (const auto carried = each_[0].carried(best_->choices[0])) plan.carried = text_of(*carried, mesh_);
    for (const auto& [number, state] : best_->stored) {
      const Value& value = graph_.values[static_cast<std::size_t>(number)];
      const double bytes = stored_bytes(value, state, mesh_, phases_[0]);
      plan.stores.push_back({value.name, text_of(state, mesh_), !value.is_constant(), bytes});
      (value.is_constant() ? plan.weight_bytes : plan.cache_bytes) += bytes;
    }
    return plan;
  }

  PhasePlan phase_plan(const Problem& problem, const std::vector<int>& choice, std::size_t number) const {
    const Phase& phase = problem.phases()[number];
    PhasePlan plan{phase.name, phase.runs, {}, {}, 0, 0, std::vector<double>(mesh_.size()), 0};
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const Strategy& strategy = problem.strategy(static_cast<int>(n), choice);
      PlacedOp op{node.name,
                  node.function,
                  {},
                  text_of(strategy.result, mesh_),
                  strategy.result,
                  node.count,
                  problem.seconds(static_cast<int>(n), choice, number)};
      for (std::size_t i = 0; i < node.operands.size(); ++i) {
        op.operands.push_back(node.operands[i] < 0 ? "" : text_of(strategy.operands[i], mesh_));
      }
      plan.compute_s += op.seconds;
      plan.ops.push_back(std::move(op));
    }
    for (const Move& move : problem.moves(choice, number)) add_move(move, plan);
    plan.arena_bytes = problem.arena_bytes(choice, number);
    return plan;
  }

  void add_move(const Move& move, PhasePlan& plan) const {
    const Value& value = graph_.values[static_cast<std::size_t>(move.value)];
    const std::string user = move.user < 0 ? "" : graph_.nodes[static_cast<std::size_t>(move.user)].name;
    const int node = move.user >= 0 ? move.user : value.node;
    const std::string function = node < 0 ? "" : graph_.nodes[static_cast<std::size_t>(node)].function;
    State from = move.from;
    for (const Hop& hop : move.hops) {
      const auto axis = static_cast<std::size_t>(hop.axis);
      if (hop.kind != CollectiveKind::kSlice) {
        plan.collectives.push_back({name_of(hop.kind), mesh_[axis].name, function, value.name, user,
                                    text_of(from, mesh_), text_of(hop.to, mesh_), hop.cost.bytes, move.count,
                                    move.count * hop.cost.seconds});
        plan.collective_s += move.count * hop.cost.seconds;
        plan.link_bytes[axis] += move.count * hop.cost.bytes;
      }
      from = hop.to;
    }
  }

  const Graph& graph_;
  const Mesh& mesh_;
  const SearchOptions options_;
  const std::vector<Phase>& phases_;
  std::vector<Problem> each_;   // a phase by itself
  std::optional<Problem> all_;  // one way of dividing for all of them
  double limit_ = 0;
  double load_price_ = 0;  // of plans that code is made for: seconds for each byte, to load it once
  std::optional<Candidate> best_;
  std::vector<Candidate> seen_;
  double bound_ = -kInfinite;
  double smallest_ = kInfinite;
  bool is_any_within_ = false;  // of what was considered last
  std::int64_t work_ = 0;
};

}  // namespace

DistributionPlan plan_distribution(const Graph& graph, const Mesh& mesh, const machine::Machine& machine,
                                   const std::vector<Phase>& phases, const SearchOptions& options) {
  return Search(graph, mesh, machine, phases, options).run();
}

}  // namespace strata::distribution
