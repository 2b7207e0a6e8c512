// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "machine/machine.h"

namespace strata::distribution {

// The devices that a model is divided among: machines along named axes, outermost first. Those of one machine's cores
// are one device.
using Mesh = std::vector<machine::MeshAxis>;

// The axes of the machine's mesh with more than one machine. Throws usage_error naming an axis without a link,
// and for more than three axes.
Mesh mesh_of(const machine::Machine& machine);

// Of all axes together; of no axes one.
std::int64_t devices(const Mesh& mesh);

}  // namespace strata::distribution
