// SPDX-License-Identifier: Apache-2.0
#include "ir/exponent_code.h"

#include <algorithm>
#include <numeric>

#include "tensor/coded.h"

namespace strata::ir {

ExponentCode exponent_code(const ExponentCounts& counts) {
  std::array<std::uint8_t, 255> ranked;
  std::iota(ranked.begin(), ranked.end(), std::uint8_t{1});
  std::ranges::stable_sort(ranked, [&](std::uint8_t a, std::uint8_t b) { return counts[a] > counts[b]; });
  ExponentCode code;
  const auto coded = code.exponents.size() - 1;
  std::copy_n(ranked.begin(), coded, code.exponents.begin() + 1);
  for (std::size_t i = coded; i < ranked.size(); ++i) code.exceptions += counts[ranked[i]];
  return code;
}

std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions) {
  const std::int64_t panels = tensor::div_up(type.shape[0].factor(), type.layout.packs[0].lanes);
  return exceptions == 0 ? 0 : tensor::exceptions_bytes(panels, exceptions);
}

bool is_codable(const ExponentCounts& counts) {
  const std::int64_t elements = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  return exponent_code(counts).exceptions <= elements / 1024;
}

}  // namespace strata::ir
