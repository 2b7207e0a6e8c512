// SPDX-License-Identifier: Apache-2.0
#include "ir/weight_code.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "tensor/coded.h"

namespace strata::ir {

ElementCounts& ElementCounts::operator+=(const ElementCounts& other) {
  elements += other.elements;
  for (std::size_t i = 0; i < bf16_exponents.size(); ++i) bf16_exponents[i] += other.bf16_exponents[i];
  small_f16 += other.small_f16;
  return *this;
}

WeightCode weight_code(const ElementCounts& counts, DType code) {
  STRATA_CHECK(code == DType::kBF16 || code == DType::kF16, "codes are of bf16 or of f16");
  if (code == DType::kF16) return {{}, counts.elements - counts.small_f16};
  std::array<std::uint8_t, 255> ranked;
  std::iota(ranked.begin(), ranked.end(), std::uint8_t{1});
  std::ranges::stable_sort(
      ranked, [&](std::uint8_t a, std::uint8_t b) { return counts.bf16_exponents[a] > counts.bf16_exponents[b]; });
  WeightCode found;
  std::copy_n(ranked.begin(), found.exponents.size() - 1, found.exponents.begin() + 1);
  found.exceptions = counts.elements;
  for (const std::uint8_t exponent : found.exponents) found.exceptions -= counts.bf16_exponents[exponent];
  return found;
}

std::int64_t coded_panel_bytes(DType code, std::int64_t lanes, std::int64_t k) {
  return code == DType::kF16 ? tensor::coded_panel_bytes<tensor::f16>(lanes, k)
                             : tensor::coded_panel_bytes<tensor::bf16>(lanes, k);
}

std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions) {
  const std::int64_t panels = tensor::div_up(type.shape[0].factor(), type.layout.packs[0].lanes);
  return exceptions == 0 ? 0 : tensor::exceptions_bytes(panels, exceptions);
}

bool is_codable(const ElementCounts& counts, DType code) {
  return weight_code(counts, code).exceptions <= counts.elements / 1024;
}

}  // namespace strata::ir
