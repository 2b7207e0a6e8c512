// SPDX-License-Identifier: Apache-2.0
#include "cli/hub_model.h"

#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/progress.h"
#include "cli/signals.h"
#include "hub/pull.h"
#include "hub/settings.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

// Of all commands: each has variables of its own.
std::vector<std::pair<const CLI::App*, std::string*>>& hub_arguments() {
  static std::vector<std::pair<const CLI::App*, std::string*>> arguments;
  return arguments;
}

bool is_path(const std::string& argument) {
  std::error_code ignored;
  return fs::exists(argument, ignored) || fs::exists(argument.substr(0, argument.find('/')), ignored);
}

}  // namespace

void may_name_hub_model(const CLI::App& app, std::string& argument) { hub_arguments().emplace_back(&app, &argument); }

fs::path pull_model(const hub::ModelName& name, Console& console) {
  ProgressReport progress(console, "getting " + name.repository);
  const fs::path path = hub::pull(
      hub::settings_of_environment(), name, [&](const std::string& file, std::int64_t done, std::int64_t total) {
        progress.update(file, total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0);
      });
  stop_if_interrupted();
  return path;
}

void fetch_hub_models(const CLI::App& app, Console& console) {
  for (const auto& [command, argument] : hub_arguments()) {
    if (command != &app || argument->empty() || is_path(*argument)) continue;
    const std::optional<hub::ModelName> name = hub::parse_model_name(*argument);
    if (!name) continue;
    const std::optional<fs::path> cached = hub::cached_model(hub::settings_of_environment(), *name);
    *argument = (cached ? *cached : pull_model(*name, console)).string();
    console.detail("model: " + *argument);
  }
}

}  // namespace strata::cli
