// SPDX-License-Identifier: Apache-2.0
#include "tune/contest_memory.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "machine/memory.h"

namespace strata::tune {
namespace {

constexpr std::int64_t kPage = 4096;

std::int64_t whole_pages(std::int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// Elements whose exponent is that of numbers from 0.5 to 1, and whose other bits are random.
template <class Word>
void fill(std::byte* to, std::int64_t bytes, Word exponent, Word fraction) {
  std::minstd_rand random;
  const auto count = static_cast<std::size_t>(bytes) / sizeof(Word);
  for (std::size_t i = 0; i < count; ++i) {
    const auto word = static_cast<Word>(exponent | (random() & fraction));
    std::memcpy(to + i * sizeof word, &word, sizeof word);
  }
}

void fill(const compile::Contest::Memory& memory, std::byte* to, std::int64_t bytes) {
  if (!memory.is_zero && memory.dtype == DType::kF32) return fill<std::uint32_t>(to, bytes, 0x3f000000, 0x7fffff);
  if (!memory.is_zero && memory.dtype == DType::kBF16) return fill<std::uint16_t>(to, bytes, 0x3f00, 0x7f);
  if (!memory.is_zero && memory.dtype == DType::kF16) return fill<std::uint16_t>(to, bytes, 0x3800, 0x3ff);
  // Written, so that the pages are there: those that nobody writes are all one.
  std::memset(to, 0, static_cast<std::size_t>(bytes));
}

// As many as it takes until a copy comes again to pass through the caches once; at most half of what is free.
std::int64_t copies_of(std::int64_t streamed, std::int64_t cache) {
  if (streamed == 0) return 1;
  const std::int64_t wanted = 1 + (cache + streamed - 1) / streamed;
  return std::clamp(machine::available_memory() / 2 / streamed, std::int64_t{1}, wanted);
}

}  // namespace

std::int64_t outermost_cache_bytes(const machine::Machine& machine, int threads) {
  if (machine.memory.size() < 2) return 0;
  const machine::MemoryLevel& cache = machine.memory[machine.memory.size() - 2];
  const int sharers = std::max(cache.shared_by, 1);
  return cache.capacity_bytes * ((threads + sharers - 1) / sharers);
}

ContestMemory::ContestMemory(const compile::Contest& contest)
    : arena_(contest.arena_bytes, "the arena"), scratch_bytes_(whole_pages(contest.scratch_bytes)) {
  scratch_ = runtime::Pages(scratch_bytes_ * contest.threads, "the threads' scratch memory");
  std::int64_t streamed = 0;
  for (const auto& memory : contest.parameters) streamed += memory.is_streamed ? whole_pages(memory.bytes) : 0;
  copies_ = copies_of(streamed, outermost_cache_bytes(*contest.machine, contest.threads));
  for (const auto& memory : contest.parameters) {
    is_streamed_.push_back(memory.is_streamed);
    stride_.push_back(whole_pages(memory.bytes));
    const std::int64_t bytes = stride_.back() * (memory.is_streamed ? copies_ : 1);
    pages_.emplace_back(bytes, "what the candidates read and write");
    fill(memory, pages_.back().data(), bytes);
  }
  parameters_.resize(pages_.size());
}

const std::vector<void*>& ContestMemory::parameters(std::size_t run) {
  const std::int64_t copy = static_cast<std::int64_t>(run) % copies_;
  for (std::size_t i = 0; i < pages_.size(); ++i)
    parameters_[i] = pages_[i].data() + (is_streamed_[i] ? copy * stride_[i] : 0);
  return parameters_;
}

}  // namespace strata::tune
