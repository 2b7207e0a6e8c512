// SPDX-License-Identifier: Apache-2.0
// Filters of numbers.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "jinja/filters.h"

namespace strata::jinja {
namespace {

bool parse_float(Runtime& runtime, std::string text, double& value) {
  text = strip(runtime, text, nullptr, true, true);
  std::erase(text, '_');
  const char* begin = text.data() + (!text.empty() && text[0] == '+');
  const auto parsed = std::from_chars(begin, text.data() + text.size(), value);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool parse_int(Runtime& runtime, std::string text, int base, std::int64_t& value) {
  runtime.step_characters(text.size());
  text = lower(strip(runtime, text, nullptr, true, true));
  std::erase(text, '_');
  const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
  if (!prefix.empty() && text.starts_with(prefix)) text.erase(0, 2);
  const char* begin = text.data() + (!text.empty() && text[0] == '+');
  const auto parsed = std::from_chars(begin, text.data() + text.size(), value, base);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

Value filter_int(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* otherwise = arguments.find(0, "default");
  const Value fallback = otherwise != nullptr ? *otherwise : Value::integer(0);
  const std::int64_t base = int_argument(arguments, 1, "base", 10);
  if (base < 2 || base > 36) fail_data("int: the base must be from 2 to 36");
  double real = 0;
  std::int64_t integer = 0;
  if (input.is_integral()) return Value::integer(input.as_int());
  if (input.is_string() && parse_int(runtime, input.as_string(), static_cast<int>(base), integer))
    return Value::integer(integer);
  if (input.kind() == Kind::kFloat) {
    real = input.as_double();
  } else if (!input.is_string() || !parse_float(runtime, input.as_string(), real)) {
    return fallback;
  }
  const bool fits = std::fabs(real) < 9.2e18;
  return fits ? Value::integer(static_cast<std::int64_t>(real)) : fallback;
}

Value filter_float(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* otherwise = arguments.find(0, "default");
  double real = 0;
  if (input.is_number()) return Value::real(input.as_double());
  if (input.is_string() && parse_float(runtime, input.as_string(), real)) return Value::real(real);
  return otherwise != nullptr ? *otherwise : Value::real(0);
}

Value filter_abs(Runtime&, const Value& input, const Arguments&) {
  if (input.kind() == Kind::kFloat) return Value::real(std::fabs(input.as_double()));
  const bool negative = input.is_number() && input.as_double() < 0;
  return negative ? negate(input) : negate(negate(input));
}

// To a multiple of 10^-precision, halves to the even one, as Python's round().
std::int64_t rounded(std::int64_t value, std::int64_t precision) {
  if (precision >= 0) return value;
  if (precision < -18) return 0;
  std::int64_t unit = 1;
  for (; precision < 0; ++precision) unit *= 10;
  const std::int64_t rest = value % unit, down = value - rest, half = unit / 2;
  const std::int64_t distance = std::abs(rest), step = value < 0 ? -unit : unit;
  const bool is_away = distance > half || (distance == half && down / unit % 2 != 0);
  std::int64_t result = down;
  if (is_away && __builtin_add_overflow(down, step, &result)) fail_data("an integer is out of range");
  return result;
}

double rounded(double value, std::int64_t precision) {
  if (!std::isfinite(value)) return value;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
  }
  // The decimal digits decide, not those of a product: 0.025 is a little more than it shows.
  std::array<char, 700> digits{};
  std::snprintf(digits.data(), digits.size(), "%.*f", static_cast<int>(precision), value);
  return std::strtod(digits.data(), nullptr);
}

Value filter_round(Runtime&, const Value& input, const Arguments& arguments) {
  if (!input.is_number()) fail_data("round needs a number, not " + type_name(input));
  const Value* method = arguments.find(1, "method");
  const std::string how = method != nullptr && method->is_string() ? method->as_string() : "common";
  const std::int64_t precision = std::clamp<std::int64_t>(int_argument(arguments, 0, "precision", 0), -300, 300);
  const double scale = std::pow(10.0, static_cast<double>(precision));
  // Python's ceil and floor give integers, which have no negative zero.
  if (how == "ceil") return Value::real((std::ceil(input.as_double() * scale) + 0.0) / scale);
  if (how == "floor") return Value::real((std::floor(input.as_double() * scale) + 0.0) / scale);
  if (how != "common") fail_template("round: method must be common, ceil or floor");
  return input.is_integral() ? Value::integer(rounded(input.as_int(), precision))
                             : Value::real(rounded(input.as_double(), precision));
}

}  // namespace

std::span<const NamedFilter> number_filters() {
  static constexpr NamedFilter kFilters[] = {
      {"abs", filter_abs},
      {"float", filter_float},
      {"int", filter_int},
      {"round", filter_round},
  };
  return kFilters;
}

}  // namespace strata::jinja
