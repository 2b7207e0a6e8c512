// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "machine/machine.h"

namespace strata::calibrate {

// What one round measured of a figure: a time of some work, so that the least is the truth unless it is a mistake.
struct Reading {
  double seconds = 0;
  bool disturbed = false;  // taken while other programs, or other guests of the host, had the processors
};

// How often a figure is measured: twice at least, and again while its readings don't settle.
inline constexpr int kFewestRounds = 2;
inline constexpr int kMostRounds = 4;

// The least of the undisturbed readings, once another one confirms it: a bad moment may last for all of a reading, but
// seldom comes twice alike. nullopt: it can't be told.
std::optional<double> settled(const std::vector<Reading>& readings);

// As settled(), of a round's fastest ways to stream weights, at most one for each size of element.
struct StreamReading {
  std::vector<machine::Stream> fastest;
  bool disturbed = false;
};

// The way for elements of this size that two undisturbed rounds found.
std::optional<machine::Stream> settled_stream(const std::vector<StreamReading>& readings, int element_bits);

// Of the machine's processors since it started, in ticks: /proc/stat's first line.
struct ProcessorTimes {
  std::int64_t all = 0;
  std::int64_t stolen = 0;  // by other guests of the same host
};

// All zero for what is no such line.
ProcessorTimes parse_processor_times(std::string_view line);

// The part of the time between two moments that was stolen.
double steal_share(const ProcessorTimes& before, const ProcessorTimes& after);

// From this share on, what was measured meanwhile is disturbed.
inline constexpr double kMuchSteal = 0.05;

}  // namespace strata::calibrate
