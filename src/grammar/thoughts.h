// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "grammar/expression.h"

namespace strata::grammar {

inline constexpr std::string_view kThinkBegin = "<think>", kThinkEnd = "</think>";

// What an answer says before that which its grammar is of.
enum class Thoughts {
  kNone,
  kBegun,     // up to "</think>"
  kPossible,  // the same, where it begins with "<think>"
};

// An answer with thoughts before it, and up to four line breaks between.
Expression after_thoughts(Thoughts thoughts, Expression answer);

}  // namespace strata::grammar
