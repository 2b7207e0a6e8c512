// SPDX-License-Identifier: Apache-2.0
#include "buffer/scratch_plan.h"

#include <algorithm>

#include "buffer/buffer_plan.h"

namespace strata::buffer {
namespace {

using schedule::TileNode;

void place(const std::vector<TileNode>& nodes, std::int64_t begin, ScratchPlan& plan) {
  for (const TileNode& node : nodes) {
    if (node.kind == TileNode::Kind::kBuffer && node.slots == 0) {
      plan.offsets[node.buffer] = begin;
      begin += cost::scratch_bytes(node.holds);
      plan.bytes = std::max(plan.bytes, begin);
    }
    place(node.body, begin, plan);
    place(node.otherwise, begin, plan);
  }
}

}  // namespace

ScratchPlan plan_scratch(const schedule::TileTree& tree, std::int64_t begin) {
  ScratchPlan plan;
  place(tree.body, begin, plan);
  return plan;
}

}  // namespace strata::buffer
