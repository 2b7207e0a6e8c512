// SPDX-License-Identifier: Apache-2.0
#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace strata::text {
namespace {

std::vector<std::size_t> borders_of(const std::string& text) {
  std::vector<std::size_t> border(text.size() + 1, 0);
  std::size_t length = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    while (length > 0 && text[i] != text[length]) length = border[length];
    if (text[i] == text[length]) ++length;
    border[i + 1] = length;
  }
  return border;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& stop : stops) {
    if (stop.empty()) continue;
    std::vector<std::size_t> border = borders_of(stop);
    stops_.push_back({std::move(stop), std::move(border), 0});
  }
}

// Takes one byte; returns the length of the longest stop string that ends with it, else 0.
std::size_t StopMatcher::advance(char byte) {
  std::size_t found = 0;
  for (Stop& stop : stops_) {
    while (stop.matched > 0 && stop.text[stop.matched] != byte) stop.matched = stop.border[stop.matched];
    if (stop.text[stop.matched] == byte) ++stop.matched;
    if (stop.matched == stop.text.size()) found = std::max(found, stop.text.size());
  }
  return found;
}

StopMatcher::Result StopMatcher::push(std::string_view piece) {
  if (stopped_) return {"", true};
  for (const char byte : piece) {
    held_.push_back(byte);
    if (const std::size_t size = advance(byte); size > 0) {
      stopped_ = true;
      held_.resize(held_.size() - size);
      return {std::exchange(held_, {}), true};
    }
  }
  std::size_t keep = 0;
  for (const Stop& stop : stops_) keep = std::max(keep, stop.matched);
  Result result{held_.substr(0, held_.size() - keep), false};
  held_.erase(0, held_.size() - keep);
  return result;
}

std::string StopMatcher::finish() {
  for (Stop& stop : stops_) stop.matched = 0;
  return std::exchange(held_, {});
}

}  // namespace strata::text
