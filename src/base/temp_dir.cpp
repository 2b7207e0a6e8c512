// SPDX-License-Identifier: Apache-2.0
#include "base/temp_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/remove_tree.h"

namespace strata {
namespace {

constexpr std::size_t kSuffix = 6;

std::string random_letters() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device device;
  std::uniform_int_distribution<std::size_t> letter(0, kLetters.size() - 1);
  std::string suffix;
  while (suffix.size() < kSuffix) suffix += kLetters[letter(device)];
  return suffix;
}

[[noreturn]] void refuse_folder(const std::filesystem::path& parent, int error) {
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

// All that can fail without a call of the system comes before the folder exists.
TempDir::TempDir(const std::filesystem::path& parent, std::string_view prefix) {
  while (true) {
    path_ = parent / (std::string(prefix) + "-" + random_letters());
    registered_ = TemporaryPath(path_.native());
    if (::mkdir(path_.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      refuse_folder(parent, errno);
    }
    lock_ = open_folder(path_);
    const int error = lock_.is_open() ? 0 : errno;
    if (error == ENOENT) continue;
    if (error != 0) {
      ::rmdir(path_.c_str());
      refuse_folder(parent, error);
    }
    ::flock(lock_.get(), LOCK_EX);
    if (still_exists(lock_)) return;
  }
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  remove_contents(lock_.get());
  ::rmdir(path_.c_str());
}

TempDir::TempDir(TempDir&& other) noexcept
    : path_(std::move(other.path_)), registered_(std::move(other.registered_)), lock_(std::move(other.lock_)) {
  other.path_.clear();
}

int TempDir::remove_stale(const std::filesystem::path& parent, std::string_view prefix) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    if (!is_ours(entry.path().filename().string(), prefix)) continue;
    const FileDescriptor folder = open_folder(entry.path());
    if (!folder.is_open() || ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
    remove_tree(AT_FDCWD, entry.path().c_str());
    std::error_code ignored;
    if (!std::filesystem::exists(entry.path(), ignored)) ++removed;
  }
  return removed;
}

}  // namespace strata
