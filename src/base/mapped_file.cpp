// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace strata {

// A node is never freed, only used again, so that a signal's handler can walk the list at any time. It is free while
// `begin` is null.
struct Mapping {
  std::atomic<const std::byte*> begin = nullptr;
  std::atomic<std::size_t> size = 0;
  std::array<char, 501> path{};
  Mapping* next = nullptr;
};

namespace {

std::atomic<Mapping*> g_mappings = nullptr;
std::mutex g_mappings_mutex;

Mapping* free_mapping() {
  for (Mapping* node = g_mappings; node != nullptr; node = node->next) {
    if (node->begin == nullptr) return node;
  }
  auto* const node = new Mapping;
  node->next = g_mappings;
  g_mappings = node;
  return node;
}

Mapping* note_mapping(const std::byte* begin, std::size_t size, const std::string& path) {
  const std::lock_guard lock(g_mappings_mutex);
  Mapping* const node = free_mapping();
  node->path.fill('\0');
  path.copy(node->path.data(), node->path.size() - 1);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  node->size = (size + page - 1) / page * page;
  node->begin = begin;
  return node;
}

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

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

FileStamp stamp_of(const struct stat& status) {
  return {.size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = nanoseconds(status.st_mtim),
          .ctime_ns = nanoseconds(status.st_ctim),
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
  mapped.mapping_ = note_mapping(mapped.data_, mapped.stamp_.size, path.string());
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  if (mapping_ != nullptr) mapping_->begin = nullptr;
  ::munmap(const_cast<std::byte*>(data_), stamp_.size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(stamp_, other.stamp_);
  std::swap(mapping_, other.mapping_);
  return *this;
}

bool MappedFile::was_changed() const {
  const std::optional<FileStamp> now = strata::stamp_of(path_);
  const bool is_same_file = now && now->device == stamp_.device && now->inode == stamp_.inode;
  return is_same_file && (now->size != stamp_.size || now->mtime_ns != stamp_.mtime_ns);
}

std::optional<FileStamp> stamp_of(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return stamp_of(status);
}

void MappedFile::advise(Advice advice, std::uint64_t offset, std::uint64_t length) const {
  if (data_ == nullptr || offset >= stamp_.size) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = length == 0 || length > stamp_.size - offset ? stamp_.size : offset + length;
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, kernel_advice(advice));
}

const char* mapped_file_at(const void* address) noexcept {
  for (const Mapping* node = g_mappings; node != nullptr; node = node->next) {
    const std::byte* const begin = node->begin;
    if (begin != nullptr && begin <= address && address < begin + node->size) return node->path.data();
  }
  return nullptr;
}

}  // namespace strata
