// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"

namespace strata::jinja {

enum class Kind { kUndefined, kNone, kBool, kInt, kFloat, kString, kList, kTuple, kDict, kNamespace, kLoop, kCallable };

// Containers live in the Runtime until the rendering ends and are referred to by plain pointers: neither a cycle nor
// a deep nest of them can leak or overflow the stack when it is destroyed.
struct Object {
  virtual ~Object() = default;
};

class Value {
 public:
  Value() = default;  // undefined
  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool value);
  static Value integer(std::int64_t value);
  static Value real(double value);
  static Value string(std::string value);  // not charged to a Runtime: for short constants
  static Value string(std::shared_ptr<const std::string> value);
  // Using it as anything but a missing value fails with "`what` is undefined".
  static Value undefined(std::string what);
  static Value object(Kind kind, Object* object);

  Kind kind() const { return kind_; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool is_dict() const { return kind_ == Kind::kDict; }
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }  // bool is an int in Python
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }

  // Each requires the kind it names.
  bool as_bool() const { return integer_ != 0; }
  std::int64_t as_int() const { return integer_; }
  double as_double() const { return kind_ == Kind::kFloat ? real_ : static_cast<double>(integer_); }
  const std::string& as_string() const { return *string_; }
  // Of a string: what Python calls Markup. It stays as it is where other strings are escaped.
  bool is_safe() const { return is_safe_; }
  Value with_safety(bool is_safe) const;
  const std::string& undefined_name() const;
  const std::vector<Value>& items() const;
  Object* as_object() const { return object_; }

 private:
  explicit Value(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::kUndefined;
  bool is_safe_ = false;
  union {
    std::int64_t integer_ = 0;
    double real_;
    Object* object_;
  };
  std::shared_ptr<const std::string> string_;  // of strings, and the name of undefined values
};

struct ListObject : Object {
  std::vector<Value> items;
  bool is_group = false;  // a pair of groupby, whose items are also called grouper and list
};

// Keeps insertion order. Keys are strings, numbers, booleans or none; equal keys as in Python (1 == 1.0 == True).
struct DictObject : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::map<std::string, std::size_t, std::less<>> index;  // by key_text; a tree, as templates choose the keys

  const Value* find(const Value& key) const;
  const Value* find(const std::string& key) const;
  void set(const Value& key, Value value);
  static bool is_hashable(const Value& key);
};

struct NamespaceObject : Object {
  std::map<std::string, Value, std::less<>> members;
};

class Runtime;
struct Arguments;
using Function = std::function<Value(Runtime&, const Arguments&)>;

// A for loop's `loop`.
struct LoopObject : Object {
  const std::vector<Value>* items = nullptr;
  std::size_t index = 0;
  int depth = 0;
  Function recurse;  // loop(items) of a recursive loop
  std::vector<Value> last_changed;
};

// Arguments of a call, a filter or a test (without its input).
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at this place or of this name; nullptr where it was not given.
  const Value* find(std::size_t position, std::string_view name) const;
};

struct CallableObject : Object {
  Function call;
  std::string name;
};

// str() and comparisons of Python; errors are TemplateErrors.
bool truthy(const Value& value);
std::string type_name(const Value& value);  // Python's

DictObject& dict_of(const Value& value);
LoopObject& loop_of(const Value& value);

}  // namespace strata::jinja
