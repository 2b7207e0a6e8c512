// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/temporary_path.h"

namespace strata {

// A file that appears under its name complete or not at all, whatever ends the process.
//
// It is written without a name where the file system can do that (O_TMPFILE), so that even kill -9 leaves nothing;
// elsewhere under a temporary name in the same folder, locked while it is written: the next file that is written to the
// folder removes those that a killed process left. Errors (no space, quota, no permission, read-only file system,
// I/O) are resource_error and name the path and, for lack of space, the bytes needed.
class AtomicFile {
 public:
  enum class Naming { kUnnamedIfPossible, kTemporaryName };

  // Creates the file; nothing is visible under `target` before commit(). A target that is a symbolic link is followed;
  // one that exists and is not a regular file is refused. With `expected_bytes`, a file system that cannot hold so
  // much is refused at once.
  explicit AtomicFile(const std::filesystem::path& target, std::uint64_t expected_bytes = 0,
                      Naming naming = Naming::kUnnamedIfPossible);
  ~AtomicFile();  // without commit(): leaves nothing behind
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Appends after the last byte that append() wrote; not for several threads.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }

  // Writes at an offset; several threads may, in ranges that don't overlap.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  // Reads back what was written, exactly `bytes.size()` of them.
  void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

  // Makes the file `size` bytes long and takes its blocks now, where the file system can, so that lack of space shows
  // here and not later. What isn't written reads as zeros.
  void reserve(std::uint64_t size);

  // Flushes to the disk and renames to the target. Afterwards the file is closed.
  void commit();

 private:
  void open_named();
  void give_name();
  void choose_name();

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: the file has no name yet
  TemporaryPath registered_;
  FileDescriptor file_;
  std::uint64_t appended_ = 0;
  std::uint64_t needed_ = 0;
};

// Replaces the file by `text`, atomically.
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace strata
