// SPDX-License-Identifier: Apache-2.0
#include "egraph/changes.h"

namespace strata::egraph {

void Changes::update() {
  for (auto& level : within_) level.resize(graph_.id_count());
  if (graph_.epoch() == seen_) return;
  const std::uint32_t now = graph_.epoch() - 1;
  std::vector<ClassId> reached;
  for (const ClassId id : graph_.classes()) {
    if (graph_.changed_at(id) < seen_) continue;
    reached.push_back(id);
    within_.back()[id] = now + 1;
  }
  std::size_t expanded = 0;
  for (auto& level : within_) {
    const std::size_t end = reached.size();
    for (const ClassId id : reached) level[id] = now;
    for (; expanded < end && &level != &within_.back(); ++expanded) {
      for (const NodeId parent : graph_.parent_ids(reached[expanded])) {
        const ClassId home = graph_.find(parent);
        if (within_.back()[home] == now + 1) continue;
        within_.back()[home] = now + 1;
        reached.push_back(home);
      }
    }
  }
  seen_ = graph_.epoch();
}

}  // namespace strata::egraph
