// SPDX-License-Identifier: Apache-2.0
#include "package/package.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/file_kind.h"
#include "base/file_memory.h"
#include "base/hash.h"
#include "base/text_file.h"
#include "encoding/encoding.h"
#include "package/format.h"

namespace strata::package {
namespace {

constexpr const char* kRemedy = "compile it again";
constexpr std::string_view kVerified = "verified-package";  // in FileMemory, with the fingerprint

Error damaged(const std::string& what, const std::string& origin) {
  return model_error("the package is damaged: " + what, origin, kRemedy);
}

Error not_a_package(std::span<const std::byte> bytes, const std::string& origin) {
  const FileKind* kind = find_file_kind(bytes);
  if (kind == nullptr) {
    return model_error("not a Strata package", origin, "give a folder, or a file that strata compile wrote");
  }
  return model_error("not a Strata package but " + std::string(kind->name), origin, std::string(kind->remedy));
}

Header read_header(std::span<const std::byte> bytes, const std::string& origin) {
  Header header{};
  if (bytes.size() < sizeof(header) || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    throw not_a_package(bytes, origin);
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.version != kFormatVersion) {
    throw model_error("the package has format version " + std::to_string(header.version) + ", this program reads " +
                          std::to_string(kFormatVersion),
                      origin, kRemedy);
  }
  if (bytes.size() < kHeaderBytes) throw damaged("it ends within its header", origin);
  if (header.sections > kMaxSections) throw damaged("the header names too many sections", origin);
  return header;
}

std::vector<SectionRow> read_table(std::span<const std::byte> bytes, const std::string& origin) {
  const Header header = read_header(bytes, origin);
  std::vector<SectionRow> rows(header.sections);
  const std::size_t table_bytes = rows.size() * sizeof(SectionRow);
  if (!rows.empty()) std::memcpy(rows.data(), bytes.data() + sizeof(Header), table_bytes);
  if (table_checksum(header, rows) != header.checksum) throw damaged("the checksum of the header is wrong", origin);
  if (header.file_bytes != bytes.size()) {
    throw damaged("it has " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(header.file_bytes),
                  origin);
  }
  return rows;
}

std::string row_name(const SectionRow& row, const std::string& origin) {
  const auto end = std::find(row.name.begin(), row.name.end(), '\0');
  std::string name(row.name.begin(), end);
  const bool is_padded = std::all_of(end, row.name.end(), [](char c) { return c == '\0'; });
  if (!is_section_name(name) || !is_padded) throw damaged("a section's name is wrong", origin);
  return name;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The section's bytes, where the layout says that they must be: after `end`, the end of what comes before.
std::span<const std::byte> place(const SectionRow& row, const std::string& name, std::uint64_t end,
                                 std::span<const std::byte> bytes, const std::string& origin) {
  const std::uint64_t alignment = section_alignment(row.bytes);
  const std::uint64_t gap = (alignment - end % alignment) % alignment;
  if (row.offset != end + gap || row.offset > bytes.size() || row.bytes > bytes.size() - row.offset) {
    throw damaged("the section \"" + name + "\" is misplaced", origin);
  }
  if (!is_zero(bytes.subspan(end, gap)))
    throw damaged("there are stray bytes before the section \"" + name + "\"", origin);
  return bytes.subspan(row.offset, row.bytes);
}

Error wrong_checksum(std::string_view section, const std::string& origin) {
  return damaged("the checksum of the section \"" + std::string(section) + "\" is wrong", origin);
}

bool fits(std::int64_t offset, std::int64_t length, std::size_t size) {
  return offset >= 0 && length >= 0 && static_cast<std::uint64_t>(offset) <= size &&
         static_cast<std::uint64_t>(length) <= size - static_cast<std::uint64_t>(offset);
}

// Of an encoded weight: whether a kernel that follows its header reads nothing else.
bool is_sound(const Weight& weight, std::span<const std::byte> bytes) {
  return weight.shape.size() == 2 &&
         encoding::is_sound(encoding::parse_layout(weight.layout), weight.shape[0], weight.shape[1], bytes);
}

}  // namespace

Package Package::open(const std::filesystem::path& path, bool verify_weights) {
  Package package;
  package.file_ = MappedFile::open(path);
  package.read(package.file_.bytes(), path.string());
  if (verify_weights) package.verify_weights(path.string());
  return package;
}

bool Package::was_verified(const std::filesystem::path& path) {
  const std::optional<FileStamp> stamp = stamp_of(path);
  return stamp && FileMemory::in_cache().recall(kVerified, *stamp);
}

Package Package::open_verified(const std::filesystem::path& path, bool always) {
  Package package = open(path);
  const FileMemory memory = FileMemory::in_cache();
  const FileStamp& stamp = package.file_.stamp();
  if (!always && memory.recall(kVerified, stamp) == package.fingerprint_) return package;
  package.verify_weights(path.string());
  memory.remember(kVerified, stamp, package.fingerprint_);
  return package;
}

Package Package::from_bytes(std::span<const std::byte> bytes, const std::string& origin, bool verify_weights) {
  Package package;
  package.read(bytes, origin);
  if (verify_weights) package.verify_weights(origin);
  return package;
}

bool Package::is_package(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  return read_head(path, kMagic.size()) == std::string_view(kMagic.data(), kMagic.size());
}

void Package::read(std::span<const std::byte> bytes, const std::string& origin) {
  const std::vector<SectionRow> rows = read_table(bytes, origin);
  const std::uint64_t table_end = sizeof(Header) + rows.size() * sizeof(SectionRow);
  if (!is_zero(bytes.subspan(table_end, kHeaderBytes - table_end)))
    throw damaged("there are stray bytes after the table", origin);
  std::uint64_t end = kHeaderBytes;
  for (const SectionRow& row : rows) {
    const std::string name = row_name(row, origin);
    const auto section = place(row, name, end, bytes, origin);
    if (name == kWeightsSection) {
      weights_checksum_ = row.checksum;
    } else if (section_checksum(section) != row.checksum) {
      throw wrong_checksum(name, origin);
    }
    if (!sections_.emplace(name, section).second) throw damaged("the section \"" + name + "\" is there twice", origin);
    end = row.offset + row.bytes;
  }
  if (end != bytes.size()) throw damaged("there are stray bytes at its end", origin);
  if (!has(kManifestSection)) throw damaged("it has no manifest", origin);
  manifest_ = manifest_from_json(text(kManifestSection), origin);
  check_manifest(origin);
  Header header{};
  std::memcpy(&header, bytes.data(), sizeof(header));
  fingerprint_ = hex(header.checksum);
}

void Package::verify_weights(const std::string& origin) const {
  if (has(kWeightsSection) && section_checksum(section(kWeightsSection)) != weights_checksum_) {
    throw wrong_checksum(kWeightsSection, origin);
  }
}

void Package::check_manifest(const std::string& origin) const {
  if (!manifest_.entries.empty() && !has(kCodeSection)) throw damaged("it has no code", origin);
  if (manifest_.code != code_digest(section(kCodeSection))) {
    throw damaged("its manifest belongs to other code", origin);
  }
  const std::size_t size = section(kWeightsSection).size();
  for (const Weight& weight : manifest_.weights) {
    if (!fits(weight.offset, weight.bytes, size)) {
      throw damaged("the weight \"" + weight.name + "\" lies outside of the weights", origin);
    }
    const auto bytes = section(kWeightsSection)
                           .subspan(static_cast<std::size_t>(weight.offset), static_cast<std::size_t>(weight.bytes));
    if (encoding::names_encoding(weight.layout) && !is_sound(weight, bytes)) {
      throw damaged("the weight \"" + weight.name + "\" is not encoded as " + weight.layout, origin);
    }
  }
}

std::span<const std::byte> Package::section(std::string_view name) const {
  const auto at = sections_.find(name);
  return at == sections_.end() ? std::span<const std::byte>() : at->second;
}

std::string_view Package::text(std::string_view name) const {
  const auto bytes = section(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace strata::package
