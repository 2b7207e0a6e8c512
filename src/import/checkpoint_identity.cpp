// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file_memory.h"
#include "base/hash.h"
#include "import/checkpoint.h"

namespace strata::importer {
namespace {

// What config.json says of text, or of itself: no code or weight depends on it.
constexpr const char* kTextKeys[] = {"_name_or_path", "bos_token_id", "eos_token_id", "pad_token_id",
                                     "transformers_version"};

// A file that is more than JSON (NaN, Infinity) counts as it is written.
std::string code_config(const std::string& text) {
  nlohmann::json config = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return text;
  for (const char* key : kTextKeys) config.erase(key);
  return config.dump();
}

std::string content_hash(const MappedFile& file, const FileMemory& memory, bool read_again) {
  constexpr std::string_view kKind = "content-xxh3";
  if (const auto known = memory.recall(kKind, file.stamp()); known && !read_again) return *known;
  std::string hash = hash128(file.bytes()).hex();
  memory.remember(kKind, file.stamp(), hash);
  return hash;
}

}  // namespace

std::string Checkpoint::identity(bool read_again) const {
  Hasher hasher;
  hasher.field(code_config(texts_.front().second));
  const FileMemory memory = FileMemory::in_cache();
  for (const MappedFile& file : files_) hasher.field(content_hash(file, memory, read_again));
  // Which tensor is taken from which file is the index's word.
  std::map<std::string_view, const TensorView*> tensors;
  for (const auto& [name, view] : tensors_) tensors.emplace(name, &view);
  for (const auto& [name, tensor] : tensors) {
    const std::byte* const data = tensor->bytes.data();
    const auto holds = [data](const MappedFile& file) {
      const std::span<const std::byte> bytes = file.bytes();
      return data >= bytes.data() && data <= bytes.data() + bytes.size();
    };
    const auto file = std::ranges::find_if(files_, holds);
    hasher.field(name).field(static_cast<std::uint64_t>(file - files_.begin()));
  }
  return hasher.digest128().hex();
}

void Checkpoint::require_unchanged() const {
  for (const MappedFile& file : files_) {
    if (!file.was_changed()) continue;
    throw Error(ExitCode::kRuntime, "the file was changed while it was read", file.path().string(),
                "run again when it is complete");
  }
}

}  // namespace strata::importer
