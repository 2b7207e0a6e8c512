// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/mesh_report.h"

namespace strata::cli {

// The page of a model on a mesh: totals, and for decoding and prompts each op with a picture of what the devices along
// each axis have of its result, its part of the time, and the collectives between the ops.
std::string mesh_html(const MeshReport& report);

}  // namespace strata::cli
