// SPDX-License-Identifier: Apache-2.0
#include "base/allocation_failure.h"

#include <atomic>
#include <exception>
#include <new>

namespace strata {
namespace {

constinit std::atomic<bool> has_failed = false;
constinit std::atomic<int> must_succeed = 0;

void on_failed_allocation() {
  has_failed = true;
  if (must_succeed > 0) std::terminate();
  throw std::bad_alloc();
}

}  // namespace

void note_failed_allocations() { std::set_new_handler(on_failed_allocation); }

bool has_allocation_failed() { return has_failed; }

AllocationsMustSucceed::AllocationsMustSucceed() { ++must_succeed; }

AllocationsMustSucceed::~AllocationsMustSucceed() { --must_succeed; }

}  // namespace strata
