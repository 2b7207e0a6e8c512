// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "runtime/thread_team.h"

namespace strata::calibrate {

// A short time in which some threads did the same work at once.
struct Window {
  double seconds = 0;      // from the first one's start to the last one's end
  bool disturbed = false;  // some thread was off its processor meanwhile: other programs ran there
};

// Keeps the calling thread on one processor while it lives. A team that takes all processors pins its workers, not its
// caller, which on a busy machine is soon found on a worker's processor.
class Pinned {
 public:
  explicit Pinned(int processor);
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  std::vector<int> before_;
};

// Runs the work on the ranks below `active`, which start together.
Window run_window(runtime::ThreadTeam& team, int active, const std::function<void(const tensor::Team&)>& work);

// What the same work takes on an idle machine, in seconds: of windows so short that many escape from the other programs
// the fastest is the truth. At least one window.
double fastest(const std::vector<Window>& windows);

// Undisturbed windows that typical() wants.
inline constexpr int kEnoughWindows = 5;

// What it takes as a rule: the first quartile of the undisturbed windows, or the fastest of all where they are too few.
// For work that varies by itself, as that of DRAM does with its refreshes and pages. Not the median: the traffic of
// other programs leaves no trace in a window, and with five of them beside it the median was half of the truth.
double typical(const std::vector<Window>& windows);

}  // namespace strata::calibrate
