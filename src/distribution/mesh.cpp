// SPDX-License-Identifier: Apache-2.0
#include "distribution/mesh.h"

#include "base/error.h"

namespace strata::distribution {
namespace {

constexpr std::size_t kMostAxes = 3;

}  // namespace

Mesh mesh_of(const machine::Machine& machine) {
  Mesh mesh;
  for (const machine::MeshAxis& axis : machine.machines) {
    if (axis.extent == 1) continue;
    if (!axis.link) {
      throw usage_error("machine '" + machine.name + "': its mesh axis '" + axis.name + "' has no link",
                        "give it latency_s and bytes_per_s");
    }
    mesh.push_back(axis);
  }
  if (mesh.size() > kMostAxes) {
    throw usage_error("machine '" + machine.name + "': its mesh has " + std::to_string(mesh.size()) + " axes",
                      "join some: plans are for " + std::to_string(kMostAxes) + " at most");
  }
  return mesh;
}

std::int64_t devices(const Mesh& mesh) {
  std::int64_t count = 1;
  for (const machine::MeshAxis& axis : mesh) count *= axis.extent;
  return count;
}

}  // namespace strata::distribution
