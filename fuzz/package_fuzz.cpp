// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "package/code_check.h"
#include "package/format.h"
#include "package/package.h"

namespace {

using namespace strata::package;

// Makes all checksums right, so that what they protect is reached.
void repair_checksums(std::vector<std::byte>& file) {
  Header header{};
  if (file.size() < kHeaderBytes) return;
  std::memcpy(&header, file.data(), sizeof(header));
  std::vector<SectionRow> rows(std::min<std::size_t>(header.sections, kMaxSections));
  if (rows.empty()) return;
  std::memcpy(rows.data(), file.data() + sizeof(header), rows.size() * sizeof(SectionRow));
  for (SectionRow& row : rows) {
    if (row.offset > file.size() || row.bytes > file.size() - row.offset) continue;
    row.checksum = section_checksum(std::span(file).subspan(row.offset, row.bytes));
  }
  header.magic = kMagic;
  header.version = kFormatVersion;
  header.file_bytes = file.size();
  header.checksum = table_checksum(header, rows);
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), rows.data(), rows.size() * sizeof(SectionRow));
}

void open(std::span<const std::byte> file) {
  const Package package = Package::from_bytes(file, "fuzz.strata", true);
  for (const Weight& weight : package.manifest().weights) {
    const auto weights = package.section(kWeightsSection);
    if (static_cast<std::uint64_t>(weight.offset + weight.bytes) > weights.size()) std::abort();
  }
  strata::package::fault_of_code(package.section(kCodeSection));
  // What was read is written as it was read.
  const std::string json = to_json(package.manifest());
  if (to_json(manifest_from_json(json, "again")) != json) std::abort();
}

void open_manifest(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string json = to_json(manifest_from_json(text, "manifest"));
  if (to_json(manifest_from_json(json, "again")) != json) std::abort();
}

}  // namespace

// The first byte chooses: a package as it is, one with its checksums made right, a manifest alone, code alone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  try {
    if (data[0] % 4 == 0) {
      open(bytes);
    } else if (data[0] % 4 == 3) {
      strata::package::fault_of_code(bytes);
    } else if (data[0] % 4 == 1) {
      std::vector<std::byte> file(bytes.begin(), bytes.end());
      repair_checksums(file);
      open(file);
    } else {
      open_manifest(bytes);
    }
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kModel) std::abort();
  }
  return 0;
}
