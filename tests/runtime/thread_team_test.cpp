// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_team.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "machine/cpu.h"
#include "tests/runtime/allocations.h"

namespace strata::runtime {
namespace {

class Teams : public testing::TestWithParam<int> {};

TEST_P(Teams, EveryRankRunsOncePerRun) {
  ThreadTeam team(GetParam());
  EXPECT_EQ(team.size(), GetParam());
  std::vector<int> runs(static_cast<std::size_t>(GetParam()));
  for (int round = 1; round <= 200; ++round) {
    team.run([&](const tensor::Team& member) {
      EXPECT_EQ(member.size, GetParam());
      ++runs[static_cast<std::size_t>(member.rank)];
    });
    for (const int count : runs) ASSERT_EQ(count, round);
  }
}

TEST_P(Teams, CallerIsRankZero) {
  ThreadTeam team(GetParam());
  std::vector<std::thread::id> ids(static_cast<std::size_t>(GetParam()));
  team.run(
      [&](const tensor::Team& member) { ids[static_cast<std::size_t>(member.rank)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  for (std::size_t rank = 1; rank < ids.size(); ++rank) EXPECT_NE(ids[rank], ids[0]);
}

// Each step reads what another rank wrote in the step before: wrong at once when a barrier lets anybody through early.
TEST_P(Teams, BarrierSeparatesSteps) {
  ThreadTeam team(GetParam());
  const std::size_t size = static_cast<std::size_t>(GetParam());
  std::vector<std::size_t> values(size);
  team.run([&](const tensor::Team& member) {
    const std::size_t rank = static_cast<std::size_t>(member.rank);
    values[rank] = rank;
    for (std::size_t step = 0; step < 300; ++step) {
      member.sync();
      const std::size_t next = values[(rank + 1) % size];
      member.sync();
      values[rank] = next;
    }
  });
  for (std::size_t rank = 0; rank < size; ++rank) EXPECT_EQ(values[rank], (rank + 300) % size);
}

TEST_P(Teams, WakesAfterASleep) {
  ThreadTeam team(GetParam());
  std::atomic<int> runs = 0;
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    team.run([&](const tensor::Team&) { ++runs; });
  }
  EXPECT_EQ(runs, 5 * GetParam());
}

TEST_P(Teams, ARunAllocatesNothing) {
  ThreadTeam team(GetParam());
  std::array<std::int64_t, 16> large_capture{};
  std::atomic<std::int64_t> sum = 0;
  const std::int64_t before = allocations();
  for (int round = 0; round < 50; ++round) {
    team.run([&sum, large_capture](const tensor::Team& member) { sum += large_capture[0] + member.rank; });
  }
  EXPECT_EQ(allocations(), before);
}

// Every number of ranks follows every other: with and without a sleep before, those that were left out come back.
TEST_P(Teams, LeavesTheLastRanksOut) {
  ThreadTeam team(GetParam());
  const std::size_t size = static_cast<std::size_t>(GetParam());
  std::vector<int> runs(size), expected(size);
  for (int round = 0; round < 400; ++round) {
    const int ranks = 1 + round * round / 3 % GetParam();
    if (round % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    team.set_active(ranks);
    EXPECT_EQ(team.active(), ranks);
    for (int i = 0; i < 2; ++i) {
      team.run([&](const tensor::Team& member) {
        EXPECT_EQ(member.size, ranks);
        ++runs[static_cast<std::size_t>(member.rank)];
        member.sync();
      });
    }
    for (int rank = 0; rank < ranks; ++rank) expected[static_cast<std::size_t>(rank)] += 2;
    ASSERT_EQ(runs, expected) << ranks;
  }
}

TEST_P(Teams, EndsWithRanksLeftOut) {
  ThreadTeam team(GetParam());
  team.set_active(1);
  team.run([](const tensor::Team& member) { EXPECT_EQ(member.size, 1); });
}

INSTANTIATE_TEST_SUITE_P(Sizes, Teams, testing::Values(1, 2, 3, 4, 9));

TEST(ThreadTeam, CountsTheWaitsForOthers) {
  ThreadTeam team(2);
  const auto late = [&](int rank) {
    const double before = team.waited_s();
    team.run([&](const tensor::Team& member) {
      if (member.rank == rank) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (rank == 0) member.sync();
    });
    return team.waited_s() - before;
  };
  EXPECT_GT(late(0), 5e-3) << "in a barrier";
  EXPECT_GT(late(1), 5e-3) << "at the end";
}

TEST(ThreadTeam, RefusesRanksThatItHasNot) {
  ThreadTeam team(2);
  EXPECT_THROW(team.set_active(0), std::logic_error);
  EXPECT_THROW(team.set_active(3), std::logic_error);
}

TEST(ThreadTeam, LeavesTheCallersAffinityAlone) {
  const auto before = machine::affinity();
  ThreadTeam team(static_cast<int>(before.size()));
  team.run([](const tensor::Team&) {});
  EXPECT_EQ(machine::affinity(), before);
}

TEST(ThreadTeam, PinsItsWorkersWhenItTakesTheWholeMask) {
  const auto allowed = machine::affinity();
  if (allowed.size() < 2) GTEST_SKIP() << "one processor only";
  ThreadTeam team(static_cast<int>(allowed.size()));
  std::vector<std::vector<int>> masks(allowed.size());
  team.run([&](const tensor::Team& member) { masks[static_cast<std::size_t>(member.rank)] = machine::affinity(); });
  for (std::size_t rank = 1; rank < masks.size(); ++rank) EXPECT_EQ(masks[rank], std::vector<int>{allowed[rank]});
}

TEST(ThreadTeam, WorkersLeaveSignalsToOthers) {
  ThreadTeam team(2);
  std::array<int, 2> blocked{};
  team.run([&](const tensor::Team& member) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked[static_cast<std::size_t>(member.rank)] = sigismember(&mask, SIGINT);
  });
  EXPECT_EQ(blocked, (std::array<int, 2>{0, 1}));
}

TEST(ThreadTeam, TeamsCanLiveSideBySide) {
  ThreadTeam first(2);
  ThreadTeam second(3);
  int sum = 0;
  std::atomic<int> inner = 0;
  first.run([&](const tensor::Team& member) {
    if (member.rank == 0) second.run([&](const tensor::Team&) { ++inner; });
    member.sync();
    if (member.rank == 1) sum = inner;
  });
  EXPECT_EQ(sum, 3);
}

}  // namespace
}  // namespace strata::runtime
