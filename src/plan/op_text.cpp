// SPDX-License-Identifier: Apache-2.0
#include "plan/op_text.h"

#include <algorithm>
#include <deque>
#include <set>

#include "ir/op.h"

namespace strata::plan {
namespace {

using ir::Expr;

// "model.layers.0.self_attn.q_proj.weight" -> "q_proj"; empty for a name that is no weight's.
std::string role_of(const std::string& name) {
  constexpr std::string_view kWeight = ".weight";
  constexpr std::string_view kBias = ".bias";
  const bool is_bias = name.ends_with(kBias);
  if (!is_bias && !name.ends_with(kWeight)) return "";
  const std::string stem = name.substr(0, name.size() - (is_bias ? kBias : kWeight).size());
  return stem.substr(stem.rfind('.') + 1) + (is_bias ? std::string(kBias) : "");
}

bool is_pack(const Expr& value) {
  return value.kind == Expr::Kind::kOp && value.op->changes_layout() && !value.type().layout.is_row_major();
}

// The weights that a value is made of, if it is made of nothing else.
std::string weights_in(const Expr& value) {
  if (value.kind == Expr::Kind::kParameter || value.kind == Expr::Kind::kWeight) return role_of(value.name);
  if (value.kind != Expr::Kind::kOp) return "";
  std::string all;
  for (const Expr* argument : value.arguments) {
    const std::string role = weights_in(*argument);
    if (role.empty()) return "";
    all += (all.empty() ? "" : "+") + role;
  }
  return all;
}

// The weights that an op applies to something else.
std::string applied_weights(const Expr& value) {
  if (value.kind != Expr::Kind::kOp || !weights_in(value).empty()) return "";
  std::string all;
  for (const Expr* argument : value.arguments) {
    const std::string role = weights_in(*argument);
    if (!role.empty()) all += (all.empty() ? "" : "+") + role;
  }
  return all;
}

// Breadth first towards the operands.
std::string nearest_weights(const Expr& value) {
  std::deque<const Expr*> open(value.arguments.begin(), value.arguments.end());
  std::set<const Expr*> seen;
  while (!open.empty()) {
    const Expr* next = open.front();
    open.pop_front();
    if (!seen.insert(next).second) continue;
    if (const std::string role = applied_weights(*next); !role.empty()) return role;
    open.insert(open.end(), next->arguments.begin(), next->arguments.end());
  }
  return "";
}

// The weights that the first user of a value applies to it.
std::string weights_of_user(const Expr& value, const std::vector<const Expr*>& order) {
  for (const Expr* user : order) {
    if (std::ranges::find(user->arguments, &value) == user->arguments.end()) continue;
    if (const std::string role = applied_weights(*user); !role.empty()) return role;
  }
  return "";
}

}  // namespace

std::string layout_text(const ir::Op& op, std::span<const ir::TensorType> operands, const ir::TensorType& result) {
  std::string text;
  const std::vector<std::string> names = op.operand_names();
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].layout.is_row_major()) continue;
    text += (text.empty() ? "" : ", ") + names[i] + operands[i].layout.text();
  }
  if (!result.layout.is_row_major()) text += (text.empty() ? "-> " : " -> ") + result.layout.text();
  return text.empty() ? "row-major" : text;
}

std::string layout_text(const Expr& value) {
  if (value.op == nullptr) return "row-major";
  std::vector<ir::TensorType> operands;
  for (const Expr* argument : value.arguments) operands.push_back(argument->type());
  return layout_text(*value.op, operands, value.type());
}

std::map<const Expr*, std::string> op_names(const ir::Function& function) {
  std::vector<const Expr*> order = ir::topological_order(function);
  std::erase_if(order, [](const Expr* value) { return value->kind != Expr::Kind::kOp; });
  std::map<const Expr*, std::string> names;
  std::map<std::string, int> uses;
  for (const Expr* value : order) {
    const std::string weights = applied_weights(*value);
    names[value] = weights.empty() ? value->op->name() : weights;
    ++uses[names[value]];
  }
  std::set<std::string> taken;
  for (const Expr* value : order) {
    std::string& name = names[value];
    if (name == value->op->name() && uses[name] > 1) {
      const std::string user = is_pack(*value) ? weights_of_user(*value, order) : "";
      const std::string weights = user.empty() ? nearest_weights(*value) : user;
      if (!weights.empty()) name += "." + weights;
    }
    const std::string base = name;
    for (int number = 2; !taken.insert(name).second; ++number) name = base + "." + std::to_string(number);
  }
  return names;
}

}  // namespace strata::plan
