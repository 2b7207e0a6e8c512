// SPDX-License-Identifier: Apache-2.0
#include "vectorize/own_result.h"

#include <algorithm>

#include "cost/leaf.h"
#include "ir/op.h"
#include "ir/rewrite.h"

namespace strata::vectorize {
namespace {

using ir::Expr;

bool may_be_view(const Expr& value) {
  if (value.arguments.empty()) return false;
  std::vector<ir::TensorType> types;
  for (const Expr* argument : value.arguments) types.push_back(argument->type());
  return cost::is_view(*value.op, types, value.attributes, value.type());
}

const Expr* memory_of(const Expr* value);

// Of a call's result: its own, or that of the argument for the parameter that the callee returns.
const Expr* result_memory(const Expr* value, const Expr& call, std::int64_t index) {
  const ir::Function& callee = *call.callee;
  const auto parameter =
      std::ranges::find(callee.parameters, memory_of(callee.results[static_cast<std::size_t>(index)]));
  if (parameter == callee.parameters.end()) return value;
  return memory_of(call.arguments[static_cast<std::size_t>(parameter - callee.parameters.begin())]);
}

// The value in whose memory this one may lie.
const Expr* memory_of(const Expr* value) {
  switch (value->kind) {
    case Expr::Kind::kOp:
      if (value->op->writes_alias())
        return memory_of(value->arguments[static_cast<std::size_t>(*value->op->aliased_operand())]);
      return may_be_view(*value) ? memory_of(value->arguments[0]) : value;
    case Expr::Kind::kCall:
      return result_memory(value, *value, 0);
    case Expr::Kind::kGet:
      return result_memory(value, *value->arguments[0], value->index);
    default:
      return value;
  }
}

bool is_of_call(const Expr& value) { return value.kind == Expr::Kind::kCall || value.kind == Expr::Kind::kGet; }

// A parameter's memory may be that of several results: it is the caller's.
bool may_share_memory(const Expr& value, const std::vector<const Expr*>& earlier) {
  const Expr* const memory = memory_of(&value);
  return memory->kind != Expr::Kind::kParameter && std::ranges::any_of(earlier, [&](const Expr* other) {
           return (is_of_call(value) || is_of_call(*other)) && memory_of(other) == memory;
         });
}

const Expr* copy_of(ir::ExprPool& pool, const Expr* value) {
  return pool.op(ir::get_op("cast"), {value}, {{"dtype", value->type().dtype}});
}

}  // namespace

const Expr* own_result(ir::ExprPool& pool, const Expr* value, const std::vector<const Expr*>& earlier) {
  if (may_share_memory(*value, earlier)) value = copy_of(pool, value);
  while (std::ranges::find(earlier, value) != earlier.end()) value = copy_of(pool, value);
  return value;
}

ir::Module with_own_results(const ir::Module& module) {
  ir::Module into(module.name());
  for (const auto& symbol : module.symbols()) into.symbol(*symbol);
  for (const auto& function : module.functions()) {
    ir::Function made =
        ir::rebuild(into, *function, [&](ir::ExprPool&, const Expr& old, std::vector<const Expr*> arguments) {
          return ir::copy_expr(into, old, std::move(arguments));
        });
    std::vector<const Expr*> results;
    for (const Expr* result : made.results) results.push_back(own_result(into.pool(), result, results));
    made.results = std::move(results);
    into.add(std::move(made));
  }
  return into;
}

}  // namespace strata::vectorize
