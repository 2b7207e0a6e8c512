// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/hash.h"

namespace strata {
namespace {

// The names of temporary files that exist now, for a signal's handler. A slot is owned by whoever set `used`; its path
// is valid while `armed`.
struct TemporarySlot {
  std::atomic<bool> used;
  std::atomic<bool> armed;
  std::array<char, PATH_MAX> path;
};
constinit std::array<TemporarySlot, 16> g_temporaries{};

// -1: all slots are taken, or the path is too long; the file is then only removed on the ordinary ways out.
int register_temporary(const std::string& path) {
  if (path.size() >= PATH_MAX) return -1;
  for (std::size_t i = 0; i < g_temporaries.size(); ++i) {
    TemporarySlot& slot = g_temporaries[i];
    if (slot.used.exchange(true)) continue;
    std::memcpy(slot.path.data(), path.c_str(), path.size() + 1);
    slot.armed = true;
    return static_cast<int>(i);
  }
  return -1;
}

void unregister_temporary(int index) noexcept {
  if (index < 0) return;
  g_temporaries[static_cast<std::size_t>(index)].armed = false;
  g_temporaries[static_cast<std::size_t>(index)].used = false;
}

std::string random_suffix() {
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
  if (naming == Naming::kUnnamedIfPossible) {
    file_ = FileDescriptor(::open(folder_of(target_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
  }
  if (!file_.is_open()) open_named();
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  unregister_temporary(slot_);
}

std::filesystem::path AtomicFile::new_name() const {
  return folder_of(target_) / ("." + target_.filename().string().substr(0, 200) + "." + random_suffix() + ".tmp");
}

void AtomicFile::open_named() {
  temporary_ = new_name();
  // Known to the signals' handler before it exists: the other order has a gap.
  slot_ = register_temporary(temporary_.string());
  file_ = FileDescriptor(::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file_.is_open()) return;
  const int error = errno;
  unregister_temporary(slot_);
  throw failure("cannot create", target_, error, needed_);
}

// The unnamed file gets a temporary name, as a link can't replace an existing target.
void AtomicFile::give_name() {
  temporary_ = new_name();
  slot_ = register_temporary(temporary_.string());
  const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
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
  unregister_temporary(slot_);
  slot_ = -1;
  file_.reset();
  // Makes the name itself durable. The file is complete either way, so a failure is none of the caller's.
  const FileDescriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.is_open()) ::fsync(folder.get());
}

void remove_temporary_files() noexcept {
  for (TemporarySlot& slot : g_temporaries) {
    if (slot.armed) ::unlink(slot.path.data());
  }
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path, text.size());
  file.append(text);
  file.commit();
}

}  // namespace strata
