// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace strata {

// Has every failed allocation noted before std::bad_alloc is thrown.
void note_failed_allocations();

// Whether one failed. What is terminated after that was for lack of memory, also where the exception itself had none.
bool has_allocation_failed();

// While one lives, a failed allocation ends the process by std::terminate(): around libraries that an exception leaves
// in a state in which their destructors fail.
class AllocationsMustSucceed {
 public:
  AllocationsMustSucceed();
  ~AllocationsMustSucceed();
  AllocationsMustSucceed(const AllocationsMustSucceed&) = delete;
  AllocationsMustSucceed& operator=(const AllocationsMustSucceed&) = delete;
};

}  // namespace strata
