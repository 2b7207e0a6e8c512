// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "import/gguf_metadata.h"
#include "import/gguf_types.h"

namespace strata::importer {

// One tensor of a GGUF file.
struct GgufTensor {
  std::string name;
  const GgufType* type = nullptr;
  std::vector<std::int64_t>
      shape;  // the outermost axis first, as elsewhere in Strata; the file has the innermost first
  std::span<const std::byte> bytes;  // in the file
};

struct GgufContents {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of their bytes
};

// Parses and checks a whole file's bytes: GGUF of version 2 or 3, little-endian; no key and no tensor twice, no arrays
// in arrays, types that are known, tensors that are aligned, inside of the file and apart. What it gives points into
// `file`. Throws model_error naming `origin`.
GgufContents parse_gguf(std::span<const std::byte> file, const std::string& origin);

// Whether a file begins as a GGUF file does; false also for what can't be read.
bool is_gguf(const std::filesystem::path& path);

}  // namespace strata::importer
