// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "ir/type.h"

namespace strata::ir {

// How many elements of a bf16 tensor have each exponent.
using ExponentCounts = std::array<std::int64_t, 256>;

// Of a model's weights, by name.
using WeightExponents = std::map<std::string, ExponentCounts, std::less<>>;

// What coded layouts (tensor/coded.h) need to know of a tensor.
struct ExponentCode {
  std::array<std::uint8_t, 16> exponents{};  // by code; code 0 is exponent 0, that of zero
  std::int64_t exceptions = 0;               // elements whose exponent has no code
};

// The 15 most frequent exponents beside 0.
ExponentCode exponent_code(const ExponentCounts& counts);

// Bytes of the lists of exceptions of a coded tensor, which follow those that max_bytes() counts.
std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions);

// Whether exceptions are so rare that kernels needn't mind them: at most one element in 1024, which costs 8 bytes where
// coding saves 512.
bool is_codable(const ExponentCounts& counts);

}  // namespace strata::ir
