// SPDX-License-Identifier: Apache-2.0
#include "ir/scalar.h"

#include <cmath>
#include <string>

#include "ir/structured.h"

namespace strata::ir {
namespace {

struct Row {
  std::string_view name;
  int arity;
};

// In the order of ScalarFunction.
constexpr Row kTable[] = {{"add", 2},  {"sub", 2},   {"mul", 2}, {"div", 2}, {"neg", 1},    {"exp", 1},     {"log", 1},
                          {"sqrt", 1}, {"rsqrt", 1}, {"sin", 1}, {"cos", 1}, {"tanh", 1},   {"sigmoid", 1}, {"erf", 1},
                          {"abs", 1},  {"rint", 1},  {"max", 2}, {"min", 2}, {"select", 3}, {"lt", 2}};

}  // namespace

std::optional<ScalarFunction> find_scalar_function(std::string_view name) {
  int number = 0;
  for (const Row& row : kTable) {
    if (row.name == name) return static_cast<ScalarFunction>(number);
    ++number;
  }
  return std::nullopt;
}

int arity_of(ScalarFunction function) { return kTable[static_cast<int>(function)].arity; }

double evaluate_scalar(ScalarFunction function, double a, double b, double c) {
  switch (function) {
    case ScalarFunction::kAdd:
      return a + b;
    case ScalarFunction::kSub:
      return a - b;
    case ScalarFunction::kMul:
      return a * b;
    case ScalarFunction::kDiv:
      return a / b;
    case ScalarFunction::kNeg:
      return -a;
    case ScalarFunction::kExp:
      return std::exp(a);
    case ScalarFunction::kLog:
      return std::log(a);
    case ScalarFunction::kSqrt:
      return std::sqrt(a);
    case ScalarFunction::kRsqrt:
      return 1 / std::sqrt(a);
    case ScalarFunction::kSin:
      return std::sin(a);
    case ScalarFunction::kCos:
      return std::cos(a);
    case ScalarFunction::kTanh:
      return std::tanh(a);
    case ScalarFunction::kSigmoid:
      return 1 / (1 + std::exp(-a));
    case ScalarFunction::kErf:
      return std::erf(a);
    case ScalarFunction::kAbs:
      return std::abs(a);
    case ScalarFunction::kRint:
      return std::nearbyint(a);
    case ScalarFunction::kMax:
      return a < b ? b : a;
    case ScalarFunction::kMin:
      return b < a ? b : a;
    case ScalarFunction::kSelect:
      return a != 0 ? b : c;
    case ScalarFunction::kLt:
      return a < b ? 1 : 0;
  }
  return 0;
}

int scalar_arity(const std::string& function) {
  const std::optional<ScalarFunction> known = find_scalar_function(function);
  return known ? arity_of(*known) : -1;
}

}  // namespace strata::ir
