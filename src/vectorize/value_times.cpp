// SPDX-License-Identifier: Apache-2.0
#include "vectorize/value_times.h"

#include <algorithm>

namespace strata::vectorize {

using egraph::ClassId;
using egraph::ENode;

ValueTimes::ValueTimes(const rules::TensorGraph& tensors, const FunctionGraph& function, cost::ProgramOrder order)
    : tensors_(tensors), order_(std::move(order)) {
  for (const auto& [value, id] : function.values) {
    const ClassId found = tensors.graph().find(id);
    const auto [made, is_new] = made_.try_emplace(found, order_.place(*value));
    if (!is_new) made->second = std::min(made->second, order_.place(*value));
    imported_.insert(found);
  }
  for (const auto& [id, place] : made_) {
    if (!tensors.facts(id).is_constant) open_.insert({place, id});
  }
  // In the order of their times, so that each is settled once.
  while (!open_.empty()) settle(open_.extract(open_.begin()).value().second);
}

void ValueTimes::settle(ClassId id) {
  for (const egraph::NodeId parent : tensors_.graph().parent_ids(id)) {
    const ClassId made = tensors_.graph().find(parent);
    if (imported_.contains(made)) continue;
    const auto time = inputs_of(tensors_.graph().node(parent));
    if (!time) continue;
    const auto [known, is_new] = made_.try_emplace(made, *time);
    if (!is_new && known->second <= *time) continue;
    if (!is_new) open_.erase({known->second, made});
    known->second = *time;
    open_.insert({*time, made});
  }
}

std::optional<int> ValueTimes::made_at(ClassId id) const {
  const auto made = made_.find(tensors_.graph().find(id));
  return made == made_.end() ? std::nullopt : std::optional(made->second);
}

// Nothing where an operand is none of this function's.
std::optional<int> ValueTimes::inputs_of(const ENode& node) const {
  int last = -1;
  for (const ClassId child : node.children) {
    if (tensors_.facts(child).is_constant) continue;
    const auto made = made_at(child);
    if (!made) return std::nullopt;
    last = std::max(last, *made);
  }
  return last;
}

cost::Traffic ValueTimes::since(ClassId operand, ClassId result) const {
  const auto made = made_at(operand);
  const auto used = made_at(result);
  if (!made || !used) return {};
  // A new value is made right after what it is made of.
  return order_.between(*made, imported_.contains(tensors_.graph().find(result)) ? *used : *used + 1);
}

}  // namespace strata::vectorize
