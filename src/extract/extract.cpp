// SPDX-License-Identifier: Apache-2.0
#include "extract/extract.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/words.h"
#include "extract/coupled.h"
#include "extract/greedy.h"

namespace strata::extract {
namespace {

// More names than that help nobody.
constexpr size_t kNamesInMessage = 4;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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
  Work work(options.work);
  return attempt(alone, options, work).solution.bound;
}

// Limits that can't be kept together, none of which can be left out (as far as the work allows to tell).
std::vector<int> conflict(const Problem& problem, const Options& options) {
  const Problem free = without_costs(problem);
  std::vector<int> limits = all_limits(problem);
  for (int limit : all_limits(problem)) {
    std::vector<int> fewer = limits;
    std::erase(fewer, limit);
    Work work(options.work);
    if (attempt(with_limits(free, fewer), options, work).is_refuted) limits = fewer;
  }
  return limits;
}

[[noreturn]] void refuse(const Problem& problem, Options options) {
  // Each limit is looked at by itself, twice: together not much more work than the question that they explain.
  options.work /= std::max<long>(1, std::ssize(problem.limits));
  for (const int limit : all_limits(problem)) {
    const double least = least_usage(problem, limit, options);
    if (least > allowed(problem.limits[limit]))
      throw resource_error("limit '" + problem.limits[limit].name + "' can't be kept: every choice takes up at least " +
                               plain_text(least) + " of " + plain_text(problem.limits[limit].capacity),
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
  validate(problem);
  Work work(options.work);
  Attempt result = attempt_coupled(problem, options, work);
  if (result.is_refuted) refuse(problem, options);
  if (!result.is_feasible && !options.exact)
    throw resource_error("greedy extraction found no choice that keeps " + names(problem, result.solution.exceeded), "",
                         "allow exact extraction or raise the capacity");
  if (!result.is_feasible)
    throw resource_error("no choice was found that keeps " + names(problem, result.solution.exceeded) + " before " +
                             work_text(options) + " was spent",
                         "", "allow more work or raise the capacity");
  check(problem, result.solution.choice);
  result.solution.work = options.work - work.left();
  result.solution.seconds = seconds_since(start);
  return result.solution;
}

}  // namespace strata::extract
