// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace strata::importer {

// The folder with the model's files: `path` itself, or, where that is a repository in the Hub's cache
// ("models--Org--Name"), the snapshot that its main branch names. Throws model_error when a repository has none.
std::filesystem::path resolve_model_folder(const std::filesystem::path& path);

// The model's name for people: the folder's own, "Name" of a snapshot in the Hub's cache, "Name" of Name.gguf.
std::string model_name(const std::filesystem::path& model);

}  // namespace strata::importer
