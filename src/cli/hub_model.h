// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "cli/console.h"
#include "hub/model_name.h"

namespace strata::cli {

// Declares that the command's argument is a model, which may be one of the Hub's. The text must live as long as the
// command line.
void may_name_hub_model(const CLI::App& app, std::string& argument);

// Puts the path in the cache in the place of each of the command's models that is named as one of the Hub's, and is no
// path: neither it nor its first part is there. What the cache hasn't is downloaded. Throws Error.
void fetch_hub_models(const CLI::App& app, Console& console);

// Makes the cache have it as the Hub has it now, with progress. Throws Error.
std::filesystem::path pull_model(const hub::ModelName& name, Console& console);

}  // namespace strata::cli
