// SPDX-License-Identifier: Apache-2.0
#include "cost/traffic.h"

#include <algorithm>

#include "cost/leaf.h"
#include "cost/work_counter.h"
#include "ir/constants.h"
#include "ir/rewrite.h"

namespace strata::cost {
namespace {

using ir::Expr;

double bytes_at(const Expr& op, const Sizes& sizes) {
  std::vector<ir::TensorType> types;
  for (const Expr* argument : op.arguments) types.push_back(sized(argument->type(), sizes));
  const ir::Work work = op.op->work(types, op.attributes, sized(op.type(), sizes));
  return work.read_bytes + work.written_bytes;
}

std::map<std::string, std::int64_t> symbols_of(const Expr& op) {
  std::map<std::string, std::int64_t> most;
  const auto take = [&](const ir::TensorType& type) {
    for (const ir::Dim& dim : type.shape) {
      for (const auto& symbol : dim.symbols()) most[symbol->name] = symbol->max;
    }
  };
  for (const Expr* argument : op.arguments) take(argument->type());
  take(op.type());
  return most;
}

bool is_view_op(const Expr& value) {
  if (value.kind == Expr::Kind::kGet) return true;
  if (value.kind != Expr::Kind::kOp) return false;
  std::vector<ir::TensorType> types;
  for (const Expr* argument : value.arguments) types.push_back(argument->type());
  return is_view(*value.op, types, value.attributes, value.type());
}

}  // namespace

Traffic::Traffic(const Expr& op) {
  const auto symbols = symbols_of(op);
  Sizes ones;
  for (const auto& [name, most] : symbols) ones[name] = 1;
  at_one_ = bytes_at(op, ones);
  for (const auto& [name, most] : symbols) {
    if (most == 1) continue;
    Sizes sizes = ones;
    sizes[name] = most;
    per_unit_[name] = {(bytes_at(op, sizes) - at_one_) / static_cast<double>(most - 1), most};
  }
}

Traffic& Traffic::operator+=(const Traffic& other) {
  at_one_ += other.at_one_;
  for (const auto& [name, unit] : other.per_unit_) {
    PerUnit& sum = per_unit_[name];
    sum = {sum.bytes + unit.bytes, unit.most};
  }
  return *this;
}

Traffic Traffic::operator-(const Traffic& other) const {
  Traffic difference = *this;
  difference.at_one_ -= other.at_one_;
  for (const auto& [name, unit] : other.per_unit_) difference.per_unit_[name].bytes -= unit.bytes;
  return difference;
}

double Traffic::bytes(const Sizes& sizes) const {
  double sum = at_one_;
  for (const auto& [name, unit] : per_unit_) {
    const auto value = sizes.find(name);
    sum += unit.bytes * static_cast<double>((value == sizes.end() ? unit.most : value->second) - 1);
  }
  return sum;
}

ProgramOrder::ProgramOrder(const ir::Function& function, const FunctionTraffic& callees)
    : ProgramOrder(function, callees, ir::topological_order(function)) {}

ProgramOrder::ProgramOrder(const ir::Function& function, const FunctionTraffic& callees,
                           std::span<const Expr* const> order) {
  const auto constants = ir::constants(function);
  for (const Expr* value : order) {
    const bool is_run = value->kind == Expr::Kind::kOp || value->kind == Expr::Kind::kCall;
    if (!is_run || constants.contains(value)) {
      places_[value] = value->kind == Expr::Kind::kGet ? places_.at(value->arguments[0]) : -1;
    } else if (is_view_op(*value)) {
      places_[value] = places_.at(value->arguments[0]);
    } else {
      places_[value] = static_cast<int>(after_.size()) - 1;
      after_.push_back(after_.back());
      after_.back() += value->kind == Expr::Kind::kCall ? callees.at(value->callee) : Traffic(*value);
    }
  }
}

int ProgramOrder::place(const Expr& value) const { return places_.at(&value); }

Traffic ProgramOrder::between(int made, int used) const {
  if (used <= made) return {};
  return after_[static_cast<std::size_t>(used)] - after_[static_cast<std::size_t>(made) + 1];
}

}  // namespace strata::cost
