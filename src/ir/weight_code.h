// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "ir/type.h"

namespace strata::ir {

// What coded layouts (tensor/coded.h) need to know of a tensor's elements.
struct ElementCounts {
  std::int64_t elements = 0;
  std::array<std::int64_t, 256> bf16_exponents{};  // of those that are numbers of bf16, by their exponent there
  std::int64_t small_f16 = 0;                      // those that are numbers of f16 below 2 in magnitude

  // Those of two tensors together.
  ElementCounts& operator+=(const ElementCounts& other);
};

// Of a model's weights, by name.
using WeightCounts = std::map<std::string, ElementCounts, std::less<>>;

struct WeightCode {
  std::array<std::uint8_t, 16> exponents{};  // of bf16 by code; code 0 is exponent 0, that of zero
  std::int64_t exceptions = 0;               // elements that have no code
};

// As numbers of `code`, bf16 or f16: of bf16 the 15 most frequent exponents beside 0 have codes.
WeightCode weight_code(const ElementCounts& counts, DType code);

// Bytes of a panel of k values in so many lanes.
std::int64_t coded_panel_bytes(DType code, std::int64_t lanes, std::int64_t k);

// Bytes of the lists of exceptions of a coded tensor, which follow those that max_bytes() counts.
std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions);

// Whether exceptions are so rare that kernels needn't mind them: at most one element in 1024, which costs 8 bytes where
// coding saves 128 or more.
bool is_codable(const ElementCounts& counts, DType code);

}  // namespace strata::ir
