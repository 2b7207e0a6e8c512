// SPDX-License-Identifier: Apache-2.0
#include "hub/http.h"

#include <curl/curl.h>

#include <memory>
#include <string>

#include "base/error.h"

namespace strata::hub {
namespace {

constexpr long kMaxRedirections = 8;
constexpr long kConnectSeconds = 20, kStallSeconds = 60;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

struct Transfer {
  CURL* curl;
  const std::function<bool(long)>& begin;
  const TakeBytes& take;
  bool has_begun = false;

  bool start() {
    if (has_begun) return true;
    has_begun = true;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return begin(status);
  }
};

std::size_t take_part(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  return transfer.start() && transfer.take({data, size}) ? size : CURL_WRITEFUNC_ERROR;
}

}  // namespace

HttpAnswer http_get(const HttpRequest& request, const std::function<bool(long)>& begin, const TakeBytes& take) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const Handle curl(initialised == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (curl == nullptr) throw resource_error("libcurl doesn't start", request.url);
  Transfer transfer{curl.get(), begin, take};
  char message[CURL_ERROR_SIZE] = "";
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, request.url.starts_with("https://") ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kMaxRedirections);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "strata");
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_WRITEFUNCTION, &take_part);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  // Not CURLOPT_RESUME_FROM, which fails where the server sends the whole.
  const std::string range = std::to_string(request.offset) + "-";
  if (request.offset > 0) set(CURLOPT_RANGE, range.c_str());
  if (!request.token.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    set(CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  HttpAnswer answer;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  answer.is_whole = code == CURLE_OK && transfer.start();
  if (code != CURLE_OK) answer.error = message[0] != '\0' ? message : curl_easy_strerror(code);
  return answer;
}

std::string url_path(std::string_view path) {
  static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/",
                                    kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace strata::hub
