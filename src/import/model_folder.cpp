// SPDX-License-Identifier: Apache-2.0
#include "import/model_folder.h"

#include <string_view>

#include "base/error.h"
#include "base/text_file.h"
#include "import/gguf_model.h"

namespace strata::importer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRepositoryPrefix = "models--";
constexpr std::size_t kMaxRefBytes = 4096;

bool is_repository(const fs::path& path) {
  std::error_code ignored;
  return !fs::exists(path / "config.json", ignored) && fs::is_directory(path / "snapshots", ignored);
}

// A revision is the name of a folder: a reference must not lead anywhere else.
std::string read_revision(const fs::path& reference) {
  std::string text = read_text_file(reference, kMaxRefBytes);
  text.erase(text.find_last_not_of(" \r\n") + 1);
  return text.find('/') == std::string::npos && !text.starts_with('.') ? text : "";
}

}  // namespace

fs::path resolve_model_folder(const fs::path& path) {
  if (!is_repository(path)) return path;
  std::error_code ignored;
  const fs::path reference = path / "refs" / "main";
  const std::string revision = fs::exists(reference, ignored) ? read_revision(reference) : "";
  if (const fs::path snapshot = path / "snapshots" / revision; !revision.empty() && fs::exists(snapshot, ignored)) {
    return snapshot;
  }
  throw model_error("the Hub's cache has no complete snapshot of the main branch", path.string(),
                    "download the model again, or give a folder in snapshots/");
}

std::string model_name(const fs::path& folder) {
  fs::path whole = fs::weakly_canonical(folder);
  if (!whole.has_filename()) whole = whole.parent_path();  // "folder/"
  const std::string repository = whole.parent_path().parent_path().filename().string();
  if (whole.parent_path().filename() != "snapshots" || !repository.starts_with(kRepositoryPrefix)) {
    return gguf_model_name(whole.filename().string());
  }
  const std::size_t at = repository.rfind("--");
  return repository.substr(at + 2);
}

}  // namespace strata::importer
