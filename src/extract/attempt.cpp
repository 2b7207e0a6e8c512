// SPDX-License-Identifier: Apache-2.0
#include "extract/attempt.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "extract/greedy.h"
#include "extract/landmarks.h"
#include "extract/parts.h"
#include "extract/presolve.h"
#include "extract/program.h"

namespace strata::extract {
namespace {

std::vector<int> exceeded_limits(const Problem& problem, const std::vector<int>& choice) {
  std::vector<int> exceeded;
  for (int limit = 0; limit < std::ssize(problem.limits); ++limit)
    if (usage(problem.limits[limit], choice) > allowed(problem.limits[limit])) exceeded.push_back(limit);
  return exceeded;
}

// Per component that every choice enters, the larger of two costs: of its classes that are in every choice, and of a
// node whose children all lie outside, without which it would be cyclic.
double simple_bound(const Presolved& presolved) {
  const Problem& problem = presolved.problem;
  const std::vector<int> component = components(problem);
  const Landmarks landmarks = find_landmarks(problem, component);
  std::vector<double> required(landmarks.components.size(), 0), exit(landmarks.components.size(), kInfinity);
  for (int cls = 0; cls < std::ssize(component); ++cls) {
    const int own = component[cls];
    double least = kInfinity;
    for (const Node& node : problem.classes[cls]) {
      least = std::min(least, node.cost);
      const bool leaves = std::ranges::none_of(node.children, [&](int child) { return component[child] == own; });
      if (leaves) exit[own] = std::min(exit[own], node.cost);
    }
    if (landmarks.classes[cls]) required[own] += least;
  }
  double bound = presolved.offset;
  for (size_t s = 0; s < required.size(); ++s)
    if (landmarks.components[s]) bound += std::max(required[s], exit[s]);
  return bound;
}

// Takes the program's choice where it is better than the greedy one.
void merge(const Problem& problem, const Presolved& presolved, const Outcome& outcome, Attempt& attempt) {
  Solution& solution = attempt.solution;
  solution.variables = outcome.variables;
  solution.constraints = outcome.constraints;
  solution.cuts = outcome.cuts;
  solution.rounds = outcome.rounds;
  if (!outcome.choice.empty()) {
    Solution other = solution;
    set_choice(problem, restore(problem, presolved, outcome.choice), other);
    const bool keeps_limits = other.exceeded.empty();
    if (keeps_limits && (!solution.exceeded.empty() || other.objective < solution.objective)) {
      solution = std::move(other);
      solution.method = Method::kFeasible;
    }
  }
  attempt.is_feasible = solution.exceeded.empty();
  attempt.is_refuted = !attempt.is_feasible && outcome.is_proven;
}

// The greedy choice, or another one if the presolve took nodes of it out.
std::vector<int> start_choice(const Presolved& presolved, const std::vector<int>& greedy_of_original) {
  std::vector<int> choice = project(presolved, greedy_of_original);
  const bool is_valid = LocalSearch(presolved.problem).evaluate(choice).excess == 0;
  return is_valid ? choice : greedy_choice(presolved.problem);
}

void add(const Outcome& part, Outcome& sum) {
  sum.bound += part.bound;
  sum.is_proven = sum.is_proven && part.is_proven;
  sum.variables += part.variables;
  sum.constraints += part.constraints;
  sum.cuts += part.cuts;
  sum.rounds += part.rounds;
}

// A presolved problem often falls into parts: what every choice needs no longer ties together what needs it.
Outcome solve_parts(const Problem& problem, const std::vector<int>& start, Work& work, double allowed_gap) {
  const std::vector<Part> parts = split(problem);
  const double total = dag_cost(problem, start);
  Outcome sum;
  sum.is_proven = true;
  sum.choice.assign(problem.classes.size(), -1);
  bool is_complete = true;
  for (const Part& part : parts) {
    const std::vector<int> own_start = share(part, start);
    const double own_gap = total > 0 ? allowed_gap * dag_cost(part.problem, own_start) / total : 0;
    const Outcome outcome = solve_program(part.problem, own_start, work, own_gap);
    add(outcome, sum);
    const bool has_none = outcome.choice.empty();
    if (has_none && outcome.is_proven) return outcome;
    is_complete = is_complete && !has_none;
    if (!has_none) put_share(part, outcome.choice, sum.choice);
  }
  if (!is_complete) sum.choice.clear();
  return sum;
}

Solution first_solution(const Problem& problem, std::vector<int> start) {
  if (start.empty()) return greedy(problem);
  Solution solution;
  set_choice(problem, std::move(start), solution);
  return solution;
}

// The parts' answers, side by side.
class Sum {
 public:
  explicit Sum(const Problem& problem) : problem_(problem), choice_(problem.classes.size(), -1) {
    sum_.is_feasible = true;
  }

  void add(const Part& part, const Attempt& attempt, bool is_repeated) {
    const Solution& from = attempt.solution;
    Solution& into = sum_.solution;
    put_share(part, from.choice, choice_);
    bound_ += from.bound;
    sum_.is_feasible = sum_.is_feasible && attempt.is_feasible;
    sum_.is_refuted = sum_.is_refuted || attempt.is_refuted;
    into.is_limited = into.is_limited || from.is_limited;
    if (into.reason.empty()) into.reason = from.reason;
    is_optimal_ = is_optimal_ && from.method == Method::kOptimal;
    is_greedy_ = is_greedy_ && (from.method == Method::kGreedy || from.variables == 0);
    into.cuts += from.cuts;
    into.rounds += from.rounds;
    ++into.parts;
    if (is_repeated) return;
    ++into.different_parts;
    into.variables += from.variables;
    into.constraints += from.constraints;
  }

  Attempt result() && {
    set_choice(problem_, std::move(choice_), sum_.solution);
    sum_.solution.method = is_optimal_ ? Method::kOptimal : is_greedy_ ? Method::kGreedy : Method::kFeasible;
    set_bound(bound_, sum_.solution);
    return std::move(sum_);
  }

 private:
  const Problem& problem_;
  std::vector<int> choice_;
  double bound_ = 0;
  bool is_optimal_ = true, is_greedy_ = true;
  Attempt sum_;
};

}  // namespace

std::string work_text(const Options& options) {
  return "the work of " + std::to_string(options.work) + " iterations of the simplex method";
}

void set_choice(const Problem& problem, std::vector<int> choice, Solution& solution) {
  solution.choice = std::move(choice);
  solution.objective = dag_cost(problem, solution.choice);
  solution.exceeded = exceeded_limits(problem, solution.choice);
}

void set_bound(double bound, Solution& solution) {
  // What sums differ by in their last digits is no gap.
  constexpr double kRounding = 1e-12;
  const bool is_reached = bound >= solution.objective * (1 - kRounding);
  solution.bound = is_reached ? solution.objective : std::max(bound, 0.0);
  solution.gap = solution.objective > 0 ? (solution.objective - solution.bound) / solution.objective : 0;
}

Attempt attempt(const Problem& problem, const Options& options, Work& work, std::vector<int> start) {
  Attempt result;
  Solution& solution = result.solution;
  solution = first_solution(problem, std::move(start));
  result.is_feasible = solution.exceeded.empty();
  const Presolved presolved = presolve(problem, result.is_feasible ? solution.objective : kInfinity);
  if (presolved.is_infeasible) {
    result.is_feasible = false;
    result.is_refuted = true;
    return result;
  }
  Outcome outcome;
  outcome.is_proven = presolved.problem.classes.empty();
  if (!outcome.is_proven && !options.exact) {
    solution.reason = "exact extraction is off";
  } else if (!outcome.is_proven) {
    outcome = solve_parts(presolved.problem, start_choice(presolved, solution.choice), work,
                          options.relative_gap * solution.objective);
  }
  if (presolved.problem.classes.empty()) set_choice(problem, restore(problem, presolved, {}), solution);
  merge(problem, presolved, outcome, result);
  if (!result.is_feasible) return result;
  if (outcome.is_proven) solution.method = Method::kOptimal, solution.reason.clear();
  const double bound = std::max(outcome.bound + presolved.offset, simple_bound(presolved));
  const bool is_exact = outcome.is_proven && options.relative_gap == 0;
  set_bound(is_exact ? solution.objective : std::min(bound, solution.objective), solution);
  if (!outcome.is_proven && options.exact)
    solution.is_limited = true, solution.reason = work_text(options) + " is spent";
  return result;
}

Attempt attempt_by_parts(const Problem& problem, const Options& options, Work& work) {
  std::map<std::string, Attempt> known;
  Sum sum(problem);
  for (const Part& part : split(problem)) {
    const auto [found, is_new] = known.try_emplace(content_key(part.problem));
    if (is_new) found->second = attempt(part.problem, options, work);
    sum.add(part, found->second, !is_new);
  }
  return std::move(sum).result();
}

}  // namespace strata::extract
