// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "base/text_file.h"
#include "base/words.h"
#include "embedded/machines.h"
#include "machine/machine.h"
#include "machine/native.h"

namespace strata::machine {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

// "machines/avx2-generic.json" -> "avx2-generic".
std::string stem(std::string_view name) { return std::filesystem::path(name).stem().string(); }

bool looks_like_path(const std::string& name) { return name.find('/') != std::string::npos || name.ends_with(".json"); }

Machine load_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw usage_error("machine file '" + path.string() + "' does not exist or is not a file",
                      "give a file or one of: " + joined(known_machines()));
  }
  return machine_from_json(read_text_file(path, kMaxFileBytes), path.string());
}

}  // namespace

std::vector<std::string> known_machines() {
  std::vector<std::string> names = {"native"};
  for (const EmbeddedFile& file : embedded::machines()) names.push_back(stem(file.name));
  return names;
}

Machine load(const std::string& name_or_path) {
  if (name_or_path == "native") return native();
  for (const EmbeddedFile& file : embedded::machines()) {
    if (stem(file.name) == name_or_path) return machine_from_json(file.content, std::string(file.name));
  }
  if (looks_like_path(name_or_path) || std::filesystem::exists(name_or_path)) return load_file(name_or_path);
  throw usage_error("machine '" + name_or_path + "' is not known", "use a file or one of: " + joined(known_machines()));
}

}  // namespace strata::machine
