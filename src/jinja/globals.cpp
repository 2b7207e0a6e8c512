// SPDX-License-Identifier: Apache-2.0
// Functions every template can call.
#include <array>
#include <ctime>
#include <unordered_map>

#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

using Global = Value (*)(Runtime&, const Arguments&);

Value global_range(Runtime& runtime, const Arguments& arguments) {
  const std::vector<Value>& given = arguments.positional;
  if (given.empty() || given.size() > 3) fail_data("range needs one to three integers");
  const std::int64_t first = given.size() == 1 ? 0 : to_int_argument(given[0], "range");
  const std::int64_t last = to_int_argument(given[given.size() == 1 ? 0 : 1], "range");
  const std::int64_t step = given.size() == 3 ? to_int_argument(given[2], "range") : 1;
  if (step == 0) fail_data("range: the step must not be zero");
  return runtime.range(first, last, step);
}

// From a dict, or from pairs.
void add_members(Runtime& runtime, DictObject& dict, const Value& from) {
  if (from.is_dict()) {
    for (const auto& [key, value] : dict_of(from).entries) runtime.set(dict, key, value);
    return;
  }
  for (const Value& pair : iterate(runtime, from)) {
    const std::vector<Value>& parts = iterate(runtime, pair);
    if (parts.size() != 2) fail_data("dict needs pairs of a key and a value");
    if (!DictObject::is_hashable(parts[0])) fail_data("unhashable type: '" + type_name(parts[0]) + "'");
    runtime.set(dict, parts[0], parts[1]);
  }
}

Value global_dict(Runtime& runtime, const Arguments& arguments) {
  DictObject* dict = runtime.new_dict();
  if (arguments.positional.size() > 1) fail_data("dict takes one argument");
  if (!arguments.positional.empty()) add_members(runtime, *dict, arguments.positional[0]);
  for (const auto& [name, value] : arguments.named) runtime.set(*dict, Value::string(name), value);
  return Runtime::dict_value(dict);
}

Value global_namespace(Runtime& runtime, const Arguments& arguments) {
  auto* space = runtime.make<NamespaceObject>();
  const Value members = global_dict(runtime, arguments);
  for (const auto& [key, value] : dict_of(members).entries) {
    if (key.is_string()) runtime.set(*space, key.as_string(), value);
  }
  return Value::object(Kind::kNamespace, space);
}

Value global_raise_exception(Runtime& runtime, const Arguments& arguments) {
  const Value* message = arguments.find(0, "message");
  throw TemplateError(Fault::kRefusal, message != nullptr ? to_text(runtime, *message) : "no reason given");
}

Value global_strftime_now(Runtime& runtime, const Arguments& arguments) {
  const Value* format = arguments.find(0, "format");
  if (format == nullptr || !format->is_string() || format->as_string().size() > 256) {
    fail_data("strftime_now needs a short format");
  }
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 4096> buffer{};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format->as_string().c_str(), &local);
  return runtime.string(std::string(buffer.data(), size));
}

const std::unordered_map<std::string_view, Global>& globals() {
  static const std::unordered_map<std::string_view, Global> table = {
      {"dict", global_dict},   {"namespace", global_namespace},       {"raise_exception", global_raise_exception},
      {"range", global_range}, {"strftime_now", global_strftime_now},
  };
  return table;
}

}  // namespace

Value find_global(Runtime& runtime, const std::string& name) {
  const auto found = globals().find(name);
  if (found == globals().end()) return {};
  const Global function = found->second;
  return runtime.callable(name, [function](Runtime& r, const Arguments& a) { return function(r, a); });
}

}  // namespace strata::jinja
