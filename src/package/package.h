// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "package/manifest.h"

namespace strata::package {

// Writes a package. Sections lie in the file in the order in which they are added; the same sections in the same order
// give the same file, byte for byte. Nothing is visible under the target's name before commit(); errors are
// resource_error.
class PackageWriter {
 public:
  // `expected_bytes`, if known, about the whole file: lack of space then shows at once.
  explicit PackageWriter(const std::filesystem::path& target, std::uint64_t expected_bytes = 0);
  ~PackageWriter();

  // Appends a whole section.
  void add(std::string_view name, std::span<const std::byte> bytes);
  void add(std::string_view name, std::string_view text) { add(name, std::as_bytes(std::span(text))); }

  // Appends a section of zeros to be filled by write_at(), also while further sections are added.
  void reserve(std::string_view name, std::uint64_t bytes);

  // Writes into a reserved section. Any thread, in ranges that don't overlap. Ranges that cover whole 16 MiB blocks are
  // hashed on the way; the others are read back by commit().
  void write_at(std::string_view name, std::uint64_t offset, std::span<const std::byte> bytes);

  // Checksums what isn't yet, with so many threads, writes the header and renames the file.
  void commit(int threads = 1);

 private:
  struct Section;
  Section& append(std::string_view name, std::uint64_t bytes);
  Section& find(std::string_view name);
  std::uint64_t read_back(const Section& section, std::uint64_t block) const;
  void hash_missing_blocks(int threads);

  AtomicFile file_;
  std::mutex mutex_;  // guards the list; sections themselves don't move
  std::vector<std::unique_ptr<Section>> sections_;
  std::uint64_t end_;
};

// A mapped package. open() verifies the header, the table, the padding, every section but the weights, and that the
// manifest is consistent with them; of encoded weights, that a kernel reads nothing beside them; the weights' checksum,
// which reads them all, only when asked. Damage is a model_error that names what is damaged.
class Package {
 public:
  static Package open(const std::filesystem::path& path, bool verify_weights = false);

  // The same, with the weights' checksum: read when `always`, else once, as long as the file stays as it is (FileMemory
  // in the cache).
  static Package open_verified(const std::filesystem::path& path, bool always = false);

  // Whether open_verified() has remembered the file at this path, as it is, to be whole.
  static bool was_verified(const std::filesystem::path& path);

  // The same over bytes that the caller keeps.
  static Package from_bytes(std::span<const std::byte> bytes, const std::string& origin, bool verify_weights = false);

  // Whether the file starts as a package does; false also when it can't be read.
  static bool is_package(const std::filesystem::path& path);

  const Manifest& manifest() const { return manifest_; }
  bool has(std::string_view name) const { return sections_.contains(name); }
  std::span<const std::byte> section(std::string_view name) const;  // empty when there is none
  std::string_view text(std::string_view name) const;
  const std::map<std::string, std::span<const std::byte>, std::less<>>& sections() const { return sections_; }

  // Identifies the content, weights included: 16 hexadecimal digits.
  const std::string& fingerprint() const { return fingerprint_; }

  // Tells the kernel that all pages will be needed.
  void prefetch() const { file_.advise(MappedFile::Advice::kWillNeed); }

 private:
  Package() = default;
  void read(std::span<const std::byte> bytes, const std::string& origin);
  void verify_weights(const std::string& origin) const;
  void check_manifest(const std::string& origin) const;

  MappedFile file_;
  Manifest manifest_;
  std::map<std::string, std::span<const std::byte>, std::less<>> sections_;
  std::string fingerprint_;
  std::uint64_t weights_checksum_ = 0;
};

}  // namespace strata::package
