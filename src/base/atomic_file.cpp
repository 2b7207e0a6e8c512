// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/hash.h"

namespace strata {
namespace {

// Ends the names of unfinished files, by which those that a killed process left are found.
constexpr std::string_view kUnfinished = ".strata-tmp";

std::string random_hex() {
  std::random_device device;
  return hex((std::uint64_t{device()} << 32) | device());
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

bool is_lack_of_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

std::string remedy_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space, or choose another folder";
    case EFBIG:
      return "raise the limit of file sizes (ulimit -f)";
    case ENOENT:
    case ENOTDIR:
      return "make the folder first";
    case EACCES:
    case EPERM:
    case EROFS:
      return "make the folder writable, or choose another one";
    default:
      return "check the disk, or choose another folder";
  }
}

Error failure(const std::string& what, const std::filesystem::path& target, int error, std::uint64_t needed) {
  std::string text = what + " (" + errno_text(error) + ")";
  if (is_lack_of_space(error) && needed > 0) text += ", " + std::to_string(needed) + " bytes are needed";
  return resource_error(text, target.string(), remedy_for(error));
}

// Where the target is a symbolic link, what it leads to is replaced, not the link.
std::filesystem::path resolve_target(const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::path resolved = target;
  if (std::filesystem::is_symlink(target, error)) {
    resolved = std::filesystem::weakly_canonical(target, error);
    if (error) throw resource_error("cannot follow the link (" + error.message() + ")", target.string(), "check it");
  }
  const auto status = std::filesystem::status(resolved, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw resource_error("cannot write, it exists and is not a regular file", target.string(), "choose another name");
  }
  return resolved;
}

void check_space(const std::filesystem::path& target, std::uint64_t needed) {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
    throw failure("cannot write", target, EFBIG, needed);
  }
  struct statvfs status{};
  if (::statvfs(folder_of(target).c_str(), &status) != 0) return;
  const auto available = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  if (available >= needed) return;
  throw resource_error("not enough space, " + std::to_string(needed) + " bytes are needed and " +
                           std::to_string(available) + " are free",
                       target.string(), remedy_for(ENOSPC));
}

constexpr std::uint64_t kMaxOffset = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target, std::uint64_t expected_bytes, Naming naming)
    : target_(resolve_target(target)), needed_(expected_bytes) {
  if (expected_bytes > 0) check_space(target_, expected_bytes);
  const std::filesystem::path folder = folder_of(target_);
  remove_stale_files(folder.c_str(), kUnfinished);
  if (naming == Naming::kUnnamedIfPossible) {
    file_ = FileDescriptor(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
    // Before it has a name. Where files can't be locked nobody takes them for stale.
    if (file_.is_open()) ::flock(file_.get(), LOCK_EX | LOCK_NB);
  }
  if (!file_.is_open()) open_named();
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::choose_name() {
  std::string name = "." + target_.filename().string().substr(0, 200) + "." + random_hex();
  temporary_ = folder_of(target_) / name.append(kUnfinished);
  registered_ = TemporaryPath(temporary_.native());
}

void AtomicFile::open_named() {
  struct stat status{};
  do {
    choose_name();
    file_ = FileDescriptor(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_.is_open()) throw failure("cannot create", target_, errno, needed_);
    ::flock(file_.get(), LOCK_EX | LOCK_NB);
    // Another process may have taken it for stale before it was locked.
  } while (::fstat(file_.get(), &status) == 0 && status.st_nlink == 0);
}

// The unnamed file gets a temporary name, as a link can't replace an existing target.
void AtomicFile::give_name() {
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
  choose_name();
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
  const int error = errno;
  temporary_.clear();
  throw failure("cannot name the file", target_, error, needed_);
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  write_at(appended_, bytes);
  appended_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  STRATA_CHECK(file_.is_open(), "write after commit");
  STRATA_CHECK(offset <= kMaxOffset && bytes.size() <= kMaxOffset - offset, "offset out of range");
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = count == 0 ? ENOSPC : errno;
      throw failure("cannot write", target_, error, std::max(needed_, offset + bytes.size()));
    }
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  STRATA_CHECK(file_.is_open(), "read after commit");
  while (!bytes.empty()) {
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw failure("cannot read back", target_, count == 0 ? EIO : errno, needed_);
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::reserve(std::uint64_t size) {
  STRATA_CHECK(file_.is_open() && size <= kMaxOffset, "reserve out of range");
  needed_ = std::max(needed_, size);
  const auto length = static_cast<off_t>(size);
  int result = 0;
  do {
    result = ::fallocate(file_.get(), 0, 0, length);
  } while (result != 0 && errno == EINTR);
  if (result == 0 || size == 0) return;
  if (errno != EOPNOTSUPP && errno != ENOSYS) throw failure("cannot reserve space", target_, errno, needed_);
  struct stat status{};
  if (::fstat(file_.get(), &status) == 0 && status.st_size >= length) return;
  if (::ftruncate(file_.get(), length) != 0) throw failure("cannot reserve space", target_, errno, needed_);
}

void AtomicFile::commit() {
  STRATA_CHECK(file_.is_open(), "commit twice");
  if (::fsync(file_.get()) != 0) throw failure("cannot flush to the disk", target_, errno, needed_);
  if (temporary_.empty()) give_name();
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw failure("cannot rename", target_, errno, needed_);
  temporary_.clear();
  registered_.release();
  file_.reset();
  // Makes the name itself durable. The file is complete either way, so a failure is none of the caller's.
  const FileDescriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.is_open()) ::fsync(folder.get());
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path, text.size());
  file.append(text);
  file.commit();
}

}  // namespace strata
