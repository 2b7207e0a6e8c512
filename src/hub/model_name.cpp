// SPDX-License-Identifier: Apache-2.0
#include "hub/model_name.h"

#include <algorithm>

#include "base/words.h"

namespace strata::hub {
namespace {

constexpr std::string_view kFolderPrefix = "models--";
constexpr std::size_t kMaxPart = 96;

bool is_name(std::string_view part) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !part.empty() && part.size() <= kMaxPart && part.front() != '.' && part.front() != '-' && part.back() != '-' &&
         part.find("--") == std::string_view::npos && std::ranges::all_of(part, is_allowed);
}

}  // namespace

std::string ModelName::folder() const {
  const std::size_t slash = repository.find('/');
  return std::string(kFolderPrefix) + repository.substr(0, slash) + "--" + repository.substr(slash + 1);
}

std::optional<ModelName> parse_model_name(std::string_view text) {
  const std::size_t slash = text.find('/'), colon = text.find(':');
  if (slash == std::string_view::npos || (colon != std::string_view::npos && colon < slash)) return std::nullopt;
  const std::string_view name = text.substr(slash + 1, colon == std::string_view::npos ? colon : colon - slash - 1);
  if (!is_name(text.substr(0, slash)) || !is_name(name)) return std::nullopt;
  ModelName out{std::string(text.substr(0, slash + 1 + name.size())), ""};
  if (colon == std::string_view::npos) return out;
  out.file = text.substr(colon + 1);
  return is_safe_path(out.file) && out.file.ends_with(".gguf") ? std::optional(out) : std::nullopt;
}

std::optional<std::string> repository_of_folder(std::string_view folder) {
  if (!folder.starts_with(kFolderPrefix)) return std::nullopt;
  folder.remove_prefix(kFolderPrefix.size());
  const std::size_t at = folder.find("--");
  if (at == std::string_view::npos) return std::nullopt;
  return std::string(folder.substr(0, at)) + "/" + std::string(folder.substr(at + 2));
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > 512 || path.front() == '/' || path.back() == '/') return false;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7F; };
  if (std::ranges::any_of(path, is_control)) return false;
  return std::ranges::none_of(split(path, '/'),
                              [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

}  // namespace strata::hub
