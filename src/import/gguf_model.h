// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "import/gguf.h"

namespace strata::importer {

// A model in the GGUF format: one file, or the parts of a split one, NAME-00001-of-00003.gguf and so on. The files are
// mapped, never copied.
struct GgufModel {
  std::vector<MappedFile> files;
  GgufMetadata metadata;                                        // of the first part
  std::map<std::string, GgufTensor, std::less<>> tensors = {};  // of all parts, by their names

  // nullptr: there is none.
  const GgufTensor* find(std::string_view name) const;
};

// `path` may be any part of a split model. Throws model_error for what is malformed, and for parts that are missing or
// don't belong together.
GgufModel open_gguf(const std::filesystem::path& path);

// The files of which `path` is one, by their names: the parts of a split model, in order, or the path alone.
std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& path);

// A file's name without ".gguf" and a part's number.
std::string gguf_model_name(std::string_view file_name);

}  // namespace strata::importer
