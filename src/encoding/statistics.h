// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace strata::encoding {

// What is counted of a matrix's elements, in bins. It is counted once, however many encodings want it by this name.
struct Statistic {
  std::string_view name;  // "bf16 exponents"
  DType number;           // as whose words the elements are read
  std::size_t bins;
  // Adds to the bins. Elements that are no number of that type are kNoWord (encoding/exact_words.h).
  void (*count)(std::span<const std::uint32_t> words, std::span<std::int64_t> bins);
};

// Statistics of one matrix, or of several together.
class Statistics {
 public:
  std::int64_t elements = 0;

  // The bins of one; zeros if it wasn't counted.
  std::vector<std::int64_t> of(const Statistic& statistic) const;

  // The same, to be added to.
  std::vector<std::int64_t>& bins(const Statistic& statistic);

  Statistics& operator+=(const Statistics& other);

 private:
  std::map<std::string, std::vector<std::int64_t>, std::less<>> bins_;  // by name
};

// Of a model's weights, by name.
using WeightStatistics = std::map<std::string, Statistics, std::less<>>;

}  // namespace strata::encoding
