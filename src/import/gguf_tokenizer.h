// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "import/gguf_metadata.h"

namespace strata::importer {

// The text side of a GGUF file as the files of a Hugging Face folder: tokenizer.json, tokenizer_config.json and
// generation_config.json. Byte-level BPE whose way of cutting words is known by name, or SentencePiece's
// BPE. None where the file has no
// tokenizer; throws model_error for one that is malformed or not supported.
std::vector<std::pair<std::string, std::string>> gguf_texts(const GgufMetadata& metadata);

// Those of a file, or of a split model by any of its parts.
std::vector<std::pair<std::string, std::string>> read_gguf_texts(const std::filesystem::path& path);

}  // namespace strata::importer
