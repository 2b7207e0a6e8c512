// SPDX-License-Identifier: Apache-2.0
#include "jinja/filters.h"

#include <unordered_map>

namespace strata::jinja {
namespace {

const std::unordered_map<std::string_view, Filter>& filters() {
  static const std::unordered_map<std::string_view, Filter> table = [] {
    std::unordered_map<std::string_view, Filter> all;
    for (const auto& some : {text_filters(), number_filters(), sequence_filters()}) {
      for (const auto& [name, apply] : some) all.emplace(name, apply);
    }
    return all;
  }();
  return table;
}

}  // namespace

bool flag_argument(const Arguments& arguments, std::size_t position, const char* name) {
  const Value* value = arguments.find(position, name);
  return value != nullptr && truthy(*value);
}

std::int64_t int_argument(const Arguments& arguments, std::size_t position, const char* name, std::int64_t otherwise) {
  const Value* value = arguments.find(position, name);
  return value == nullptr || value->is_none() ? otherwise : to_int_argument(*value, name);
}

bool is_filter(const std::string& name) { return filters().contains(name); }

Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments) {
  const Runtime::Depth depth(runtime);
  runtime.step();
  const auto found = filters().find(name);
  if (found == filters().end()) fail_template("filter '" + name.substr(0, 40) + "' is not supported");
  return found->second(runtime, input, arguments);
}

}  // namespace strata::jinja
