// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// A step in words that follow from its figures.
struct Headline {
  std::string step;      // "Decoding", "Prefill of 512 tokens"
  std::string rate;      // "29.7"
  std::string unit;      // "tokens/s, measured"
  std::string sentence;  // "98 % of the time reads weights, at 0.97 of the memory's bandwidth."
};

Headline headline_of(const Explanation& step);

// "decoding" or "prefill".
std::string step_name(const Explanation& step);

}  // namespace strata::cli
