// SPDX-License-Identifier: Apache-2.0
#include "compile/object_cache.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text_file.h"
#include "base/trust.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxObjectBytes = std::size_t{1} << 30;

std::string seal_of(const std::string& key, std::string_view object) {
  return Hasher().field(key).field(object).digest128().hex();
}

// Reading it may fail as it is being replaced, or because it is no file at all.
std::optional<std::string> read_if_possible(const fs::path& path) {
  try {
    return read_text_file(path, kMaxObjectBytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

ObjectCache::ObjectCache(fs::path folder) : folder_(std::move(folder)) { make_private_folder(folder_); }

std::optional<std::string> ObjectCache::find(const std::string& key) const {
  require_trusted(path_of(key));
  std::optional<std::string> file = read_if_possible(path_of(key));
  if (!file) return std::nullopt;
  const std::size_t seal = seal_of(key, "").size();
  if (file->size() < seal) return std::nullopt;
  const std::string found = file->substr(file->size() - seal);
  file->resize(file->size() - seal);
  if (found != seal_of(key, *file)) return std::nullopt;
  return file;
}

void ObjectCache::keep(const std::string& key, const std::string& object, const fs::path& scratch) const {
  const fs::path whole = scratch / (key + ".kept");
  write_unsynced(whole, object + seal_of(key, object));
  fs::rename(whole, path_of(key));
}

}  // namespace strata::compile
