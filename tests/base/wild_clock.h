// SPDX-License-Identifier: Apache-2.0
// Replaces the C library's clocks in the program whose only source it is included in, for the libraries that it calls
// too. While they run wild, every look at one finds a quarter of an hour more gone: what then comes out the same has
// not asked what time it is. Deadlines of any length pass at once.
#pragma once

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <ctime>

namespace strata::fixtures {

inline std::atomic<bool> clock_is_wild{false};
inline std::atomic<long> wild_seconds{0};

inline long seconds_gone() { return clock_is_wild ? wild_seconds += 900 : 0; }

class WildClock {
 public:
  WildClock() { clock_is_wild = true; }
  ~WildClock() { clock_is_wild = false; }
};

}  // namespace strata::fixtures

extern "C" {

int clock_gettime(clockid_t id, timespec* time) noexcept {
  const long failed = syscall(SYS_clock_gettime, id, time);
  time->tv_sec += strata::fixtures::seconds_gone();
  return static_cast<int>(failed);
}

int gettimeofday(timeval* __restrict time, void* __restrict zone) noexcept {
  const long failed = syscall(SYS_gettimeofday, time, zone);
  time->tv_sec += strata::fixtures::seconds_gone();
  return static_cast<int>(failed);
}

int getrusage(__rusage_who_t who, rusage* usage) noexcept {
  const long failed = syscall(SYS_getrusage, who, usage);
  usage->ru_utime.tv_sec += strata::fixtures::seconds_gone();
  return static_cast<int>(failed);
}

clock_t clock() noexcept { return strata::fixtures::seconds_gone() * CLOCKS_PER_SEC; }

}  // extern "C"
