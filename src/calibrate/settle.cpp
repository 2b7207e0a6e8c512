// SPDX-License-Identifier: Apache-2.0
#include "calibrate/settle.h"

#include <algorithm>
#include <string>

#include "base/words.h"

namespace strata::calibrate {
namespace {

// Readings of an idle machine differ by a few hundredths, those of DRAM by up to this.
constexpr double kAgreement = 1.1;

}  // namespace

std::optional<double> settled(const std::vector<Reading>& readings) {
  std::vector<double> seconds;
  for (const Reading& reading : readings) {
    if (!reading.disturbed) seconds.push_back(reading.seconds);
  }
  std::ranges::sort(seconds);
  if (seconds.size() < 2 || seconds[1] > kAgreement * seconds[0]) return std::nullopt;
  return seconds[0];
}

std::optional<machine::Stream> settled_stream(const std::vector<StreamReading>& readings, int element_bits) {
  std::vector<machine::Stream> found;
  for (const StreamReading& reading : readings) {
    if (reading.disturbed) continue;
    for (const machine::Stream& stream : reading.fastest) {
      if (stream.element_bits != element_bits) continue;
      if (std::ranges::find(found, stream) != found.end()) return stream;
      found.push_back(stream);
    }
  }
  return std::nullopt;
}

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; the last two are part of the first two.
ProcessorTimes parse_processor_times(std::string_view line) {
  constexpr std::size_t kSteal = 7;
  const std::vector<std::string_view> parts = words(line);
  ProcessorTimes times;
  if (parts.empty() || parts[0] != "cpu") return times;
  for (std::size_t i = 0; i <= kSteal && i + 1 < parts.size(); ++i) {
    const auto ticks = number_of<std::int64_t>(parts[i + 1]);
    if (!ticks) break;
    times.all += *ticks;
    if (i == kSteal) times.stolen = *ticks;
  }
  return times;
}

double steal_share(const ProcessorTimes& before, const ProcessorTimes& after) {
  const std::int64_t all = after.all - before.all;
  return all <= 0
             ? 0
             : static_cast<double>(std::max<std::int64_t>(0, after.stolen - before.stolen)) / static_cast<double>(all);
}

}  // namespace strata::calibrate
