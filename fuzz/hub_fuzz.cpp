// SPDX-License-Identifier: Apache-2.0
// What the Hub answers, and names of its models: a repository whose files stay in their folder, or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "hub/model_name.h"
#include "hub/repository.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strata::hub;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = parse_model_name(text); name && repository_of_folder(name->folder()) != name->repository) {
    std::abort();
  }
  try {
    for (const RemoteFile& file : needed_files(parse_repository(text, "hub"), {"a/b", ""})) {
      if (!is_safe_path(file.path)) std::abort();
    }
  } catch (const strata::Error& error) {
    if (error.code() != strata::ExitCode::kModel) std::abort();
  }
  return 0;
}
