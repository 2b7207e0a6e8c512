// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace strata::serve {

// So many bytes that all requests share.
class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes) : total_(bytes), left_(bytes) {}

  // A part of it, given back when it goes.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    // Waits until there are so many; more than all are all.
    Share(ByteBudget& budget, std::size_t bytes) : budget_(budget), bytes_(std::min(bytes, budget.total_)) {
      std::unique_lock lock(budget_.mutex_);
      budget_.grown_.wait(lock, [&] { return budget_.left_ >= bytes_; });
      budget_.left_ -= bytes_;
    }
    ~Share() {
      const std::lock_guard lock(budget_.mutex_);
      budget_.left_ += bytes_;
      budget_.grown_.notify_all();
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Takes more; false: there are not so many.
    bool grow(std::size_t bytes) {
      const std::lock_guard lock(budget_.mutex_);
      if (budget_.left_ < bytes) return false;
      budget_.left_ -= bytes;
      bytes_ += bytes;
      return true;
    }

   private:
    ByteBudget& budget_;
    std::size_t bytes_ = 0;
  };

 private:
  const std::size_t total_;
  std::mutex mutex_;
  std::condition_variable grown_;
  std::size_t left_;
};

}  // namespace strata::serve
