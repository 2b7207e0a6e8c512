// SPDX-License-Identifier: Apache-2.0
#include "hub/settings.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "base/text_file.h"

namespace strata::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTokenBytes = 4096;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_on(std::string value) {
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return value == "1" || value == "true" || value == "on" || value == "yes";
}

fs::path home_of_hub() {
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home;
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "huggingface";
  return fs::path(variable("HOME")) / ".cache" / "huggingface";
}

std::string trimmed_token(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return text;
}

std::string token_of(const fs::path& home) {
  if (const std::string token = variable("HF_TOKEN"); !token.empty()) return trimmed_token(token);
  const std::string named = variable("HF_TOKEN_PATH");
  const fs::path path = named.empty() ? home / "token" : fs::path(named);
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? trimmed_token(read_head(path, kMaxTokenBytes)) : "";
}

}  // namespace

Settings settings_of_environment() {
  Settings settings;
  if (const std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) settings.endpoint = endpoint;
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  if (!settings.endpoint.starts_with("https://") && !settings.endpoint.starts_with("http://")) {
    throw usage_error("HF_ENDPOINT is no URL: " + settings.endpoint.substr(0, 100), "give one with https://");
  }
  const fs::path home = home_of_hub();
  settings.token = token_of(home);
  settings.is_offline = is_on(variable("HF_HUB_OFFLINE"));
  settings.cache = home / "hub";
  for (const char* const name : {"HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"}) {
    if (const std::string cache = variable(name); !cache.empty()) settings.cache = cache;
  }
  return settings;
}

}  // namespace strata::hub
