// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "compile/workload.h"
#include "package/manifest.h"

namespace strata::compile {

// Bytes that a plan takes on one device while it runs, beside a call's inputs and outputs. Sums that don't fit are the
// largest number.
struct MemoryUse {
  std::int64_t weights = 0;
  std::int64_t caches = 0;   // of all sequences, for their prompts and what follows
  std::int64_t arena = 0;    // the largest entry's
  std::int64_t scratch = 0;  // of all threads

  std::int64_t total() const;
};

// Of the manifest's entries and weights on so many threads, with sequences of the workload's length, as far as the
// model's context goes.
MemoryUse memory_use(const package::Manifest& manifest, const Workload& workload, int threads);

}  // namespace strata::compile
