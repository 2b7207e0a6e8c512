// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "package/manifest.h"

namespace strata::cli {

// The element types of a package's caches, those of the first layer's keys and values first.
std::vector<DType> cache_types(const package::Manifest& manifest);

// Each type once: "f16", "bf16, f32"; "none".
std::string cache_types_text(const package::Manifest& manifest);

// What a token of a context takes in the caches of all layers.
std::int64_t cache_bytes_per_token(const package::Manifest& manifest);

}  // namespace strata::cli
