// SPDX-License-Identifier: Apache-2.0
#include "calibrate/readings.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "calibrate/probes.h"
#include "machine/cost.h"

namespace strata::calibrate {
namespace {

using machine::Machine;
using machine::MemoryLevel;

// Four significant digits: more would be noise.
double rounded(double value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 3);
  double result = 0;
  std::from_chars(text, written.ptr, result);
  return result;
}

}  // namespace

std::vector<int> thread_counts(int threads) {
  std::vector<int> counts;
  for (int count = 1; count < threads; count *= 2) counts.push_back(count);
  counts.push_back(threads);
  return counts;
}

MemoryLevel with_rates(const MemoryLevel& level, const std::map<int, double>& read,
                       const std::map<int, double>& written) {
  constexpr double kWorthATable = 1.3;
  MemoryLevel measured = level;
  const int most = read.rbegin()->first;
  measured.read_bytes_per_s = read;
  for (const auto& [threads, rate] : level.read_bytes_per_s) {
    if (threads > most) {
      measured.read_bytes_per_s[threads] = rounded(rate / machine::bandwidth(level, most) * read.at(most));
    }
  }
  const bool differs = std::ranges::any_of(written, [&](const auto& entry) {
    const double ratio = entry.second / read.at(entry.first);
    return std::max(ratio, 1 / ratio) > kWorthATable;
  });
  measured.write_bytes_per_s = differs ? written : std::map<int, double>{};
  for (const auto& [threads, rate] : measured.read_bytes_per_s) {
    if (differs && threads > most) {
      measured.write_bytes_per_s[threads] = rounded(rate / read.at(most) * written.at(most));
    }
  }
  return measured;
}

std::string rate_figure(const MemoryLevel& level, int active, bool is_write) {
  return level.name + (is_write ? " writes by " : " reads by ") + std::to_string(active);
}

std::string latency_figure(const MemoryLevel& level) { return level.name + " latency"; }

void Readings::begin_round() {
  fresh_.clear();
  are_streams_fresh_ = false;
}

bool Readings::wants(const std::string& figure) const {
  const auto at = readings_.find(figure);
  return at == readings_.end() || at->second.size() < kFewestRounds || !settled(at->second);
}

bool Readings::want_streams() const { return streams_.size() < kFewestRounds || !unsettled_streams().empty(); }

void Readings::add(const std::string& figure, const Reading& reading) {
  readings_[figure].push_back(reading);
  fresh_.push_back(figure);
}

void Readings::add_streams(StreamReading reading) {
  streams_.push_back(std::move(reading));
  are_streams_fresh_ = true;
}

void Readings::disregard_round() {
  for (const std::string& figure : fresh_) readings_.at(figure).back().disturbed = true;
  if (are_streams_fresh_) streams_.back().disturbed = true;
}

std::vector<int> Readings::unsettled_streams() const {
  std::set<int> sizes;
  for (const machine::Stream& candidate : stream_candidates(detected_)) sizes.insert(candidate.element_bits);
  std::vector<int> unsettled;
  for (const int bits : sizes) {
    if (!settled_stream(streams_, bits)) unsettled.push_back(bits);
  }
  return unsettled;
}

std::vector<std::string> Readings::unsettled() const {
  std::vector<std::string> names;
  for (const auto& [name, readings] : readings_) {
    if (!settled(readings)) names.push_back(name);
  }
  if (streams_.empty()) return names;
  for (const int bits : unsettled_streams()) names.push_back("streams of " + std::to_string(bits) + " bits");
  return names;
}

Machine Readings::machine() const {
  Machine result = earlier_;
  for (std::size_t i = 0; i < result.memory.size(); ++i) settle_level(detected_.memory[i], result.memory[i]);
  for (std::size_t i = 0; i < result.units.size(); ++i) {
    if (const auto seconds = figure(detected_.units[i].name)) result.units[i].ops_per_s = rounded(1 / *seconds);
  }
  if (const auto seconds = figure(kBarrierFigure)) result.barrier_s = rounded(*seconds);
  if (const auto seconds = figure(kOverheadFigure)) result.op_overhead_s = rounded(*seconds);
  settle_core(result);
  settle_streams(result.streams);
  result.name = detected_.name + "-calibrated";
  result.description =
      detected_.description + (detected_.description.empty() ? "" : ", ") + "measured by strata calibrate";
  return result;
}

std::optional<double> Readings::figure(const std::string& name) const {
  const auto at = readings_.find(name);
  return at == readings_.end() ? std::nullopt : settled(at->second);
}

void Readings::settle_level(const MemoryLevel& detected, MemoryLevel& level) const {
  if (const auto seconds = figure(latency_figure(detected))) level.latency_s = rounded(*seconds);
  std::map<int, double> read;
  std::map<int, double> written;
  bool is_measured = false;
  for (const int active : thread_counts(threads_)) {
    const auto reading = figure(rate_figure(detected, active, false));
    const auto writing = figure(rate_figure(detected, active, true));
    read[active] = reading ? rounded(1 / *reading) : machine::bandwidth(level, active);
    written[active] = writing ? rounded(1 / *writing) : machine::write_bandwidth(level, active);
    is_measured |= reading || writing;
  }
  if (is_measured) level = with_rates(level, read, written);
}

// A slot is a vector multiply-add's time.
void Readings::settle_core(Machine& machine) const {
  const machine::Unit& unit = *machine::fma_unit(machine, DType::kF32);
  for (const std::string& name : scalar_functions()) {
    const auto seconds = figure(name);
    if (!seconds) continue;
    machine.core.scalar_slots[name] = rounded(*seconds * unit.ops_per_s / (2.0 * unit.lanes));
  }
}

void Readings::settle_streams(std::vector<machine::Stream>& streams) const {
  std::map<int, machine::Stream> by_size;
  for (const machine::Stream& stream : streams) by_size.emplace(stream.element_bits, stream);
  for (const machine::Stream& candidate : stream_candidates(detected_)) {
    if (const auto stream = settled_stream(streams_, candidate.element_bits)) by_size[candidate.element_bits] = *stream;
  }
  streams.clear();
  for (const auto& [bits, stream] : by_size) streams.push_back(stream);
}

}  // namespace strata::calibrate
