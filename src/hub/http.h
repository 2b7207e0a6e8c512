// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace strata::hub {

// Takes a part of a body; false ends the transfer.
using TakeBytes = std::function<bool(std::string_view bytes)>;

struct HttpRequest {
  std::string url;
  std::string token;        // for the URL's host alone: redirections to others don't get it
  std::int64_t offset = 0;  // of the body's first byte that is wanted
};

struct HttpAnswer {
  long status = 0;        // 0: there was no answer
  bool is_whole = false;  // all of the body came
  std::string error;      // why it isn't
};

// A GET request, redirections followed. `begin` is told the status of the last answer before its body; false ends the
// transfer. Only http and https; of https no redirection leads to http.
HttpAnswer http_get(const HttpRequest& request, const std::function<bool(long status)>& begin, const TakeBytes& take);

// As part of a URL: the bytes that need it as %XX, but '/'.
std::string url_path(std::string_view path);

}  // namespace strata::hub
