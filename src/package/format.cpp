// SPDX-License-Identifier: Apache-2.0
#include "package/format.h"

#include <algorithm>
#include <vector>

#include "base/hash.h"

namespace strata::package {

std::uint64_t combine_block_hashes(std::span<const std::uint64_t> hashes) { return hash64(std::as_bytes(hashes)); }

std::uint64_t section_checksum(std::span<const std::byte> section) {
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t at = 0; at < section.size(); at += kChecksumBlock) {
    hashes.push_back(hash64(section.subspan(at, std::min<std::uint64_t>(kChecksumBlock, section.size() - at))));
  }
  return combine_block_hashes(hashes);
}

std::uint64_t table_checksum(Header header, std::span<const SectionRow> rows) {
  header.checksum = 0;
  return Hasher().bytes(std::as_bytes(std::span(&header, 1))).bytes(std::as_bytes(rows)).digest64();
}

bool is_section_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() < sizeof(SectionRow::name) && std::all_of(name.begin(), name.end(), is_allowed);
}

}  // namespace strata::package
