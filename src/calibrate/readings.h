// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "calibrate/settle.h"
#include "machine/machine.h"

namespace strata::calibrate {

// Thread counts at which bandwidth is measured: powers of two and `threads` itself.
std::vector<int> thread_counts(int threads);

// The level with its rates replaced by the measured ones, in bytes per second by threads. Rates of other counts keep
// their proportion to the largest measured count. Write rates are kept only if one differs from reading by more than
// 1.3 times: so much is worth a second table.
machine::MemoryLevel with_rates(const machine::MemoryLevel& level, const std::map<int, double>& read,
                                const std::map<int, double>& written);

// What figures are called; a unit's is its name.
std::string rate_figure(const machine::MemoryLevel& level, int active, bool is_write);
std::string latency_figure(const machine::MemoryLevel& level);
inline constexpr const char* kBarrierFigure = "barrier";
inline constexpr const char* kOverheadFigure = "op overhead";

// What the rounds of a calibration read, and the machine that follows from it.
class Readings {
 public:
  // `detected` says what can be measured, for at most so many threads; where nothing settles, `earlier` stands.
  Readings(const machine::Machine& detected, machine::Machine earlier, int threads)
      : detected_(detected), earlier_(std::move(earlier)), threads_(threads) {}

  void begin_round();

  // Whether another round should measure it: it was measured too seldom, or its readings differ.
  bool wants(const std::string& figure) const;
  bool want_streams() const;

  // At most once in a round. Seconds of a byte, an operation, a load, a barrier, a call.
  void add(const std::string& figure, const Reading& reading);
  void add_streams(StreamReading reading);

  // All readings of this round count as disturbed.
  void disregard_round();

  // Whether all that was measured has settled, and what has not.
  bool are_settled() const { return unsettled().empty(); }
  std::vector<std::string> unsettled() const;

  // The earlier figures with those that settled in their place.
  machine::Machine machine() const;

 private:
  std::optional<double> figure(const std::string& name) const;
  std::vector<int> unsettled_streams() const;
  void settle_level(const machine::MemoryLevel& detected, machine::MemoryLevel& level) const;
  void settle_core(machine::Machine& machine) const;
  void settle_streams(std::vector<machine::Stream>& streams) const;

  const machine::Machine detected_;
  const machine::Machine earlier_;
  const int threads_;
  std::map<std::string, std::vector<Reading>> readings_;  // by figure
  std::vector<StreamReading> streams_;
  std::vector<std::string> fresh_;  // figures of this round
  bool are_streams_fresh_ = false;
};

}  // namespace strata::calibrate
