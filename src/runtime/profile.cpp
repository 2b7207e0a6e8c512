// SPDX-License-Identifier: Apache-2.0
#include "runtime/profile.h"

#include <chrono>

namespace strata::runtime {
namespace {

std::uint64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace

Profile::Profile(const std::map<std::string, std::size_t>& ops, std::uint64_t (*clock)())
    : clock_(clock == nullptr ? now_ns : clock) {
  for (const auto& [symbol, count] : ops) entries_[symbol].ops.resize(count);
}

void Profile::clear() {
  for (auto& [symbol, entry] : entries_) {
    entry.ops.assign(entry.ops.size(), {});
    entry.calls.clear();
  }
}

tensor::Profile* Profile::start(const std::string& symbol, const Call& call) {
  const auto at = entries_.find(symbol);
  if (at == entries_.end()) return nullptr;
  Entry& entry = at->second;
  entry.calls.push_back(call);
  current_ = {clock_, entry.ops.data(), static_cast<int>(entry.ops.size()), clock_()};
  return &current_;
}

}  // namespace strata::runtime
