// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace strata {

// What identifies a file's content without reading it.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  // of the last change of content or attributes; nobody can set it
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

struct Mapping;

// A regular file mapped read-only and shared. Views into it stay valid while it lives, also across a move.
// Where the file was truncated while it is mapped, or can't be read, touching its bytes is a SIGBUS, whose handler can
// ask mapped_file_at() for the culprit's name.
class MappedFile {
 public:
  enum class Advice { kNormal, kSequential, kRandom, kWillNeed, kDontNeed };

  MappedFile() = default;
  // Throws model_error when the file is missing, unreadable or not a regular file. An empty file has no bytes.
  static MappedFile open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, static_cast<std::size_t>(stamp_.size)}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), bytes().size()}; }
  const std::filesystem::path& path() const { return path_; }
  const FileStamp& stamp() const { return stamp_; }

  // Whether the content may have changed since it was mapped: the file of this name is the same one, with another size
  // or time. One that was replaced or removed lives on, unchanged, in the mapping.
  bool was_changed() const;

  // Tells the kernel how the range will be read; never fails, as it is only a hint. `length` 0: to the end.
  void advise(Advice advice, std::uint64_t offset = 0, std::uint64_t length = 0) const;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  FileStamp stamp_;
  Mapping* mapping_ = nullptr;  // in the list of mapped_file_at()
};

// Of the file that has this name now; nullopt: there is none.
std::optional<FileStamp> stamp_of(const std::filesystem::path& path);

// The path, cut to 500 bytes, of the file that is mapped at `address`; nullptr when none is. Async-signal-safe.
const char* mapped_file_at(const void* address) noexcept;

}  // namespace strata
