// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include "base/file_descriptor.h"

namespace strata {

// An exclusive lock between processes (flock) on a file that is created when missing. The kernel releases it when the
// holder dies, so a lock never goes stale; the file itself stays. Also excludes other FileLocks of this process.
// Throws resource_error when the lock file can't be made or the file system has no locks.
class FileLock {
 public:
  // Waits for the lock. While it is held by another, `waiting` is called about every 50 ms; it may throw to give up.
  explicit FileLock(const std::filesystem::path& path, const std::function<void()>& waiting = {});
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);

 private:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

}  // namespace strata
