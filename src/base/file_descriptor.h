// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace strata {

// Owns an open file descriptor; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// The system's words for an error number; safe with threads.
std::string errno_text(int error);

// Throws resource_error where open() failed with this error because no more files can be open, or for want of memory:
// whether there is such a file is not known then.
void check_exhaustion(int error, const std::filesystem::path& path);

// Opens a file for reading. Throws model_error when it is missing, unreadable or not a regular file, resource_error
// when no more files can be open.
FileDescriptor open_regular_file(const std::filesystem::path& path);

}  // namespace strata
