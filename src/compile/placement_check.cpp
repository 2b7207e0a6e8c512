// SPDX-License-Identifier: Apache-2.0
#include "compile/placement_check.h"

#include <algorithm>

#include "base/error.h"
#include "ir/text.h"

namespace strata::compile {
namespace {

struct Fault {
  std::string what;
  std::string remedy;
};

std::string mesh_text(const std::vector<machine::MeshAxis>& mesh) {
  std::string text;
  for (const machine::MeshAxis& axis : mesh) {
    text += (text.empty() ? "" : ", ") + axis.name + " of " + std::to_string(axis.extent);
  }
  return text;
}

class Checker {
 public:
  explicit Checker(const machine::Machine& machine) : name_(machine.name), mesh_(machine::mesh(machine)) {}

  void check(const ir::TensorType& type) const {
    const bool is_ragged = !type.layout.packs.empty() && type.layout.packs[0].is_ragged;
    for (int axis = 0; axis < type.rank(); ++axis) {
      const std::int64_t parts = parts_of(type.placement, axis);
      const ir::Dim& size = type.shape[static_cast<std::size_t>(axis)];
      const std::string which = "axis " + std::to_string(axis) + " (" + size.text() + ")";
      if (size.multiple() % parts != 0) {
        throw Fault{which + " has no " + std::to_string(parts) + " equal parts",
                    "split an axis whose size the number of devices divides"};
      }
      if (parts > 1 && !is_ragged && size.multiple() / parts % type.layout.lanes(axis) != 0) {
        throw Fault{"the parts of " + which + " are no whole groups of " + std::to_string(type.layout.lanes(axis)),
                    "split another axis, or pack in fewer lanes"};
      }
    }
    for (const ir::AxisPlacement& axis : type.placement.axes) (void)extent_of(axis.mesh_axis);
  }

 private:
  std::int64_t extent_of(const std::string& mesh_axis) const {
    const auto found = std::ranges::find(mesh_, mesh_axis, &machine::MeshAxis::name);
    if (found != mesh_.end()) return found->extent;
    throw Fault{"the mesh has no axis " + mesh_axis,
                "name an axis of machine " + name_ + " (" + mesh_text(mesh_) + "), or give another --machine"};
  }

  std::int64_t parts_of(const ir::Placement& placement, int axis) const {
    std::int64_t parts = 1;
    for (const ir::AxisPlacement& placed : placement.axes) {
      if (placed.sbp == ir::Sbp::split(axis)) parts *= extent_of(placed.mesh_axis);
    }
    return parts;
  }

  const std::string name_;
  const std::vector<machine::MeshAxis> mesh_;
};

}  // namespace

void check_placements(const ir::Module& module, const machine::Machine& machine, const std::string& origin) {
  const Checker checker(machine);
  for (const auto& function : module.functions()) {
    const auto names = ir::value_names(*function);
    std::vector<const ir::Expr*> values = ir::topological_order(*function);
    values.insert(values.begin(), function->parameters.begin(), function->parameters.end());
    for (const ir::Expr* value : values) {
      for (const ir::TensorType& type : value->types) {
        try {
          checker.check(type);
        } catch (const Fault& fault) {
          const std::string name = names.contains(value) ? names.at(value) : "%" + value->name;
          throw model_error("@" + function->name + ": " + name + " is " + type.text() + ", but " + fault.what, origin,
                            fault.remedy);
        }
      }
    }
  }
}

}  // namespace strata::compile
