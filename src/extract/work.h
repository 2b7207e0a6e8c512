// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace strata::extract {

// What a search may still do, in iterations of the simplex method. Counted, not timed: the same problem gets the same
// choice however slow the machine is.
class Work {
 public:
  explicit Work(long limit) : left_(std::max(0L, limit)) {}
  long left() const { return left_; }
  bool is_spent() const { return left_ == 0; }
  void spend(long iterations) { left_ -= std::min(left_, iterations); }

 private:
  long left_;
};

}  // namespace strata::extract
