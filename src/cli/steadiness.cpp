// SPDX-License-Identifier: Apache-2.0
#include "cli/steadiness.h"

#include <sys/resource.h>

#include <algorithm>

#include "base/error.h"
#include "cli/format.h"

namespace strata::cli {
namespace {

// A quiet machine repeats a step within a tenth, one of some microseconds within a fifth.
constexpr double kMostSpread = 1.25;    // of the slow repetitions, over the median
constexpr double kMostPreempted = 0.5;  // a repetition

}  // namespace

Steadiness steadiness_of(std::vector<double> seconds, std::int64_t preemptions) {
  STRATA_CHECK(!seconds.empty(), "the steadiness of nothing");
  std::ranges::sort(seconds);
  const auto last = seconds.size() - 1;
  return {.low_s = seconds[last / 10],
          .median_s = seconds[last / 2],
          .high_s = seconds[last - last / 10],
          .preemptions = preemptions,
          .repetitions = static_cast<std::int64_t>(seconds.size())};
}

bool is_disturbed(const Steadiness& steadiness) {
  return steadiness.high_s > kMostSpread * steadiness.median_s ||
         static_cast<double>(steadiness.preemptions) > kMostPreempted * static_cast<double>(steadiness.repetitions);
}

std::string disturbance_text(const Steadiness& steadiness) {
  if (!is_disturbed(steadiness)) return "";
  return "The machine was disturbed while measuring: a step took " + format_milliseconds(steadiness.low_s) + " to " +
         format_milliseconds(steadiness.high_s) + " (median " + format_milliseconds(steadiness.median_s) +
         "), and other programs took a processor " + std::to_string(steadiness.preemptions) + " times in " +
         std::to_string(steadiness.repetitions) + " steps. Measure again when it is quiet.";
}

std::int64_t preemptions() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

}  // namespace strata::cli
