// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace strata::cli {

// Shows long work: on a terminal one line that is rewritten, elsewhere a plain line per stage; nothing of work that is
// over at once.
class ProgressReport {
 public:
  ProgressReport(Console& console, std::string work);
  ~ProgressReport();

  // The stage and the fraction of it that is done, 0..1. Any thread may call this. Throws Interrupted once a signal is
  // pending, so that the work it reports on unwinds.
  void update(std::string_view stage, double done);

 private:
  Console& console_;
  std::string work_, stage_, announced_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), shown_;
  std::mutex mutex_;
};

}  // namespace strata::cli
