// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::serve {

struct TokenScore {
  std::int32_t token = -1;
  double logprob = 0;  // natural logarithm
};

struct TokenLogprobs {
  TokenScore chosen;
  std::vector<TokenScore> top;  // the likeliest, the first of them first; equal ones by their ids
};

// By the model's own distribution, before temperature, penalties and cuts. NaN counts as impossible. Requires a token
// of the logits.
TokenLogprobs token_logprobs(std::span<const float> logits, std::int32_t chosen, std::int64_t top);

}  // namespace strata::serve
