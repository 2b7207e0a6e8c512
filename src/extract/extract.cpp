// SPDX-License-Identifier: Apache-2.0
#include "extract/extract.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "extract/greedy.h"
#include "extract/landmarks.h"
#include "extract/presolve.h"
#include "extract/program.h"

namespace strata::extract {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// More names than that help nobody.
constexpr size_t kNamesInMessage = 4;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Clock::time_point after(Clock::time_point start, double seconds) {
  // A year: no limit, and no overflow.
  return start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(seconds, 3e7)));
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::vector<int> exceeded_limits(const Problem& problem, const std::vector<int>& choice) {
  std::vector<int> exceeded;
  for (int limit = 0; limit < std::ssize(problem.limits); ++limit)
    if (usage(problem.limits[limit], choice) > allowed(problem.limits[limit])) exceeded.push_back(limit);
  return exceeded;
}

void set_choice(const Problem& problem, std::vector<int> choice, Solution& solution) {
  solution.choice = std::move(choice);
  solution.objective = dag_cost(problem, solution.choice);
  solution.exceeded = exceeded_limits(problem, solution.choice);
}

void set_bound(double bound, Solution& solution) {
  solution.bound = std::clamp(bound, 0.0, solution.objective);
  solution.gap = solution.objective > 0 ? (solution.objective - solution.bound) / solution.objective : 0;
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

struct Attempt {
  Solution solution;
  bool is_feasible = false;  // the solution keeps the limits
  bool is_refuted = false;   // no choice keeps them
};

bool is_acceptable(const Solution& solution) { return solution.exceeded.empty(); }

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
    if (is_acceptable(other) && (!is_acceptable(solution) || other.objective < solution.objective)) {
      solution = std::move(other);
      solution.method = Method::kFeasible;
    }
  }
  attempt.is_feasible = is_acceptable(solution);
  attempt.is_refuted = !attempt.is_feasible && outcome.is_proven;
}

// The greedy choice, or another one if the presolve took nodes of it out.
std::vector<int> start_choice(const Presolved& presolved, const std::vector<int>& greedy_of_original) {
  std::vector<int> choice = project(presolved, greedy_of_original);
  const bool is_valid = LocalSearch(presolved.problem).evaluate(choice).excess == 0;
  return is_valid ? choice : greedy_choice(presolved.problem);
}

// Greedy, presolve, and the integer program of what is left.
Attempt attempt(const Problem& problem, const Options& options, Clock::time_point start) {
  const Clock::time_point deadline = after(start, options.time_limit_s);
  Attempt result;
  Solution& solution = result.solution;
  solution = greedy(problem);
  result.is_feasible = is_acceptable(solution);
  const Presolved presolved = presolve(problem, result.is_feasible ? solution.objective : kInfinity);
  if (presolved.is_infeasible) {
    result.is_refuted = true;
    return result;
  }
  Outcome outcome;
  outcome.is_proven = presolved.problem.classes.empty();
  if (!outcome.is_proven && !options.exact) {
    solution.reason = "exact extraction is off";
  } else if (!outcome.is_proven) {
    outcome = solve_program(presolved.problem, start_choice(presolved, solution.choice), deadline,
                            options.relative_gap * solution.objective);
  }
  if (presolved.problem.classes.empty()) set_choice(problem, restore(problem, presolved, {}), solution);
  merge(problem, presolved, outcome, result);
  if (!result.is_feasible) return result;
  if (outcome.is_proven) solution.method = Method::kOptimal;
  const double bound = std::max(outcome.bound + presolved.offset, simple_bound(presolved));
  const bool is_exact = outcome.is_proven && options.relative_gap == 0;
  set_bound(is_exact ? solution.objective : std::min(bound, solution.objective), solution);
  if (!outcome.is_proven && solution.reason.empty())
    solution.reason = "the time limit of " + number(options.time_limit_s) + " s struck";
  return result;
}

std::string names(const Problem& problem, const std::vector<int>& limits) {
  std::string text;
  for (size_t i = 0; i < std::min(limits.size(), kNamesInMessage); ++i)
    text += (i == 0 ? "" : ", ") + problem.limits[limits[i]].name;
  if (limits.size() > kNamesInMessage) text += " and " + std::to_string(limits.size() - kNamesInMessage) + " more";
  return text;
}

std::vector<int> all_limits(const Problem& problem) {
  std::vector<int> all(problem.limits.size());
  for (int limit = 0; limit < std::ssize(all); ++limit) all[limit] = limit;
  return all;
}

Problem with_limits(const Problem& problem, const std::vector<int>& limits) {
  Problem changed{problem.classes, problem.roots, {}};
  for (int limit : limits) changed.limits.push_back(problem.limits[limit]);
  return changed;
}

Problem without_costs(Problem problem) {
  for (auto& nodes : problem.classes)
    for (Node& node : nodes) node.cost = 0;
  return problem;
}

// The least that any choice takes up of the limit, or a lower bound of it.
double least_usage(const Problem& problem, int limit, const Options& options) {
  Problem alone = without_costs(with_limits(problem, {}));
  for (const Use& use : problem.limits[limit].uses) alone.classes[use.cls][use.node].cost += use.amount;
  return attempt(alone, options, Clock::now()).solution.bound;
}

// Limits that can't be kept together, none of which can be left out (as far as the time allows).
std::vector<int> conflict(const Problem& problem, const Options& options) {
  const Clock::time_point start = Clock::now();
  const Problem free = without_costs(problem);
  std::vector<int> limits = all_limits(problem);
  for (int limit : all_limits(problem)) {
    if (seconds_since(start) > options.time_limit_s) break;
    std::vector<int> fewer = limits;
    std::erase(fewer, limit);
    if (attempt(with_limits(free, fewer), options, Clock::now()).is_refuted) limits = fewer;
  }
  return limits;
}

[[noreturn]] void refuse(const Problem& problem, const Options& options) {
  const Clock::time_point start = Clock::now();
  for (const int limit : all_limits(problem)) {
    if (seconds_since(start) > options.time_limit_s) break;
    const double least = least_usage(problem, limit, options);
    if (least > allowed(problem.limits[limit]))
      throw resource_error("limit '" + problem.limits[limit].name + "' can't be kept: every choice takes up at least " +
                               number(least) + " of " + number(problem.limits[limit].capacity),
                           "", "raise the capacity or allow more alternatives");
  }
  throw resource_error("these limits can't be kept together: " + names(problem, conflict(problem, options)), "",
                       "raise a capacity or allow more alternatives");
}

}  // namespace

const char* method_name(Method method) {
  switch (method) {
    case Method::kOptimal:
      return "optimal";
    case Method::kFeasible:
      return "feasible";
    case Method::kGreedy:
      return "greedy";
  }
  return "";
}

Solution greedy(const Problem& problem) {
  const Clock::time_point start = Clock::now();
  validate(problem);
  const std::vector<int> choice = greedy_choice(problem);
  for (int root : problem.roots)
    STRATA_CHECK(choice[root] != -1, "no acyclic choice covers root class " + std::to_string(root));
  Solution solution;
  set_choice(problem, only_needed(problem, choice), solution);
  if (!solution.exceeded.empty()) solution.reason = "exceeds " + names(problem, solution.exceeded);
  set_bound(0, solution);
  solution.seconds = seconds_since(start);
  return solution;
}

Solution solve(const Problem& problem, const Options& options) {
  const Clock::time_point start = Clock::now();
  Attempt result = attempt(problem, options, start);
  if (result.is_refuted) refuse(problem, options);
  if (!result.is_feasible && !options.exact)
    throw resource_error("greedy extraction found no choice that keeps " + names(problem, result.solution.exceeded), "",
                         "allow exact extraction or raise the capacity");
  if (!result.is_feasible)
    throw resource_error("no choice found within " + number(options.time_limit_s) + " s that keeps " +
                             names(problem, result.solution.exceeded),
                         "", "allow more time or raise the capacity");
  check(problem, result.solution.choice);
  result.solution.seconds = seconds_since(start);
  return result.solution;
}

}  // namespace strata::extract
