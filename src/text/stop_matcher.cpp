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

// Removes the first bytes that are held; gives those of them that are shown.
std::string StopMatcher::take_shown(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    if (shown_[i]) out.push_back(held_[i]);
  }
  held_.erase(0, size);
  shown_.erase(shown_.begin(), shown_.begin() + static_cast<std::ptrdiff_t>(size));
  return out;
}

StopMatcher::Result StopMatcher::push(std::string_view piece, bool shown) {
  if (stopped_) return {"", true};
  for (const char byte : piece) {
    held_.push_back(byte);
    shown_.push_back(shown);
    if (const std::size_t size = advance(byte); size > 0) {
      stopped_ = true;
      found_ = held_.substr(held_.size() - size);
      return {take_shown(held_.size() - size), true};
    }
  }
  std::size_t keep = 0;
  for (const Stop& stop : stops_) keep = std::max(keep, stop.matched);
  return {take_shown(held_.size() - keep), false};
}

std::string StopMatcher::finish() {
  for (Stop& stop : stops_) stop.matched = 0;
  return stopped_ ? "" : take_shown(held_.size());
}

}  // namespace strata::text
