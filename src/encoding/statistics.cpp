// SPDX-License-Identifier: Apache-2.0
#include "encoding/statistics.h"

#include "base/error.h"

namespace strata::encoding {

std::vector<std::int64_t> Statistics::of(const Statistic& statistic) const {
  const auto found = bins_.find(statistic.name);
  return found == bins_.end() ? std::vector<std::int64_t>(statistic.bins) : found->second;
}

std::vector<std::int64_t>& Statistics::bins(const Statistic& statistic) {
  auto& bins = bins_[std::string(statistic.name)];
  bins.resize(statistic.bins);
  return bins;
}

Statistics& Statistics::operator+=(const Statistics& other) {
  elements += other.elements;
  for (const auto& [name, bins] : other.bins_) {
    auto& sum = bins_[name];
    sum.resize(bins.size());
    for (std::size_t i = 0; i < bins.size(); ++i) sum[i] += bins[i];
  }
  return *this;
}

}  // namespace strata::encoding
