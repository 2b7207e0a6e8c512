// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "codegen/program.h"
#include "ir/constants.h"

namespace strata::codegen {
namespace {

using ir::Expr;

// A cache line, and more than any vector register.
constexpr std::int64_t kWeightAlignment = 256;

// Constants that code reads: operands of what is no constant. Scalars stand in the code itself.
std::vector<const Expr*> stored_constants(const ir::Function& function) {
  const auto constants = ir::constants(function);
  std::vector<const Expr*> stored;
  for (const Expr* value : ir::topological_order(function)) {
    if (constants.contains(value)) continue;
    for (const Expr* argument : value->arguments) {
      if (constants.contains(argument) && argument->kind != Expr::Kind::kScalar) stored.push_back(argument);
    }
  }
  return stored;
}

std::string joined_names(const Expr& constant) {
  std::string name;
  for (const Expr* weight : ir::weights_of(constant)) name += (name.empty() ? "" : " + ") + weight->name;
  return name.empty() ? "constant" : name;
}

}  // namespace

std::set<const ir::Function*> reachable(const ir::Module& module, const std::vector<std::string>& functions) {
  std::set<const ir::Function*> needed;
  for (auto function = module.functions().rbegin(); function != module.functions().rend(); ++function) {
    const bool is_entry = std::ranges::find(functions, (*function)->name) != functions.end();
    if (!is_entry && !needed.contains(function->get())) continue;
    needed.insert(function->get());
    for (const Expr* value : ir::topological_order(**function)) {
      if (value->callee != nullptr) needed.insert(value->callee);
    }
  }
  return needed;
}

void WeightMap::add(const ir::Module& module, const std::vector<std::string>& functions, const FitSource& fit_of) {
  const auto needed = reachable(module, functions);
  for (const auto& function : module.functions()) {
    if (!needed.contains(function.get())) continue;
    for (const Expr* constant : stored_constants(*function)) add(*constant, fit_of);
  }
}

void WeightMap::add(const Expr& constant, const FitSource& fit_of) {
  const bool is_new = index_.try_emplace(ir::constant_text(constant), entries_.size()).second;
  if (!is_new) return;
  std::int64_t bytes = ir::max_bytes(constant.type());
  entries_.push_back({unused_name(constant), &constant, constant.type(), total_bytes_, bytes});
  if (constant.type().layout.encoding != nullptr) {
    Entry& entry = entries_.back();
    entry.fit = fit_of(constant);
    entry.bytes += ir::exceptions_bytes(constant.type(), entry.fit.exceptions);
    bytes = entry.bytes;
  }
  total_bytes_ += (bytes + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
}

std::string WeightMap::unused_name(const Expr& constant) {
  std::string name = joined_names(constant);
  if (!names_.insert(name).second) {
    name += " as " + constant.type().text();
    const std::string form = name;
    for (int i = 2; !names_.insert(name).second; ++i) name = form + " (" + std::to_string(i) + ")";
  }
  return name;
}

WeightMap WeightMap::with_constants(const std::function<const Expr*(const Expr& constant)>& other) const {
  WeightMap map = *this;
  for (Entry& entry : map.entries_) entry.constant = other(*entry.constant);
  return map;
}

const WeightMap::Entry& WeightMap::at(const Expr& constant) const {
  const auto found = index_.find(ir::constant_text(constant));
  STRATA_CHECK(found != index_.end(), "the constant " + joined_names(constant) + " is not stored");
  return entries_[found->second];
}

}  // namespace strata::codegen
