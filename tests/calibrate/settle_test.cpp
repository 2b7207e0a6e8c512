// SPDX-License-Identifier: Apache-2.0
#include "calibrate/settle.h"

#include <gtest/gtest.h>

#include "calibrate/readings.h"

namespace strata::calibrate {
namespace {

constexpr double kBarrier = 86e-9;
constexpr double kBadMoment = 294e-9;

TEST(Settled, OneReadingTellsNothing) {
  EXPECT_EQ(settled({}), std::nullopt);
  EXPECT_EQ(settled({{kBadMoment, false}}), std::nullopt);
}

TEST(Settled, TheLeastOfTwoThatAgree) {
  EXPECT_EQ(settled({{90e-9, false}, {kBarrier, false}}), kBarrier);
  EXPECT_EQ(settled({{1.0, false}, {1.1, false}}), 1.0);
  EXPECT_EQ(settled({{1.0, false}, {1.11, false}}), std::nullopt);
}

TEST(Settled, ABadMomentIsOutvoted) {
  EXPECT_EQ(settled({{kBadMoment, false}, {kBarrier, false}}), std::nullopt);
  EXPECT_EQ(settled({{kBadMoment, false}, {kBarrier, false}, {90e-9, false}}), kBarrier);
}

// Two readings of bad moments may agree; a better one shows them up.
TEST(Settled, ABetterReadingWantsItsOwnConfirmation) {
  EXPECT_EQ(settled({{kBadMoment, false}, {kBadMoment, false}, {kBarrier, false}}), std::nullopt);
}

TEST(Settled, DisturbedReadingsDontCount) {
  EXPECT_EQ(settled({{kBadMoment, true}, {kBadMoment, true}, {kBadMoment, true}}), std::nullopt);
  EXPECT_EQ(settled({{kBadMoment, true}, {kBadMoment, true}, {kBarrier, false}, {kBarrier, false}}), kBarrier);
  EXPECT_EQ(settled({{kBarrier, true}, {kBarrier, false}}), std::nullopt);
}

TEST(SettledStream, TwoRoundsMustFindTheSame) {
  const machine::Stream one{16, 1, 4096, 3};
  const machine::Stream four{16, 4, 0, 0};
  const machine::Stream wide{32, 4, 0, 0};
  EXPECT_EQ(settled_stream({{{one}, false}, {{four, wide}, false}}, 16), std::nullopt);
  EXPECT_EQ(settled_stream({{{one, wide}, false}, {{four, wide}, false}, {{one}, false}}, 16), one);
  EXPECT_EQ(settled_stream({{{one, wide}, false}, {{four, wide}, false}}, 32), wide);
  EXPECT_EQ(settled_stream({{{one}, true}, {{one}, false}}, 16), std::nullopt);
}

TEST(ProcessorTimes, OfTheKernelsLine) {
  const ProcessorTimes times = parse_processor_times("cpu  92607 161905 22897 82719 356 0 80 320 11 12");
  EXPECT_EQ(times.all, 92607 + 161905 + 22897 + 82719 + 356 + 80 + 320);
  EXPECT_EQ(times.stolen, 320);
  EXPECT_EQ(parse_processor_times("cpu 1 2 3 4").stolen, 0);
  EXPECT_EQ(parse_processor_times("").all, 0);
  EXPECT_EQ(parse_processor_times("intr 5 6").all, 0);
}

TEST(StealShare, IsOfTheTimeBetween) {
  EXPECT_EQ(steal_share({1000, 10}, {1200, 60}), 0.25);
  EXPECT_EQ(steal_share({1000, 10}, {1000, 10}), 0);
  EXPECT_EQ(steal_share({1000, 10}, {900, 5}), 0);
}

class ReadingsTest : public testing::Test {
 protected:
  ReadingsTest() { earlier_.barrier_s = 77e-9; }

  Readings of(const std::vector<double>& seconds) const {
    Readings readings(detected_, earlier_, 1);
    for (const double second : seconds) {
      readings.begin_round();
      readings.add(kBarrierFigure, {second, false});
    }
    return readings;
  }

  const machine::Machine detected_ = machine::load("avx2-generic");
  machine::Machine earlier_ = detected_;
};

TEST_F(ReadingsTest, WhatSettlesReplacesTheEarlierFigure) {
  const Readings readings = of({1.01e-6, 1e-6});
  EXPECT_FALSE(readings.wants(kBarrierFigure));
  EXPECT_TRUE(readings.are_settled());
  EXPECT_EQ(readings.machine().barrier_s, 1e-6);
  EXPECT_EQ(readings.machine().op_overhead_s, detected_.op_overhead_s) << "never measured";
}

TEST_F(ReadingsTest, WhatDiffersIsWantedAgainAndTheEarlierFigureStands) {
  const Readings readings = of({2e-6, 1e-6});
  EXPECT_TRUE(readings.wants(kBarrierFigure));
  EXPECT_EQ(readings.unsettled(), std::vector<std::string>{"barrier"});
  EXPECT_EQ(readings.machine().barrier_s, 77e-9);
}

TEST_F(ReadingsTest, ARoundIsDisregardedAsAWhole) {
  Readings readings = of({1e-6, 1e-6});
  readings.disregard_round();
  EXPECT_TRUE(readings.wants(kBarrierFigure));
  readings.begin_round();
  readings.add(kOverheadFigure, {1e-8, false});
  readings.add(kBarrierFigure, {1e-6, false});
  EXPECT_FALSE(readings.wants(kBarrierFigure)) << "the first and the third agree";
  readings.begin_round();
  readings.disregard_round();
  EXPECT_FALSE(readings.wants(kBarrierFigure)) << "nothing was read in it";
}

TEST_F(ReadingsTest, RatesAreOfTheLevelsThatWereRead) {
  Readings readings(detected_, earlier_, 1);
  const machine::MemoryLevel& cache = detected_.memory[0];
  for (int round = 0; round < 2; ++round) {
    readings.begin_round();
    readings.add(rate_figure(cache, 1, false), {1e-12, false});
    readings.add(latency_figure(cache), {2e-9, false});
  }
  EXPECT_EQ(readings.machine().memory[0].read_bytes_per_s.at(1), 1e12);
  EXPECT_EQ(readings.machine().memory[0].latency_s, 2e-9);
  EXPECT_EQ(readings.machine().memory[1].read_bytes_per_s, detected_.memory[1].read_bytes_per_s);
}

}  // namespace
}  // namespace strata::calibrate
