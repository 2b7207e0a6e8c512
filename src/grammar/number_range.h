// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "grammar/expression.h"

namespace strata::grammar {

// A bound of numbers as JSON writes it in decimals: "-12.5". An exclusive one isn't itself allowed.
struct NumberBound {
  std::string decimal;
  bool is_exclusive = false;
};

// The whole numbers between the bounds, without exponents, of at most 16 digits or as many as a bound has. Nothing
// where there is none.
std::optional<Expression> integers_between(std::optional<NumberBound> min, std::optional<NumberBound> max);

// All numbers between the bounds in decimals without exponents, and of so few digits that a double tells them from an
// exclusive bound.
std::optional<Expression> numbers_between(std::optional<NumberBound> min, std::optional<NumberBound> max);

}  // namespace strata::grammar
