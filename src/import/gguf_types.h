// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/dtype.h"
#include "blocks/format.h"

namespace strata::importer {

// An element type of GGUF: rows are made of blocks of so many elements.
struct GgufType {
  std::uint32_t id;
  std::string_view name;           // "Q4_K"
  std::int64_t elements;           // of a block
  std::int64_t bytes;              // of a block
  std::optional<DType> dtype;      // of plain elements that Strata has a use for
  const blocks::Format* format{};  // of blocks that Strata decodes

  bool is_supported() const { return dtype || format != nullptr; }
};

// nullptr for a number that no type has.
const GgufType* find_gguf_type(std::uint32_t id);

// "F32, F16, BF16, Q4_0, ...": the types of weights that Strata takes.
std::string supported_gguf_types();

}  // namespace strata::importer
