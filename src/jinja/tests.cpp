// SPDX-License-Identifier: Apache-2.0
// Jinja's tests: `value is name`.
#include <unordered_map>

#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

using Test = bool (*)(Runtime&, const Value& input, const Arguments&);

const Value& operand(const Arguments& arguments) {
  if (arguments.positional.empty()) fail_template("a test needs an operand");
  return arguments.positional[0];
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_sequence() || value.is_dict();
}

bool is_same(Runtime& runtime, const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return a.as_int() == b.as_int();
    case Kind::kFloat:
      return a.as_double() == b.as_double();
    case Kind::kString:
      return equal(runtime, a, b);
    default:
      return a.as_object() == b.as_object();
  }
}

template <Kind kKind>
bool test_kind(Runtime&, const Value& input, const Arguments&) {
  return input.kind() == kKind;
}

bool test_equal(Runtime& r, const Value& v, const Arguments& a) { return equal(r, v, operand(a)); }
bool test_not_equal(Runtime& r, const Value& v, const Arguments& a) { return !equal(r, v, operand(a)); }
bool test_less(Runtime& r, const Value& v, const Arguments& a) { return less(r, v, operand(a)); }
bool test_less_equal(Runtime& r, const Value& v, const Arguments& a) {
  return less(r, v, operand(a)) || equal(r, v, operand(a));
}
bool test_greater(Runtime& r, const Value& v, const Arguments& a) { return less(r, operand(a), v); }
bool test_greater_equal(Runtime& r, const Value& v, const Arguments& a) {
  return less(r, operand(a), v) || equal(r, v, operand(a));
}

bool test_divisible(Runtime& r, const Value& v, const Arguments& a) {
  return !truthy(arithmetic(r, "%", v, operand(a)));
}

template <int kRemainder>
bool test_parity(Runtime&, const Value& v, const Arguments&) {
  return (to_int_argument(v, "value") & 1) == kRemainder;
}

template <std::string (*kConvert)(std::string_view)>
bool test_case(Runtime& r, const Value& v, const Arguments&) {
  const std::string text = to_text(r, v);
  r.step_characters(3 * text.size());
  return kConvert(text) == text && upper(text) != lower(text);
}

const std::unordered_map<std::string_view, Test>& tests() {
  static const std::unordered_map<std::string_view, Test> table = {
      {"!=", test_not_equal},
      {"<", test_less},
      {"<=", test_less_equal},
      {"==", test_equal},
      {">", test_greater},
      {">=", test_greater_equal},
      {"boolean", test_kind<Kind::kBool>},
      // Calling what is undefined is an error, but Python's Undefined has the method.
      {"callable",
       [](Runtime&, const Value& v, const Arguments&) { return v.kind() == Kind::kCallable || v.is_undefined(); }},
      {"defined", [](Runtime&, const Value& v, const Arguments&) { return !v.is_undefined(); }},
      {"divisibleby", test_divisible},
      {"eq", test_equal},
      {"equalto", test_equal},
      {"escaped", [](Runtime&, const Value& v, const Arguments&) { return v.is_string() && v.is_safe(); }},
      {"even", test_parity<0>},
      {"false", [](Runtime&, const Value& v, const Arguments&) { return v.is_bool() && !v.as_bool(); }},
      {"filter", [](Runtime&, const Value& v, const Arguments&) { return v.is_string() && is_filter(v.as_string()); }},
      {"float", test_kind<Kind::kFloat>},
      {"ge", test_greater_equal},
      {"greaterthan", test_greater},
      {"gt", test_greater},
      {"in", [](Runtime& r, const Value& v, const Arguments& a) { return contains(r, operand(a), v); }},
      {"integer", test_kind<Kind::kInt>},
      {"iterable", [](Runtime&, const Value& v, const Arguments&) { return is_iterable(v); }},
      {"le", test_less_equal},
      {"lessthan", test_less},
      {"lower", test_case<lower>},
      {"lt", test_less},
      {"mapping", test_kind<Kind::kDict>},
      {"ne", test_not_equal},
      {"none", test_kind<Kind::kNone>},
      {"number", [](Runtime&, const Value& v, const Arguments&) { return v.is_number(); }},
      {"odd", test_parity<1>},
      {"sameas", [](Runtime& r, const Value& v, const Arguments& a) { return is_same(r, v, operand(a)); }},
      {"sequence", [](Runtime&, const Value& v, const Arguments&) { return is_iterable(v); }},
      {"string", test_kind<Kind::kString>},
      {"test", [](Runtime&, const Value& v, const Arguments&) { return v.is_string() && is_test(v.as_string()); }},
      {"true", [](Runtime&, const Value& v, const Arguments&) { return v.is_bool() && v.as_bool(); }},
      {"undefined", test_kind<Kind::kUndefined>},
      {"upper", test_case<upper>},
  };
  return table;
}

}  // namespace

bool is_test(const std::string& name) { return tests().contains(name); }

bool apply_test(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments) {
  runtime.step();
  const auto found = tests().find(name);
  if (found == tests().end()) fail_template("test '" + name.substr(0, 40) + "' is not supported");
  return found->second(runtime, input, arguments);
}

}  // namespace strata::jinja
