// SPDX-License-Identifier: Apache-2.0
#include "ir/rewrite.h"

#include <unordered_map>

#include "base/error.h"
#include "ir/op.h"

namespace strata::ir {
namespace {

void check_value(const Symbol& symbol, std::int64_t value) {
  if (value >= symbol.min && value <= symbol.max && value % symbol.multiple == 0) return;
  const std::string multiple = symbol.multiple == 1 ? "" : " and a multiple of " + std::to_string(symbol.multiple);
  throw usage_error("the symbol " + symbol.name + " can't be " + std::to_string(value),
                    "it is in " + std::to_string(symbol.min) + ".." + std::to_string(symbol.max) + multiple);
}

void check_narrower(const Symbol& symbol, const Symbol& narrower) {
  check_value(symbol, narrower.min);
  check_value(symbol, narrower.max);
  if (narrower.min <= narrower.max && narrower.multiple % symbol.multiple == 0) return;
  throw usage_error("the symbol " + narrower.name + " is no narrower form of " + symbol.name,
                    "give a range inside its range, with a multiple of its multiple");
}

using DimMap = std::map<std::string, Dim>;

Dim substitute(const Dim& dim, const DimMap& values) {
  if (dim.is_constant()) return dim;
  const auto found = values.find(dim.symbol()->name);
  return found == values.end() ? dim : Dim(dim.factor()) * found->second;
}

TensorType substitute(TensorType type, const DimMap& values) {
  for (Dim& dim : type.shape) dim = substitute(dim, values);
  return type;
}

}  // namespace

const Expr* copy_expr(Module& into, const Expr& old, std::vector<const Expr*> arguments) {
  ExprPool& pool = into.pool();
  switch (old.kind) {
    case Expr::Kind::kParameter:
      return pool.parameter(old.name, old.type());
    case Expr::Kind::kWeight:
      return pool.weight(old.name, old.type());
    case Expr::Kind::kScalar:
      return pool.scalar(old.value, old.type().dtype);
    case Expr::Kind::kOp:
      return pool.op(*old.op, std::move(arguments), old.attributes);
    case Expr::Kind::kCall: {
      const Function* const callee = into.find(old.callee->name);
      STRATA_CHECK(callee != nullptr, "the callee @" + old.callee->name + " has not been rebuilt");
      return pool.call(*callee, std::move(arguments));
    }
    case Expr::Kind::kGet:
      return pool.get(arguments[0], old.index);
  }
  return nullptr;
}

Function rebuild(Module& into, const Function& function, const ExprRewrite& rewrite) {
  std::unordered_map<const Expr*, const Expr*> rebuilt;
  Function result{function.name, {}, {}, function.origin};
  for (const Expr* parameter : function.parameters) {
    const Expr* const changed = rewrite(into.pool(), *parameter, {});
    STRATA_CHECK(changed->kind == Expr::Kind::kParameter, "a parameter was rewritten to something else");
    rebuilt.emplace(parameter, changed);
    result.parameters.push_back(changed);
  }
  for (const Expr* expr : topological_order(function)) {
    if (rebuilt.contains(expr)) continue;
    std::vector<const Expr*> arguments;
    for (const Expr* argument : expr->arguments) arguments.push_back(rebuilt.at(argument));
    rebuilt.emplace(expr, rewrite(into.pool(), *expr, std::move(arguments)));
  }
  for (const Expr* expr : function.results) result.results.push_back(rebuilt.at(expr));
  return result;
}

Module rebuild_module(
    const Module& module,
    const std::function<const Expr*(Module& into, const Expr& old, std::vector<const Expr*>)>& rewrite) {
  Module into(module.name());
  for (const auto& symbol : module.symbols()) into.symbol(*symbol);
  for (const auto& function : module.functions()) {
    into.add(rebuild(into, *function, [&](ExprPool&, const Expr& old, std::vector<const Expr*> arguments) {
      return rewrite(into, old, std::move(arguments));
    }));
  }
  return into;
}

Module specialise(const Module& module, const std::map<std::string, SymbolValue>& values) {
  Module into(module.name());
  DimMap dims;
  std::size_t used = 0;
  for (const auto& symbol : module.symbols()) {
    const auto found = values.find(symbol->name);
    if (found == values.end()) {
      into.symbol(*symbol);
      continue;
    }
    ++used;
    if (const std::int64_t* const value = std::get_if<std::int64_t>(&found->second)) {
      check_value(*symbol, *value);
      dims.emplace(symbol->name, *value);
    } else {
      const Symbol& narrower = std::get<Symbol>(found->second);
      check_narrower(*symbol, narrower);
      dims.emplace(symbol->name, Dim(1, into.symbol(narrower)));
    }
  }
  if (used != values.size()) {
    for (const auto& [name, value] : values) {
      bool known = false;
      for (const auto& symbol : module.symbols()) known = known || symbol->name == name;
      if (!known) throw usage_error("the module has no symbol " + name, "name one of its symbols");
    }
  }
  for (const auto& function : module.functions()) {
    into.add(rebuild(into, *function, [&](ExprPool& pool, const Expr& old, std::vector<const Expr*> arguments) {
      if (old.kind == Expr::Kind::kParameter) return pool.parameter(old.name, substitute(old.type(), dims));
      if (old.kind == Expr::Kind::kWeight) return pool.weight(old.name, substitute(old.type(), dims));
      return copy_expr(into, old, std::move(arguments));
    }));
  }
  return into;
}

TensorType concrete_type(const TensorType& type, const std::map<std::string, std::int64_t>& symbols) {
  DimMap dims;
  for (const Dim& dim : type.shape) {
    if (dim.is_constant()) continue;
    const auto found = symbols.find(dim.symbol()->name);
    if (found == symbols.end()) throw usage_error("the symbol " + dim.symbol()->name + " has no value", "give it one");
    check_value(*dim.symbol(), found->second);
    dims.emplace(found->first, found->second);
  }
  return substitute(type, dims);
}

}  // namespace strata::ir
