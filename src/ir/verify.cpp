// SPDX-License-Identifier: Apache-2.0
#include "ir/verify.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "ir/constants.h"
#include "ir/memory.h"
#include "ir/op.h"
#include "ir/text.h"

namespace strata::ir {
namespace {

// What a module lacks to be one. Whose mistake it is the caller of the check knows.
struct Fault {
  std::string what;
};

[[noreturn]] void fail(const Function& function, const std::string& what) {
  throw Fault{"@" + function.name + ": " + what};
}

// Follows one function's values through updates in place.
class MemoryChecker {
 public:
  MemoryChecker(const Function& function, const MemorySummaries& callees)
      : function_(function),
        memory_(is_view_by_contract, callees),
        names_(value_names(function)),
        constants_(constants(function)) {}

  MemorySummary check() {
    for (const Expr* parameter : function_.parameters) versions_[parameter] = {{parameter, nullptr}};
    for (const Expr* expr : topological_order(function_)) {
      if (expr->kind == Expr::Kind::kParameter) continue;
      for (const Expr* argument : expr->arguments) {
        if (expr->kind != Expr::Kind::kGet) read(*expr, argument);
      }
      versions_[expr] = results_of(*expr);
    }
    for (const Expr* result : function_.results) read(*result, result);
    return memory_.summary(function_);
  }

 private:
  // A value's memory, and the update that made its content.
  struct Version {
    const Expr* root;
    const Expr* update;
  };

  const Expr* latest_update(const Expr* root) const {
    const auto found = latest_.find(root);
    return found == latest_.end() ? nullptr : found->second;
  }

  void read(const Expr& user, const Expr* value) const {
    for (const Version& version : versions_.at(value)) {
      const Expr* const latest = latest_update(version.root);
      if (latest == version.update) continue;
      fail(function_, "value " + names_.at(value) + " is used by " + names_.at(&user) + " after " + names_.at(latest) +
                          " has overwritten its memory");
    }
  }

  void overwrite(const Expr& update, const Expr* root) {
    if (constants_.contains(root)) {
      fail(function_, "value " + names_.at(&update) + " overwrites the constant " + names_.at(root));
    }
    latest_[root] = &update;
  }

  std::vector<Version> results_of(const Expr& expr) {
    if (expr.kind == Expr::Kind::kGet)
      return {versions_.at(expr.arguments[0]).at(static_cast<std::size_t>(expr.index))};
    if (expr.kind == Expr::Kind::kCall) return results_of_call(expr);
    const auto owner = memory_.owner({&expr, 0});
    if (!owner) return {{&expr, nullptr}};
    const Version operand = versions_.at(owner->first)[0];
    const auto written = memory_.written_operands(expr);
    if (written.empty()) return {operand};
    for (std::size_t i = 0; i < expr.arguments.size(); ++i) {
      if (i != written[0] && versions_.at(expr.arguments[i])[0].root == operand.root) {
        fail(function_, "value " + names_.at(&expr) + " overwrites an operand that it also reads");
      }
    }
    overwrite(expr, operand.root);
    return {{operand.root, &expr}};
  }

  std::vector<Version> results_of_call(const Expr& call) {
    for (const std::size_t i : memory_.written_operands(call)) {
      const Expr* const root = versions_.at(call.arguments[i])[0].root;
      for (std::size_t j = 0; j < call.arguments.size(); ++j) {
        if (j != i && versions_.at(call.arguments[j])[0].root == root) {
          fail(function_, "value " + names_.at(&call) + " overwrites an argument that it is also given as another");
        }
      }
      overwrite(call, root);
    }
    std::vector<Version> results;
    for (std::size_t i = 0; i < call.types.size(); ++i) {
      const auto owner = memory_.owner({&call, static_cast<std::int64_t>(i)});
      const Expr* const root = owner ? versions_.at(owner->first)[0].root : &call;
      results.push_back({root, owner ? latest_update(root) : nullptr});
    }
    return results;
  }

  const Function& function_;
  const Memory memory_;
  std::unordered_map<const Expr*, std::string> names_;
  std::unordered_set<const Expr*> constants_;
  std::unordered_map<const Expr*, std::vector<Version>> versions_;  // by value, then by tuple element
  std::unordered_map<const Expr*, const Expr*> latest_;             // by root
};

class FunctionVerifier {
 public:
  FunctionVerifier(const Module& module, const Function& function, VerifyLevel level,
                   const std::set<const Function*>& earlier)
      : module_(module), function_(function), level_(level), earlier_(earlier) {}

  void verify() {
    if (!is_identifier(function_.name)) fail(function_, "the name is no identifier");
    verify_parameters();
    names_ = value_names(function_);
    for (const Expr* expr : topological_order(function_)) {
      at_ = "value " + (names_.contains(expr) ? names_.at(expr) : "%" + expr->name) + ": ";
      verify_expr(*expr);
    }
    for (const Expr* result : function_.results) {
      if (result->types.size() != 1) fail(function_, "a result is a tuple");
    }
  }

 private:
  void verify_parameters() {
    std::set<std::string> names;
    for (const Expr* parameter : function_.parameters) {
      if (parameter->kind != Expr::Kind::kParameter) fail(function_, "a parameter is another kind of value");
      if (!is_identifier(parameter->name)) fail(function_, "parameter %" + parameter->name + ": no identifier");
      if (!names.insert(parameter->name).second) fail(function_, "parameter %" + parameter->name + ": given twice");
      parameters_.insert(parameter);
      at_ = "parameter %" + parameter->name + ": ";
      verify_types(*parameter);
    }
  }

  void verify_expr(const Expr& expr) const {
    verify_types(expr);
    switch (expr.kind) {
      case Expr::Kind::kParameter:
        if (!parameters_.contains(&expr)) fail(function_, at_ + "the parameter is not one of this function's");
        break;
      case Expr::Kind::kWeight:
        if (expr.name.empty()) fail(function_, at_ + "the weight has no name");
        break;
      case Expr::Kind::kScalar:
        if (expr.type().rank() != 0) fail(function_, at_ + "the scalar has axes");
        break;
      case Expr::Kind::kOp:
        verify_op(expr);
        break;
      case Expr::Kind::kCall:
        verify_call(expr);
        break;
      case Expr::Kind::kGet:
        verify_get(expr);
        break;
    }
  }

  void verify_types(const Expr& expr) const {
    if (expr.types.empty()) fail(function_, at_ + "there is no type");
    for (const TensorType& type : expr.types) {
      for (const Dim& dim : type.shape) verify_size(dim);
      if (level_ == VerifyLevel::kFull) verify_layout(type);
    }
  }

  void verify_size(const Dim& dim) const {
    if (dim.factor() < 1) fail(function_, at_ + "the size " + dim.text() + " is not positive");
    if (dim.is_constant()) return;
    if (dim.symbols().size() > 1) fail(function_, at_ + "the size " + dim.text() + " has more than one symbol");
    const auto& symbols = module_.symbols();
    const bool declared =
        std::any_of(symbols.begin(), symbols.end(), [&dim](const auto& symbol) { return *symbol == *dim.symbol(); });
    if (!declared) fail(function_, at_ + "the symbol " + dim.symbol()->name + " is not declared like this");
  }

  void verify_layout(const TensorType& type) const {
    try {
      check_layout(type, "");
      check_placement(type, "");
    } catch (const Error& error) {
      fail(function_, at_ + type.text() + error.what());
    }
  }

  void verify_op(const Expr& expr) const {
    if (static_cast<int>(expr.arguments.size()) != expr.op->arity()) fail(function_, at_ + "wrong number of operands");
    std::vector<TensorType> operands;
    for (const Expr* argument : expr.arguments) {
      if (argument->types.size() != 1) fail(function_, at_ + "an operand is a tuple");
      operands.push_back(argument->type());
    }
    if (level_ != VerifyLevel::kFull) return;
    std::optional<TensorType> inferred;
    try {
      inferred = expr.op->infer(operands, expr.attributes);
    } catch (const Error& error) {
      fail(function_, at_ + error.what());
    }
    if (*inferred != expr.type()) {
      fail(function_,
           at_ + "the type is " + expr.type().text() + ", but " + expr.op->name() + " gives " + inferred->text());
    }
  }

  void verify_call(const Expr& expr) const {
    if (!earlier_.contains(expr.callee)) {
      fail(function_, at_ + "the callee is not an earlier function of the module");
    }
    const Function& callee = *expr.callee;
    if (expr.arguments.size() != callee.parameters.size()) fail(function_, at_ + "wrong number of arguments");
    if (expr.types.size() != callee.results.size()) fail(function_, at_ + "wrong number of results");
    for (std::size_t i = 0; i < expr.arguments.size(); ++i) {
      if (expr.arguments[i]->types != callee.parameters[i]->types) {
        fail(function_, at_ + "the argument for %" + callee.parameters[i]->name + " has another type");
      }
    }
    for (std::size_t i = 0; i < expr.types.size(); ++i) {
      if (expr.types[i] != callee.results[i]->type()) fail(function_, at_ + "a result has another type");
    }
  }

  void verify_get(const Expr& expr) const {
    const std::vector<TensorType>& tuple = expr.arguments.at(0)->types;
    if (expr.index < 0 || expr.index >= static_cast<std::int64_t>(tuple.size()))
      fail(function_, at_ + "no such element");
    if (expr.type() != tuple[static_cast<std::size_t>(expr.index)])
      fail(function_, at_ + "the element has another type");
  }

  const Module& module_;
  const Function& function_;
  const VerifyLevel level_;
  const std::set<const Function*>& earlier_;
  std::set<const Expr*> parameters_;
  std::unordered_map<const Expr*, std::string> names_;
  std::string at_;  // what is being verified, for messages
};

void check_symbols(const Module& module) {
  for (const auto& symbol : module.symbols()) {
    if (!is_identifier(symbol->name)) throw Fault{"the symbol " + symbol->name + " has no identifier as its name"};
    try {
      check_symbol(*symbol);
    } catch (const Error& error) {
      throw Fault{error.what()};
    }
  }
}

void check(const Module& module, VerifyLevel level) {
  check_symbols(module);
  std::set<const Function*> earlier;
  MemorySummaries summaries;
  for (const auto& function : module.functions()) {
    FunctionVerifier(module, *function, level, earlier).verify();
    if (level == VerifyLevel::kFull) summaries.emplace(function.get(), MemoryChecker(*function, summaries).check());
    earlier.insert(function.get());
  }
}

}  // namespace

bool is_identifier(std::string_view name) {
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const auto is_inner = [&](char c) { return is_letter(c) || c == '.' || (c >= '0' && c <= '9'); };
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), is_inner);
}

void check_symbol(const Symbol& symbol) {
  if (symbol.min < 1 || symbol.max < symbol.min) {
    throw usage_error("the symbol " + symbol.name + " has the range " + std::to_string(symbol.min) + ".." +
                          std::to_string(symbol.max),
                      "give a range of positive sizes");
  }
  if (symbol.multiple < 1 || symbol.min % symbol.multiple != 0 || symbol.max % symbol.multiple != 0) {
    throw usage_error(
        "the bounds of the symbol " + symbol.name + " are no multiples of " + std::to_string(symbol.multiple),
        "give bounds that the symbol can have");
  }
}

void verify(const Module& module, VerifyLevel level) {
  try {
    check(module, level);
  } catch (const Fault& fault) {
    internal_error(__FILE__, __LINE__, fault.what);
  }
}

void check_input(const Module& module, const std::string& origin) {
  try {
    check(module, VerifyLevel::kFull);
  } catch (const Fault& fault) {
    throw model_error(fault.what, origin, "correct the text");
  }
}

}  // namespace strata::ir
