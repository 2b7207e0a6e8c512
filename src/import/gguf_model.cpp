// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_model.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/words.h"

namespace strata::importer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".gguf";
constexpr std::string_view kOf = "-of-";
constexpr std::size_t kDigits = 5;
constexpr std::size_t kPartBytes = 1 + kDigits + kOf.size() + kDigits + kExtension.size();  // "-00001-of-00003.gguf"
constexpr int kMaxParts = 10'000;

// "model-00001-of-00003.gguf" taken apart.
struct PartName {
  std::string stem;  // "model"
  int number = 0;    // from 1
  int count = 0;

  std::string text(int part) const {
    char ending[kPartBytes + 1];
    std::snprintf(ending, sizeof(ending), "-%05d-of-%05d.gguf", part, count);
    return stem + ending;
  }
};

std::optional<int> part_number(std::string_view text) {
  const auto value = number_of<int>(text.substr(0, kDigits));
  return value && *value > 0 ? value : std::nullopt;
}

std::optional<PartName> parse_part_name(std::string_view name) {
  if (name.size() < kPartBytes) return std::nullopt;
  const std::string_view ending = name.substr(name.size() - kPartBytes);
  if (ending[0] != '-' || ending.substr(1 + kDigits, kOf.size()) != kOf || !ending.ends_with(kExtension)) {
    return std::nullopt;
  }
  const auto number = part_number(ending.substr(1)), count = part_number(ending.substr(1 + kDigits + kOf.size()));
  if (!number || !count || *number > *count || *count > kMaxParts) return std::nullopt;
  return PartName{std::string(name.substr(0, name.size() - kPartBytes)), *number, *count};
}

std::int64_t part_count(const GgufMetadata& metadata) {
  return std::max<std::int64_t>(metadata.integer("split.count").value_or(1), 1);
}

void require_part(const GgufMetadata& metadata, std::int64_t number, std::int64_t count) {
  const std::int64_t own = metadata.integer("split.no").value_or(0);
  if (part_count(metadata) == count && own == number) return;
  throw model_error("the file says that it is part " + std::to_string(static_cast<std::uint64_t>(own) + 1) + " of " +
                        std::to_string(part_count(metadata)) + " of a model, its name says " +
                        std::to_string(number + 1) + " of " + std::to_string(count),
                    metadata.origin(), "keep the parts' names as they were");
}

void add_part(GgufModel& model, MappedFile file, GgufContents contents) {
  for (const GgufTensor& tensor : contents.tensors) {
    if (model.tensors.emplace(tensor.name, tensor).second) continue;
    throw model_error("the tensor " + in_quotes(tensor.name) + " is in two parts of the model", file.path().string(),
                      "download the model again");
  }
  if (model.files.empty()) model.metadata = std::move(contents.metadata);
  model.files.push_back(std::move(file));
}

GgufContents parse_file(const MappedFile& file) { return parse_gguf(file.bytes(), file.path().string()); }

GgufModel open_parts(const fs::path& path, std::int64_t count) {
  const auto name = parse_part_name(path.filename().string());
  if (!name || name->count != count) {
    throw model_error("a part of a model split in " + std::to_string(count) + " files, under another name",
                      path.string(), "name the parts NAME-00001-of-0000N.gguf, as they were");
  }
  GgufModel model;
  for (int part = 1; part <= name->count; ++part) {
    const fs::path part_path = path.parent_path() / name->text(part);
    std::error_code ignored;
    if (!fs::exists(part_path, ignored)) {
      throw model_error("a part of the model is missing", part_path.string(), "download all of its files");
    }
    MappedFile file = MappedFile::open(part_path);
    GgufContents contents = parse_file(file);
    require_part(contents.metadata, part - 1, count);
    add_part(model, std::move(file), std::move(contents));
  }
  return model;
}

}  // namespace

const GgufTensor* GgufModel::find(std::string_view name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

GgufModel open_gguf(const fs::path& path) {
  MappedFile file = MappedFile::open(path);
  GgufContents contents = parse_file(file);
  if (const std::int64_t count = part_count(contents.metadata); count > 1) return open_parts(path, count);
  GgufModel model;
  add_part(model, std::move(file), std::move(contents));
  return model;
}

std::vector<fs::path> gguf_parts(const fs::path& path) {
  const auto name = parse_part_name(path.filename().string());
  if (!name) return {path};
  std::vector<fs::path> parts;
  for (int part = 1; part <= name->count; ++part) parts.push_back(path.parent_path() / name->text(part));
  return parts;
}

std::string gguf_model_name(std::string_view file_name) {
  if (const auto part = parse_part_name(file_name)) return part->stem;
  if (file_name.ends_with(kExtension)) file_name.remove_suffix(kExtension.size());
  return std::string(file_name);
}

}  // namespace strata::importer
