// SPDX-License-Identifier: Apache-2.0
#include "extract/program.h"

#include <CbcModel.hpp>
#include <CglClique.hpp>
#include <CglGomory.hpp>
#include <CglKnapsackCover.hpp>
#include <CglProbing.hpp>
#include <CoinPackedMatrix.hpp>
#include <OsiClpSolverInterface.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/allocation_failure.h"
#include "extract/greedy.h"
#include "extract/loop_cuts.h"
#include "extract/set_cuts.h"

namespace strata::extract {
namespace {

// What the dearest choice of interest costs in the program. The solver's tolerances are absolute, about 1e-9 here, so
// that costs of a 1e-9th of the whole still count.
constexpr double kScaledCost = 1e6;
constexpr double kTolerance = 1e-9;
constexpr size_t kCutsPerRound = 2000;
// Rounds of the relaxation that lift the bound by less than a 1e-4th end the cutting before the branching.
constexpr double kLeastProgress = 1e-4;
constexpr int kSlowRounds = 5;
constexpr int kPrimingRounds = 40;

// The solvers count in int; below their "no limit".
int iterations(long work) { return static_cast<int>(std::min(work, 2'000'000'000L)); }

struct Term {
  int column = 0;
  double factor = 0;
};

// sum of terms in [lower, upper]
struct Row {
  std::vector<Term> terms;
  double lower = -kInfinity;
  double upper = kInfinity;
};

// Columns: a 0/1 variable per node, and one per class that may be needed or not ("y"), unless it has only one node.
class Columns {
 public:
  explicit Columns(const Problem& problem) : problem_(problem), required_(problem.classes.size(), 0) {
    for (int root : problem.roots) required_[root] = 1;
    for (const auto& nodes : problem.classes) {
      first_.push_back(count_);
      count_ += static_cast<int>(nodes.size());
    }
    nodes_ = count_;
    for (size_t cls = 0; cls < first_.size(); ++cls)
      needed_.push_back(problem.classes[cls].size() == 1 ? first_[cls] : required_[cls] ? -1 : count_++);
  }

  int count() const { return count_; }
  bool is_required(int cls) const { return required_[cls]; }
  int node(int cls, int index) const { return first_[cls] + index; }
  // -1: it is always needed.
  int needed(int cls) const { return needed_[cls]; }

  std::vector<double> from_choice(const std::vector<int>& choice) const {
    std::vector<double> columns(count_, 0);
    for (int cls = 0; cls < std::ssize(choice); ++cls) {
      if (choice[cls] == -1) continue;
      columns[node(cls, choice[cls])] = 1;
      if (needed_[cls] != -1) columns[needed_[cls]] = 1;
    }
    return columns;
  }

  NodeValues node_values(const double* columns) const {
    NodeValues values(first_.size());
    for (size_t cls = 0; cls < values.size(); ++cls)
      for (size_t node = 0; node < problem_.classes[cls].size(); ++node)
        values[cls].push_back(std::clamp(columns[first_[cls] + node], 0.0, 1.0));
    return values;
  }

 private:
  const Problem& problem_;
  std::vector<char> required_;
  std::vector<int> first_, needed_;
  int nodes_ = 0, count_ = 0;
};

std::vector<int> nearest_choice(const NodeValues& values) {
  std::vector<int> choice(values.size(), -1);
  for (size_t cls = 0; cls < values.size(); ++cls)
    for (size_t node = 0; node < values[cls].size(); ++node)
      if (values[cls][node] > 0.5) choice[cls] = static_cast<int>(node);
  return choice;
}

class Program {
 public:
  Program(const Problem& problem, const std::vector<int>& start, Work& work, double allowed_gap)
      : problem_(problem),
        columns_(problem),
        cuts_(problem),
        set_cuts_(problem),
        search_(problem),
        work_(work),
        allowed_gap_(allowed_gap) {
    offer(start);
  }

  Outcome run() {
    set_scale();
    build();
    outcome_.variables = solver_.getNumCols();
    outcome_.constraints = solver_.getNumRows();
    prime();
    bool open = relax(true);
    while (open) open = branch() && relax(false);
    outcome_.bound = std::min(outcome_.bound, outcome_.choice.empty() ? kInfinity : best_.cost);
    return outcome_;
  }

 private:
  // Rows.
  void add_need(Row& row, int cls, double factor) {
    if (columns_.needed(cls) != -1)
      row.terms.push_back({columns_.needed(cls), factor});
    else
      row.lower -= factor, row.upper -= factor;
  }

  Row one_node_row(int cls) const {
    Row row{{}, 0, 0};
    for (int node = 0; node < std::ssize(problem_.classes[cls]); ++node)
      row.terms.push_back({columns_.node(cls, node), 1});
    return row;
  }

  // Nodes of `cls` that need `child` <= the child's nodes that don't need `cls`: the loop cut of two classes.
  Row child_row(int cls, int child, const std::vector<int>& users) {
    Row row{{}, -kInfinity, 0};
    if (users.size() == problem_.classes[cls].size())
      add_need(row, cls, 1);
    else
      for (int node : users) row.terms.push_back({columns_.node(cls, node), 1});
    add_need(row, child, -1);
    for (int node = 0; node < std::ssize(problem_.classes[child]); ++node)
      if (std::ranges::count(problem_.classes[child][node].children, cls) > 0)
        row.terms.push_back({columns_.node(child, node), 1});
    return row;
  }

  Row limit_row(const Limit& limit) const {
    Row row{{}, -kInfinity, 1};
    for (const Use& use : limit.uses)
      row.terms.push_back({columns_.node(use.cls, use.node), use.amount / limit.capacity});
    return row;
  }

  Row cut_row(const LoopCut& cut) {
    Row row{{}, -kInfinity, 0};
    if (cut.cls == -1)
      row.upper = -1;
    else
      add_need(row, cut.cls, 1);
    for (auto [cls, node] : cut.exits) row.terms.push_back({columns_.node(cls, node), -1});
    return row;
  }

  // All but the limits; those of children only within strongly connected components if asked.
  std::vector<Row> choice_rows(bool within_components) {
    std::vector<Row> all;
    for (int cls = 0; cls < std::ssize(problem_.classes); ++cls) {
      if (problem_.classes[cls].size() > 1) {
        all.push_back(one_node_row(cls));
        add_need(all.back(), cls, -1);
      }
      std::map<int, std::vector<int>> users;
      for (int node = 0; node < std::ssize(problem_.classes[cls]); ++node)
        for (int child : problem_.classes[cls][node].children) users[child].push_back(node);
      for (const auto& [child, nodes] : users)
        if (!within_components || cuts_.may_share_a_cycle(cls, child)) all.push_back(child_row(cls, child, nodes));
    }
    return all;
  }

  std::vector<Row> limit_rows() const {
    std::vector<Row> all;
    for (const Limit& limit : problem_.limits)
      if (limit.capacity > 0 && !limit.uses.empty()) all.push_back(limit_row(limit));
    return all;
  }

  static void add_rows(OsiSolverInterface& solver, const std::vector<Row>& rows) {
    std::vector<CoinBigIndex> starts{0};
    std::vector<int> indices;
    std::vector<double> factors, lower, upper;
    const double infinity = solver.getInfinity();
    for (const Row& row : rows) {
      std::map<int, double> terms;
      for (const Term& term : row.terms) terms[term.column] += term.factor;
      for (auto [column, factor] : terms)
        if (factor != 0) indices.push_back(column), factors.push_back(factor);
      starts.push_back(static_cast<CoinBigIndex>(indices.size()));
      lower.push_back(row.lower == -kInfinity ? -infinity : row.lower);
      upper.push_back(row.upper == kInfinity ? infinity : row.upper);
    }
    solver.addRows(static_cast<int>(rows.size()), starts.data(), indices.data(), factors.data(), lower.data(),
                   upper.data());
  }

  void set_scale() {
    double most = 0;
    for (const auto& nodes : problem_.classes)
      for (const Node& node : nodes) most = std::max(most, node.cost);
    if (!outcome_.choice.empty()) most = best_.cost;
    scale_ = most > 0 ? kScaledCost / most : 1;
  }

  // The columns with these costs; where all are needed, at their bounds.
  void load_columns(OsiClpSolverInterface& solver, const Costs& costs, double scale, bool all_needed) const {
    std::vector<double> objective(columns_.count(), 0), lower(columns_.count(), 0), upper(columns_.count(), 1);
    for (int cls = 0; cls < std::ssize(problem_.classes); ++cls) {
      for (int node = 0; node < std::ssize(problem_.classes[cls]); ++node)
        objective[columns_.node(cls, node)] = scale * costs[cls][node];
      const int needed = columns_.needed(cls);
      if (needed != -1 && (all_needed || columns_.is_required(cls))) lower[needed] = 1;
    }
    solver.messageHandler()->setLogLevel(0);
    solver.setHintParam(OsiDoReducePrint, true, OsiHintTry);
    solver.getModelPtr()->setLogLevel(0);
    solver.setDblParam(OsiPrimalTolerance, kTolerance);
    solver.setDblParam(OsiDualTolerance, kTolerance);
    CoinPackedMatrix no_rows(true, 0, 0);
    no_rows.setDimensions(0, columns_.count());
    solver.loadProblem(no_rows, lower.data(), upper.data(), objective.data(), nullptr, nullptr);
  }

  void build() {
    load_columns(solver_, own_costs(problem_), scale_, false);
    add_rows(solver_, choice_rows(false));
    add_rows(solver_, limit_rows());
    std::vector<Row> required;
    for (const LoopCut& cut : cuts_.required_components()) required.push_back(cut_row(cut));
    add_rows(solver_, required);
    for (int column = 0; column < columns_.count(); ++column) solver_.setInteger(column);
  }

  // Of each class the most expensive path below it in the choice, which is acyclic and complete.
  std::vector<double> path_costs(const std::vector<int>& choice) const {
    std::vector<double> cost(choice.size(), -1);
    std::vector<int> stack;
    for (int start = 0; start < std::ssize(choice); ++start) {
      stack.push_back(start);
      while (!stack.empty()) {
        const int cls = stack.back();
        const Node& node = problem_.classes[cls][choice[cls]];
        double below = 0;
        bool is_ready = true;
        for (int child : node.children) {
          if (cost[child] < 0) is_ready = false, stack.push_back(child);
          below = std::max(below, cost[child]);
        }
        if (!is_ready) continue;
        cost[cls] = node.cost + below;
        stack.pop_back();
      }
    }
    return cost;
  }

  // Each node with the most expensive paths below its children outside of its component.
  Costs exit_costs() const {
    const std::vector<int> choice = cheapest_first(problem_, own_costs(problem_), 0);
    const std::vector<double> total = path_costs(choice);
    Costs costs = own_costs(problem_);
    for (int cls = 0; cls < std::ssize(costs); ++cls)
      for (int node = 0; node < std::ssize(costs[cls]); ++node)
        for (int child : problem_.classes[cls][node].children)
          if (!cuts_.may_share_a_cycle(cls, child)) costs[cls][node] += total[child];
    return costs;
  }

  // The loop cuts that bind if every class were needed, in every component at once. Without them the relaxation would
  // find them one component after the other, as the cuts of one make it need the next.
  void prime() {
    OsiClpSolverInterface solver;
    const Costs costs = exit_costs();
    double most = 0;
    for (const auto& of_class : costs)
      if (!of_class.empty()) most = std::max(most, std::ranges::max(of_class));
    load_columns(solver, costs, most > 0 ? kScaledCost / most : 1, true);
    add_rows(solver, choice_rows(true));
    const long kept = work_.left() / 2;
    for (int round = 0; round < kPrimingRounds && work_.left() > kept; ++round) {
      if (!solve_relaxation(solver, work_.left() - kept, round == 0)) return;
      const std::vector<Row> rows = cut_rows(columns_.node_values(solver.getColSolution()));
      if (rows.empty()) return;
      add_rows(solver, rows);
      add_rows(solver_, rows);
    }
  }

  // Takes the choice if it is valid and better than the best one.
  void offer(const std::vector<int>& choice) {
    if (choice.empty()) return;
    const Value value = search_.evaluate(choice);
    if (value.excess > 0 || (!outcome_.choice.empty() && value.cost >= best_.cost)) return;
    outcome_.choice = only_needed(problem_, choice);
    best_ = value;
  }

  bool is_closed() const {
    return !outcome_.choice.empty() && outcome_.bound >= best_.cost - std::max(kOptimality * best_.cost, allowed_gap_);
  }

  void raise_bound(double scaled) { outcome_.bound = std::max(outcome_.bound, scaled / scale_); }

  // Greedy again, with what the relaxation favours made cheap.
  void round_up(const NodeValues& values) {
    Costs costs = own_costs(problem_);
    for (size_t cls = 0; cls < costs.size(); ++cls)
      for (size_t node = 0; node < costs[cls].size(); ++node) costs[cls][node] *= 1.001 - values[cls][node];
    std::vector<int> choice = cheapest_first(problem_, costs);
    search_.improve(choice);
    offer(choice);
  }

  std::vector<Row> cut_rows(const NodeValues& values) {
    std::vector<Row> rows;
    for (const LoopCut& cut : cuts_.find(values, kCutsPerRound)) rows.push_back(cut_row(cut));
    for (const LoopCut& cut : set_cuts_.find(values, kCutsPerRound)) rows.push_back(cut_row(cut));
    outcome_.cuts += static_cast<int>(rows.size());
    return rows;
  }

  bool add_cuts(const NodeValues& values) {
    const std::vector<Row> rows = cut_rows(values);
    if (!rows.empty()) add_rows(solver_, rows);
    return !rows.empty();
  }

  // Whether the optimum was reached.
  bool solve_relaxation(OsiClpSolverInterface& solver, long work, bool is_first) {
    solver.getModelPtr()->setMaximumIterations(iterations(work));
    is_first ? solver.initialSolve() : solver.resolve();
    work_.spend(1 + solver.getIterationCount());
    return solver.isProvenOptimal();
  }

  // The linear relaxation and its violated loop cuts, in turns. False if that answers the question or the work is
  // spent.
  bool relax(bool is_first) {
    double last = -kInfinity;
    for (int slow = 0; slow < kSlowRounds; is_first = false) {
      if (work_.is_spent()) return false;
      const bool is_solved = solve_relaxation(solver_, work_.left(), is_first);
      if (solver_.isProvenPrimalInfeasible()) outcome_.is_proven = true, outcome_.bound = kInfinity;
      if (!is_solved) return false;
      ++outcome_.rounds;
      const double value = solver_.getObjValue();
      raise_bound(value);
      slow = value > last + kLeastProgress * std::abs(last) ? 0 : slow + 1;
      last = value;
      if (!add_cuts(columns_.node_values(solver_.getColSolution()))) break;
    }
    const NodeValues values = columns_.node_values(solver_.getColSolution());
    offer(nearest_choice(values));
    round_up(values);
    outcome_.is_proven = is_closed();
    return !outcome_.is_proven;
  }

  void configure(CbcModel& model) {
    model.setLogLevel(0);
    model.messageHandler()->setLogLevel(0);
    model.setMaximumNumberIterations(iterations(work_.left()));
    model.setAllowableGap(scale_ * allowed_gap_);
    model.setAllowableFractionGap(0);
    model.setIntegerTolerance(1e-7);
    model.setCutoffIncrement(1e-4);
    // Gomory's cuts decide: layered problems of 1,000 classes are solved in 0.5 s; with probing, zero-half or rounding
    // cuts instead of them it takes 2 s to more than 5 s.
    CglGomory gomory;
    gomory.setLimit(300);
    model.addCutGenerator(&gomory, -98, "gomory");
    CglProbing probing;
    probing.setUsingObjective(1);
    probing.setMaxPass(1);
    probing.setMaxPassRoot(1);
    probing.setMaxProbe(10);
    probing.setMaxProbeRoot(50);
    probing.setMaxLook(10);
    probing.setMaxLookRoot(20);
    model.addCutGenerator(&probing, -1, "probing");
    CglKnapsackCover cover;
    model.addCutGenerator(&cover, -98, "cover");
    CglClique clique;
    clique.setStarCliqueReport(false);
    clique.setRowCliqueReport(false);
    model.addCutGenerator(&clique, -98, "clique");
  }

  // Branch and bound over the rows so far. True if its solution breaks a row that is added then.
  bool branch() {
    if (work_.is_spent()) return false;
    // A relaxation that ends early would count as infeasible: the limit is the whole model's, between its nodes.
    solver_.getModelPtr()->setMaximumIterations(std::numeric_limits<int>::max());
    CbcModel model(solver_);
    configure(model);
    if (!outcome_.choice.empty()) {
      const std::vector<double> start = columns_.from_choice(outcome_.choice);
      model.setBestSolution(start.data(), columns_.count(), scale_ * best_.cost);
    }
    model.branchAndBound();
    work_.spend(1 + model.getIterationCount());
    if (model.isProvenInfeasible() && outcome_.choice.empty()) {
      outcome_.is_proven = true, outcome_.bound = kInfinity;
      return false;
    }
    raise_bound(std::min(model.getBestPossibleObjValue(), outcome_.choice.empty() ? kInfinity : scale_ * best_.cost));
    if (model.bestSolution() == nullptr) return false;
    return take(model.bestSolution(), model.isProvenOptimal());
  }

  bool take(const double* columns, bool is_optimal) {
    NodeValues values = columns_.node_values(columns);
    for (auto& of_class : values)
      for (double& value : of_class) value = std::round(value);
    const std::vector<int> choice = nearest_choice(values);
    const Value value = search_.evaluate(choice);
    offer(choice);
    if (value.excess == 0) {
      outcome_.is_proven = is_optimal;
      return false;
    }
    round_up(values);
    const bool cyclic = add_cuts(values);
    return add_covers(choice) || cyclic;
  }

  // A limit that is kept within the solver's tolerance but not within ours: not all of these nodes together.
  bool add_covers(const std::vector<int>& choice) {
    std::vector<Row> rows;
    for (const Limit& limit : problem_.limits) {
      if (usage(limit, choice) <= allowed(limit)) continue;
      Row row{{}, -kInfinity, -1};
      for (const Use& use : limit.uses)
        if (choice[use.cls] == use.node) row.terms.push_back({columns_.node(use.cls, use.node), 1}), row.upper += 1;
      rows.push_back(std::move(row));
    }
    if (!rows.empty()) add_rows(solver_, rows);
    return !rows.empty();
  }

  const Problem& problem_;
  const Columns columns_;
  LoopCuts cuts_;
  SetCuts set_cuts_;
  LocalSearch search_;
  Work& work_;
  const double allowed_gap_;
  OsiClpSolverInterface solver_;
  double scale_ = 1;
  Outcome outcome_;
  Value best_;
};

}  // namespace

Outcome solve_program(const Problem& problem, const std::vector<int>& start, Work& work, double allowed_gap) {
  // Clp's and Cbc's objects assert in their destructors what an exception has left undone.
  const AllocationsMustSucceed solver_does_not_unwind;
  return Program(problem, start, work, allowed_gap).run();
}

}  // namespace strata::extract
