// SPDX-License-Identifier: Apache-2.0
#include "ir/interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "ir/rewrite.h"

namespace strata::ir {
namespace {

// A binary format with `precision` significant bits whose smallest normal number is 2^(min_exponent - 1).
double round_float(double value, int precision, int min_exponent, double largest) {
  if (value == 0 || !std::isfinite(value)) return value;
  int exponent = 0;
  (void)std::frexp(value, &exponent);
  const double quantum = std::ldexp(1.0, std::max(exponent, min_exponent) - precision);
  const double rounded = std::nearbyint(value / quantum) * quantum;
  return std::abs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

double round_integer(double value, double min, double max) {
  return std::isnan(value) ? 0 : std::clamp(std::trunc(value), min, max);
}

void check_tensor(const Value& value, const TensorType& type, const std::string& what) {
  if (value.type.dtype != type.dtype || value.type.shape != type.shape) {
    throw usage_error(what + " is " + value.type.text() + ", not " + type.text(), "give a tensor of that type");
  }
  if (static_cast<std::int64_t>(value.data.size()) != max_element_count(type.shape)) {
    throw usage_error(what + " has " + std::to_string(value.data.size()) + " elements", "give those of " + type.text());
  }
}

class Interpreter {
 public:
  Interpreter(const std::map<std::string, std::int64_t>& symbols, const WeightSource& weights)
      : symbols_(symbols), weights_(weights) {}

  // Recursion is as deep as the module's calls are nested: callees precede callers, so there are no cycles.
  std::vector<Value> run(const Function& function, std::vector<Value> arguments) {
    check_arguments(function, arguments);
    Frame frame;
    const std::vector<const Expr*> order = topological_order(function);
    for (const Expr* expr : order) {
      for (const Expr* argument : expr->arguments) ++frame.uses[argument];
    }
    for (const Expr* result : function.results) ++frame.uses[result];
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (frame.uses.contains(function.parameters[i]))
        frame.values[function.parameters[i]].push_back(std::move(arguments[i]));
    }
    for (const Expr* expr : order) {
      if (expr->kind != Expr::Kind::kParameter) frame.values[expr] = evaluate(frame, *expr);
    }
    std::vector<Value> results;
    for (const Expr* result : function.results) results.push_back(take(frame, result, 0));
    return results;
  }

 private:
  struct Frame {
    std::unordered_map<const Expr*, std::vector<Value>> values;  // a tuple's elements
    std::unordered_map<const Expr*, std::int64_t> uses;          // still to come
  };

  void check_arguments(const Function& function, const std::vector<Value>& arguments) const {
    if (arguments.size() != function.parameters.size()) {
      throw usage_error("@" + function.name + " has " + std::to_string(arguments.size()) + " arguments",
                        "it takes " + std::to_string(function.parameters.size()));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const Expr& parameter = *function.parameters[i];
      check_tensor(arguments[i], concrete_type(parameter.type(), symbols_),
                   "@" + function.name + ": argument %" + parameter.name);
    }
  }

  // The last use moves the value out, so that memory holds only what is still needed.
  static Value take(Frame& frame, const Expr* expr, std::size_t element) {
    std::vector<Value>& values = frame.values.at(expr);
    if (--frame.uses.at(expr) > 0) return values[element];
    Value value = std::move(values[element]);
    frame.values.erase(expr);
    return value;
  }

  std::vector<Value> evaluate(Frame& frame, const Expr& expr) {
    if (expr.kind == Expr::Kind::kGet) return {take(frame, expr.arguments[0], static_cast<std::size_t>(expr.index))};
    std::vector<Value> operands;
    for (const Expr* argument : expr.arguments) operands.push_back(take(frame, argument, 0));
    if (expr.kind == Expr::Kind::kCall) return run(*expr.callee, std::move(operands));
    Value value{concrete_type(expr.type(), symbols_), {}};
    if (expr.kind == Expr::Kind::kWeight) {
      Value weight = weights_(expr);
      check_tensor(weight, value.type, "the weight " + expr.name);
      value.data = std::move(weight.data);
    } else if (expr.kind == Expr::Kind::kScalar) {
      value.data = {round_to(value.type.dtype, expr.value)};
    } else {
      value.data = expr.op->evaluate(operands, expr.attributes, value.type);
      for (double& element : value.data) element = round_to(value.type.dtype, element);
    }
    return {std::move(value)};
  }

  const std::map<std::string, std::int64_t>& symbols_;
  const WeightSource& weights_;
};

}  // namespace

double round_to(DType dtype, double value) {
  constexpr double kMaxF16 = 65504;
  constexpr double kMaxBF16 = 0x1.fep127;
  switch (dtype) {
    case DType::kF32:
      return value;
    case DType::kF16:
      return round_float(value, 11, -13, kMaxF16);
    case DType::kBF16:
      return round_float(value, 8, -125, kMaxBF16);
    case DType::kI8:
      return round_integer(value, -128, 127);
    case DType::kU8:
      return round_integer(value, 0, 255);
    case DType::kI32:
      return round_integer(value, -0x1p31, 0x1p31 - 1);
    case DType::kI64:
      return round_integer(value, -0x1p63, 0x1p63);
    case DType::kBool:
      return value != 0 ? 1 : 0;
  }
  return value;
}

std::vector<Value> interpret(const Module& module, const Function& function, std::vector<Value> arguments,
                             const std::map<std::string, std::int64_t>& symbols, const WeightSource& weights) {
  STRATA_CHECK(module.find(function.name) == &function, "the function is not one of the module's");
  return Interpreter(symbols, weights).run(function, std::move(arguments));
}

}  // namespace strata::ir
