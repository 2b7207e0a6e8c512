// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <chrono>
#include <system_error>

#include "base/error.h"
#include "machine/cpu.h"

namespace strata::runtime {
namespace {

// 50 us at about 20 ns a pause (Zen 5): longer than sampling a token takes, so that decoding never sleeps.
constexpr int kSpins = 2500;

// The word that announces a run: how many ranks take part in its low bits, above them a count of the runs.
constexpr std::uint32_t kRankBits = 12;
constexpr std::uint32_t kRankMask = (1u << kRankBits) - 1;

// Workers leave signals to the threads that expect them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    // A fault is handled by the thread that made it; where it is blocked the kernel ends the process without a word.
    for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Where it fails (a processor went offline since), the thread runs anywhere.
void pin(std::thread& thread, int processor) {
  if (processor >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processor), &set);
  pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
}

}  // namespace

ThreadTeam::ThreadTeam(int threads)
    : size_(threads), allowed_(machine::allowed_threads()), barrier_(threads), active_(threads) {
  STRATA_CHECK(threads >= 1 && threads <= static_cast<int>(kRankMask), "a team of this size is not possible");
  const std::vector<int> processors = machine::affinity();
  set_active(threads);
  const SignalsBlocked blocked;
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int rank = 1; rank < threads; ++rank) {
    try {
      workers_.emplace_back([this, rank] { work(rank); });
    } catch (const std::system_error& error) {
      stop();
      throw resource_error("can't start thread " + std::to_string(rank + 1) + " of " + std::to_string(threads) + ": " +
                               error.code().message(),
                           "", "use fewer threads (-t)");
    }
    if (threads == static_cast<int>(processors.size()))
      pin(workers_.back(), processors[static_cast<std::size_t>(rank)]);
  }
}

ThreadTeam::~ThreadTeam() { stop(); }

void ThreadTeam::set_active(int ranks) {
  STRATA_CHECK(ranks >= 1 && ranks <= size_, "a team has no such number of ranks");
  spins_.store(ranks <= allowed_ ? kSpins : 0, std::memory_order_relaxed);
  barrier_.resize(ranks);
  if (active_.exchange(ranks) < ranks) active_.notify_all();
}

double ThreadTeam::waited_s() const { return 1e-9 * static_cast<double>(barrier_.slept_ns() + slept_ns_); }

void ThreadTeam::stop() {
  job_ = nullptr;
  active_.store(size_);
  active_.notify_all();
  announce(size_);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::announce(int ranks) {
  const std::uint32_t count = (announced_.load(std::memory_order_relaxed) >> kRankBits) + 1;
  announced_.store(count << kRankBits | static_cast<std::uint32_t>(ranks));
  announced_.notify_all();
}

std::uint32_t ThreadTeam::spin_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) const {
  std::uint32_t value = word.load(std::memory_order_acquire);
  for (int spins = spins_.load(std::memory_order_relaxed); spins > 0 && value == old; --spins) {
    tensor::arch::pause();
    value = word.load(std::memory_order_acquire);
  }
  return value;
}

void ThreadTeam::run_job(Job job, void* context) {
  const int ranks = active();
  const tensor::Team caller{0, ranks, &barrier_, profile_};
  if (ranks == 1) return job(context, caller);
  job_ = job;
  context_ = context;
  pending_.store(static_cast<std::uint32_t>(ranks - 1), std::memory_order_relaxed);
  announce(ranks);
  job(context, caller);
  wait_for_workers();
}

void ThreadTeam::wait_for_workers() {
  std::uint32_t left = pending_.load(std::memory_order_acquire);
  while (left != 0) {
    const std::uint32_t seen = spin_while(pending_, left);
    if (seen == left) {
      const auto begin = std::chrono::steady_clock::now();
      pending_.wait(left);
      const auto slept = std::chrono::steady_clock::now() - begin;
      slept_ns_ += static_cast<std::uint64_t>(std::chrono::nanoseconds(slept).count());
    }
    left = pending_.load(std::memory_order_acquire);
  }
}

void ThreadTeam::work(int rank) {
  const auto takes_part = [rank](std::uint32_t announced) { return static_cast<int>(announced & kRankMask) > rank; };
  for (std::uint32_t seen = 0;;) {
    const std::uint32_t announced = spin_while(announced_, seen);
    if (announced == seen) {
      announced_.wait(seen);
      continue;
    }
    seen = announced;
    if (!takes_part(seen)) {
      for (int ranks = active(); ranks <= rank; ranks = active()) active_.wait(ranks);
      continue;
    }
    // A run ends only when all that take part are done with it: none of them misses it or sees another one's job.
    if (job_ == nullptr) return;
    const tensor::Team team{rank, static_cast<int>(seen & kRankMask), &barrier_};
    job_(context_, team);
    if (pending_.fetch_sub(1) == 1) pending_.notify_one();
  }
}

}  // namespace strata::runtime
