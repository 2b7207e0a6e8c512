// SPDX-License-Identifier: Apache-2.0
#include "base/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {
namespace {

constexpr std::size_t kSuffix = 6;

[[noreturn]] void refuse(const std::filesystem::path& parent, int error) {
  throw resource_error("cannot make a temporary folder (" + errno_text(error) + ")", parent.string(),
                       "make it writable, or choose another one");
}

bool is_ours(const std::string& name, std::string_view prefix) {
  return name.size() == prefix.size() + 1 + kSuffix && name.starts_with(prefix) && name[prefix.size()] == '-';
}

FileDescriptor open_folder(const std::filesystem::path& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Whether the folder survived until it was locked: remove_stale() of another process may have been faster.
bool still_exists(const FileDescriptor& folder) {
  struct stat status{};
  return ::fstat(folder.get(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

TempDir::TempDir(const std::filesystem::path& parent, std::string_view prefix) {
  const std::filesystem::path pattern = parent / (std::string(prefix) + "-" + std::string(kSuffix, 'X'));
  while (true) {
    std::string name = pattern.string();
    if (::mkdtemp(name.data()) == nullptr) refuse(parent, errno);
    FileDescriptor folder = open_folder(name);
    if (!folder.is_open() && errno != ENOENT) refuse(parent, errno);
    if (folder.is_open()) ::flock(folder.get(), LOCK_EX);
    if (!folder.is_open() || !still_exists(folder)) continue;
    path_ = name;
    lock_ = std::move(folder);
    return;
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

int TempDir::remove_stale(const std::filesystem::path& parent, std::string_view prefix) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    if (!is_ours(entry.path().filename().string(), prefix)) continue;
    const FileDescriptor folder = open_folder(entry.path());
    if (!folder.is_open() || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
    std::error_code ignored;
    if (std::filesystem::remove_all(entry.path(), ignored) != static_cast<std::uintmax_t>(-1)) ++removed;
  }
  return removed;
}

}  // namespace strata
