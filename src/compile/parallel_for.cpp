// SPDX-License-Identifier: Apache-2.0
#include "compile/parallel_for.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace strata::compile {

void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& task) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        task(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    try {
      for (int t = 1; t < threads; ++t) workers.emplace_back(work);
    } catch (const std::system_error&) {
      // With those that could be started: a limit of threads costs time, not the result.
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace strata::compile
