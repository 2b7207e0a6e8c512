// SPDX-License-Identifier: Apache-2.0
#include "runtime/team_sizer.h"

#include <algorithm>

namespace strata::runtime {
namespace {

// A time slice of a busy processor is 3 ms or so: a window sees many of them, and even the shortest some.
constexpr double kWindowSeconds = 50e-3;
constexpr double kShortestSeconds = 10e-3;
constexpr std::int64_t kWindowSteps = 2;

// The part of the ranks' time that is spent waiting from which a smaller team may be faster, and that from which it
// surely is worth a look at once: of the part that the smaller team would give up. It would be all of it if a rank did
// as much alone as beside others, but memory is shared: decoding with two threads is 1.5 times as fast as with one, and
// breaks even when a third of their time is spent waiting (Zen 4).
constexpr double kMuchWaiting = 0.6;
constexpr double kBlatantWaiting = 0.8;
// In a row: one may have met a passing disturbance.
constexpr int kWaitingWindows = 2;

// A trial ends early when the difference is as clear as this.
constexpr double kClear = 1.5;
// What another size must gain to be kept.
constexpr double kWorthChanging = 1.05;

// A failed trial is not repeated before this many times what it cost, nor before a pause, which doubles with every
// failure up to a limit.
constexpr double kCostFactor = 20;
constexpr double kPauseSeconds = 0.1;
constexpr int kDoublings = 5;

double pause_s(int failures) { return kPauseSeconds * static_cast<double>(1 << std::min(failures, kDoublings)); }

// A quarter at a time: a team of many is not halved for one processor that is taken.
int smaller(int size) { return size - std::max(1, size / 4); }
int larger(int size, int most) { return std::min(most, size + std::max(1, size / 3)); }

}  // namespace

void TeamSizer::Window::add(const Step& step) {
  seconds += step.seconds;
  waited_s += step.waited_s;
  ++steps;
}

bool TeamSizer::Window::is_full() const { return seconds >= kWindowSeconds && steps >= kWindowSteps; }

bool TeamSizer::Window::waits(double part, int size) const {
  const double given_up = 1 - static_cast<double>(smaller(size)) / size;
  return size > 1 && waited_s > part * given_up * seconds * size;
}

// Steps of another kind can't be compared with those before.
void TeamSizer::begin(std::int64_t kind) {
  kind_ = kind;
  window_ = {};
  trial_ = 0;
  kept_step_s_ = 0;
  waiting_windows_ = 0;
}

void TeamSizer::add(const Step& step) {
  if (most_ == 1) return;
  smaller_pause_s_ -= step.seconds;
  larger_pause_s_ -= step.seconds;
  if (step.kind != kind_) {
    const bool was_trial = trial_ != 0;
    begin(step.kind);
    if (was_trial) return;
  }
  if (is_first_of_trial_) {
    is_first_of_trial_ = false;
    return;
  }
  window_.add(step);
  const bool is_long_enough = window_.seconds >= kShortestSeconds && window_.steps >= kWindowSteps;
  if (trial_ == 0) {
    if (window_.is_full() || (is_long_enough && window_.waits(kBlatantWaiting, kept_))) end_window();
  } else {
    const double gain = kept_step_s_ / window_.step_s();
    if (window_.is_full() || (is_long_enough && (gain > kClear || gain < 1 / kClear))) end_trial(gain);
  }
}

void TeamSizer::end_window() {
  const bool waits = window_.waits(kMuchWaiting, kept_);
  waiting_windows_ = waits ? waiting_windows_ + 1 : 0;
  kept_step_s_ = waiting_windows_ > 1 ? (kept_step_s_ + window_.step_s()) / 2 : window_.step_s();
  window_ = {};
  if (waiting_windows_ >= kWaitingWindows && smaller_pause_s_ <= 0) {
    // After a trial in vain, a yet smaller one: with half of the processors taken, three quarters of the team may be as
    // slow as all of it.
    try_size(smaller(failed_smaller_ > 1 ? failed_smaller_ : kept_));
  } else if (!waits && kept_ < most_ && larger_pause_s_ <= 0) {
    try_size(larger(kept_, most_));
  } else if (!waits && kept_ == most_) {
    failed_larger_count_ = std::max(0, failed_larger_count_ - 1);
  }
}

void TeamSizer::try_size(int size) {
  trial_ = size;
  is_first_of_trial_ = true;
  waiting_windows_ = 0;
}

void TeamSizer::end_trial(double gain) {
  const bool shrinks = trial_ < kept_;
  const double wasted_s = std::max(0.0, window_.seconds - kept_step_s_ * static_cast<double>(window_.steps));
  if (gain >= kWorthChanging) {
    kept_ = trial_;
    kept_step_s_ = window_.step_s();
    failed_smaller_ = 0;
    if (shrinks) {
      failed_smaller_count_ = 0;
      larger_pause_s_ = pause_s(failed_larger_count_);
      failed_larger_count_ = std::min(failed_larger_count_ + 1, kDoublings);
    }
  } else {
    fail(wasted_s);
  }
  trial_ = 0;
  window_ = {};
}

void TeamSizer::fail(double wasted_s) {
  int& failures = trial_ < kept_ ? failed_smaller_count_ : failed_larger_count_;
  double& pause = trial_ < kept_ ? smaller_pause_s_ : larger_pause_s_;
  if (trial_ < kept_) failed_smaller_ = trial_;
  pause = std::max(pause_s(failures), kCostFactor * wasted_s);
  failures = std::min(failures + 1, kDoublings);
}

}  // namespace strata::runtime
