// SPDX-License-Identifier: Apache-2.0
#include "base/python_json.h"

#include <algorithm>
#include <array>

namespace strata {

std::string quote_python_constants(std::string_view json) {
  constexpr std::array<std::string_view, 3> kConstants = {"NaN", "Infinity", "-Infinity"};
  std::string result;
  result.reserve(json.size());
  bool in_string = false;
  while (!json.empty()) {
    const auto* constant = std::find_if(kConstants.begin(), kConstants.end(),
                                        [&](std::string_view name) { return json.starts_with(name); });
    if (!in_string && constant != kConstants.end()) {
      result += '"' + std::string(*constant) + '"';
      json.remove_prefix(constant->size());
      continue;
    }
    // An escape and what it escapes stay together.
    const std::size_t count = in_string && json[0] == '\\' && json.size() > 1 ? 2 : 1;
    if (json[0] == '"') in_string = !in_string;
    result += json.substr(0, count);
    json.remove_prefix(count);
  }
  return result;
}

}  // namespace strata
