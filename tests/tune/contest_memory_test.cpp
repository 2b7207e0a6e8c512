// SPDX-License-Identifier: Apache-2.0
#include "tune/contest_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace strata::tune {
namespace {

machine::Machine machine_with_cache(std::int64_t bytes) {
  machine::Machine machine;
  machine.memory.resize(3);
  machine.memory[0].capacity_bytes = 1 << 10;
  machine.memory[1].capacity_bytes = bytes;
  machine.memory[2].capacity_bytes = std::int64_t{1} << 30;
  machine.memory[1].shared_by = 2;
  return machine;
}

compile::Contest contest_of(const machine::Machine& machine, std::vector<compile::Contest::Memory> parameters) {
  compile::Contest contest;
  contest.machine = &machine;
  contest.threads = 2;
  contest.parameters = std::move(parameters);
  contest.arena_bytes = contest.scratch_bytes = 100;
  return contest;
}

TEST(ContestMemory, HoldsNumbersOfAboutOne) {
  const machine::Machine machine = machine_with_cache(0);
  ContestMemory memory(contest_of(
      machine, {{DType::kF32, 400}, {DType::kBF16, 400}, {DType::kF16, 400}, {DType::kF32, 400, false, true}}));
  const std::vector<void*>& at = memory.parameters(0);
  std::set<float> different;
  for (int i = 0; i < 100; ++i) {
    float number = 0;
    std::memcpy(&number, static_cast<std::byte*>(at[0]) + 4 * i, 4);
    EXPECT_GE(number, 0.5f);
    EXPECT_LT(number, 1.0f);
    different.insert(number);
    std::uint16_t bf16 = 0, f16 = 0;
    std::memcpy(&bf16, static_cast<std::byte*>(at[1]) + 2 * i, 2);
    std::memcpy(&f16, static_cast<std::byte*>(at[2]) + 2 * i, 2);
    EXPECT_EQ(bf16 >> 7, 0x3f00 >> 7) << "sign and exponent of 0.5";
    EXPECT_EQ(f16 >> 10, 0x3800 >> 10);
    EXPECT_EQ(static_cast<unsigned char*>(at[3])[i], 0);
  }
  EXPECT_GT(different.size(), 50U);
}

// 40,000 bytes of cache are passed through by five copies of two pages; what is near stays where it is.
TEST(ContestMemory, StreamsComeFromBehindTheCaches) {
  const machine::Machine machine = machine_with_cache(40'000);
  ContestMemory memory(contest_of(machine, {{DType::kF32, 8000, true}, {DType::kF32, 8000}}));
  std::vector<void*> streamed;
  for (std::size_t run = 0; run < 12; ++run) {
    const std::vector<void*> at = memory.parameters(run);
    streamed.push_back(at[0]);
    EXPECT_EQ(at[1], memory.parameters(0)[1]);
  }
  for (std::size_t run = 0; run < 12; ++run) {
    EXPECT_EQ(streamed[run], streamed[run % 6]) << run;
    EXPECT_EQ(run > 0 && streamed[run] == streamed[0], run == 6) << run;
  }
}

TEST(ContestMemory, CachesOfATeamAreThoseOfItsCores) {
  const machine::Machine machine = machine_with_cache(1000);
  EXPECT_EQ(outermost_cache_bytes(machine, 1), 1000);
  EXPECT_EQ(outermost_cache_bytes(machine, 2), 1000);
  EXPECT_EQ(outermost_cache_bytes(machine, 3), 2000);
  EXPECT_EQ(outermost_cache_bytes({}, 3), 0);
}

}  // namespace
}  // namespace strata::tune
