// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/error.h"
#include "jinja/limits.h"
#include "jinja/value.h"

namespace strata::jinja {

[[noreturn]] void fail_data(const std::string& message);
[[noreturn]] void fail_template(const std::string& message);
[[noreturn]] void fail_undefined(const Value& value);

// One rendering: owns its containers and counts what it uses against the limits.
class Runtime {
 public:
  explicit Runtime(const RenderLimits& limits) : limits_(limits) {}

  const RenderLimits& limits() const { return limits_; }

  void step(std::int64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.max_steps) fail_limit("steps");
  }

  // To be called before a text of this size is made.
  void charge_text(std::size_t bytes);

  class Depth {
   public:
    explicit Depth(Runtime& runtime) : runtime_(runtime) {
      if (++runtime_.depth_ > runtime_.limits_.max_depth) {
        --runtime_.depth_;
        fail_limit("nesting");
      }
    }
    ~Depth() { --runtime_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Runtime& runtime_;
  };

  Value string(std::string text);
  Value list(std::vector<Value> items, Kind kind = Kind::kList);
  Value callable(std::string name, std::function<Value(Runtime&, const Arguments&)> call);
  DictObject* new_dict() { return make<DictObject>(); }
  static Value dict_value(DictObject* dict) { return Value::object(Kind::kDict, dict); }
  Value from_json(const nlohmann::ordered_json& json);

  template <typename T>
  T* make() {
    step();
    auto object = std::make_unique<T>();
    T* result = object.get();
    heap_.push_back(std::move(object));
    return result;
  }

  [[noreturn]] static void fail_limit(const std::string& of);

 private:
  RenderLimits limits_;
  std::int64_t steps_ = 0;
  std::size_t text_bytes_ = 0;
  int depth_ = 0;
  std::vector<std::unique_ptr<Object>> heap_;
};

// What Python's operators and conversions give. All bound their work by the runtime.
std::string to_text(Runtime& runtime, const Value& value);  // str()
std::string to_repr(Runtime& runtime, const Value& value);  // repr()
struct JsonStyle {
  int indent = -1;  // negative: one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);  // json.dumps
std::string float_repr(double value);

bool equal(Runtime& runtime, const Value& a, const Value& b);
bool less(Runtime& runtime, const Value& a, const Value& b);
// The order in which a stable ascending sort puts these keys; safe for keys without an order, such as NaN.
std::vector<std::size_t> sorted_order(Runtime& runtime, const std::vector<Value>& keys);
bool contains(Runtime& runtime, const Value& container, const Value& item);
Value arithmetic(Runtime& runtime, std::string_view op, const Value& a, const Value& b);
Value negate(const Value& value);
std::int64_t length(const Value& value);
// list(value): items, keys, characters.
std::vector<Value> iterate(Runtime& runtime, const Value& value);
Value get_item(Runtime& runtime, const Value& base, const Value& key);              // base[key]
Value get_attribute(Runtime& runtime, const Value& base, const std::string& name);  // base.name
Value get_slice(Runtime& runtime, const Value& base, const Value& start, const Value& stop, const Value& step);
Value call(Runtime& runtime, const Value& callee, const Arguments& arguments);
std::int64_t to_int_argument(const Value& value, const std::string& what);
std::string format_percent(Runtime& runtime, const std::string& format, const Value& values);

// A method of a str, dict or list bound to its object; undefined where there is none of this name.
Value bind_method(Runtime& runtime, const Value& self, const std::string& name);
Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);
bool apply_test(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);
bool is_filter(const std::string& name);
bool is_test(const std::string& name);
// range, namespace, dict, raise_exception, strftime_now, ...; undefined where there is none of this name.
Value find_global(Runtime& runtime, const std::string& name);

// Text after the manner of str: operations by characters, not bytes.
std::string strip(std::string_view text, const std::string* characters, bool left, bool right);
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);
std::string replace(Runtime& runtime, const std::string& text, const std::string& from, const std::string& to,
                    std::int64_t count);
std::string_view character_at(std::string_view text, std::size_t byte);

}  // namespace strata::jinja
