// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace strata::serve {

// The first `dimensions` numbers, or all, scaled to the length 1; zeros stay.
std::vector<float> unit_vector(std::span<const float> row, std::optional<std::int64_t> dimensions);

// The numbers' bytes, little-endian, in base64.
std::string base64_of(std::span<const float> numbers);

}  // namespace strata::serve
