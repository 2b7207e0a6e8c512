// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "compile/contest.h"
#include "compile/toolchain.h"
#include "runtime/thread_team.h"

namespace strata::tune {

// Of a contest; more tell little.
inline constexpr std::size_t kMostRounds = 31;

// Runs contests on this machine, for so many seconds in all from the first one on; one that has begun is given the
// rounds that it needs (compile::kFewestRounds). The candidates are compiled side by side; their objects are kept in
// the cache. Then they take turns, each with all threads of the contest's team, on the same memory: what a run streams,
// another part of memory than the caches hold, what is near stays there. Rounds in which other programs had the
// processors are left out where enough others are there.
class Runner {
 public:
  // `progress` is called with the part of the time that is over, also while the compiler runs; it may throw to give up.
  explicit Runner(double seconds, std::function<void(double done)> progress = {})
      : seconds_(seconds), progress_(std::move(progress)) {}

  // As compile::Measure. Throws toolchain_error, resource_error.
  compile::Rounds run(const compile::Contest& contest);

 private:
  using Clock = std::chrono::steady_clock;

  double elapsed() const;
  void report() const;
  std::string build(const compile::Contest& contest);
  runtime::ThreadTeam& team(int threads);

  const double seconds_;
  const std::function<void(double)> progress_;
  std::optional<Clock::time_point> began_;
  std::optional<compile::Toolchain> toolchain_;
  std::optional<runtime::ThreadTeam> team_;
};

}  // namespace strata::tune
