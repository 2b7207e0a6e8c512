// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {
namespace {

int kernel_advice(MappedFile::Advice advice) {
  switch (advice) {
    case MappedFile::Advice::kSequential:
      return MADV_SEQUENTIAL;
    case MappedFile::Advice::kRandom:
      return MADV_RANDOM;
    case MappedFile::Advice::kWillNeed:
      return MADV_WILLNEED;
    case MappedFile::Advice::kDontNeed:
      return MADV_DONTNEED;
    case MappedFile::Advice::kNormal:
      break;
  }
  return MADV_NORMAL;
}

FileStamp stamp_of(const struct stat& status) {
  return {.size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
          .device = status.st_dev,
          .inode = status.st_ino};
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
  const FileDescriptor file = open_regular_file(path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw model_error("cannot read (" + errno_text(errno) + ")", path.string());
  MappedFile mapped;
  mapped.path_ = path;
  mapped.stamp_ = stamp_of(status);
  if (mapped.stamp_.size == 0) return mapped;
  void* data = ::mmap(nullptr, mapped.stamp_.size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) {
    mapped.stamp_.size = 0;
    throw resource_error("cannot map the file into memory (" + errno_text(errno) + ")", path.string());
  }
  mapped.data_ = static_cast<const std::byte*>(data);
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), stamp_.size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(stamp_, other.stamp_);
  return *this;
}

void MappedFile::advise(Advice advice, std::uint64_t offset, std::uint64_t length) const {
  if (data_ == nullptr || offset >= stamp_.size) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = length == 0 || length > stamp_.size - offset ? stamp_.size : offset + length;
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, kernel_advice(advice));
}

}  // namespace strata
