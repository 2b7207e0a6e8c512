// SPDX-License-Identifier: Apache-2.0
#include "ir/expr.h"

#include <bit>
#include <functional>
#include <type_traits>

#include "base/error.h"
#include "encoding/encoding.h"
#include "ir/op.h"

namespace strata::ir {
namespace {

void mix(std::size_t& seed, std::size_t value) { seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2); }

template <class T>
void mix_value(std::size_t& seed, const T& value) {
  mix(seed, std::hash<T>{}(value));
}

void mix_layout(std::size_t& seed, const Layout& layout) {
  for (const Pack& pack : layout.packs) {
    mix_value(seed, pack.lanes);
    mix_value(seed, pack.axis);
  }
  if (layout.encoding != nullptr) mix_value(seed, layout.encoding->name);
}

void mix_type(std::size_t& seed, const TensorType& type) {
  mix_value(seed, static_cast<int>(type.dtype));
  for (const Dim& dim : type.shape) {
    mix_value(seed, dim.factor());
    for (const auto& symbol : dim.symbols()) mix_value(seed, symbol->name);
  }
  mix_layout(seed, type.layout);
  for (const AxisPlacement& axis : type.placement.axes) {
    mix_value(seed, axis.mesh_axis);
    mix_value(seed, static_cast<int>(axis.sbp.kind));
    mix_value(seed, axis.sbp.axis);
    mix_value(seed, static_cast<int>(axis.sbp.combiner));
  }
}

void mix_attribute(std::size_t& seed, const Attribute& attribute) {
  mix_value(seed, attribute.index());
  std::visit(
      [&seed](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, double>) {
          mix_value(seed, std::bit_cast<std::uint64_t>(value));
        } else if constexpr (std::is_same_v<T, DType>) {
          mix_value(seed, static_cast<int>(value));
        } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          for (const std::int64_t item : value) mix_value(seed, item);
        } else if constexpr (std::is_same_v<T, Layout>) {
          mix_layout(seed, value);
        } else {
          mix_value(seed, value);
        }
      },
      attribute);
}

// Doubles are compared by their bits, so that NaN equals itself and -0.0 differs from 0.0, as in the text form.
bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

bool same_attribute(const Attribute& a, const Attribute& b) {
  const double* const x = std::get_if<double>(&a);
  const double* const y = std::get_if<double>(&b);
  return x != nullptr && y != nullptr ? same_bits(*x, *y) : a == b;
}

bool same_attributes(const Attributes& a, const Attributes& b) {
  if (a.size() != b.size()) return false;
  for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
    if (i->first != j->first || !same_attribute(i->second, j->second)) return false;
  }
  return true;
}

void check_argument(const Function& callee, std::size_t number, const Expr* argument) {
  const Expr& parameter = *callee.parameters[number];
  if (argument->types.size() == 1 && argument->type() == parameter.type()) return;
  const std::string given = argument->types.size() == 1 ? argument->type().text() : "a tuple";
  throw usage_error(
      "call @" + callee.name + ": argument %" + parameter.name + " is " + given + ", not " + parameter.type().text(),
      "pass a value of the parameter's type");
}

}  // namespace

const TensorType& Expr::type() const {
  STRATA_CHECK(types.size() == 1, "a tuple has no single type");
  return types[0];
}

std::size_t ExprPool::Hash::operator()(const Expr* e) const {
  std::size_t seed = static_cast<std::size_t>(e->kind);
  mix_value(seed, e->name);
  mix_value(seed, e->op);
  mix_value(seed, e->callee);
  mix_value(seed, e->index);
  mix_value(seed, std::bit_cast<std::uint64_t>(e->value));
  for (const auto& [name, attribute] : e->attributes) {
    mix_value(seed, name);
    mix_attribute(seed, attribute);
  }
  for (const Expr* argument : e->arguments) mix_value(seed, argument);
  for (const TensorType& type : e->types) mix_type(seed, type);
  return seed;
}

bool ExprPool::Equal::operator()(const Expr* a, const Expr* b) const {
  return a->kind == b->kind && a->name == b->name && a->op == b->op && a->callee == b->callee && a->index == b->index &&
         same_bits(a->value, b->value) && a->arguments == b->arguments &&
         same_attributes(a->attributes, b->attributes) && a->types == b->types;
}

const Expr* ExprPool::intern(Expr expr) {
  const auto found = index_.find(&expr);
  if (found != index_.end()) return *found;
  for (const TensorType& type : expr.types) (void)max_bytes(type);
  expr.id = static_cast<std::int64_t>(nodes_.size());
  nodes_.push_back(std::make_unique<Expr>(std::move(expr)));
  index_.insert(nodes_.back().get());
  return nodes_.back().get();
}

const Expr* ExprPool::parameter(std::string name, TensorType type) {
  Expr expr;
  expr.kind = Expr::Kind::kParameter;
  expr.name = std::move(name);
  expr.types = {std::move(type)};
  return intern(std::move(expr));
}

const Expr* ExprPool::weight(std::string name, TensorType type) {
  Expr expr;
  expr.kind = Expr::Kind::kWeight;
  expr.name = std::move(name);
  expr.types = {std::move(type)};
  return intern(std::move(expr));
}

const Expr* ExprPool::scalar(double value, DType dtype) {
  Expr expr;
  expr.kind = Expr::Kind::kScalar;
  expr.value = value;
  expr.types.push_back({.dtype = dtype});
  return intern(std::move(expr));
}

const Expr* ExprPool::op(const Op& op, std::vector<const Expr*> arguments, Attributes attributes) {
  if (static_cast<int>(arguments.size()) != op.arity()) {
    throw usage_error(op.name() + " has " + std::to_string(arguments.size()) + " operands",
                      "it takes " + std::to_string(op.arity()));
  }
  std::vector<TensorType> operands;
  for (const Expr* argument : arguments) {
    if (argument->types.size() != 1) {
      throw usage_error(op.name() + ": operand " + op.operand_names()[operands.size()] + " is a tuple",
                        "take one of its values with get");
    }
    operands.push_back(argument->types[0]);
  }
  Expr expr;
  expr.kind = Expr::Kind::kOp;
  expr.op = &op;
  expr.types = {op.infer(operands, attributes)};
  expr.attributes = std::move(attributes);
  expr.arguments = std::move(arguments);
  return intern(std::move(expr));
}

const Expr* ExprPool::call(const Function& callee, std::vector<const Expr*> arguments) {
  if (arguments.size() != callee.parameters.size()) {
    throw usage_error("call @" + callee.name + " has " + std::to_string(arguments.size()) + " arguments",
                      "it takes " + std::to_string(callee.parameters.size()));
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) check_argument(callee, i, arguments[i]);
  Expr expr;
  expr.kind = Expr::Kind::kCall;
  expr.callee = &callee;
  expr.arguments = std::move(arguments);
  for (const Expr* result : callee.results) expr.types.push_back(result->type());
  return intern(std::move(expr));
}

const Expr* ExprPool::get(const Expr* tuple, std::int64_t index) {
  if (index < 0 || index >= static_cast<std::int64_t>(tuple->types.size())) {
    throw usage_error("get: index " + std::to_string(index) + " of a tuple of " + std::to_string(tuple->types.size()),
                      "count from 0");
  }
  if (tuple->types.size() == 1) return tuple;
  Expr expr;
  expr.kind = Expr::Kind::kGet;
  expr.index = index;
  expr.arguments = {tuple};
  expr.types = {tuple->types[static_cast<std::size_t>(index)]};
  return intern(std::move(expr));
}

std::shared_ptr<const Symbol> Module::symbol(const Symbol& symbol) {
  for (const auto& known : symbols_) {
    if (known->name != symbol.name) continue;
    if (*known == symbol) return known;
    throw usage_error("symbol " + symbol.name + " is declared with two ranges", "give each range its own name");
  }
  symbols_.push_back(std::make_shared<const Symbol>(symbol));
  return symbols_.back();
}

const Function* Module::add(Function function) {
  STRATA_CHECK(find(function.name) == nullptr, "function @" + function.name + " exists already");
  STRATA_CHECK(!function.results.empty(), "function @" + function.name + " has no result");
  functions_.push_back(std::make_unique<Function>(std::move(function)));
  return functions_.back().get();
}

const Function* Module::find(std::string_view name) const {
  for (const auto& function : functions_) {
    if (function->name == name) return function.get();
  }
  return nullptr;
}

std::vector<const Expr*> topological_order(const Function& function) {
  struct Frame {
    const Expr* expr;
    std::size_t next_argument;
  };
  std::vector<const Expr*> order;
  std::unordered_set<const Expr*> seen;
  std::vector<Frame> stack;
  for (const Expr* root : function.results) {
    if (!seen.insert(root).second) continue;
    stack.push_back({root, 0});
    while (!stack.empty()) {
      const Expr* const expr = stack.back().expr;
      if (stack.back().next_argument == expr->arguments.size()) {
        order.push_back(expr);
        stack.pop_back();
        continue;
      }
      const Expr* const argument = expr->arguments[stack.back().next_argument++];
      if (seen.insert(argument).second) stack.push_back({argument, 0});
    }
  }
  return order;
}

}  // namespace strata::ir
