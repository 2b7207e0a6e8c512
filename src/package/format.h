// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// The layout of a package file, little-endian:
//
//   Header, SectionRow[Header::sections], zeros up to kHeaderBytes, then the sections in the table's order. Each starts
//   at the next multiple of its alignment, with zeros before it; the last one ends the file.
namespace strata::package {

static_assert(std::endian::native == std::endian::little, "packages are little-endian, and mapped as they are");

inline constexpr std::array<char, 8> kMagic = {'S', 'T', 'R', 'A', 'T', 'A', 'P', 'K'};
inline constexpr std::uint32_t kFormatVersion = 6;
inline constexpr std::uint64_t kHeaderBytes = 4096;
inline constexpr std::uint64_t kPage = 4096;
// Large sections start where a huge page can.
inline constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;
inline constexpr std::uint64_t kLargeSection = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kChecksumBlock = std::uint64_t{16} << 20;

struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t sections;
  std::uint64_t file_bytes;
  std::uint64_t checksum;  // XXH3 of the header, with this field zero, and the table
  std::array<std::uint64_t, 4> zero;
};
static_assert(sizeof(Header) == 64);

struct SectionRow {
  std::array<char, 40> name;  // zero-padded, at least one zero
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint64_t checksum;  // section_checksum()
};
static_assert(sizeof(SectionRow) == 64);

inline constexpr std::size_t kMaxSections = (kHeaderBytes - sizeof(Header)) / sizeof(SectionRow);

constexpr std::uint64_t section_alignment(std::uint64_t bytes) { return bytes >= kLargeSection ? kHugePage : kPage; }

// A tree of two levels, so that blocks can be hashed apart and in parallel: XXH3 over the XXH3s of the section's
// 16 MiB blocks.
std::uint64_t section_checksum(std::span<const std::byte> section);

// The upper level.
std::uint64_t combine_block_hashes(std::span<const std::uint64_t> hashes);

// The checksum of the header and its table.
std::uint64_t table_checksum(Header header, std::span<const SectionRow> rows);

// Letters, digits, '.', '_' and '-'; 1 to 39 of them.
bool is_section_name(std::string_view name);

}  // namespace strata::package
