// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cost/leaf.h"
#include "schedule/view.h"

namespace strata::schedule {

// What a caller must know of the memory that it hands to a function.
struct MemorySummary {
  std::vector<int> result_parameter;  // by result: the parameter whose memory it is, -1: none
  std::vector<bool> keeps_parameter;  // by parameter: written, or part of the results
};
using MemorySummaries = std::map<const ir::Function*, MemorySummary>;

// The values of a function that are views: no code is made for them, their users read the memory of another value.
class ViewPlan {
 public:
  // A value becomes a view when strides describe it, all its users read such strides, and its memory is not overwritten
  // before its last use. `callees` has all functions that are called.
  ViewPlan(const ir::Function& function, const MemorySummaries& callees);

  const View* find(const ir::Expr* value) const;  // nullptr: no view

  // How a value lies in memory, view or not.
  View of(const ir::Expr* value) const;

  MemorySummary summary() const;

 private:
  using Tensor = std::pair<const ir::Expr*, std::int64_t>;
  struct Use {
    const ir::Expr* user;
    std::size_t operand;
    std::int64_t time;
  };
  struct Write {
    Tensor memory;
    std::int64_t time;
  };

  void resolve();
  void collect_writes();
  bool must_copy(const ir::Expr* value) const;
  bool accepts(const ir::Expr& user, std::size_t operand) const;
  bool keeps(const ir::Expr& user, std::size_t operand) const;
  bool is_overwritten_before_use(const ir::Expr* value) const;
  bool is_free_result(const ir::Expr* value) const;
  Tensor memory_of(const ir::Expr* value, std::int64_t index = 0) const;

  const ir::Function& function_;
  const MemorySummaries& callees_;
  std::unordered_set<const ir::Expr*> constants_;
  std::vector<const ir::Expr*> order_;
  std::unordered_map<const ir::Expr*, std::int64_t> time_;
  std::unordered_map<const ir::Expr*, std::vector<Use>> uses_;
  std::unordered_map<const ir::Expr*, View> views_;
  std::unordered_map<const ir::Expr*, bool> copied_;
  std::vector<Write> writes_;
};

// The loops of an op: its own, or for an op that shares its operand's row-major order, those of a copy. Nothing for
// other ops without loops.
std::optional<ir::LoopNest> loops_of(const ir::Expr& value);

// What makes an op, if it is no planned view; nullptr: nothing does.
const cost::Leaf* leaf_of(const ir::Expr& value);

}  // namespace strata::schedule
