// SPDX-License-Identifier: Apache-2.0
#include "serve/access.h"

#include <algorithm>

namespace strata::serve {
namespace {

std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

}  // namespace

bool is_equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const volatile char of_a = a[i], of_b = b[i];  // so that nothing ends early
    difference = static_cast<unsigned char>(difference | (of_a ^ of_b));
  }
  return difference == 0;
}

bool has_key(std::string_view authorization, std::string_view api_key, const std::vector<std::string>& keys) {
  if (keys.empty()) return true;
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view bearer = authorization.starts_with(kBearer) ? authorization.substr(kBearer.size()) : "";
  bool is_one = false;
  for (const std::string& key : keys) {
    is_one |= is_equal_in_constant_time(bearer, key);
    is_one |= is_equal_in_constant_time(api_key, key);
  }
  return is_one;
}

bool is_known_host(std::string_view host, const std::vector<std::string>& names) {
  return names.empty() || std::ranges::find(names, without_port(host)) != names.end();
}

bool is_allowed_origin(std::string_view origin, std::string_view host, std::string_view allowed) {
  if (origin.empty() || allowed == "*" || origin == allowed) return true;
  return origin == "http://" + std::string(host);
}

}  // namespace strata::serve
