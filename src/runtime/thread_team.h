// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "tensor/team.h"

namespace strata::runtime {

// Threads that live as long as the team and run one function together, each with its rank. The calling thread is rank
// 0. One run at a time. A run allocates nothing. Between runs the workers spin for a short while, then sleep.
//
// A run may leave the last ranks out (set_active): those sleep, and are not woken, until they are wanted again.
//
// When the team takes every processor of the affinity mask, its workers are pinned to one each. A smaller team is left
// to the kernel, or two processes with one thread each would share the first processor; a larger one too.
class ThreadTeam {
 public:
  // Throws resource_error when the threads can't be started. `threads` >= 1.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return size_; }

  // How many ranks take part in the runs that follow, from 1 to size(); at first all.
  void set_active(int ranks);
  int active() const { return active_.load(std::memory_order_relaxed); }

  // How long ranks have waited for others, all together: the waits so long that the waiting rank slept.
  double waited_s() const;

  // Where the marks of rank 0 go in the runs that follow; null: nowhere.
  void set_profile(tensor::Profile* profile) { profile_ = profile; }

  // Calls body(const tensor::Team&) once per rank, at the same time, and returns when all are done. What the caller
  // wrote before is visible to all; what they wrote is visible to the caller after. `body` must not throw.
  template <class Body>
  void run(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_job([](void* context, const tensor::Team& team) { (*static_cast<Plain*>(context))(team); },
            const_cast<void*>(static_cast<const void*>(std::addressof(body))));
  }

 private:
  using Job = void (*)(void* context, const tensor::Team& team);

  void run_job(Job job, void* context);
  void announce(int ranks);
  void wait_for_workers();
  void work(int rank);
  void stop();

  // Spins until the word differs from `old`, or for a while; returns what it is then.
  std::uint32_t spin_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) const;

  const int size_;
  const int allowed_;
  std::atomic<int> spins_ = 0;
  tensor::Barrier barrier_;
  tensor::Profile* profile_ = nullptr;
  Job job_ = nullptr;  // null: the end
  void* context_ = nullptr;
  std::uint64_t slept_ns_ = 0;  // of the caller, for the ends of runs
  // A run's number and its ranks in one word, so that a rank that is left out, and may sleep through any number of
  // runs, reads nothing else of them.
  alignas(64) std::atomic<std::uint32_t> announced_ = 0;
  alignas(64) std::atomic<int> active_;
  alignas(64) std::atomic<std::uint32_t> pending_ = 0;  // workers that are not done with the run
  std::vector<std::thread> workers_;
};

}  // namespace strata::runtime
