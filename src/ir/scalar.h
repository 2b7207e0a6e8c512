// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace strata::ir {

// The functions a structured op's body may call, with the names of ir/structured.h.
enum class ScalarFunction {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kNeg,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kSin,
  kCos,
  kTanh,
  kSigmoid,
  kErf,
  kAbs,
  kRint,  // the nearest integer, even where two are
  kMax,
  kMin,
  kSelect,
  kLt,
};

std::optional<ScalarFunction> find_scalar_function(std::string_view name);
int arity_of(ScalarFunction function);

// Arguments beyond the function's arity are not looked at.
double evaluate_scalar(ScalarFunction function, double a, double b = 0, double c = 0);

}  // namespace strata::ir
