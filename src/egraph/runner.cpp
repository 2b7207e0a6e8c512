// SPDX-License-Identifier: Apache-2.0
#include "egraph/runner.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>
#include <unordered_set>

#include "base/hash.h"

namespace strata::egraph {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Processor time of a phase, divided among the rules by the wall clock: the processor's clock takes 2 us to read, which
// is as long as many a search.
class RuleClock {
 public:
  explicit RuleClock(std::size_t rules) : laps_(rules) {}

  void start() {
    std::ranges::fill(laps_, 0.0);
    processor_ = processor_seconds();
    last_ = Clock::now();
  }
  // The time since the last lap was this rule's.
  void lap(std::size_t rule) {
    const Clock::time_point now = Clock::now();
    laps_[rule] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  void finish(std::vector<RuleReport>& rules) const {
    const double all = std::accumulate(laps_.begin(), laps_.end(), 0.0);
    const double part = all > 0 ? (processor_seconds() - processor_) / all : 0;
    for (std::size_t i = 0; i < laps_.size(); ++i) rules[i].seconds += part * laps_[i];
  }

 private:
  std::vector<double> laps_;  // by rule
  double processor_ = 0;
  Clock::time_point last_;
};

std::uint32_t deepest(std::span<const Rewrite> rules) {
  std::uint32_t depth = 0;
  for (const Rewrite& rule : rules) depth = std::max(depth, rule.program.depth);
  return depth;
}

class BackOff {
 public:
  BackOff(const SchedulerOptions& options, std::span<const Rewrite> rules) : options_(options), rules_(rules.size()) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      rules_[i].match_limit = rules[i].match_limit > 0 ? rules[i].match_limit : options.match_limit;
    }
  }

  bool is_banned(std::size_t rule, std::size_t iteration) const { return rules_[rule].banned_until > iteration; }

  std::size_t match_limit(std::size_t rule) const {
    if (!options_.back_off) return std::numeric_limits<std::size_t>::max();
    return doubled(rules_[rule].match_limit, rules_[rule].bans);
  }

  void ban(std::size_t rule, std::size_t iteration) {
    Rule& state = rules_[rule];
    state.banned_until = iteration + 1 + doubled(options_.ban_length, state.bans);
    ++state.bans;
  }

  // When only bans keep a run from being saturated: moves them forward so that the earliest ends now.
  void release(std::size_t iteration) {
    std::size_t earliest = std::numeric_limits<std::size_t>::max();
    for (const Rule& rule : rules_) {
      if (rule.banned_until > iteration) earliest = std::min(earliest, rule.banned_until);
    }
    for (Rule& rule : rules_) {
      if (rule.banned_until > iteration) rule.banned_until -= earliest - iteration;
    }
  }

 private:
  struct Rule {
    std::size_t match_limit = 0;
    std::size_t bans = 0;
    std::size_t banned_until = 0;
  };

  static std::size_t doubled(std::size_t value, std::size_t times) { return value << std::min<std::size_t>(times, 32); }

  SchedulerOptions options_;
  std::vector<Rule> rules_;
};

class Runner {
 public:
  Runner(EGraph& graph, std::span<const Rewrite> rules, const RunnerLimits& limits, const SchedulerOptions& scheduler)
      : graph_(graph),
        rules_(rules),
        limits_(limits),
        back_off_(scheduler, rules),
        changes_(graph, deepest(rules)),
        is_incremental_(scheduler.incremental),
        clock_(rules.size()),
        seen_(rules.size()),
        applied_(rules.size()) {
    for (const Rewrite& rule : rules) report_.rules.push_back({.name = rule.name});
  }

  RunReport run() {
    rebuild();
    report_.stop_reason = iterate();
    report_.nodes = graph_.node_count();
    report_.classes = graph_.class_count();
    report_.memory_bytes = graph_.memory_bytes();
    return std::move(report_);
  }

 private:
  StopReason iterate() {
    for (std::size_t iteration = 0;; ++iteration) {
      if (graph_.node_count() > limits_.nodes) return StopReason::kNodeLimit;
      if (report_.steps >= limits_.steps) return StopReason::kStepLimit;
      if (iteration == limits_.iterations) return StopReason::kIterationLimit;
      const Clock::time_point start = Clock::now();
      const std::size_t before = graph_.id_count() + graph_.merge_count();
      IterationReport& row = report_.iterations.emplace_back();
      std::optional<StopReason> stop;
      timed_by_rule(report_.search_seconds, [&] { stop = search_all(iteration, row); });
      if (!stop) timed_by_rule(report_.apply_seconds, [&] { stop = apply_all(row); });
      rebuild();
      row.nodes = graph_.node_count();
      row.classes = graph_.class_count();
      row.seconds = seconds_since(start);
      if (stop) return *stop;
      const bool changed = graph_.id_count() + graph_.merge_count() != before;
      if (changed) continue;
      if (is_complete_) return StopReason::kSaturated;
      back_off_.release(iteration + 1);
    }
  }

  template <class Work>
  static void timed(double& seconds, const Work& work) {
    const Clock::time_point start = Clock::now();
    work();
    seconds += seconds_since(start);
  }

  template <class Work>
  void timed_by_rule(double& seconds, const Work& work) {
    clock_.start();
    timed(seconds, work);
    clock_.finish(report_.rules);
  }

  void rebuild() {
    timed(report_.rebuild_seconds, [&] {
      graph_.rebuild();
      if (is_incremental_) changes_.update();
    });
  }

  std::optional<StopReason> search_all(std::size_t iteration, IterationReport& row) {
    matches_.assign(rules_.size(), {});
    is_complete_ = true;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (back_off_.is_banned(i, iteration)) {
        is_complete_ = false;
        continue;
      }
      const auto stop = search_rule(i, iteration, row);
      clock_.lap(i);
      if (stop) return stop;
    }
    return std::nullopt;
  }

  std::optional<StopReason> search_rule(std::size_t index, std::size_t iteration, IterationReport& row) {
    RuleReport& rule = report_.rules[index];
    SearchResult found = search(graph_, rules_[index].program,
                                {back_off_.match_limit(index), limits_.steps - report_.steps}, seen_[index]);
    rule.steps += found.steps;
    report_.steps += found.steps;
    if (found.step_limit_hit) return StopReason::kStepLimit;
    rule.matches += found.matches.size();
    row.matches += found.matches.size();
    if (found.match_limit_hit) {
      back_off_.ban(index, iteration);
      is_complete_ = false;
      ++rule.bans;
      return std::nullopt;
    }
    if (is_incremental_) seen_[index] = {&changes_, graph_.epoch(), graph_.id_count()};
    matches_[index] = std::move(found.matches);
    return std::nullopt;
  }

  std::optional<StopReason> apply_all(IterationReport& row) {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (matches_[i].size() == 0) continue;
      RuleReport& rule = report_.rules[i];
      const std::size_t nodes = graph_.node_count();
      const std::size_t applications = rule.applications;
      const auto stop = apply_rule(i, rule);
      clock_.lap(i);
      rule.nodes += graph_.node_count() - nodes;
      row.applications += rule.applications - applications;
      if (stop) return stop;
    }
    return std::nullopt;
  }

  std::optional<StopReason> apply_rule(std::size_t index, RuleReport& rule) {
    for (std::size_t k = 0; k < matches_[index].size(); ++k) {
      if (graph_.node_count() > limits_.nodes) return StopReason::kNodeLimit;
      if (report_.steps >= limits_.steps) return StopReason::kStepLimit;
      ++report_.steps;
      ++rule.steps;
      if (apply_match(index, matches_[index][k])) ++rule.applications;
    }
    return std::nullopt;
  }

  bool apply_match(std::size_t index, const std::uint32_t* row) {
    const Rewrite& rule = rules_[index];
    read_match(graph_, rule, row, match_);
    if (!rule.guard) return apply(graph_, rule, match_);
    const std::uint64_t key = key_of(match_);
    if (applied_[index].contains(key) || !rule.guard(graph_, match_)) return false;
    applied_[index].insert(key);
    return apply(graph_, rule, match_);
  }

  // With 64 bits, two of a million matches share a key once in 10^7 runs; then one of them isn't applied.
  static std::uint64_t key_of(const Match& match) {
    return hash64(std::as_bytes(std::span(match.classes))) * 0x9e3779b97f4a7c15u ^
           hash64(std::as_bytes(std::span(match.payloads)));
  }

  EGraph& graph_;
  std::span<const Rewrite> rules_;
  RunnerLimits limits_;
  BackOff back_off_;
  Changes changes_;
  bool is_incremental_;
  bool is_complete_ = true;  // no rule's matches were left out in this iteration
  RuleClock clock_;
  std::vector<Seen> seen_;                                  // by rule: the graph of its last search
  std::vector<MatchTable> matches_;                         // by rule
  std::vector<std::unordered_set<std::uint64_t>> applied_;  // by guarded rule, never iterated
  Match match_;
  RunReport report_;
};

}  // namespace

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kSaturated:
      return "saturated";
    case StopReason::kIterationLimit:
      return "iteration limit";
    case StopReason::kNodeLimit:
      return "node limit";
    case StopReason::kStepLimit:
      return "step limit";
  }
  return "unknown";
}

RunReport run(EGraph& graph, std::span<const Rewrite> rules, const RunnerLimits& limits,
              const SchedulerOptions& scheduler) {
  return Runner(graph, rules, limits, scheduler).run();
}

}  // namespace strata::egraph
