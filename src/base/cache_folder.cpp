// SPDX-License-Identifier: Apache-2.0
#include "base/cache_folder.h"

#include <cstdlib>

#include "base/error.h"

namespace strata {

namespace fs = std::filesystem;

fs::path find_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path folder = variable("STRATA_CACHE"); !folder.empty()) return folder;
  if (const fs::path folder = variable("XDG_CACHE_HOME"); !folder.empty()) return folder / "strata";
  if (const fs::path folder = variable("HOME"); !folder.empty()) return folder / ".cache" / "strata";
  return {};
}

fs::path cache_folder() {
  const fs::path folder = find_cache_folder();
  if (folder.empty()) throw resource_error("there is no folder for the cache", "HOME isn't set", "set STRATA_CACHE");
  return folder;
}

}  // namespace strata
