// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace strata::plan {

// An entry that is called `count` times with these sizes.
struct Call {
  const Entry* entry = nullptr;
  Sizes sizes;
  double count = 1;
};

// One step of decoding: a row of each of `batch` sequences, each of which sees `context` tokens, its own among them;
// and the head for all. In as many calls as the code needs for so many rows. Entries that the plan lacks are left out.
std::vector<Call> decoding_calls(const Plan& plan, std::int64_t batch, std::int64_t context, int threads);

// A prompt of so many tokens: its whole chunks, what is left of it, and the head for its last row, the only one that is
// wanted.
std::vector<Call> prefill_calls(const Plan& plan, std::int64_t tokens, int threads);

// Of all calls together.
double predicted_s(const std::vector<Call>& calls);

// That a team waits at in these calls, of all functions that they call.
std::int64_t barriers(const std::vector<Call>& calls);

}  // namespace strata::plan
