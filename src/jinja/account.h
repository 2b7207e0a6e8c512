// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace strata::jinja {

// The memory that one rendering holds, against its limit.
class Account {
 public:
  explicit Account(std::size_t limit) : limit_(limit) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  // To be called before the memory is taken; throws TemplateError.
  void charge(std::size_t bytes);
  void release(std::size_t bytes) noexcept { held_ -= bytes; }
  std::size_t held() const { return held_; }

 private:
  std::size_t limit_;
  std::size_t held_ = 0;
};

// Memory held for a while.
class Held {
 public:
  Held(Account& account, std::size_t bytes) : account_(account), bytes_(bytes) { account_.charge(bytes_); }
  ~Held() { account_.release(bytes_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void grow(std::size_t bytes) {
    account_.charge(bytes);
    bytes_ += bytes;
  }

 private:
  Account& account_;
  std::size_t bytes_;
};

}  // namespace strata::jinja
