// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ir/expr.h"

namespace strata::ir {

// One tensor: an expression, or one of the results of a call.
using Tensor = std::pair<const Expr*, std::int64_t>;

// What a caller must know of a function's memory.
struct MemorySummary {
  std::vector<std::optional<std::size_t>> result_parameter;  // by result: the parameter whose memory it lies in
  std::vector<bool> writes;                                  // by parameter: whether its content changes
};
using MemorySummaries = std::map<const Function*, MemorySummary>;

// Whose memory a tensor is. An update in place lies in its operand's memory, a view in that of its first operand, an
// element of a tuple in the tuple's, and a call's result where the callee's lies; all others have memory of their own.
// Which ops are views depends on who asks: what the IR says (is_view_by_contract), what a schedule has decided, none.
class Memory {
 public:
  using IsView = std::function<bool(const Expr&)>;

  // `callees` has all functions that are called, and must outlive this.
  Memory(IsView is_view, const MemorySummaries& callees) : is_view_(std::move(is_view)), callees_(callees) {}

  // By one step; nothing for a tensor with memory of its own.
  std::optional<Tensor> owner(const Tensor& tensor) const;

  // The tensor whose memory this one is, or lies in.
  Tensor root(const Expr* value, std::int64_t index = 0) const;

  // The parameter whose memory that is.
  std::optional<std::size_t> parameter(const Function& function, const Expr* value, std::int64_t index = 0) const;

  // Operands whose memory an op or a call writes.
  std::vector<std::size_t> written_operands(const Expr& value) const;

  MemorySummary summary(const Function& function) const;

 private:
  IsView is_view_;
  const MemorySummaries& callees_;
};

// The operand that an op updates in place.
std::optional<std::size_t> updated_operand(const Op& op);

// An op that says so: reshape.
bool is_view_by_contract(const Expr& value);

// Of all functions of a module.
MemorySummaries memory_summaries(const Module& module, const Memory::IsView& is_view);

}  // namespace strata::ir
