// SPDX-License-Identifier: Apache-2.0
#include "import/wrong_model.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/file_kind.h"

namespace strata::importer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";

// A folder that is taken for a model's, by a file that gives it away: its name, or the end of it after a "*".
struct FolderKind {
  std::string_view file;
  std::string_view name;
  std::string_view remedy;
};

constexpr std::string_view kSaveAsSafetensors = "save the model as safetensors (transformers: save_pretrained)";

constexpr std::array<FolderKind, 8> kFolderKinds = {{
    {"adapter_config.json", "a LoRA adapter without its base model",
     "merge the two (peft: merge_and_unload, save_pretrained) and give the result"},
    {"model_index.json", "a diffusion pipeline, not a language model", "give a language model's folder"},
    {"pytorch_model.bin", "a model in PyTorch's own format", kSaveAsSafetensors},
    {"pytorch_model.bin.index.json", "a model in PyTorch's own format", kSaveAsSafetensors},
    {"*.pth", "a model in PyTorch's own format", kSaveAsSafetensors},
    {"tf_model.h5", "a model in TensorFlow's format", kSaveAsSafetensors},
    {"params.json", "a model in its publisher's own format", "download the version for transformers"},
    {"*.gguf", "a folder of GGUF files", "give one of the files"},
}};

bool matches(std::string_view pattern, std::string_view name) {
  return pattern.starts_with('*') ? name.ends_with(pattern.substr(1)) : name == pattern;
}

Error wrong_folder(const fs::path& folder, const std::string& missing) {
  constexpr std::size_t kMaxEntries = 10'000;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
    if (names.size() == kMaxEntries) break;
  }
  if (error)
    return model_error("the folder can't be read: " + error.message(), folder.string(), "check its permissions");
  if (names.empty()) return model_error("the folder is empty", folder.string(), "check that the download has finished");
  for (const FolderKind& kind : kFolderKinds) {
    const auto gives_away = [&](const std::string& name) { return matches(kind.file, name); };
    if (std::any_of(names.begin(), names.end(), gives_away)) {
      return model_error("not a model's folder but " + std::string(kind.name), folder.string(),
                         std::string(kind.remedy));
    }
  }
  return model_error("not a model's folder: it has no " + missing, folder.string(),
                     "give the folder of a Hugging Face model");
}

}  // namespace

Error wrong_model(const fs::path& path, const std::string& missing) {
  constexpr const char* kWanted = "give a Hugging Face folder, a .gguf file or a .strata package";
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return model_error("there is no such model", path.string(), kWanted);
  if (fs::is_directory(status)) return wrong_folder(path, missing);
  if (!fs::is_regular_file(status)) return model_error("not a model: not a regular file", path.string(), kWanted);
  if (::access(path.c_str(), R_OK) != 0) {
    return model_error("can't read the model: " + errno_text(errno), path.string(), "check its permissions");
  }
  if (fs::file_size(path, error) == 0) {
    return model_error("the file is empty", path.string(), "check that the download has finished");
  }
  if (const FileKind* kind = find_file_kind(path.string())) {
    return model_error("not a model but " + std::string(kind->name), path.string(), std::string(kind->remedy));
  }
  return model_error("not a model's folder", path.string(), kWanted);
}

void require_model_folder(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || !fs::exists(path / kConfigFile, ignored))
    throw wrong_model(path, kConfigFile);
}

bool is_model_file(const fs::path& name) {
  constexpr std::array<std::string_view, 3> kExtensions = {".json", ".safetensors", ".jinja"};
  return std::find(kExtensions.begin(), kExtensions.end(), name.extension().string()) != kExtensions.end();
}

}  // namespace strata::importer
