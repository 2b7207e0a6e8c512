// SPDX-License-Identifier: Apache-2.0
#include "calibrate/calibrate.h"

#include <gtest/gtest.h>

#include <set>

#include "base/atomic_file.h"
#include "base/temp_dir.h"
#include "calibrate/readings.h"
#include "calibrate/settle.h"
#include "machine/cost.h"
#include "machine/native.h"

namespace strata::calibrate {
namespace {

using machine::Machine;
using machine::MemoryLevel;
using Rates = std::map<int, double>;

MemoryLevel level(Rates rates) { return {"DRAM", 1 << 30, 64, 8, std::move(rates), 1e-7}; }

TEST(ThreadCounts, ArePowersOfTwoAndTheLast) {
  EXPECT_EQ(thread_counts(1), (std::vector<int>{1}));
  EXPECT_EQ(thread_counts(2), (std::vector<int>{1, 2}));
  EXPECT_EQ(thread_counts(6), (std::vector<int>{1, 2, 4, 6}));
  EXPECT_EQ(thread_counts(8), (std::vector<int>{1, 2, 4, 8}));
}

TEST(WithRates, TakesWhatWasMeasured) {
  const MemoryLevel measured = with_rates(level({{1, 10}, {2, 20}}), {{1, 11}, {2, 17}}, {{1, 11}, {2, 17}});
  EXPECT_EQ(measured.read_bytes_per_s, (Rates{{1, 11}, {2, 17}}));
  EXPECT_TRUE(measured.write_bytes_per_s.empty());
  EXPECT_EQ(measured.latency_s, 1e-7);
}

TEST(WithRates, KeepsTheProportionOfCountsThatWereNotMeasured) {
  const MemoryLevel measured = with_rates(level({{1, 10}, {8, 40}}), {{1, 20}}, {{1, 5}});
  EXPECT_EQ(measured.read_bytes_per_s, (Rates{{1, 20}, {8, 80}}));
  EXPECT_EQ(measured.write_bytes_per_s, (Rates{{1, 5}, {8, 20}}));
}

TEST(WithRates, WritingCountsFromARatioOf1_3) {
  EXPECT_TRUE(with_rates(level({{1, 10}}), {{1, 130}}, {{1, 101}}).write_bytes_per_s.empty());
  EXPECT_TRUE(with_rates(level({{1, 10}}), {{1, 101}}, {{1, 130}}).write_bytes_per_s.empty());
  EXPECT_EQ(with_rates(level({{1, 10}}), {{1, 130}}, {{1, 99}}).write_bytes_per_s, (Rates{{1, 99}}));
  EXPECT_EQ(with_rates(level({{1, 10}}), {{1, 99}}, {{1, 130}}).write_bytes_per_s, (Rates{{1, 130}}));
  EXPECT_EQ(with_rates(level({{1, 10}}), {{1, 100}, {2, 200}}, {{1, 100}, {2, 100}}).write_bytes_per_s,
            (Rates{{1, 100}, {2, 100}}));
}

void expect_plausible(const Machine& machine) {
  for (const MemoryLevel& memory : machine.memory) {
    EXPECT_GT(memory.latency_s, 1e-11) << memory.name;
    EXPECT_LT(memory.latency_s, 1e-3) << memory.name;
    for (const auto& [threads, rate] : memory.read_bytes_per_s) {
      EXPECT_GT(rate, 1e6) << memory.name << " " << threads;
      EXPECT_LT(rate, 1e15) << memory.name << " " << threads;
    }
    for (const auto& [threads, rate] : memory.write_bytes_per_s) EXPECT_GT(rate, 1e6) << memory.name << " " << threads;
  }
  for (const auto& unit : machine.units) {
    EXPECT_GT(unit.ops_per_s, 1e6) << unit.name;
    EXPECT_LT(unit.ops_per_s, 1e15) << unit.name;
  }
  EXPECT_GT(machine.op_overhead_s, 1e-10);
  EXPECT_LT(machine.op_overhead_s, 1e-3);
}

TEST(FastestStreams, AreChosenPerSizeOfElement) {
  const std::vector<machine::Stream> candidates = {{16, 1, 0, 0}, {16, 4, 0, 0}, {32, 1, 0, 0}, {32, 4, 0, 0}};
  const auto streams = fastest_streams(candidates, {1.0, 0.9, 1.0, 0.995});
  ASSERT_EQ(streams.size(), 2u);
  EXPECT_EQ(streams[0], candidates[1]);
  EXPECT_EQ(streams[1], candidates[2]) << "the simpler one of two that are as fast";
}

class Measured : public testing::TestWithParam<int> {};

TEST_P(Measured, IsThisMachineWithOtherFigures) {
  std::set<std::string> stages;
  double last = 0;
  const auto progress = [&](std::string_view stage, double done) {
    stages.emplace(stage);
    EXPECT_GE(done, last);
    EXPECT_LE(done, 1);
    last = done;
  };
  // Too little memory to tell DRAM from the caches.
  const CalibrateOptions options{.threads = GetParam(), .seconds = 0.05, .memory_bytes = 1 << 20};
  const Calibrated done = calibrate(options, progress);
  const Machine& measured = done.machine;
  const Machine detected = machine::native("");
  expect_plausible(measured);
  EXPECT_TRUE(stages.contains("L1") && stages.contains("f32-fma")) << stages.size();
  EXPECT_FALSE(stages.contains("DRAM"));
  EXPECT_EQ(measured.target.features, detected.target.features);
  EXPECT_EQ(measured.cores, detected.cores);
  EXPECT_GE(done.rounds, kFewestRounds);
  EXPECT_LE(done.rounds, kMostRounds);
  // One figure may come out as it was, and a busy machine tells nothing of some.
  EXPECT_TRUE(measured.memory[0].latency_s != detected.memory[0].latency_s ||
              measured.memory[0].read_bytes_per_s != detected.memory[0].read_bytes_per_s ||
              measured.op_overhead_s != detected.op_overhead_s || !done.kept.empty());
  EXPECT_EQ(measured.memory.back().read_bytes_per_s, detected.memory.back().read_bytes_per_s);
  if (GetParam() == 1) {
    EXPECT_EQ(measured.barrier_s, detected.barrier_s);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Measured, testing::Values(1, 2));

TEST(Calibrate, NativeTakesTheFiguresFromTheFile) {
  const Machine measured = calibrate({.threads = 1, .seconds = 0.02, .memory_bytes = 1 << 20}).machine;
  const TempDir folder(std::filesystem::temp_directory_path());
  write_file(folder.path() / "machine.json", to_json(measured));
  const Machine native = machine::native(folder.path() / "machine.json");
  EXPECT_EQ(native.units[0].ops_per_s, measured.units[0].ops_per_s);
  EXPECT_EQ(native.op_overhead_s, measured.op_overhead_s);
  EXPECT_EQ(native.memory[0].read_bytes_per_s, measured.memory[0].read_bytes_per_s);
  EXPECT_EQ(native.name + "-calibrated", measured.name);
}

// DRAM can't be measured in so little memory, nor the barrier with one thread.
TEST(Calibrate, EarlierFiguresStandForWhatIsNotMeasured) {
  Machine earlier = machine::native("");
  const double detected_latency = earlier.memory.back().latency_s;
  earlier.memory.back().latency_s = 123e-9;
  earlier.barrier_s = 77e-9;
  earlier.contention = 0.25;
  const TempDir folder(std::filesystem::temp_directory_path());
  const auto file = folder.path() / "machine.json";
  const auto measure = [&](const std::string& text) {
    write_file(file, text);
    return calibrate({.threads = 1, .seconds = 0.02, .earlier = file, .memory_bytes = 1 << 20}).machine;
  };
  const Machine measured = measure(to_json(earlier));
  EXPECT_EQ(measured.memory.back().latency_s, 123e-9);
  EXPECT_EQ(measured.barrier_s, 77e-9);
  EXPECT_EQ(measured.contention, 0.25);
  EXPECT_EQ(measure("{}").memory.back().latency_s, detected_latency) << "a file that can't be read";
  earlier.cores += 1;
  EXPECT_EQ(measure(to_json(earlier)).memory.back().latency_s, detected_latency) << "of another machine";
}

TEST(Calibrate, MeasuresDramWhenThereIsMemory) {
  const Machine detected = machine::native("");
  const std::int64_t outermost =
      detected.memory.size() > 1 ? detected.memory[detected.memory.size() - 2].capacity_bytes : 0;
  if (outermost > std::int64_t{64} << 20) GTEST_SKIP() << "it would take too much of it";
  std::set<std::string> stages;
  calibrate({.threads = 1, .seconds = 0.02, .memory_bytes = 4 * outermost},
            [&](std::string_view stage, double) { stages.emplace(stage); });
  EXPECT_TRUE(stages.contains("DRAM") && stages.contains("streams"));
}

TEST(Calibrate, GivesUpWhenProgressThrows) {
  struct Stop {};
  EXPECT_THROW(calibrate({.threads = 2, .seconds = 100, .memory_bytes = 1 << 20},
                         [](std::string_view stage, double) {
                           if (stage == "L1") throw Stop();
                         }),
               Stop);
}

// Times that settled, in slots of the unit's rate.
TEST(Readings, SettleTheCostsOfACore) {
  const machine::Machine earlier = machine::load("avx512-zen4");
  Readings readings(earlier, earlier, 1);
  const machine::Unit& unit = *machine::fma_unit(earlier, DType::kF32);
  const double slot = 2.0 * unit.lanes / unit.ops_per_s;
  for (int round = 0; round < kFewestRounds; ++round) {
    readings.begin_round();
    readings.add("exp", {12 * slot});
  }
  const machine::Machine measured = readings.machine();
  EXPECT_NEAR(measured.core.scalar_slots.at("exp"), 12, 0.01);
  EXPECT_EQ(measured.core.scalar_slots.at("tanh"), earlier.core.scalar_slots.at("tanh"));
  EXPECT_EQ(measured.core.cold_lines, earlier.core.cold_lines);
}

}  // namespace
}  // namespace strata::calibrate
