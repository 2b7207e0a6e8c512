// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <system_error>

#include "base/error.h"
#include "machine/cpu.h"

namespace strata::runtime {
namespace {

// 50 us at about 20 ns a pause (Zen 5): longer than sampling a token takes, so that decoding never sleeps.
constexpr int kSpins = 2500;

// Workers leave signals to the threads that expect them.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
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

ThreadTeam::ThreadTeam(int threads) : size_(threads), barrier_(threads) {
  STRATA_CHECK(threads >= 1, "a team needs a thread");
  const std::vector<int> processors = machine::affinity();
  const int allowed = static_cast<int>(processors.size());
  spins_ = threads <= allowed ? kSpins : 0;
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
    if (threads == allowed) pin(workers_.back(), processors[static_cast<std::size_t>(rank)]);
  }
}

ThreadTeam::~ThreadTeam() { stop(); }

void ThreadTeam::stop() {
  job_ = nullptr;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::uint32_t ThreadTeam::wait_change(std::atomic<std::uint32_t>& word, std::uint32_t old) const {
  for (int spin = 0; spin < spins_; ++spin) {
    const std::uint32_t value = word.load(std::memory_order_acquire);
    if (value != old) return value;
    tensor::arch::pause();
  }
  word.wait(old);
  return word.load(std::memory_order_acquire);
}

void ThreadTeam::run_job(Job job, void* context) {
  const tensor::Team caller{0, size_, &barrier_, profile_};
  if (size_ == 1) return job(context, caller);
  job_ = job;
  context_ = context;
  pending_.store(static_cast<std::uint32_t>(size_ - 1), std::memory_order_relaxed);
  generation_.fetch_add(1);
  generation_.notify_all();
  job(context, caller);
  for (std::uint32_t left = pending_.load(std::memory_order_acquire); left != 0;) left = wait_change(pending_, left);
}

void ThreadTeam::work(int rank) {
  const tensor::Team team{rank, size_, &barrier_};
  for (std::uint32_t seen = 0;;) {
    // A run ends only when all workers are done with it: none of them is skipped.
    seen = wait_change(generation_, seen);
    if (job_ == nullptr) return;
    job_(context_, team);
    if (pending_.fetch_sub(1) == 1) pending_.notify_one();
  }
}

}  // namespace strata::runtime
