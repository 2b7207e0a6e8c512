// SPDX-License-Identifier: Apache-2.0
#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(50);

[[noreturn]] void refuse_lock(const std::filesystem::path& path, int error) {
  throw resource_error("cannot lock (" + errno_text(error) + ")", path.string(),
                       "make the folder writable, or choose another one");
}

FileDescriptor open_lock_file(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) refuse_lock(path, errno);
  return file;
}

// Whether the locked file still has its name: somebody may have cleaned the folder in between.
bool is_still_named(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat mine{};
  struct stat named{};
  return ::fstat(file.get(), &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_dev == named.st_dev &&
         mine.st_ino == named.st_ino;
}

// False: held by another.
bool take(const FileDescriptor& file, const std::filesystem::path& path) {
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) refuse_lock(path, errno);
  }
  return true;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, const std::function<void()>& waiting) {
  while (true) {
    FileDescriptor file = open_lock_file(path);
    while (!take(file, path)) {
      if (waiting) waiting();
      std::this_thread::sleep_for(kPollInterval);
    }
    if (!is_still_named(file, path)) continue;
    file_ = std::move(file);
    return;
  }
}

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path) {
  while (true) {
    FileDescriptor file = open_lock_file(path);
    if (!take(file, path)) return std::nullopt;
    if (is_still_named(file, path)) return FileLock(std::move(file));
  }
}

}  // namespace strata
