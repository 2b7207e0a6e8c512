// SPDX-License-Identifier: Apache-2.0
// Operators, subscripts and attributes, as Python and Jinja have them.
#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  fail_data("unsupported operand types for " + std::string(op) + ": '" + type_name(a) + "' and '" + type_name(b) + "'");
}

[[noreturn]] void fail_overflow() { fail_data("an integer is out of range"); }

bool equal_dicts(Runtime& runtime, const DictObject& a, const DictObject& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    const Value* other = find(runtime, Value::object(Kind::kDict, const_cast<DictObject*>(&b)), entry.first);
    return other != nullptr && equal(runtime, entry.second, *other);
  });
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) return a == std::numeric_limits<std::int64_t>::min() ? (fail_overflow(), 0) : -a;
  const std::int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) fail_overflow();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
  return result;
}

Value integer_arithmetic(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  if (op == "+") {
    overflows = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflows = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflows = __builtin_mul_overflow(a, b, &result);
  } else if (op == "**") {
    if (b < 0) return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
    result = integer_power(a, b);
  } else {
    if (b == 0) fail_data("division by zero");
    if (op == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b));
    result = op == "//" ? floor_divide(a, b) : b == -1 ? 0 : a - floor_divide(a, b) * b;
  }
  if (overflows) fail_overflow();
  return Value::integer(result);
}

Value float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value::real(a + b);
  if (op == "-") return Value::real(a - b);
  if (op == "*") return Value::real(a * b);
  if (op == "**") return Value::real(std::pow(a, b));
  if (b == 0) fail_data("division by zero");
  if (op == "/") return Value::real(a / b);
  // The remainder has the sign of b, zero included, and the quotient is what goes with it.
  double remainder = std::fmod(a, b), quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((remainder < 0) != (b < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (op == "%") return Value::real(remainder);
  return Value::real(quotient == 0 ? std::copysign(0.0, a / b) : std::nearbyint(quotient));
}

Value repeat(Runtime& runtime, const Value& sequence, std::int64_t count) {
  count = std::max<std::int64_t>(count, 0);
  if (sequence.is_string()) {
    const std::string& text = sequence.as_string();
    if (text.empty()) return sequence;
    const auto limit = static_cast<std::int64_t>(runtime.limits().max_output_bytes / text.size());
    if (count > limit) Runtime::fail_limit("text");
    runtime.charge_text(static_cast<std::size_t>(count) * text.size());
    std::string out;
    out.reserve(static_cast<std::size_t>(count) * text.size());
    for (std::int64_t i = 0; i < count; ++i) out += text;
    return runtime.string(std::move(out), sequence.is_safe());
  }
  std::vector<Value> items;
  for (std::int64_t i = 0; i < count && !sequence.items().empty(); ++i) {
    runtime.step_items(sequence.items().size());
    if (items.size() * sizeof(Value) > runtime.limits().max_memory_bytes) Runtime::fail_limit("memory");
    items.insert(items.end(), sequence.items().begin(), sequence.items().end());
  }
  return runtime.list(std::move(items), sequence.kind());
}

Value concatenate(Runtime& runtime, const Value& a, const Value& b) {
  if (a.is_string()) {
    runtime.charge_text(a.as_string().size() + b.as_string().size());
    const bool is_safe = a.is_safe() || b.is_safe();
    const auto part = [&](const Value& value) {
      return is_safe && !value.is_safe() ? escape(value.as_string()) : value.as_string();
    };
    return runtime.string(part(a) + part(b), is_safe);
  }
  const Held held(runtime.memory(), (a.items().size() + b.items().size()) * sizeof(Value));
  runtime.step_items(a.items().size() + b.items().size());
  std::vector<Value> items;
  items.reserve(a.items().size() + b.items().size());
  items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return runtime.list(std::move(items), a.kind());
}

// The items a slice picks, as in Python: begin, end and step with negative values counted from the end.
struct Slice {
  std::int64_t first, stride, count;
};

Slice slice_of(const Value& start, const Value& stop, const Value& step, std::int64_t size) {
  const std::int64_t stride = step.is_none() ? 1 : to_int_argument(step, "slice step");
  if (stride == 0) fail_data("slice step cannot be zero");
  const std::int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (value.is_none()) return otherwise;
    const std::int64_t index = to_int_argument(value, "slice index");
    return std::clamp(index < 0 ? std::max(index, -size - 1) + size : std::min(index, size), low, high);
  };
  const std::int64_t first = bound(start, stride > 0 ? low : high), last = bound(stop, stride > 0 ? high : low);
  // A stride beyond the size picks one item, and never overflows the index.
  const std::int64_t advance = std::clamp(stride, -size - 1, size + 1);
  const std::int64_t distance = advance > 0 ? last - first : first - last;
  const std::int64_t count = distance <= 0 ? 0 : (distance - 1) / std::abs(advance) + 1;
  return {first, advance, count};
}

// Where each character begins, and the end.
std::vector<std::uint32_t> character_starts(std::string_view text) {
  std::vector<std::uint32_t> starts;
  for (std::size_t pos = 0; pos < text.size(); pos += character_at(text, pos).size()) {
    starts.push_back(static_cast<std::uint32_t>(pos));
  }
  starts.push_back(static_cast<std::uint32_t>(text.size()));
  return starts;
}

const Value* item_at(const std::vector<Value>& items, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(items.size());
  if (index < 0) index += size;
  return index >= 0 && index < size ? &items[static_cast<std::size_t>(index)] : nullptr;
}

Value missing(const Value& base, const std::string& what) {
  return Value::undefined(what + " of a '" + type_name(base) + "'");
}

Value character_item(Runtime& runtime, const Value& base, std::int64_t index) {
  const std::string& text = base.as_string();
  runtime.step_items(text.size() / 8);
  if (index < 0) index += static_cast<std::int64_t>(count_code_points(text));
  std::size_t pos = 0;
  for (; index > 0 && pos < text.size(); --index) pos += character_at(text, pos).size();
  if (index != 0 || pos >= text.size()) return missing(base, "item");
  return runtime.string(std::string(character_at(text, pos)), base.is_safe());
}

Value loop_cycle(const LoopObject& loop, const Arguments& arguments) {
  if (arguments.positional.empty()) fail_data("loop.cycle needs items");
  return arguments.positional[loop.index % arguments.positional.size()];
}

bool loop_changed(Runtime& runtime, LoopObject& loop, const Arguments& arguments) {
  const std::vector<Value>& now = arguments.positional;
  const bool same = loop.last_changed.size() == now.size() &&
                    std::equal(now.begin(), now.end(), loop.last_changed.begin(),
                               [&](const Value& a, const Value& b) { return equal(runtime, a, b); });
  if (!same) loop.last_changed = now;
  return !same;
}

Value loop_attribute(Runtime& runtime, const Value& base, const std::string& name) {
  LoopObject& loop = loop_of(base);
  const auto index = static_cast<std::int64_t>(loop.index), size = static_cast<std::int64_t>(loop.items->size());
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == size);
  if (name == "length") return Value::integer(size);
  if (name == "revindex") return Value::integer(size - index);
  if (name == "revindex0") return Value::integer(size - index - 1);
  if (name == "depth" || name == "depth0") return Value::integer(loop.depth + (name == "depth"));
  if (name == "previtem") return index > 0 ? (*loop.items)[loop.index - 1] : missing(base, "previtem");
  if (name == "nextitem") return index + 1 < size ? (*loop.items)[loop.index + 1] : missing(base, "nextitem");
  if (name == "cycle") {
    return runtime.callable(name, [&loop](Runtime&, const Arguments& a) { return loop_cycle(loop, a); });
  }
  if (name == "changed") {
    return runtime.callable(
        name, [&loop](Runtime& r, const Arguments& a) { return Value::boolean(loop_changed(r, loop, a)); });
  }
  return missing(base, "attribute '" + name + "'");
}

}  // namespace

std::string_view character_at(std::string_view text, std::size_t byte) {
  return text.substr(byte, decode_utf8(text, byte).size);
}

std::int64_t to_int_argument(const Value& value, const std::string& what) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_integral()) fail_data(what + " must be an integer, not " + type_name(value));
  return value.as_int();
}

bool equal(Runtime& runtime, const Value& a, const Value& b) {
  const Runtime::Depth depth(runtime);
  runtime.step();
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.as_int() == b.as_int() : a.as_double() == b.as_double();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.as_string().size() == b.as_string().size()) runtime.step_bytes(a.as_string().size());
      return a.as_string() == b.as_string();
    case Kind::kList:
    case Kind::kTuple:
      return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        [&](const Value& x, const Value& y) { return equal(runtime, x, y); });
    case Kind::kDict:
      return equal_dicts(runtime, dict_of(a), dict_of(b));
    default:
      return a.as_object() == b.as_object();
  }
}

bool less(Runtime& runtime, const Value& a, const Value& b) {
  const Runtime::Depth depth(runtime);
  runtime.step();
  if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
  if (a.is_number() && b.is_number()) return a.as_double() < b.as_double();
  if (a.is_string() && b.is_string()) {
    runtime.step_bytes(std::min(a.as_string().size(), b.as_string().size()));
    return a.as_string() < b.as_string();
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    for (std::size_t i = 0; i < std::min(a.items().size(), b.items().size()); ++i) {
      if (!equal(runtime, a.items()[i], b.items()[i])) return less(runtime, a.items()[i], b.items()[i]);
    }
    return a.items().size() < b.items().size();
  }
  fail_operands("<", a, b);
}

std::vector<std::size_t> sorted_order(Runtime& runtime, const std::vector<Value>& keys) {
  runtime.step_items(keys.size());
  const Held held(runtime.memory(), 2 * keys.size() * sizeof(std::size_t));
  std::vector<std::size_t> order(keys.size()), merged(keys.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    for (std::size_t begin = 0; begin < order.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, order.size()), end = std::min(middle + width, order.size());
      std::size_t left = begin, right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        const bool take_right = left == middle || (right < end && less(runtime, keys[order[right]], keys[order[left]]));
        merged[out] = order[take_right ? right++ : left++];
      }
    }
    order.swap(merged);
  }
  return order;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.is_undefined()) return false;
  if (container.is_string()) {
    if (!item.is_string()) fail_operands("in", item, container);
    return find_text(runtime, container.as_string(), item.as_string()) != std::string::npos;
  }
  if (container.is_dict()) {
    if (!DictObject::is_hashable(item)) fail_data("unhashable type: '" + type_name(item) + "'");
    return find(runtime, container, item) != nullptr;
  }
  if (!container.is_sequence()) fail_data("a '" + type_name(container) + "' contains no items");
  return std::any_of(container.items().begin(), container.items().end(),
                     [&](const Value& each) { return equal(runtime, each, item); });
}

Value arithmetic(Runtime& runtime, std::string_view op, const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return integer_arithmetic(op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return float_arithmetic(op, a.as_double(), b.as_double());
  const bool a_repeats = a.is_string() || a.is_sequence(), b_repeats = b.is_string() || b.is_sequence();
  if (op == "+" && a.kind() == b.kind() && a_repeats) return concatenate(runtime, a, b);
  if (op == "*" && a_repeats && b.is_integral()) return repeat(runtime, a, b.as_int());
  if (op == "*" && b_repeats && a.is_integral()) return repeat(runtime, b, a.as_int());
  if (op == "%" && a.is_string()) return format_percent(runtime, a, b);
  fail_operands(op, a, b);
}

Value negate(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_number()) fail_data("bad operand type for unary -: '" + type_name(value) + "'");
  if (!value.is_integral()) return Value::real(-value.as_double());
  if (value.as_int() == std::numeric_limits<std::int64_t>::min()) fail_overflow();
  return Value::integer(-value.as_int());
}

std::int64_t length(Runtime& runtime, const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_string()) runtime.step_items(value.as_string().size() / 16);
  if (value.is_string()) return static_cast<std::int64_t>(count_code_points(value.as_string()));
  if (value.is_sequence()) return static_cast<std::int64_t>(value.items().size());
  if (value.is_dict()) return static_cast<std::int64_t>(dict_of(value).entries.size());
  fail_data("a '" + type_name(value) + "' has no length");
}

const std::vector<Value>& iterate(Runtime& runtime, const Value& value) {
  static const std::vector<Value> kNothing;
  if (value.is_undefined()) return kNothing;
  if (value.is_sequence()) {
    runtime.step_items(value.items().size());
    return value.items();
  }
  std::vector<Value> items;
  if (value.is_dict()) {
    items.reserve(dict_of(value).entries.size());
    for (const auto& entry : dict_of(value).entries) items.push_back(entry.first);
  } else if (value.is_string()) {
    const std::string& text = value.as_string();
    for (std::size_t pos = 0; pos < text.size(); pos += items.back().as_string().size()) {
      runtime.step();
      items.push_back(runtime.string(std::string(character_at(text, pos))));
    }
  } else {
    fail_data("a '" + type_name(value) + "' is not iterable");
  }
  return runtime.list(std::move(items)).items();
}

const Value* find(Runtime& runtime, const Value& dict, const Value& key) {
  runtime.step();
  if (key.is_string()) runtime.step_bytes(key.as_string().size() * 16);
  return dict_of(dict).find(key);
}

Value get_item(Runtime& runtime, const Value& base, const Value& key) {
  if (base.is_undefined()) fail_undefined(base);
  if (base.is_dict()) {
    if (const Value* found = find(runtime, base, key)) return *found;
  } else if (base.is_sequence() && key.is_integral()) {
    const Value* found = item_at(base.items(), key.as_int());
    return found != nullptr ? *found : missing(base, "item " + std::to_string(key.as_int()));
  } else if (base.is_string() && key.is_integral()) {
    return character_item(runtime, base, key.as_int());
  }
  if (!key.is_string()) return missing(base, "item " + to_repr(runtime, key).substr(0, 60));
  return get_attribute(runtime, base, key.as_string());
}

Value get_attribute(Runtime& runtime, const Value& base, const std::string& name) {
  if (base.is_undefined()) fail_undefined(base);
  if (base.kind() == Kind::kLoop) return loop_attribute(runtime, base, name);
  if (base.kind() == Kind::kNamespace) {
    const auto& members = static_cast<const NamespaceObject*>(base.as_object())->members;
    const auto found = members.find(name);
    return found != members.end() ? found->second : missing(base, "attribute '" + name + "'");
  }
  if (find_method(base, name) != nullptr) {
    return runtime.callable(name,
                            [base, name](Runtime& r, const Arguments& a) { return call_method(r, base, name, a); });
  }
  if (base.is_dict()) {
    if (const Value* found = find(runtime, base, Value::string(name))) return *found;
  }
  if (base.is_sequence() && static_cast<const ListObject*>(base.as_object())->is_group) {
    if (name == "grouper") return base.items()[0];
    if (name == "list") return base.items()[1];
  }
  return missing(base, "attribute '" + name + "'");
}

Value get_slice(Runtime& runtime, const Value& base, const Value& start, const Value& stop, const Value& step) {
  if (base.is_undefined()) fail_undefined(base);
  if (base.is_string()) {
    const std::string& text = base.as_string();
    runtime.step_characters(text.size());
    const Held held(runtime.memory(), text.size() * sizeof(std::uint32_t));
    const std::vector<std::uint32_t> starts = character_starts(text);
    const Slice slice = slice_of(start, stop, step, std::ssize(starts) - 1);
    std::string out;
    for (std::int64_t i = 0; i < slice.count; ++i) {
      const auto at = static_cast<std::size_t>(slice.first + i * slice.stride);
      out.append(text, starts[at], starts[at + 1] - starts[at]);
    }
    return runtime.string(std::move(out), base.is_safe());
  }
  if (!base.is_sequence()) return missing(base, "slice");
  const Slice slice = slice_of(start, stop, step, std::ssize(base.items()));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(slice.count));
  for (std::int64_t i = 0; i < slice.count; ++i) {
    items.push_back(base.items()[static_cast<std::size_t>(slice.first + i * slice.stride)]);
  }
  return runtime.list(std::move(items), base.kind());
}

Value call(Runtime& runtime, const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) fail_template(callee.undefined_name() + " is undefined and cannot be called");
  if (callee.kind() == Kind::kLoop && loop_of(callee).recurse) {
    const Runtime::Depth depth(runtime);
    return loop_of(callee).recurse(runtime, arguments);
  }
  if (callee.kind() != Kind::kCallable) fail_data("a '" + type_name(callee) + "' cannot be called");
  const Runtime::Depth depth(runtime);
  runtime.step();
  return static_cast<const CallableObject*>(callee.as_object())->call(runtime, arguments);
}

}  // namespace strata::jinja
