// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace strata::serve {

// Tells who waits for several things that something came, whichever.
class News {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    changed_.notify_all();
  }

  // How often it rang.
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

  // Until it rang once more than `seen` times, or for so long.
  void wait(std::uint64_t seen, std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return count_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t count_ = 0;
};

}  // namespace strata::serve
