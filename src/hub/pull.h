// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "hub/model_name.h"
#include "hub/settings.h"

namespace strata::hub {

// Told the file that is coming, and how much of all there is; may throw to give up.
using PullProgress = std::function<void(const std::string& file, std::int64_t done, std::int64_t total)>;

// What the cache has of a model, by its main branch: the snapshot's folder, or the GGUF file in it. Nothing where any
// of it is missing.
std::optional<std::filesystem::path> cached_model(const Settings& settings, const ModelName& name);

// Makes the cache have the model as the Hub's main branch has it now, in huggingface_hub's layout; nothing that is
// there is downloaded again, and what broke off is gone on with. Each file's size and digest are checked. Offline: what
// is there. Gives the same as cached_model(). Throws Error.
std::filesystem::path pull(const Settings& settings, const ModelName& name, const PullProgress& progress);

}  // namespace strata::hub
