// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/explanation.h"

namespace strata::cli {

// What the searches weighed and left, and by how much: joins and partings of regions, tiles of products. Says so of a
// package, which keeps none of it.
std::string weighed_html(const Explanation& explanation);

}  // namespace strata::cli
