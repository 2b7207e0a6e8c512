// SPDX-License-Identifier: Apache-2.0
#include "serve/embedding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>

namespace strata::serve {

std::vector<float> unit_vector(std::span<const float> row, std::optional<std::int64_t> dimensions) {
  if (dimensions) row = row.first(std::min(row.size(), static_cast<std::size_t>(*dimensions)));
  double squares = 0;
  for (const float number : row) squares += static_cast<double>(number) * static_cast<double>(number);
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out;
  for (const float number : row) out.push_back(static_cast<float>(static_cast<double>(number) * scale));
  return out;
}

std::string base64_of(std::span<const float> numbers) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  for (const float number : numbers) {
    const auto bits = std::bit_cast<std::uint32_t>(number);
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace strata::serve
