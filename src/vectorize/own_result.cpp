// SPDX-License-Identifier: Apache-2.0
#include "vectorize/own_result.h"

#include <algorithm>

#include "cost/leaf.h"
#include "ir/memory.h"
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

// Of all functions that these values call, directly or not.
void summarise_callees(const std::vector<const Expr*>& values, ir::MemorySummaries& summaries) {
  for (const Expr* value : ir::topological_order({"values", {}, values})) {
    if (value->kind != Expr::Kind::kCall || summaries.contains(value->callee)) continue;
    summarise_callees(value->callee->results, summaries);
    summaries[value->callee] = ir::Memory(may_be_view, summaries).summary(*value->callee);
  }
}

bool is_of_call(const Expr& value) { return value.kind == Expr::Kind::kCall || value.kind == Expr::Kind::kGet; }

// A parameter's memory may be that of several results: it is the caller's.
bool may_share_memory(const Expr& value, const std::vector<const Expr*>& earlier) {
  std::vector<const Expr*> values = earlier;
  values.push_back(&value);
  ir::MemorySummaries summaries;
  summarise_callees(values, summaries);
  const ir::Memory memory(may_be_view, summaries);
  const ir::Tensor root = memory.root(&value);
  return root.first->kind != Expr::Kind::kParameter && std::ranges::any_of(earlier, [&](const Expr* other) {
           return (is_of_call(value) || is_of_call(*other)) && memory.root(other) == root;
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
