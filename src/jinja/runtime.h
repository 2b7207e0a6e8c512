// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/account.h"
#include "jinja/error.h"
#include "jinja/limits.h"
#include "jinja/value.h"

namespace strata::jinja {

[[noreturn]] void fail_data(const std::string& message);
[[noreturn]] void fail_template(const std::string& message);
[[noreturn]] void fail_undefined(const Value& value);

// One rendering: owns its containers and counts what it uses against the limits. A step is the work of evaluating one
// node, about 50 ns; bytes that an operation touches count as the steps that they take.
class Runtime {
 public:
  explicit Runtime(const RenderLimits& limits) : limits_(limits), memory_(limits.max_memory_bytes) {}

  const RenderLimits& limits() const { return limits_; }
  Account& memory() { return memory_; }

  void step(std::int64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.max_steps) fail_limit("steps");
  }

  void step_items(std::size_t count) { step(static_cast<std::int64_t>(count)); }
  // Bytes that are copied, compared or searched, and those of which each character is looked at.
  void step_bytes(std::size_t bytes) { step_items(bytes / 64); }
  void step_characters(std::size_t bytes) { step_items(bytes / 4); }

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

  Value string(std::string text, bool is_safe = false);
  Value list(std::vector<Value> items, Kind kind = Kind::kList);
  Value callable(std::string name, Function call);
  Value group(const Value& grouper, const Value& items);
  Value range(std::int64_t first, std::int64_t last, std::int64_t step);
  void set(DictObject& dict, const Value& key, Value value);
  void set(NamespaceObject& space, const std::string& name, Value value);
  DictObject* new_dict() { return make<DictObject>(); }
  static Value dict_value(DictObject* dict) { return Value::object(Kind::kDict, dict); }
  Value from_json(const nlohmann::ordered_json& json);

  template <typename T>
  T* make() {
    step();
    memory_.charge(sizeof(T) + kAllocationBytes);
    auto object = std::make_unique<T>();
    T* result = object.get();
    heap_.push_back(std::move(object));
    return result;
  }

  [[noreturn]] static void fail_limit(const std::string& of);

  // What the allocator and the runtime's own list need beside an object, and a container's node beside its value.
  static constexpr std::size_t kAllocationBytes = 32, kNodeBytes = 96;

 private:
  RenderLimits limits_;
  std::int64_t steps_ = 0;
  int depth_ = 0;
  Account memory_;  // outlives what is charged to it
  std::map<std::array<std::int64_t, 3>, Value> ranges_;
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
std::int64_t length(Runtime& runtime, const Value& value);
// list(value): items, keys, characters. What is returned lives as long as the runtime.
const std::vector<Value>& iterate(Runtime& runtime, const Value& value);
Value get_item(Runtime& runtime, const Value& base, const Value& key);              // base[key]
Value get_attribute(Runtime& runtime, const Value& base, const std::string& name);  // base.name
Value get_slice(Runtime& runtime, const Value& base, const Value& start, const Value& stop, const Value& step);
Value call(Runtime& runtime, const Value& callee, const Arguments& arguments);
std::int64_t to_int_argument(const Value& value, const std::string& what);
const Value* find(Runtime& runtime, const Value& dict, const Value& key);
Value format_percent(Runtime& runtime, const Value& format, const Value& values);         // format % values
Value format_fields(Runtime& runtime, const Value& format, const Arguments& arguments);   // format.format(...)
std::string format_value(Runtime& runtime, const Value& value, const std::string& spec);  // format(value, spec)

// A method of a str, dict or list; nullptr where there is none of this name.
using Method = Value (*)(Runtime&, const Value& self, const Arguments&);
Method find_method(const Value& self, const std::string& name);
Value call_method(Runtime& runtime, const Value& self, const std::string& name, const Arguments& arguments = {});
Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);
bool apply_test(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);
bool is_filter(const std::string& name);
bool is_test(const std::string& name);
// range, namespace, dict, raise_exception, strftime_now, ...; undefined where there is none of this name.
Value find_global(Runtime& runtime, const std::string& name);

// Text after the manner of str: operations by characters, not bytes. Those without a runtime are linear; their callers
// charge for the bytes.
std::string strip(Runtime& runtime, std::string_view text, const std::string* characters, bool left, bool right);
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string casefold(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);
std::string swapcase(std::string_view text);
std::string escape(std::string_view text);  // for HTML
std::string reversed(std::string_view text);
// Where `part` is first found at `from` or after; npos where it is not. Linear in both.
std::size_t find_text(Runtime& runtime, std::string_view text, std::string_view part, std::size_t from = 0);
// Spaces (or another character) up to `width` characters, after the manner of str.ljust, rjust and center.
enum class Side { kLeft, kRight, kCenter };
std::string pad(Runtime& runtime, std::string_view text, std::int64_t width, Side side, std::string_view fill = " ");
std::string replace(Runtime& runtime, const std::string& text, const std::string& from, const std::string& to,
                    std::int64_t count);
std::string_view character_at(std::string_view text, std::size_t byte);

}  // namespace strata::jinja
