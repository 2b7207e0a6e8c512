// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/allocations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

// The thread sanitizer's runtime defines operator new itself: nothing is counted there.
#if defined(__SANITIZE_THREAD__)
#define STRATA_COUNT_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRATA_COUNT_ALLOCATIONS 0
#endif
#endif
#ifndef STRATA_COUNT_ALLOCATIONS
#define STRATA_COUNT_ALLOCATIONS 1
#endif

#if STRATA_COUNT_ALLOCATIONS
namespace {

std::atomic<std::int64_t> count = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
  ++count;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

std::int64_t allocations() { return count; }

void* operator new(std::size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#else
std::int64_t allocations() { return 0; }
#endif

TEST(Allocations, AreCounted) {
  if (!STRATA_COUNT_ALLOCATIONS) GTEST_SKIP() << "not with the thread sanitizer";
  const std::int64_t before = allocations();
  const std::unique_ptr<int> one(new int(1));
  EXPECT_GT(allocations(), before);
}
