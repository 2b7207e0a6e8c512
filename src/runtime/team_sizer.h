// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace strata::runtime {

// How many ranks of a team should work, when other programs want the processors too: a rank that isn't running holds up
// all that wait for it, and a smaller team may be faster.
//
// While ranks wait for one another no longer than a little, all of them work. Where they do, a smaller team is tried
// for a window of steps, and kept if its steps are clearly shorter; a larger one is tried again every now and then. A
// trial that fails is repeated the later the more time it cost, so that trials take a bounded part of the time.
//
// Decides from what it is told alone: no clock, no state of the machine.
class TeamSizer {
 public:
  // A piece of work done by size() ranks. Of one kind, steps do the same work.
  struct Step {
    std::int64_t kind = 0;
    double seconds = 0;
    double waited_s = 0;  // that ranks waited for others, all together (ThreadTeam::waited_s)
  };

  // `most` >= 1 ranks, which is where it begins.
  explicit TeamSizer(int most) : most_(most), kept_(most) {}

  // For the next step.
  int size() const { return trial_ == 0 ? kept_ : trial_; }

  // What the last step was like.
  void add(const Step& step);

 private:
  struct Window {
    double seconds = 0;
    double waited_s = 0;
    std::int64_t steps = 0;

    void add(const Step& step);
    double step_s() const { return seconds / static_cast<double>(steps); }
    bool is_full() const;
    // Whether ranks of a team of this size waited for more than so much of what a smaller one would give up.
    bool waits(double part, int size) const;
  };

  void begin(std::int64_t kind);
  void end_window();
  void try_size(int size);
  void end_trial(double gain);
  void fail(double wasted_s);

  const int most_;
  int kept_;
  int trial_ = 0;                   // 0: none
  bool is_first_of_trial_ = false;  // its first step wakes ranks, and isn't counted
  int failed_smaller_ = 0;          // the smallest team that was tried in vain since the last change; 0: none
  std::int64_t kind_ = -1;
  Window window_;
  int waiting_windows_ = 0;  // in a row
  double kept_step_s_ = 0;   // a step's seconds with kept_ ranks, lately
  double smaller_pause_s_ = 0;
  double larger_pause_s_ = 0;
  int failed_smaller_count_ = 0;
  int failed_larger_count_ = 0;
};

}  // namespace strata::runtime
