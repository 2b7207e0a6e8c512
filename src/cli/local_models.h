// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace strata::cli {

// A model in the Hub's cache, or a compiled package in ours.
struct LocalModel {
  std::string name;  // "ORG/NAME", or the package's
  std::string kind;  // "model" or "package"
  std::int64_t bytes = 0;
  std::int64_t last_use = 0;  // seconds since 1970
};

// Models and then packages, by name.
std::vector<LocalModel> local_models();

// False: there is none of this name. Throws resource_error.
bool remove_local_model(const std::string& name);

}  // namespace strata::cli
