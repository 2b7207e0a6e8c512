// SPDX-License-Identifier: Apache-2.0
#include "calibrate/windows.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "machine/cpu.h"

namespace strata::calibrate {
namespace {

TEST(Fastest, IsTheShortestWindow) {
  EXPECT_EQ(fastest({{3, false}, {1, true}, {2, false}}), 1);
  EXPECT_THROW(fastest({}), std::logic_error);
}

TEST(Typical, IsTheFirstQuartileOfUndisturbedWindows) {
  EXPECT_EQ(typical({{1, true}, {5, false}, {9, true}, {3, false}, {7, false}, {4, false}, {6, false}}), 4);
}

TEST(Typical, IsTheFastestWhenFewAreUndisturbed) {
  EXPECT_EQ(typical({{5, false}, {2, true}, {3, false}, {7, false}, {4, false}}), 2);
}

TEST(RunWindow, RunsOnTheActiveRanksOnly) {
  runtime::ThreadTeam team(3);
  std::vector<int> runs(3);
  for (int active : {1, 2, 3}) {
    const Window window =
        run_window(team, active, [&](const tensor::Team& member) { ++runs[static_cast<std::size_t>(member.rank)]; });
    EXPECT_GT(window.seconds, 0);
  }
  EXPECT_EQ(runs, (std::vector<int>{3, 2, 1}));
}

TEST(RunWindow, NoticesAThreadThatIsOffItsProcessor) {
  runtime::ThreadTeam team(2);
  const Window window = run_window(team, 2, [](const tensor::Team& member) {
    if (member.rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  EXPECT_TRUE(window.disturbed);
  EXPECT_GE(window.seconds, 5e-3);
}

TEST(Pinned, AllowsOneProcessorWhileItLives) {
  const auto before = machine::affinity();
  {
    const Pinned pinned(before.back());
    EXPECT_EQ(machine::affinity(), std::vector<int>{before.back()});
  }
  EXPECT_EQ(machine::affinity(), before);
}

}  // namespace
}  // namespace strata::calibrate
