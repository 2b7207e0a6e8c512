// SPDX-License-Identifier: Apache-2.0
#include "cli/path_roles.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "import/gguf_model.h"
#include "import/wrong_model.h"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInput = "INPUT";
constexpr const char* kOutput = "OUTPUT";

// A cache of the Hugging Face hub keeps a model's files two folders down.
constexpr int kMaxFolderDepth = 3;

// What a file is, however many names it has.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

std::optional<FileId> regular_file(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

std::optional<FileId> file_id(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? regular_file(status) : std::nullopt;
}

bool is_standard_input(FileId file) {
  struct stat status{};
  return ::fstat(STDIN_FILENO, &status) == 0 && regular_file(status) == file;
}

// The name by which `input`, a file or a model's folder, has the file; empty: it doesn't.
fs::path name_in(const fs::path& input, FileId file) {
  std::error_code error;
  if (!fs::is_directory(input, error)) {
    for (const fs::path& part : importer::gguf_parts(input)) {
      if (file_id(part) == file) return part;
    }
    return {};
  }
  fs::recursive_directory_iterator entry(input, fs::directory_options::skip_permission_denied, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    if (entry.depth() == kMaxFolderDepth) entry.disable_recursion_pending();
    if (importer::is_model_file(entry->path()) && file_id(entry->path()) == file) return entry->path();
  }
  check_exhaustion(error.value(), input);
  return {};
}

struct GivenPath {
  std::string option;  // "--output"
  fs::path path;
};

std::vector<GivenPath> given_paths(const CLI::App& command, const std::string& role) {
  std::vector<GivenPath> paths;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_type_name() != role) continue;
    for (const std::string& value : option->results()) paths.push_back({option->get_name(), value});
  }
  return paths;
}

void refuse_input(const GivenPath& output, const std::vector<GivenPath>& inputs) {
  const std::optional<FileId> file = file_id(output.path);
  if (!file) return;
  const std::string what = output.option + " " + output.path.string() + " would overwrite what the command reads";
  constexpr const char* kRemedy = "choose another output";
  if (is_standard_input(*file)) throw usage_error(what + " from standard input", kRemedy);
  for (const GivenPath& input : inputs) {
    const fs::path name = name_in(input.path, *file);
    if (!name.empty()) throw usage_error(what + (name == output.path ? "" : ", " + name.string()), kRemedy);
  }
}

// Devices may well be given twice.
bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  if (fs::exists(a, error)) return file_id(a) && file_id(a) == file_id(b);
  return fs::weakly_canonical(a, error) == fs::weakly_canonical(b, error);
}

}  // namespace

CLI::Option* reads(CLI::Option* option) { return option->type_name(kInput); }

CLI::Option* writes(CLI::Option* option) { return option->type_name(kOutput); }

void refuse_overwriting(const CLI::App& command) {
  const std::vector<GivenPath> outputs = given_paths(command, kOutput), inputs = given_paths(command, kInput);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    refuse_input(outputs[i], inputs);
    for (std::size_t j = 0; j < i; ++j) {
      if (!is_same_file(outputs[i].path, outputs[j].path)) continue;
      throw usage_error(
          outputs[j].option + " and " + outputs[i].option + " are the same file, " + outputs[i].path.string(),
          "choose another output");
    }
  }
}

}  // namespace strata::cli
