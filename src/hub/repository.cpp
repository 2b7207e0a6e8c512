// SPDX-License-Identifier: Apache-2.0
#include "hub/repository.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace strata::hub {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 44;
constexpr std::array<std::string_view, 9> kTexts = {"config.json",
                                                    "generation_config.json",
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "chat_template.jinja",
                                                    "chat_template.json",
                                                    "additional_chat_templates/tool_use.jinja",
                                                    "model.safetensors.index.json"};

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

RemoteFile parse_file(const nlohmann::json& entry, const std::string& origin) {
  const JsonObject object(entry, origin);
  RemoteFile file;
  file.path = object.text("rfilename");
  if (!is_safe_path(file.path)) object.refuse("rfilename", "a relative path");
  const bool is_large = object.find("lfs") != nullptr;
  const JsonObject of_content = is_large ? object.object("lfs") : object;
  file.size = of_content.integer("size", 0, kMaxFileBytes);
  file.digest = of_content.text(is_large ? "sha256" : "blobId");
  file.is_sha256 = is_large;
  if (!is_hex(file.digest, is_large ? 64 : 40)) of_content.refuse(is_large ? "sha256" : "blobId", "a digest");
  return file;
}

bool is_part_of(std::string_view path, std::string_view first) {
  // NAME-00001-of-00003.gguf: the others have another number.
  const std::size_t of = first.rfind("-of-");
  if (of == std::string_view::npos || of < 6 || path.size() != first.size()) return path == first;
  return path.substr(0, of - 5) == first.substr(0, of - 5) && path.substr(of) == first.substr(of);
}

bool is_shard(std::string_view path) {
  return path.starts_with("model-") && path.ends_with(".safetensors") && path.find('/') == std::string_view::npos;
}

bool has(const Repository& repository, std::string_view path) {
  return std::ranges::find(repository.files, path, &RemoteFile::path) != repository.files.end();
}

std::string names_of_gguf(const Repository& repository) {
  std::string names;
  for (const RemoteFile& file : repository.files) {
    if (file.path.ends_with(".gguf") && names.size() < 200) names += (names.empty() ? "" : ", ") + file.path;
  }
  return names;
}

}  // namespace

Repository parse_repository(std::string_view json, const std::string& origin) {
  const nlohmann::json whole = parse_json(json, origin);
  const JsonObject object(whole, origin);
  Repository repository{.revision = object.text("sha"), .files = {}};
  if (!is_hex(repository.revision, 40)) object.refuse("sha", "a commit");
  const nlohmann::json& files = object.at("siblings");
  if (!files.is_array()) object.refuse("siblings", "a list");
  for (const nlohmann::json& entry : files) repository.files.push_back(parse_file(entry, origin));
  return repository;
}

std::vector<RemoteFile> needed_files(const Repository& repository, const ModelName& name) {
  const bool has_index = has(repository, "model.safetensors.index.json");
  const auto is_needed = [&](const RemoteFile& file) {
    if (!name.file.empty()) return is_part_of(file.path, name.file);
    const bool is_text = std::ranges::find(kTexts, file.path) != kTexts.end();
    return is_text || (has_index ? is_shard(file.path) : file.path == "model.safetensors");
  };
  std::vector<RemoteFile> files;
  std::ranges::copy_if(repository.files, std::back_inserter(files), is_needed);
  const std::string gguf = names_of_gguf(repository);
  if (!name.file.empty()) {
    if (!files.empty()) return files;
    throw model_error("the repository has no file " + name.file, name.repository,
                      gguf.empty() ? "it has no GGUF files" : "it has " + gguf);
  }
  const auto is_weights = [](const RemoteFile& file) { return file.path.ends_with(".safetensors"); };
  if (has(repository, "config.json") && std::ranges::any_of(files, is_weights)) return files;
  throw model_error("the repository has no model in safetensors", name.repository,
                    gguf.empty() ? "give one with config.json and *.safetensors"
                                 : "name a GGUF file: " + name.repository + ":FILE, of " + gguf);
}

}  // namespace strata::hub
