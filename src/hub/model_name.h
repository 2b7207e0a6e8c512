// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::hub {

// A model of the Hub: "ORG/NAME", or "ORG/NAME:FILE.gguf".
struct ModelName {
  std::string repository;  // "ORG/NAME"
  std::string file;        // empty: all that its safetensors need

  // Of its folder in the cache: "models--ORG--NAME".
  std::string folder() const;
};

// Nothing where the text is no such name.
std::optional<ModelName> parse_model_name(std::string_view text);

// The repository that a folder of the cache is of: "ORG/NAME".
std::optional<std::string> repository_of_folder(std::string_view folder);

// Whether a repository's file may be written where it is named: a relative path that doesn't lead elsewhere.
bool is_safe_path(std::string_view path);

}  // namespace strata::hub
