// SPDX-License-Identifier: Apache-2.0
#include "tensor/team.h"

#include <thread>

#include "reference.h"

namespace strata::tensor {
namespace {

TEST(Team, SharesCoverTheRangeInOrder) {
  for (const int size : {1, 2, 3, 7}) {
    for (const std::int64_t n : {0, 1, 5, 64, 100}) {
      for (const std::int64_t grain : {1, 4, 16}) {
        std::int64_t next = 0;
        for (int rank = 0; rank < size; ++rank) {
          const Range range = Team{rank, size, nullptr}.split(n, grain);
          ASSERT_EQ(range.begin, next) << "rank " << rank << " of " << size << ", n " << n << ", grain " << grain;
          ASSERT_LE(range.begin, range.end);
          ASSERT_TRUE(range.begin % grain == 0 || range.begin == n) << range.begin << " is no multiple of " << grain;
          next = range.end;
        }
        ASSERT_EQ(next, n) << size << " ranks, grain " << grain;
      }
    }
  }
}

TEST(Team, OneThreadNeedsNoBarrier) {
  const Team team;
  team.sync();
  EXPECT_EQ(team.split(10).end, 10);
}

TEST(Team, MarksAddTheTimeSinceTheLastOne) {
  static std::uint64_t time;
  time = 100;
  OpTime ops[2];
  Profile profile{[] { return time += 10; }, ops, 2, 100};
  const Team team{0, 1, nullptr, &profile};
  team.mark(1);
  team.mark(0);
  team.mark(2);  // no such op: only its time passes
  team.mark(1);
  EXPECT_EQ(ops[0].ns, 10U);
  EXPECT_EQ(ops[0].count, 1U);
  EXPECT_EQ(ops[1].ns, 20U);
  EXPECT_EQ(ops[1].count, 2U);
  Team{}.mark(0);
  EXPECT_EQ(ops[0].count, 1U);
}

// Each round every thread reads what all others wrote before the barrier. Plain memory: a data race shows under TSan.
void check_rounds(int threads, int rounds, bool late) {
  Barrier barrier(threads);
  std::vector<int> values(threads, 0);
  std::vector<int> errors(threads, 0);
  std::vector<std::thread> members;
  for (int rank = 0; rank < threads; ++rank) {
    members.emplace_back([&, rank] {
      const Team team{rank, threads, &barrier};
      for (int round = 1; round <= rounds; ++round) {
        if (late && rank == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        values[rank] = round;
        team.sync();
        for (const int value : values) errors[rank] += value != round;
        team.sync();
      }
    });
  }
  for (std::thread& member : members) member.join();
  for (int rank = 0; rank < threads; ++rank) EXPECT_EQ(errors[rank], 0) << "rank " << rank << " of " << threads;
}

TEST(Barrier, SeparatesRounds) { check_rounds(2, 2000, false); }
TEST(Barrier, WorksWithMoreThreadsThanCores) { check_rounds(7, 100, false); }
TEST(Barrier, SleepersWakeUp) { check_rounds(3, 20, true); }

}  // namespace
}  // namespace strata::tensor
