// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <cstdio>

namespace strata::cli {

std::string format_bytes(std::int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return format_fixed(value, 2) + " " + kUnits[unit];
}

std::string format_microseconds(double seconds) {
  double value = seconds * 1e6;
  return format_fixed(value, value < 1 ? 3 : value < 100 ? 2 : 1);
}

std::string format_fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace strata::cli
