// SPDX-License-Identifier: Apache-2.0
#include "base/file_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace strata {

void FileDescriptor::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string errno_text(int error) { return std::generic_category().message(error); }

void check_exhaustion(int error, const std::filesystem::path& path) {
  const bool are_many = error == EMFILE || error == ENFILE;
  if (!are_many && error != ENOMEM && error != EAGAIN) return;
  throw resource_error("cannot open (" + errno_text(error) + ")", path.string(),
                       are_many          ? "raise the limit of open files (ulimit -n)"
                       : error == ENOMEM ? "free some memory"
                                         : "try again");
}

FileDescriptor open_regular_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) throw model_error("no such file", path.string(), "check the path");
    check_exhaustion(error, path);
    throw model_error("cannot open (" + errno_text(error) + ")", path.string());
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw model_error("cannot read (" + errno_text(errno) + ")", path.string());
  if (!S_ISREG(status.st_mode)) throw model_error("not a regular file", path.string());
  return file;
}

}  // namespace strata
