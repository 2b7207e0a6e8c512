// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "ir/type.h"

namespace strata::ir {

class Op;
struct Function;

using Attribute = std::variant<std::int64_t, double, std::string, DType, std::vector<std::int64_t>, Layout>;
using Attributes = std::map<std::string, Attribute>;

// An immutable node of a function's body. Equal nodes of one pool are one object, so pointers compare values.
struct Expr {
  enum class Kind {
    kParameter,  // name, type
    kWeight,     // name: a tensor of the checkpoint
    kScalar,     // value: a constant of rank 0
    kOp,         // op, arguments, attributes
    kCall,       // callee, arguments; several results are a tuple
    kGet,        // arguments[0] is a tuple, index
  };

  Kind kind = Kind::kParameter;
  std::string name;
  const Op* op = nullptr;
  const Function* callee = nullptr;
  std::int64_t index = 0;
  double value = 0;
  Attributes attributes;
  std::vector<const Expr*> arguments;
  std::vector<TensorType> types;  // one, or a tuple's

  // Not part of the identity: position in the pool, which is a topological order.
  std::int64_t id = 0;

  const TensorType& type() const;  // of an expression that is no tuple
};

// Owns expressions and makes equal ones identical (hash-consing).
class ExprPool {
 public:
  const Expr* parameter(std::string name, TensorType type);
  const Expr* weight(std::string name, TensorType type);
  const Expr* scalar(double value, DType dtype);

  // Infers the types. Throws Error (usage) naming the op when the arguments don't fit it.
  const Expr* op(const Op& op, std::vector<const Expr*> arguments, Attributes attributes = {});
  const Expr* call(const Function& callee, std::vector<const Expr*> arguments);

  // Of a call with one result, index 0 is the call itself.
  const Expr* get(const Expr* tuple, std::int64_t index);

  std::size_t size() const { return nodes_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Expr* e) const;
  };
  struct Equal {
    bool operator()(const Expr* a, const Expr* b) const;
  };

  const Expr* intern(Expr expr);

  std::vector<std::unique_ptr<Expr>> nodes_;
  std::unordered_set<const Expr*, Hash, Equal> index_;
};

struct Function {
  std::string name;  // without '@'
  std::vector<const Expr*> parameters;
  std::vector<const Expr*> results;
  // Of a version of another function, that one's name. Constants and states of one name and type are the same in both:
  // how they lie is one decision.
  std::string origin = {};
};

// A list of functions, callees before callers, with the pool that owns their expressions and the symbols they use.
class Module {
 public:
  explicit Module(std::string name = "module") : name_(std::move(name)) {}
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  const std::string& name() const { return name_; }
  ExprPool& pool() { return pool_; }

  // Declares a symbol; declaring it again with the same range gives the same object, with another range throws Error.
  std::shared_ptr<const Symbol> symbol(const Symbol& symbol);
  const std::vector<std::shared_ptr<const Symbol>>& symbols() const { return symbols_; }

  const Function* add(Function function);  // the name must be new
  const Function* find(std::string_view name) const;
  const std::vector<std::unique_ptr<Function>>& functions() const { return functions_; }

 private:
  std::string name_;
  ExprPool pool_;
  std::vector<std::shared_ptr<const Symbol>> symbols_;
  std::vector<std::unique_ptr<Function>> functions_;
};

// The expressions that a function's results need, arguments before users, in the order of a depth-first walk from the
// results: it depends on the structure only, not on the order in which the pool was filled.
std::vector<const Expr*> topological_order(const Function& function);

}  // namespace strata::ir
