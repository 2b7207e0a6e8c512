// SPDX-License-Identifier: Apache-2.0
#include "compile/package_cache.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/trust.h"
#include "package/package.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

struct Found {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
};

fs::file_time_type last_use(const fs::path& package, std::error_code& error) {
  const fs::file_time_type made = fs::last_write_time(package, error);
  std::error_code no_lock;
  const fs::file_time_type used = fs::last_write_time(fs::path(package).replace_extension(".lock"), no_lock);
  return no_lock ? made : std::max(made, used);
}

// Oldest first. Another process may remove some at the same time.
std::vector<Found> packages_in(const fs::path& folder) {
  std::vector<Found> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".strata") continue;
    Found package{entry.path(), last_use(entry.path(), error), 0};
    if (error) continue;
    package.bytes = entry.file_size(error);
    if (!error) found.push_back(std::move(package));
  }
  std::ranges::sort(found, {}, [](const Found& package) { return std::pair(package.used, package.path); });
  return found;
}

}  // namespace

PackageCache::PackageCache(fs::path folder) : folder_(std::move(folder)) {
  require_trusted(folder_.parent_path());
  require_trusted(folder_);
}

void PackageCache::create() const {
  make_private_folder(folder_.parent_path());
  make_private_folder(folder_);
}

std::optional<fs::path> PackageCache::find(const std::string& key, bool always) const {
  const fs::path path = path_of(key);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  require_trusted(path);
  if (!always && package::Package::was_verified(path)) return path;
  try {
    package::Package::open_verified(path, always);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kModel) throw;
    return std::nullopt;
  }
  return path;
}

std::optional<fs::path> PackageCache::find_any(const std::string& inputs, bool always) const {
  std::vector<Found> packages = packages_in(folder_);
  std::ranges::reverse(packages);
  for (const Found& package : packages) {
    const std::string key = package.path.stem().string();
    if (!key.starts_with(inputs + "-")) continue;
    if (auto path = find(key, always)) return path;
  }
  return std::nullopt;
}

void PackageCache::touch(const fs::path& package) const {
  std::error_code ignored;
  fs::last_write_time(lock_of(package.stem().string()), fs::file_time_type::clock::now(), ignored);
}

void PackageCache::make_room(std::uint64_t bytes) const {
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  if (error) return;
  const std::vector<Found> packages = packages_in(folder_);
  std::vector<std::uint64_t> sizes;
  for (const Found& package : packages) sizes.push_back(package.bytes);
  const std::size_t count = packages_to_remove(sizes, bytes, space.available);
  for (std::size_t i = 0; i < count; ++i) {
    const fs::path lock_path = lock_of(packages[i].path.stem().string());
    const auto lock = FileLock::try_lock(lock_path);
    if (!lock) continue;
    fs::remove(packages[i].path, error);
    fs::remove(lock_path, error);
  }
}

std::size_t packages_to_remove(std::span<const std::uint64_t> sizes, std::uint64_t incoming, std::uint64_t free_bytes) {
  std::uint64_t kept = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  const std::uint64_t limit = (free_bytes + kept) / 2;
  std::size_t removed = 0;
  for (; removed < sizes.size() && kept + incoming > limit; ++removed) kept -= sizes[removed];
  return removed;
}

}  // namespace strata::compile
