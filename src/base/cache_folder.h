// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace strata {

// $STRATA_CACHE, else $XDG_CACHE_HOME/strata, else ~/.cache/strata; it may not exist yet. Throws resource_error when
// none of the variables is set.
std::filesystem::path cache_folder();

// The same, but empty when none is set.
std::filesystem::path find_cache_folder();

}  // namespace strata
