// SPDX-License-Identifier: Apache-2.0
#include "vectorize/default_layout.h"

#include <map>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "ir/op.h"
#include "machine/cost.h"

namespace strata::vectorize {
namespace {

using ir::Expr;
using ir::Layout;
using ir::TensorType;

const ir::Op& matmul_op() { return ir::get_op("matmul_nt"); }
const ir::Op& attention_op() { return ir::get_op("attention"); }
const ir::Op& append_op() { return ir::get_op("cache_append"); }

constexpr std::size_t kLeft = 0;
constexpr std::size_t kRight = 1;
constexpr std::size_t kKeys = 1;
constexpr int kContextAxis = 1;

// A parameter of a function.
using Slot = std::pair<const ir::Function*, std::size_t>;

// Which parameters and weights should be packed, found by walking from the ops that stream them to where they are
// defined. Callees come before callers in a module, so one pass sees every demand on a parameter before its calls.
class LayoutDemands {
 public:
  LayoutDemands(const ir::Module& module, const machine::Machine& machine) : machine_(machine) {
    find_weight_parameters(module);
    for (const auto& function : module.functions()) collect(*function);
  }

  Layout of_weight(const std::string& name) const { return find(weights_, name); }
  Layout of_parameter(const Slot& slot) const { return find(parameters_, slot); }

 private:
  template <class Key>
  static Layout find(const std::map<Key, Layout>& demands, const Key& key) {
    const auto found = demands.find(key);
    return found == demands.end() ? Layout{} : found->second;
  }

  // Parameters that every call binds to a weight may be packed; others belong to whoever calls the program.
  void find_weight_parameters(const ir::Module& module) {
    std::set<Slot> bound_to_other;
    for (const auto& function : module.functions()) {
      for (const Expr* value : ir::topological_order(*function)) {
        if (value->kind != Expr::Kind::kCall) continue;
        for (std::size_t i = 0; i < value->arguments.size(); ++i) {
          const bool is_weight = value->arguments[i]->kind == Expr::Kind::kWeight;
          (is_weight ? weight_parameters_ : bound_to_other).insert({value->callee, i});
        }
      }
    }
    for (const Slot& slot : bound_to_other) weight_parameters_.erase(slot);
  }

  void collect(const ir::Function& function) {
    for (const Expr* value : ir::topological_order(function)) {
      if (value->kind == Expr::Kind::kCall) {
        for (std::size_t i = 0; i < value->arguments.size(); ++i) {
          demand(function, *value->arguments[i], of_parameter({value->callee, i}));
        }
      } else if (value->op == &matmul_op()) {
        demand_weight(function, *value->arguments[kRight]);
      } else if (value->op == &attention_op()) {
        const std::int64_t lanes = machine::vector_lanes(machine_, DType::kF32);
        demand(function, *value->arguments[kKeys], {{{lanes, kContextAxis}}});
      }
    }
  }

  void demand_weight(const ir::Function& function, const Expr& operand) {
    const bool packable = operand.kind == Expr::Kind::kWeight || (operand.kind == Expr::Kind::kParameter &&
                                                                  weight_parameters_.contains(slot(function, operand)));
    if (packable && operand.type().rank() == 2) demand(function, operand, weight_layout(operand.type().dtype));
  }

  Layout weight_layout(DType dtype) const {
    Layout layout{{{machine::vector_lanes(machine_, DType::kF32), 0}}};
    if (const machine::Unit* dot = machine::dot_unit(machine_, dtype)) layout.packs.push_back({dot->k, 1});
    return layout;
  }

  // An append keeps the layout of the cache that it appends to.
  void demand(const ir::Function& function, const Expr& value, const Layout& layout) {
    if (layout.is_row_major()) return;
    if (value.kind == Expr::Kind::kWeight) {
      weights_[value.name] = layout;
    } else if (value.kind == Expr::Kind::kParameter) {
      parameters_[slot(function, value)] = layout;
    } else if (value.op == &append_op()) {
      demand(function, *value.arguments[0], layout);
    }
  }

  static Slot slot(const ir::Function& function, const Expr& parameter) {
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
      if (function.parameters[i] == &parameter) return {&function, i};
    }
    STRATA_CHECK(false, "%" + parameter.name + " is no parameter of @" + function.name);
    return {};
  }

  const machine::Machine& machine_;
  std::set<Slot> weight_parameters_;
  std::map<std::string, Layout> weights_;
  std::map<Slot, Layout> parameters_;
};

TensorType with_layout(TensorType type, Layout layout) {
  type.layout = std::move(layout);
  return type;
}

// Rebuilds a module with the demanded layouts, and with packed left operands where a matmul has several rows.
class LayoutRewriter {
 public:
  LayoutRewriter(const ir::Module& module, const machine::Machine& machine)
      : module_(module), machine_(machine), demands_(module, machine), result_(module.name()) {}

  ir::Module run() {
    for (const auto& symbol : module_.symbols()) result_.symbol(*symbol);
    for (const auto& function : module_.functions()) rewrite(*function);
    return std::move(result_);
  }

 private:
  void rewrite(const ir::Function& function) {
    values_.clear();
    ir::Function body;
    body.name = function.name;
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
      const Expr& old = *function.parameters[i];
      const Layout layout = demands_.of_parameter({&function, i});
      body.parameters.push_back(pool().parameter(old.name, with_layout(old.type(), layout)));
      values_[&old] = body.parameters.back();
    }
    for (const Expr* value : ir::topological_order(function)) {
      if (value->kind != Expr::Kind::kParameter) values_[value] = rebuild(*value);
    }
    for (const Expr* result : function.results) body.results.push_back(values_.at(result));
    functions_[&function] = result_.add(std::move(body));
  }

  const Expr* rebuild(const Expr& old) {
    std::vector<const Expr*> arguments;
    for (const Expr* argument : old.arguments) arguments.push_back(values_.at(argument));
    switch (old.kind) {
      case Expr::Kind::kWeight:
        return pool().weight(old.name, with_layout(old.type(), demands_.of_weight(old.name)));
      case Expr::Kind::kScalar:
        return pool().scalar(old.value, old.type().dtype);
      case Expr::Kind::kCall:
        return pool().call(*functions_.at(old.callee), std::move(arguments));
      case Expr::Kind::kGet:
        return pool().get(arguments[0], old.index);
      case Expr::Kind::kOp:
        if (old.op == &matmul_op()) arguments[kLeft] = left_operand(arguments[kLeft], arguments[kRight]->type());
        return pool().op(*old.op, std::move(arguments), old.attributes);
      case Expr::Kind::kParameter:
        break;
    }
    STRATA_CHECK(false, "a parameter that its function doesn't declare");
    return nullptr;
  }

  const Expr* left_operand(const Expr* x, const TensorType& right) {
    const TensorType& type = x->type();
    const bool is_packed = !type.layout.is_row_major();
    if (right.layout.is_row_major() || is_packed || type.rank() != 2 || type.shape[0].max() == 1) return x;
    Layout layout{{{machine::register_tile(machine_).rows, 0}}};
    ir::Attributes attributes;
    if (right.layout.packs.size() == 2) {
      layout.packs.push_back({right.layout.packs[1].lanes, 1});
      attributes["dtype"] = right.dtype;
    }
    attributes["layout"] = layout;
    return pool().op(ir::get_op("pack"), {x}, std::move(attributes));
  }

  ir::ExprPool& pool() { return result_.pool(); }

  const ir::Module& module_;
  const machine::Machine& machine_;
  LayoutDemands demands_;
  ir::Module result_;
  std::unordered_map<const Expr*, const Expr*> values_;
  std::unordered_map<const ir::Function*, const ir::Function*> functions_;
};

}  // namespace

ir::Module default_layout(const ir::Module& module, const machine::Machine& machine) {
  return LayoutRewriter(module, machine).run();
}

}  // namespace strata::vectorize
