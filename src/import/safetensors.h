// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/mapped_file.h"

namespace strata::importer {

// One tensor of a safetensors header. Its bytes are [begin, end) of the data that follows the header.
struct SafetensorsEntry {
  std::string name;
  std::string_view dtype_name;  // as the format spells it: "BF16"
  std::optional<DType> dtype;   // nullopt: a known type that Strata has no use for, such as F64
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  std::uint64_t data_offset = 0;          // of the data in the file
};

// Parses and checks the header of a whole file's bytes as the format demands: at most 100 MB, one JSON object, no key
// twice, __metadata__ of strings, and tensors whose sizes are right and which cover the data exactly, with no overlap
// and no hole. Throws model_error naming `origin` and the tensor.
SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& origin);

// A mapped file with its header.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::filesystem::path& path);

  std::span<const SafetensorsEntry> entries() const { return header_.entries; }
  const SafetensorsEntry* find(std::string_view name) const;

  // The tensor's bytes in the mapping; they may lie at any address, so elements are to be read with memcpy.
  std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;
  const MappedFile& file() const { return file_; }

  // The mapping alone; bytes() of before stay valid while it lives.
  MappedFile release() && { return std::move(file_); }

 private:
  SafetensorsFile() = default;
  MappedFile file_;
  SafetensorsHeader header_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

}  // namespace strata::importer
