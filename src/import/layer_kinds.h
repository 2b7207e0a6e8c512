// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "import/families.h"

namespace strata::importer {

// What differs from layer to layer.
struct LayerKind {
  std::int64_t window = 0;  // tokens up to its own that a query sees; 0: all
  bool slides = false;      // has a window, be it as long as the context
  bool rotates = true;
  bool has_experts = false;  // in place of one MLP
};

// Of each of the layers. Throws model_error for what is malformed, contradicts itself, or is not supported.
std::vector<LayerKind> read_layer_kinds(const JsonObject& config, const Family& family, std::int64_t layers,
                                        std::int64_t max_positions);

}  // namespace strata::importer
