// SPDX-License-Identifier: Apache-2.0
#include "text/score_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace strata::text {
namespace {

constexpr int kLargestPower = 308;

double power_of_ten(int exponent) { return std::strtod(("1e" + std::to_string(exponent)).c_str(), nullptr); }

double scaled(double value, std::int64_t exponent) {
  if (value == 0) return value;
  for (; exponent < -kLargestPower; exponent += kLargestPower) {
    value /= power_of_ten(kLargestPower);
    if (value == 0) return value;
  }
  if (exponent > kLargestPower) return std::numeric_limits<double>::infinity();
  const double power = power_of_ten(static_cast<int>(std::abs(exponent)));
  return exponent < 0 ? value / power : value * power;
}

// The exponent after "e"; one beyond all doubles where it does not fit.
std::int64_t exponent_of(std::string_view digits) {
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
  constexpr int kBeyond = 100'000;
  int exponent = kBeyond;
  std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  exponent = std::min(exponent, kBeyond);
  return is_negative ? -exponent : exponent;
}

}  // namespace

double score_of_text(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (is_negative) number.remove_prefix(1);
  std::uint64_t digits = 0;
  std::int64_t exponent = 0;
  bool is_fraction = false, is_full = false;
  std::size_t pos = 0;
  for (; pos < number.size() && number[pos] != 'e' && number[pos] != 'E'; ++pos) {
    if (number[pos] == '.') {
      is_fraction = true;
      continue;
    }
    const auto digit = static_cast<std::uint64_t>(number[pos] - '0');
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
    // Digits that don't fit are left out.
    is_full = is_full || digits > (kMax - digit) / 10;
    if (!is_full) digits = digits * 10 + digit;
    exponent += (is_full ? 1 : 0) - (is_fraction ? 1 : 0);
  }
  if (pos < number.size()) exponent += exponent_of(number.substr(pos + 1));
  const double value = scaled(static_cast<double>(digits), exponent);
  return is_negative ? -value : value;
}

}  // namespace strata::text
