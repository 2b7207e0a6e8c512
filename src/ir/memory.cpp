// SPDX-License-Identifier: Apache-2.0
#include "ir/memory.h"

#include <algorithm>

#include "ir/op.h"

namespace strata::ir {

std::optional<Tensor> Memory::owner(const Tensor& tensor) const {
  const auto& [value, index] = tensor;
  switch (value->kind) {
    case Expr::Kind::kGet:
      return Tensor{value->arguments[0], value->index};
    case Expr::Kind::kCall: {
      const auto parameter = callees_.at(value->callee).result_parameter[static_cast<std::size_t>(index)];
      if (!parameter) return std::nullopt;
      return Tensor{value->arguments[*parameter], 0};
    }
    case Expr::Kind::kOp:
      if (const auto updated = updated_operand(*value->op)) return Tensor{value->arguments[*updated], 0};
      if (!value->arguments.empty() && is_view_(*value)) return Tensor{value->arguments[0], 0};
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

Tensor Memory::root(const Expr* value, std::int64_t index) const {
  Tensor tensor = {value, index};
  while (const auto next = owner(tensor)) tensor = *next;
  return tensor;
}

std::optional<std::size_t> Memory::parameter(const Function& function, const Expr* value, std::int64_t index) const {
  const auto found = std::ranges::find(function.parameters, root(value, index).first);
  if (found == function.parameters.end()) return std::nullopt;
  return static_cast<std::size_t>(found - function.parameters.begin());
}

std::vector<std::size_t> Memory::written_operands(const Expr& value) const {
  std::vector<std::size_t> written;
  if (value.kind == Expr::Kind::kOp) {
    if (const auto updated = updated_operand(*value.op)) written.push_back(*updated);
  }
  for (std::size_t i = 0; value.kind == Expr::Kind::kCall && i < value.arguments.size(); ++i) {
    if (callees_.at(value.callee).writes[i]) written.push_back(i);
  }
  return written;
}

MemorySummary Memory::summary(const Function& function) const {
  MemorySummary summary{{}, std::vector<bool>(function.parameters.size(), false)};
  for (const Expr* result : function.results) summary.result_parameter.push_back(parameter(function, result));
  for (const Expr* value : topological_order(function)) {
    for (const std::size_t operand : written_operands(*value)) {
      if (const auto written = parameter(function, value->arguments[operand])) summary.writes[*written] = true;
    }
  }
  return summary;
}

std::optional<std::size_t> updated_operand(const Op& op) {
  return op.writes_alias() ? std::optional(static_cast<std::size_t>(*op.aliased_operand())) : std::nullopt;
}

bool is_view_by_contract(const Expr& value) {
  return value.kind == Expr::Kind::kOp && value.op->aliased_operand() == 0 && !value.op->writes_alias();
}

MemorySummaries memory_summaries(const Module& module, const Memory::IsView& is_view) {
  MemorySummaries summaries;
  const Memory memory(is_view, summaries);
  for (const auto& function : module.functions()) summaries[function.get()] = memory.summary(*function);
  return summaries;
}

}  // namespace strata::ir
