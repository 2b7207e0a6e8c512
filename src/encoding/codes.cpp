// SPDX-License-Identifier: Apache-2.0
#include "encoding/codes.h"

namespace strata::encoding {
namespace {

constexpr std::size_t kBytes = 256;

// Codes near zero are frequent: counting in turn in four tables, few additions wait for the one before.
void count_bytes(std::span<const std::uint32_t> words, std::span<std::int64_t> bins) {
  std::array<std::array<std::uint32_t, kBytes>, 4> tables{};
  for (std::size_t i = 0; i < words.size(); ++i) ++tables[i % 4][words[i] % kBytes];
  for (const auto& table : tables) {
    for (std::size_t i = 0; i < kBytes; ++i) bins[i] += table[i];
  }
}

constexpr Statistic kStatistics[] = {{"i8 numbers", DType::kI8, kBytes, count_bytes}};

}  // namespace

std::span<const Statistic> code_statistics() { return kStatistics; }

Fit no_fit(const Statistics& statistics) { return {{}, statistics.elements}; }

std::optional<std::vector<int>> codes_of(const Statistics& statistics) {
  const std::vector<std::int64_t> counts = statistics.of(kStatistics[0]);
  std::vector<int> codes;
  std::int64_t counted = 0;
  for (int code = -128; code < 128; ++code) {
    const std::int64_t count = counts[static_cast<std::uint8_t>(code)];
    if (count != 0) codes.push_back(code);
    counted += count;
  }
  if (counted != statistics.elements) return std::nullopt;
  return codes;
}

}  // namespace strata::encoding
