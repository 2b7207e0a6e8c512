// SPDX-License-Identifier: Apache-2.0
// The same programs as linear ones with a variable of 0 or 1 for each candidate, solved by CBC.
#include <gtest/gtest.h>

#include <CbcModel.hpp>
#include <CoinPackedVector.hpp>
#include <OsiClpSolverInterface.hpp>
#include <cmath>
#include <map>
#include <optional>

#include "random_program.h"
#include "tests/sweep.h"

namespace strata::tiles {
namespace {

// One column per candidate, of which one is chosen per variable; of a term of several variables one column per entry of
// its table, of which one is chosen, by sums that are the candidates' own columns; the times; and the slowest of them.
class LinearProgram {
 public:
  explicit LinearProgram(const Program& program) {
    for (const Variable& variable : program.variables) {
      CoinPackedVector one;
      candidates_.emplace_back();
      for (std::size_t i = 0; i < variable.candidates.size(); ++i) {
        candidates_.back().push_back(column(1, 0, true));
        one.insert(candidates_.back().back(), 1);
      }
      solver_.addRow(one, 1, 1);
    }
    const int slowest = column(solver_.getInfinity(), 1 - program.contention, false);
    for (const Sum& sum : program.times) {
      const int time = column(solver_.getInfinity(), program.contention, false);
      CoinPackedVector row;
      row.insert(time, -1);
      const double constant = add(sum, row);
      solver_.addRow(row, -constant, -constant);
      CoinPackedVector above;
      above.insert(slowest, 1);
      above.insert(time, -1);
      solver_.addRow(above, 0, solver_.getInfinity());
    }
    const int waits = column(solver_.getInfinity(), 1, false);
    CoinPackedVector beside;
    beside.insert(waits, -1);
    const double always = add(program.waits, beside);
    solver_.addRow(beside, -always, -always);
    for (const Limit& limit : program.limits) {
      CoinPackedVector row;
      const double constant = add(limit.sum, row);
      solver_.addRow(row, -solver_.getInfinity(), limit.most - constant);
    }
  }

  // The least time; nothing: the limits can't be kept.
  std::optional<double> run() {
    solver_.setHintParam(OsiDoReducePrint, true, OsiHintTry);
    CbcModel model(solver_);
    model.setLogLevel(0);
    model.messageHandler()->setLogLevel(0);
    model.setAllowableGap(0);
    model.setAllowableFractionGap(0);
    model.branchAndBound();
    if (model.isProvenInfeasible()) return std::nullopt;
    EXPECT_TRUE(model.isProvenOptimal());
    return model.getObjValue();
  }

 private:
  int column(double most, double cost, bool is_integer) {
    solver_.addCol(CoinPackedVector(), 0, most, cost);
    const int number = solver_.getNumCols() - 1;
    if (is_integer) solver_.setInteger(number);
    return number;
  }

  // A sum's columns into a row; the result is what is constant of it.
  double add(const Sum& sum, CoinPackedVector& row) {
    std::map<int, double> coefficients;
    double constant = 0;
    for (const Term& term : sum) {
      if (term.variables.empty()) {
        constant += term.values[0];
        continue;
      }
      const std::vector<int> entries = columns_of(term);
      for (std::size_t i = 0; i < entries.size(); ++i) coefficients[entries[i]] += term.values[i];
    }
    for (const auto& [number, value] : coefficients) row.insert(number, value);
    return constant;
  }

  std::vector<int> columns_of(const Term& term) {
    if (term.variables.size() == 1) return candidates_[static_cast<std::size_t>(term.variables[0])];
    std::vector<int> entries;
    for (std::size_t i = 0; i < term.values.size(); ++i) entries.push_back(column(1, 0, false));
    std::size_t stride = entries.size();
    for (const int variable : term.variables) {
      const std::vector<int>& own = candidates_[static_cast<std::size_t>(variable)];
      const std::size_t outer = stride;
      stride /= own.size();
      for (std::size_t c = 0; c < own.size(); ++c) {
        CoinPackedVector row;
        row.insert(own[c], -1);
        for (std::size_t i = 0; i < entries.size(); ++i) {
          if (i % outer / stride == c) row.insert(entries[i], 1);
        }
        solver_.addRow(row, 0, 0);
      }
    }
    return entries;
  }

  OsiClpSolverInterface solver_;
  std::vector<std::vector<int>> candidates_;  // columns
};

TEST(Solve, AgreesWithAnIntegerProgram) {
  for (unsigned seed = 0; seed < sweep_size(60, 1000); ++seed) {
    const Program program = RandomProgram(seed).run(3, 5);
    const Solution solution = solve(program);
    const std::optional<double> least = LinearProgram(program).run();
    ASSERT_EQ(solution.choice.empty(), !least.has_value()) << seed;
    if (least) EXPECT_NEAR(solution.time, *least, 1e-5 * (1 + *least)) << seed;
  }
}

}  // namespace
}  // namespace strata::tiles
