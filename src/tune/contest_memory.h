// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "compile/contest.h"
#include "runtime/pages.h"

namespace strata::tune {

// What the candidates of a contest read and write. Numbers are from 0.5 to 1, so that no sum grows without bound and no
// product is denormal. Of what is streamed there are so many copies that none of them is in a cache when its turn
// comes, as far as memory is free.
class ContestMemory {
 public:
  // Throws resource_error.
  explicit ContestMemory(const compile::Contest& contest);

  // As the functions take them, of a run by its number: the copies take turns.
  const std::vector<void*>& parameters(std::size_t run);
  std::byte* arena() const { return arena_.data(); }
  std::byte* scratch(int rank) const { return scratch_.data() + rank * scratch_bytes_; }

 private:
  std::vector<bool> is_streamed_;
  std::vector<std::int64_t> stride_;  // bytes from a copy to the next one
  std::vector<runtime::Pages> pages_;
  runtime::Pages arena_, scratch_;
  std::int64_t scratch_bytes_ = 0;
  std::int64_t copies_ = 1;
  std::vector<void*> parameters_;
};

// Bytes of the outermost cache that a team of so many has; 0: the machine has none.
std::int64_t outermost_cache_bytes(const machine::Machine& machine, int threads);

}  // namespace strata::tune
