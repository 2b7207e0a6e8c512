// SPDX-License-Identifier: Apache-2.0
// Units of loops that threads share, one after another.
#pragma once

#include "tensor/range.h"

namespace strata::tensor {

// Part i of [0, n) in parts of `step`.
constexpr Range part_of(std::int64_t i, std::int64_t step, std::int64_t n) {
  return {i * step, i * step + step < n ? i * step + step : n};
}

// The i-th of n things where the first, the last, the second, ... come in turn: of work that grows along them shares of
// neighbours are alike.
constexpr std::int64_t from_both_ends(std::int64_t i, std::int64_t n) { return i % 2 == 0 ? i / 2 : n - 1 - i / 2; }

}  // namespace strata::tensor
