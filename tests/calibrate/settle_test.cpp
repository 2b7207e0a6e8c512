// SPDX-License-Identifier: Apache-2.0
#include "calibrate/settle.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace strata::calibrate
