// SPDX-License-Identifier: Apache-2.0
#include "hub/cached_models.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "hub/model_name.h"

namespace strata::hub {
namespace {

namespace fs = std::filesystem;

void add_blobs(const fs::path& folder, CachedModel& model) {
  std::error_code error;
  for (fs::directory_iterator blob(folder, error), end; !error && blob != end; blob.increment(error)) {
    struct stat status{};
    if (::lstat(blob->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    model.bytes += status.st_size;
    model.last_use = std::max<std::int64_t>({model.last_use, status.st_atim.tv_sec, status.st_mtim.tv_sec});
  }
}

}  // namespace

std::vector<CachedModel> cached_models(const fs::path& cache) {
  std::vector<CachedModel> models;
  std::error_code error;
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end; entry.increment(error)) {
    const std::optional<std::string> repository = repository_of_folder(entry->path().filename().string());
    if (!repository) continue;
    CachedModel model{.repository = *repository};
    add_blobs(entry->path() / "blobs", model);
    models.push_back(std::move(model));
  }
  std::ranges::sort(models, {}, &CachedModel::repository);
  return models;
}

bool remove_cached_model(const fs::path& cache, const std::string& repository) {
  const std::optional<ModelName> name = parse_model_name(repository);
  if (!name) return false;
  std::error_code error;
  const fs::path folder = cache / name->folder();
  if (!fs::is_directory(fs::symlink_status(folder, error))) return false;
  fs::remove_all(folder, error);
  if (error) throw resource_error("can't remove the model: " + error.message(), folder.string(), "check permissions");
  fs::remove_all(cache / ".locks" / name->folder(), error);
  return true;
}

}  // namespace strata::hub
