// SPDX-License-Identifier: Apache-2.0
#include "import/wanted_rows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "ir/op.h"
#include "ir/slices.h"

namespace strata::importer {
namespace {

using ir::Expr;
using ir::Function;

// How many rows of a function's first result are made.
enum class Rows { kAll, kOne, kNone };

const ir::Attributes& first_row() {
  static const ir::Attributes kFirst = {
      {"axis", std::int64_t{0}}, {"begin", std::int64_t{0}}, {"end", std::int64_t{1}}};
  return kFirst;
}

bool is_first_row(const Expr& value) {
  return value.kind == Expr::Kind::kOp && value.op == &ir::get_op("slice") && value.attributes == first_row();
}

// The call whose first result a value is; nullptr: it is another value.
const Expr* call_of_first(const Expr& value) {
  if (value.kind == Expr::Kind::kCall && value.types.size() == 1) return &value;
  return value.kind == Expr::Kind::kGet && value.index == 0 ? value.arguments[0] : nullptr;
}

// Makes the versions of one module's functions.
class VersionAdder {
 public:
  explicit VersionAdder(ir::Module& module) : module_(module) {}

  const Function& version(const Function& of, Rows rows) {
    const std::string name = of.name + (rows == Rows::kOne ? "_one" : "_none");
    if (const Function* const known = module_.find(name)) {
      STRATA_CHECK(known->origin == of.name, "@" + name + " is no version of @" + of.name);
      return *known;
    }
    Function made{name, of.parameters, of.results, of.name};
    made.results.erase(made.results.begin());
    if (rows == Rows::kOne) {
      const std::vector<const Expr*> whole = ir::topological_order(made);
      whole_ = {whole.begin(), whole.end()};
      slices_.clear();
      made.results.insert(made.results.begin(), sliced(of.results[0], first_row()));
    }
    replace_calls(made);
    return *module_.add(std::move(made));
  }

 private:
  // The slice of a value, made of slices of what it is made of, up to values that are made whole anyway.
  const Expr* sliced(const Expr* value, const ir::Attributes& slice) {
    const Expr*& made = slices_[{value, std::get<std::int64_t>(slice.at("axis"))}];
    if (made != nullptr) return made;
    const auto slices = slices_of_operands(*value, slice);
    if (!slices) return made = module_.pool().op(ir::get_op("slice"), {value}, slice);
    std::vector<const Expr*> arguments = value->arguments;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if ((*slices)[i]) arguments[i] = sliced(arguments[i], *(*slices)[i]);
    }
    return made = module_.pool().op(*value->op, std::move(arguments), value->attributes);
  }

  std::optional<ir::OperandSlices> slices_of_operands(const Expr& value, const ir::Attributes& slice) const {
    if (value.kind != Expr::Kind::kOp || value.op->writes_alias() || whole_.contains(&value)) return std::nullopt;
    std::vector<ir::TensorType> types;
    for (const Expr* argument : value.arguments) types.push_back(argument->type());
    return ir::operand_slices(*value.op, types, value.attributes, value.type(), slice);
  }

  // Of each call, the rows of its first result that the function reads.
  static std::map<const Expr*, Rows> rows_read(const Function& function) {
    std::map<const Expr*, Rows> read;
    const auto note = [&](const Expr& value, Rows rows) {
      const Expr* const call = call_of_first(value);
      if (call != nullptr && read.at(call) != Rows::kAll) read[call] = rows;
    };
    const std::vector<const Expr*> order = ir::topological_order(function);
    for (const Expr* value : order) {
      if (value->kind == Expr::Kind::kCall) read[value] = Rows::kNone;
    }
    for (const Expr* value : order) {
      if (value->kind == Expr::Kind::kGet) continue;
      for (const Expr* argument : value->arguments) note(*argument, is_first_row(*value) ? Rows::kOne : Rows::kAll);
    }
    for (const Expr* result : function.results) note(*result, Rows::kAll);
    return read;
  }

  void replace_calls(Function& function) {
    const std::map<const Expr*, Rows> read = rows_read(function);
    std::map<const Expr*, const Expr*> made;
    const auto arguments_of = [&](const Expr& value) {
      std::vector<const Expr*> arguments;
      for (const Expr* argument : value.arguments) arguments.push_back(made.at(argument));
      return arguments;
    };
    ir::ExprPool& pool = module_.pool();
    for (const Expr* value : ir::topological_order(function)) {
      const Expr*& changed = made[value];
      if (value->kind == Expr::Kind::kCall) {
        const Rows rows = read.at(value);
        changed = pool.call(rows == Rows::kAll ? *value->callee : version(*value->callee, rows), arguments_of(*value));
      } else if (value->kind == Expr::Kind::kGet) {
        const Rows rows = read.at(value->arguments[0]);
        const bool is_gone = rows == Rows::kNone && value->index == 0;
        if (!is_gone) changed = pool.get(made.at(value->arguments[0]), value->index - (rows == Rows::kNone ? 1 : 0));
      } else if (is_first_row(*value) && call_of_first(*value->arguments[0]) != nullptr &&
                 read.at(call_of_first(*value->arguments[0])) == Rows::kOne) {
        changed = made.at(value->arguments[0]);
      } else {
        changed = value->kind == Expr::Kind::kOp ? pool.op(*value->op, arguments_of(*value), value->attributes) : value;
      }
    }
    for (const Expr*& result : function.results) result = made.at(result);
  }

  ir::Module& module_;
  std::set<const Expr*> whole_;  // of the function at hand: what its other results need
  std::map<std::pair<const Expr*, std::int64_t>, const Expr*> slices_;  // of it, by the axis
};

}  // namespace

void add_wanted_rows(ir::Module& module) {
  const Function* const forward = module.find("forward");
  if (forward == nullptr || forward->results.size() < 2) return;
  const ir::Shape& shape = forward->results[0]->type().shape;
  if (shape.empty() || shape[0].is_constant()) return;
  VersionAdder adder(module);
  adder.version(*forward, Rows::kOne);
  adder.version(*forward, Rows::kNone);
}

}  // namespace strata::importer
