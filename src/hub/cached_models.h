// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace strata::hub {

struct CachedModel {
  std::string repository;     // "ORG/NAME"
  std::int64_t bytes = 0;     // of all its blobs
  std::int64_t last_use = 0;  // of any of them, seconds since 1970
};

// By name.
std::vector<CachedModel> cached_models(const std::filesystem::path& cache);

// False: it isn't there. Throws resource_error.
bool remove_cached_model(const std::filesystem::path& cache, const std::string& repository);

}  // namespace strata::hub
