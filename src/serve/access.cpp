// SPDX-License-Identifier: Apache-2.0
#include "serve/access.h"

#include <strings.h>

#include <algorithm>

#include "base/ascii.h"

namespace strata::serve {
namespace {

std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

// Letters, digits and these.
bool consists_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](char c) {
    const char lower = static_cast<char>(c | 0x20);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') || others.find(c) != std::string_view::npos;
  });
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
  // Names of schemes are the same in any case.
  const bool is_bearer =
      authorization.size() > kBearer.size() && strncasecmp(authorization.data(), kBearer.data(), kBearer.size()) == 0;
  const std::string_view bearer = is_bearer ? authorization.substr(kBearer.size()) : "";
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

bool is_allowed_origin(std::string_view origin, std::string_view host, const std::vector<std::string>& allowed) {
  if (origin.empty() || origin == "http://" + std::string(host)) return true;
  return std::ranges::any_of(allowed, [&](const std::string& one) { return one == "*" || one == origin; });
}

bool are_header_names(std::string_view list) {
  constexpr std::size_t kMost = 1000;
  return !list.empty() && list.size() <= kMost && consists_of(list, "-_, ");
}

bool is_origin(std::string_view text) {
  if (text == "*") return true;
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view scheme = text.substr(0, colon), host = text.substr(colon + 3);
  return consists_of(scheme, "+-.") && !host.empty() && consists_of(host, "-._:[]");
}

}  // namespace strata::serve
