// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace strata::importer {

// The error for a MODEL that isn't there, or isn't a Hugging Face folder: it says what the path is instead (a web
// page, a LoRA adapter, an empty folder, ...), and what to do. `missing` names what a folder that is nothing known
// lacks: "config.json".
Error wrong_model(const std::filesystem::path& path, const std::string& missing);

// Throws it unless `path` is a folder with a config.json.
void require_model_folder(const std::filesystem::path& path);

// Whether a file of that name in a model's folder belongs to the model.
bool is_model_file(const std::filesystem::path& name);

}  // namespace strata::importer
