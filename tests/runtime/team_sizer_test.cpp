// SPDX-License-Identifier: Apache-2.0
#include "runtime/team_sizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace strata::runtime {
namespace {

// What a step takes with so many ranks, and the part of their time that they spend waiting.
struct Behaviour {
  double seconds;
  double waiting;
};
using Machine = std::function<Behaviour(int size)>;

// A team on a machine that is made up. Its history: "2@0 1@20" is two ranks from the start, one from 20 ms on.
class Simulated {
 public:
  explicit Simulated(int most) : sizer_(most) {}

  Simulated& steps(int count, const Machine& machine, std::int64_t kind = 1) {
    for (int i = 0; i < count; ++i) {
      const int size = sizer_.size();
      note(size);
      const Behaviour behaviour = machine(size);
      sizer_.add({kind, behaviour.seconds, behaviour.waiting * behaviour.seconds * size});
      seconds_ += behaviour.seconds;
    }
    return *this;
  }

  const std::string& history() const { return history_; }
  double seconds() const { return seconds_; }
  int size() const { return sizer_.size(); }

 private:
  void note(int size) {
    if (size == last_) return;
    history_ += (history_.empty() ? "" : " ") + std::to_string(size) + "@" +
                std::to_string(static_cast<int>(1e3 * seconds_ + 0.5));
    last_ = size;
  }

  TeamSizer sizer_;
  double seconds_ = 0;
  int last_ = 0;
  std::string history_;
};

Behaviour idle(int size) { return {8e-3 / size, 0.02}; }

// One rank alone takes twice the time of an idle machine, two wait for each other's time slices.
Behaviour busy(int size) { return size == 1 ? Behaviour{16e-3, 0} : Behaviour{40e-3, 0.45}; }

TEST(TeamSizer, OneRankIsOne) { EXPECT_EQ(Simulated(1).steps(50, busy).history(), "1@0"); }

TEST(TeamSizer, AnIdleMachineKeepsAllRanks) {
  EXPECT_EQ(Simulated(2).steps(5000, idle).history(), "2@0");
  EXPECT_EQ(Simulated(64).steps(5000, idle).history(), "64@0");
}

TEST(TeamSizer, ShrinksWhenWaitingOutweighsWorking) { EXPECT_EQ(Simulated(2).steps(15, busy).history(), "2@0 1@160"); }

TEST(TeamSizer, TriesTheLargerTeamAgainAtABoundedCost) {
  const Simulated run = Simulated(2).steps(2000, busy);
  EXPECT_EQ(run.size(), 1);
  EXPECT_EQ(run.history().substr(0, 52), "2@0 1@160 2@336 1@456 2@1416 1@1536 2@2496 1@2616 2@");
  EXPECT_LT(run.seconds(), 1.05 * 2000 * busy(1).seconds);
}

TEST(TeamSizer, GrowsWhenTheMachineIsIdleAgain) {
  Simulated run = Simulated(2).steps(100, busy);
  EXPECT_EQ(run.size(), 1);
  run.steps(400, idle);
  EXPECT_EQ(run.size(), 2);
}

TEST(TeamSizer, OneBadWindowChangesNothing) {
  EXPECT_EQ(Simulated(2).steps(100, idle).steps(2, busy).steps(100, idle).history(), "2@0");
}

TEST(TeamSizer, WaitingThatASmallerTeamDoesNotCureCostsLittle) {
  const auto uneven = [](int size) { return size == 1 ? Behaviour{18e-3, 0} : Behaviour{10e-3, 0.4}; };
  const Simulated run = Simulated(2).steps(3000, uneven);
  EXPECT_LT(run.seconds(), 1.02 * 3000 * uneven(2).seconds);
}

// With two of four processors taken, three ranks are no better than four.
TEST(TeamSizer, LooksBeyondASizeThatIsNoBetter) {
  const auto half_taken = [](int size) {
    return size > 3 ? Behaviour{30e-3, 0.5} : size == 3 ? Behaviour{31e-3, 0.5} : Behaviour{16e-3 * 2 / size, 0.0};
  };
  const Simulated run = Simulated(4).steps(60, half_taken);
  EXPECT_EQ(run.history(), "4@0 3@120 4@213 2@333 3@509 2@602");
  EXPECT_EQ(run.size(), 2);
}

TEST(TeamSizer, ATrialEndsWithTheKindOfWork) {
  Simulated run = Simulated(2).steps(5, busy);
  EXPECT_EQ(run.size(), 1) << "a trial";
  run.steps(1, busy, 2);
  EXPECT_EQ(run.size(), 2);
  run.steps(1, busy, 1).steps(1, busy, 2).steps(1, busy, 1);
  EXPECT_EQ(run.history(), "2@0 1@160 2@192");
}

}  // namespace
}  // namespace strata::runtime
