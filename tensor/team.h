// SPDX-License-Identifier: Apache-2.0
// The threads that run one function together (SPMD): who am I, how many are we, wait for the others, my share of a
// loop. Built on the compilers' __atomic operations: <atomic> would add 0.24 s to every generated unit.
#pragma once

#include <time.h>

#include "tensor/range.h"
#include "tensor/vec.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace strata::tensor {

// A barrier for `size` threads, reusable at once. Waiters spin for about 100 microseconds, then sleep in the kernel, so
// an oversubscribed machine makes progress. What two threads share by halves keeps one of them waiting for some ten
// microseconds, and to be woken takes longer than that. Everything written before arrive_and_wait() is visible to all
// after it. Only sleeps are counted: a wait that long says that the one waited for is held up or not running.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  void arrive_and_wait() {
    const std::uint32_t phase = __atomic_load_n(&phase_, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == size_) {
      __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
      __atomic_store_n(&phase_, phase + 1, __ATOMIC_SEQ_CST);
      if (__atomic_load_n(&sleepers_, __ATOMIC_SEQ_CST) != 0) wake_all();
      return;
    }
    if (!has_passed(phase)) wait_long(phase);
  }

  // For as many threads from now on. No thread may be waiting.
  void resize(int size) { size_ = size; }

  // How long threads have slept here, all together, in nanoseconds.
  std::uint64_t slept_ns() const { return __atomic_load_n(&slept_ns_, __ATOMIC_RELAXED); }

 private:
  static constexpr std::uint64_t kAwakeNs = 100'000;
  static constexpr int kPauses = 50;  // between two looks at the clock

  // Looks for some time.
  bool has_passed(std::uint32_t phase) const {
    for (int pause = 0; pause < kPauses; ++pause) {
      if (__atomic_load_n(&phase_, __ATOMIC_ACQUIRE) != phase) return true;
      arch::pause();
    }
    return false;
  }

  [[gnu::noinline, gnu::cold]] void wait_long(std::uint32_t phase) {
    std::uint64_t begin = now_ns();
    for (const std::uint64_t end = begin + kAwakeNs; begin < end; begin = now_ns()) {
      if (has_passed(phase)) return;
    }
    __atomic_add_fetch(&sleepers_, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&phase_, __ATOMIC_SEQ_CST) == phase) sleep_while(phase);
    __atomic_sub_fetch(&sleepers_, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&slept_ns_, now_ns() - begin, __ATOMIC_RELAXED);
  }

  static std::uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000000u + static_cast<std::uint64_t>(time.tv_nsec);
  }

#if defined(__linux__)
  void sleep_while(std::uint32_t phase) { syscall(SYS_futex, &phase_, FUTEX_WAIT_PRIVATE, phase, nullptr, nullptr, 0); }
  void wake_all() { syscall(SYS_futex, &phase_, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0); }
#else
  void sleep_while(std::uint32_t) { arch::pause(); }
  void wake_all() {}
#endif

  alignas(64) std::uint32_t phase_ = 0;
  alignas(64) int arrived_ = 0;
  std::uint32_t sleepers_ = 0;
  int size_;
  std::uint64_t slept_ns_ = 0;
};

// Time of one op of a generated function, summed over its executions.
struct OpTime {
  std::uint64_t ns = 0;
  std::uint64_t count = 0;
};

// Where the marks of generated code go: each adds the time since the one before to its op. The clock is the caller's,
// in nanoseconds: <chrono> would be parsed again for every generated unit.
struct Profile {
  std::uint64_t (*now_ns)() = nullptr;
  OpTime* ops = nullptr;  // by id
  int size = 0;           // ids beyond it are not counted
  std::uint64_t last_ns = 0;

  [[gnu::noinline, gnu::cold]] void mark(int id) {
    const std::uint64_t now = now_ns();
    if (id < size) {
      ops[id].ns += now - last_ns;
      ++ops[id].count;
    }
    last_ns = now;
  }
  [[gnu::noinline, gnu::cold]] void resume() { last_ns = now_ns(); }
};

struct Group;

struct Team {
  int rank = 0;
  int size = 1;
  Barrier* barrier = nullptr;    // of `size` threads; may be null for a team of one
  Profile* profile = nullptr;    // rank 0's alone; null: nothing is timed
  std::byte* scratch = nullptr;  // this thread's own memory, of which nothing outlives a function; on 64 bytes
  const Group* group = nullptr;  // of a program that several processes run together (tensor/group.h), else null

  // The end of op `id`.
  void mark(int id) const {
    if (profile != nullptr) [[unlikely]]
      profile->mark(id);
  }

  // The time since the last mark, of a call or a return, is no op's.
  void resume() const {
    if (profile != nullptr) [[unlikely]]
      profile->resume();
  }

  void sync() const {
    if (size > 1) barrier->arrive_and_wait();
  }

  // This thread's contiguous share of [0, n), in units of `grain` (only the last unit may be smaller). Shares differ by
  // at most one unit; their union over all ranks is [0, n).
  Range split(std::int64_t n, std::int64_t grain = 1) const {
    const std::int64_t units = (n + grain - 1) / grain;
    const std::int64_t base = units / size;
    const std::int64_t larger = units % size;
    const std::int64_t first = rank * base + (rank < larger ? rank : larger);
    const std::int64_t last = first + base + (rank < larger ? 1 : 0);
    return {clamp(first * grain, n), clamp(last * grain, n)};
  }

 private:
  static std::int64_t clamp(std::int64_t x, std::int64_t n) { return x < n ? x : n; }
};

}  // namespace strata::tensor
