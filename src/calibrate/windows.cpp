// SPDX-License-Identifier: Apache-2.0
#include "calibrate/windows.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/error.h"
#include "machine/cpu.h"

namespace strata::calibrate {
namespace {

using Clock = std::chrono::steady_clock;

// Seconds that this thread has been on a processor.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Processors that don't fit the set are left out; where the kernel refuses, the thread stays where it may run now.
void allow(const std::vector<int>& processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int processor : processors) {
    if (processor < CPU_SETSIZE) CPU_SET(static_cast<std::size_t>(processor), &set);
  }
  sched_setaffinity(0, sizeof set, &set);
}

struct Span {
  Clock::time_point begin, end;
  double on_processor = 0;
};

}  // namespace

Pinned::Pinned(int processor) : before_(machine::affinity()) { allow({processor}); }

Pinned::~Pinned() { allow(before_); }

Window run_window(runtime::ThreadTeam& team, int active, const std::function<void(const tensor::Team&)>& work) {
  std::vector<Span> spans(static_cast<std::size_t>(active));
  std::atomic<int> arrived = 0;
  team.run([&](const tensor::Team& member) {
    if (member.rank >= active) return;
    Span& span = spans[static_cast<std::size_t>(member.rank)];
    // Not the team's barrier, which sleeps after a while: all must be on their processors when the window begins, which
    // on a busy machine takes longer than that.
    for (arrived.fetch_add(1); arrived.load() < active;) tensor::arch::pause();
    const double before = processor_seconds();
    span.begin = Clock::now();
    work(member);
    span.end = Clock::now();
    span.on_processor = processor_seconds() - before;
  });
  const auto seconds = [](Clock::duration time) { return std::chrono::duration<double>(time).count(); };
  // Of the two clocks' own cost and granularity, and interrupts too short to matter.
  constexpr double kSlack = 20e-6;
  constexpr double kShare = 0.02;
  Window window;
  Clock::time_point begin = spans[0].begin;
  Clock::time_point end = spans[0].end;
  for (const Span& span : spans) {
    begin = std::min(begin, span.begin);
    end = std::max(end, span.end);
    const double elapsed = seconds(span.end - span.begin);
    if (elapsed - span.on_processor > kSlack + kShare * elapsed) window.disturbed = true;
  }
  window.seconds = std::max(seconds(end - begin), 1e-9);
  return window;
}

double fastest(const std::vector<Window>& windows) {
  STRATA_CHECK(!windows.empty(), "nothing was measured");
  return std::ranges::min_element(windows, {}, &Window::seconds)->seconds;
}

double typical(const std::vector<Window>& windows) {
  std::vector<double> times;
  for (const Window& window : windows) {
    if (!window.disturbed) times.push_back(window.seconds);
  }
  if (times.size() < kEnoughWindows) return fastest(windows);
  const auto quartile = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::ranges::nth_element(times, quartile);
  return *quartile;
}

}  // namespace strata::calibrate
