// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace strata::text {

// How many guessed tokens a step should verify beside the one that is known. Decided by what steps are predicted to
// take and by how many guesses were right, not by a clock: the same text is made in the same steps.
class DraftBudget {
 public:
  // costs[r]: what a step of r + 1 rows takes, in any unit; at least one row's.
  explicit DraftBudget(std::vector<double> costs);

  // The most guesses that any step verifies.
  std::size_t most() const { return costs_.size() - 1; }

  // Of so many guesses. 0 where they would rather cost time than save some. Now and then a few are verified
  // nonetheless, since texts change; what is lost that way in all stays below kMostLost of the time, and a trial.
  std::size_t worth(std::size_t guessed) const;

  // A step verified so many guesses, of which the first `right` were right.
  void took(std::size_t verified, std::size_t right);

 private:
  static constexpr double kMostLost = 0.02;

  std::vector<double> costs_;
  double tried_ = 0, right_ = 0;  // recent guesses, up to the first wrong one of a step
  double lost_ = 0;               // against a step for each token
  double total_ = 0;              // what steps for each token would have taken
};

}  // namespace strata::text
