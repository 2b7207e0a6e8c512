// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cost/leaf.h"
#include "ir/memory.h"
#include "schedule/view.h"

namespace strata::schedule {

// The values of a function that are views: no code is made for them, their users read the memory of another value.
class ViewPlan {
 public:
  // A value becomes a view when strides describe it, all its users read such strides, and its memory is not overwritten
  // before its last use. `callees` has all functions that are called.
  ViewPlan(const ir::Function& function, const ir::MemorySummaries& callees);
  ViewPlan(const ViewPlan&) = delete;
  ViewPlan& operator=(const ViewPlan&) = delete;

  const View* find(const ir::Expr* value) const;  // nullptr: no view

  // How a value lies in memory, view or not.
  View of(const ir::Expr* value) const;

  // Where values lie by this plan.
  const ir::Memory& memory() const { return memory_; }

 private:
  struct Use {
    const ir::Expr* user;
    std::size_t operand;
    std::int64_t time;
  };
  struct Write {
    ir::Tensor memory;
    std::int64_t time;
  };

  void resolve();
  void collect_writes();
  bool must_copy(const ir::Expr* value) const;
  bool accepts(const ir::Expr& user, std::size_t operand) const;
  bool keeps(const ir::Expr& user, std::size_t operand) const;
  bool is_overwritten_before_use(const ir::Expr* value) const;
  bool is_free_result(const ir::Expr* value) const;

  const ir::Function& function_;
  const ir::MemorySummaries& callees_;
  const ir::Memory memory_;
  std::unordered_set<const ir::Expr*> constants_;
  std::vector<const ir::Expr*> order_;
  std::unordered_map<const ir::Expr*, std::int64_t> time_;
  std::unordered_map<const ir::Expr*, std::vector<Use>> uses_;
  std::unordered_map<const ir::Expr*, View> views_;
  std::unordered_map<const ir::Expr*, bool> copied_;
  std::vector<Write> writes_;
};

// Loops that copy a tensor of this shape, element by element.
ir::LoopNest identity_nest(const ir::Shape& shape);

// The loops of an op: its own, or for an op that shares its operand's row-major order, those of a copy. Nothing for
// other ops without loops.
std::shared_ptr<const ir::LoopNest> loops_of(const ir::Expr& value);

// What makes an op, if it is no planned view; nullptr: nothing does.
const cost::Leaf* leaf_of(const ir::Expr& value);

}  // namespace strata::schedule
