// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace strata::ir {

// How partial results are joined.
enum class Combiner { kNone, kSum, kMax, kMin, kProduct, kTuple };

// What the devices along one axis of a mesh have of a tensor: all of it each (Broadcast), equal parts of one of its
// axes in the devices' order (Split), or each a tensor of its shape, which give it when they are combined (Partial).
// The SBP abstraction of Yuan et al., arXiv 2110.15032.
struct Sbp {
  enum class Kind { kBroadcast, kSplit, kPartial };
  Kind kind = Kind::kBroadcast;
  int axis = 0;                         // of the tensor, for kSplit
  Combiner combiner = Combiner::kNone;  // for kPartial; kTuple in part_signatures() alone, not in types

  static Sbp split(int axis) { return {Kind::kSplit, axis, Combiner::kNone}; }
  static Sbp partial(Combiner combiner) { return {Kind::kPartial, 0, combiner}; }

  bool is_broadcast() const { return kind == Kind::kBroadcast; }
  bool is_split() const { return kind == Kind::kSplit; }
  bool is_partial() const { return kind == Kind::kPartial; }
  bool operator==(const Sbp&) const = default;

  std::string text() const;  // "B", "S(1)", "P" for a sum, "P(max)"
};

struct AxisPlacement {
  std::string mesh_axis;  // "core", "node"
  Sbp sbp;

  bool operator==(const AxisPlacement&) const = default;
};

// Where a tensor lies on a mesh. The axes of the mesh that are not named hold full copies; those that are stand in the
// order of their names, and none is Broadcast, so that equal placements are equal lists. Of an axis of the tensor that
// several axes of the mesh split, the mesh's outermost axis has the largest parts.
struct Placement {
  std::vector<AxisPlacement> axes;

  bool empty() const { return axes.empty(); }
  Sbp on(const std::string& mesh_axis) const;
  void set(const std::string& mesh_axis, const Sbp& sbp);
  bool operator==(const Placement&) const = default;
  std::string text() const;  // "{core: S(1), node: P}", or ""
};

}  // namespace strata::ir
