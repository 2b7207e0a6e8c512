// SPDX-License-Identifier: Apache-2.0
#include "ir/group_interpreter.h"

#include <unordered_map>

#include "base/error.h"
#include "ir/group_op.h"
#include "ir/rewrite.h"

namespace strata::ir {
namespace {

using Ranks = std::vector<std::vector<Value>>;  // a tuple's elements, by rank

class GroupInterpreter {
 public:
  GroupInterpreter(const std::vector<std::int64_t>& mesh, const std::map<std::string, std::int64_t>& symbols,
                   const WeightSource& weights)
      : mesh_(mesh), symbols_(symbols), weights_(weights) {
    for (const std::int64_t extent : mesh) ranks_ *= static_cast<std::size_t>(extent);
  }

  std::size_t ranks() const { return ranks_; }

  Ranks run(const Function& function, const Ranks& arguments) {
    std::unordered_map<const Expr*, Ranks> values;
    for (std::size_t i = 0; i < function.parameters.size(); ++i) {
      Ranks& parameter = values[function.parameters[i]];
      for (const auto& own : arguments) parameter.push_back({own.at(i)});
    }
    for (const Expr* expr : topological_order(function)) {
      if (expr->kind != Expr::Kind::kParameter) values[expr] = evaluate(values, *expr);
    }
    Ranks results(ranks_);
    for (const Expr* result : function.results) {
      for (std::size_t rank = 0; rank < ranks_; ++rank) results[rank].push_back(values.at(result)[rank][0]);
    }
    return results;
  }

 private:
  Ranks evaluate(const std::unordered_map<const Expr*, Ranks>& values, const Expr& expr) {
    Ranks operands(ranks_);
    for (const Expr* argument : expr.arguments) {
      for (std::size_t rank = 0; rank < ranks_; ++rank) {
        const auto index = static_cast<std::size_t>(expr.kind == Expr::Kind::kGet ? expr.index : 0);
        operands[rank].push_back(values.at(argument)[rank][index]);
      }
    }
    if (expr.kind == Expr::Kind::kGet) return operands;
    if (expr.kind == Expr::Kind::kCall) return run(*expr.callee, operands);
    const GroupOp* const group = expr.kind == Expr::Kind::kOp ? group_op(*expr.op) : nullptr;
    Ranks results(ranks_);
    if (group != nullptr) {
      exchange(*group, expr, operands, results);
    } else {
      for (std::size_t rank = 0; rank < ranks_; ++rank) results[rank] = {own(expr, operands[rank])};
    }
    return results;
  }

  Value own(const Expr& expr, const std::vector<Value>& operands) const {
    Value value{concrete_type(expr.type(), symbols_), {}};
    if (expr.kind == Expr::Kind::kWeight) {
      value.data = weights_(expr).data;
    } else if (expr.kind == Expr::Kind::kScalar) {
      value.data = {round_to(value.type.dtype, expr.value)};
    } else {
      value.data = expr.op->evaluate(operands, expr.attributes, value.type);
      for (double& element : value.data) element = round_to(value.type.dtype, element);
    }
    return value;
  }

  // Each of the groups along the op's axis by itself: ranks that differ in its coordinate alone.
  void exchange(const GroupOp& op, const Expr& expr, const Ranks& operands, Ranks& results) const {
    const auto axis = static_cast<std::size_t>(int_attribute(*expr.op, expr.attributes, "mesh"));
    STRATA_CHECK(axis < mesh_.size() && mesh_[axis] == int_attribute(*expr.op, expr.attributes, "ranks"),
                 expr.op->name() + ": the mesh has no such axis");
    std::size_t stride = 1;
    for (std::size_t i = axis + 1; i < mesh_.size(); ++i) stride *= static_cast<std::size_t>(mesh_[i]);
    const auto extent = static_cast<std::size_t>(mesh_[axis]);
    for (std::size_t first = 0; first < ranks_; ++first) {
      if (first / stride % extent != 0) continue;
      std::vector<std::vector<Value>> group;
      for (std::size_t i = 0; i < extent; ++i) group.push_back(operands[first + i * stride]);
      const TensorType type = concrete_type(expr.type(), symbols_);
      auto made = op.evaluate_group(group, expr.attributes, type);
      for (std::size_t i = 0; i < extent; ++i) results[first + i * stride] = {{type, std::move(made[i])}};
    }
  }

  const std::vector<std::int64_t>& mesh_;
  const std::map<std::string, std::int64_t>& symbols_;
  const WeightSource& weights_;
  std::size_t ranks_ = 1;
};

}  // namespace

std::vector<std::vector<Value>> interpret_group(const Module& module, const Function& function,
                                                std::vector<std::vector<Value>> arguments,
                                                const std::vector<std::int64_t>& mesh,
                                                const std::map<std::string, std::int64_t>& symbols,
                                                const WeightSource& weights) {
  STRATA_CHECK(module.find(function.name) == &function, "the function is not one of the module's");
  GroupInterpreter interpreter(mesh, symbols, weights);
  STRATA_CHECK(arguments.size() == interpreter.ranks(), "each rank has arguments of its own");
  return interpreter.run(function, arguments);
}

}  // namespace strata::ir
