// SPDX-License-Identifier: Apache-2.0
#include "cli/local_models.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/cache_folder.h"
#include "base/error.h"
#include "hub/cached_models.h"
#include "hub/settings.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackageSuffix = ".strata";

fs::path package_folder() { return find_cache_folder() / "packages"; }

std::vector<LocalModel> local_packages() {
  std::vector<LocalModel> packages;
  std::error_code error;
  for (fs::directory_iterator entry(package_folder(), error), end; !error && entry != end; entry.increment(error)) {
    struct stat status{};
    const fs::path& path = entry->path();
    if (path.extension() != kPackageSuffix || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    packages.push_back({.name = path.stem().string(),
                        .kind = "package",
                        .bytes = status.st_size,
                        .last_use = std::max<std::int64_t>(status.st_atim.tv_sec, status.st_mtim.tv_sec)});
  }
  std::ranges::sort(packages, {}, &LocalModel::name);
  return packages;
}

}  // namespace

std::vector<LocalModel> local_models() {
  std::vector<LocalModel> models;
  for (hub::CachedModel& model : hub::cached_models(hub::settings_of_environment().cache)) {
    models.push_back({std::move(model.repository), "model", model.bytes, model.last_use});
  }
  for (LocalModel& package : local_packages()) models.push_back(std::move(package));
  return models;
}

bool remove_local_model(const std::string& name) {
  if (hub::remove_cached_model(hub::settings_of_environment().cache, name)) return true;
  const std::vector<LocalModel> packages = local_packages();
  if (std::ranges::find(packages, name, &LocalModel::name) == packages.end()) return false;
  std::error_code error;
  const fs::path path = package_folder() / (name + kPackageSuffix);
  fs::remove(path, error);
  if (error) throw resource_error("can't remove the package: " + error.message(), path.string(), "check permissions");
  return true;
}

}  // namespace strata::cli
