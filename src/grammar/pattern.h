// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "grammar/expression.h"

namespace strata::grammar {

// What is wrong with a pattern, or not regular.
class PatternError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The texts in which a regular expression (ECMA 262) is found. Anchors stand at the ends of the whole or of its
// alternatives; what looks around or back is refused, and so are \b and \p. Throws PatternError.
Expression parse_pattern(std::string_view pattern);

}  // namespace strata::grammar
