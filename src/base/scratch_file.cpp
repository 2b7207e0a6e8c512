// SPDX-License-Identifier: Apache-2.0
#include "base/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {
namespace {

Error cannot_write(const std::string& what, const std::filesystem::path& folder, int error, std::uint64_t size) {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return resource_error(what + " (" + errno_text(error) + ")", folder.string(),
                        is_full ? "make room for " + std::to_string(size) + " bytes" : "");
}

// A file system that has no unnamed files gets one whose name is removed at once.
FileDescriptor open_unnamed(const std::filesystem::path& folder) {
  FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.is_open() || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string name = (folder / "scratch-XXXXXX").string();
  file = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
  const int error = errno;
  if (file.is_open()) ::unlink(name.c_str());
  errno = error;
  return file;
}

}  // namespace

ScratchFile::ScratchFile(const std::filesystem::path& folder, std::uint64_t size) {
  if (size == 0) return;
  const FileDescriptor file = open_unnamed(folder);
  if (!file.is_open()) throw cannot_write("cannot make a temporary file", folder, errno, size);
  int error = 0;
  do {
    error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
  } while (error == EINTR);
  if (error != 0) throw cannot_write("cannot reserve space", folder, error, size);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) throw cannot_write("cannot map a temporary file", folder, errno, size);
  bytes_ = {static_cast<std::byte*>(data), size};
}

ScratchFile::~ScratchFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

ScratchFile& ScratchFile::operator=(ScratchFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace strata
