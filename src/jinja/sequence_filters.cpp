// SPDX-License-Identifier: Apache-2.0
// Filters of lists and dicts.
#include <algorithm>

#include "base/words.h"
#include "jinja/filters.h"

namespace strata::jinja {
namespace {

Value filter_default(Runtime&, const Value& input, const Arguments& arguments) {
  const bool is_missing = input.is_undefined() || (flag_argument(arguments, 1, "boolean") && !truthy(input));
  if (!is_missing) return input;
  const Value* otherwise = arguments.find(0, "default_value");
  return otherwise != nullptr ? *otherwise : Value::string("");
}

Value filter_length(Runtime& runtime, const Value& input, const Arguments&) {
  return Value::integer(length(runtime, input));
}

Value filter_list(Runtime& runtime, const Value& input, const Arguments&) {
  return runtime.list(iterate(runtime, input));
}

// "a.b.0": attributes and items on the way from an item to a value.
Value attribute_path(Runtime& runtime, const Value& item, const Value& path) {
  if (path.is_integral()) return get_item(runtime, item, path);
  if (!path.is_string()) fail_data("an attribute must be a str");
  Value value = item;
  std::string_view rest = path.as_string();
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string part(rest.substr(0, dot));
    const auto index = number_of<std::int64_t>(part);
    value = get_item(runtime, value, index ? Value::integer(*index) : Value::string(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

std::vector<Value> mapped_to_attribute(Runtime& runtime, std::vector<Value> items, const Value* attribute,
                                       const Value* otherwise = nullptr) {
  if (attribute == nullptr || attribute->is_none()) return items;
  for (Value& item : items) {
    item = attribute_path(runtime, item, *attribute);
    if (item.is_undefined() && otherwise != nullptr) item = *otherwise;
  }
  return items;
}

Value filter_join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* separator = arguments.find(0, "d");
  const std::string between = separator == nullptr ? "" : to_text(runtime, *separator);
  std::string out;
  bool first = true;
  for (const Value& item : mapped_to_attribute(runtime, iterate(runtime, input), arguments.find(1, "attribute"))) {
    if (!std::exchange(first, false)) out += between;
    runtime.step_bytes(between.size());
    out += to_text(runtime, item);
    if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  }
  return runtime.string(std::move(out));
}

// Of a long text too only the end is looked at.
Value filter_first(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_string() && !input.as_string().empty()) return get_item(runtime, input, Value::integer(0));
  const std::vector<Value>& items = iterate(runtime, input);
  return items.empty() ? Value::undefined("the first item of an empty sequence") : items.front();
}

Value filter_last(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_string() && !input.as_string().empty()) return get_item(runtime, input, Value::integer(-1));
  const std::vector<Value>& items = iterate(runtime, input);
  return items.empty() ? Value::undefined("the last item of an empty sequence") : items.back();
}

Value filter_reverse(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_string()) {
    runtime.step_characters(input.as_string().size());
    return runtime.string(reversed(input.as_string()), input.is_safe());
  }
  std::vector<Value> items = iterate(runtime, input);
  std::reverse(items.begin(), items.end());
  return runtime.list(std::move(items));
}

Value folded(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (!value.is_string() || case_sensitive) return value;
  runtime.step_characters(value.as_string().size());
  return runtime.string(lower(value.as_string()));
}

std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items, std::vector<Value> keys,
                             bool case_sensitive, bool reversed) {
  const Held held(runtime.memory(), 4 * items.size() * sizeof(Value));
  for (Value& key : keys) key = folded(runtime, key, case_sensitive);
  std::vector<Value> forward = keys;
  if (reversed) std::reverse(forward.begin(), forward.end());
  std::vector<std::size_t> order = sorted_order(runtime, forward);
  if (reversed) {
    // A stable descending sort is a stable ascending one of the reversed list, reversed.
    for (std::size_t& i : order) i = items.size() - 1 - i;
    std::reverse(order.begin(), order.end());
  }
  std::vector<Value> sorted;
  for (const std::size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

// "a,b": by the first attribute, then by the second.
std::vector<Value> sort_keys(Runtime& runtime, const std::vector<Value>& items, const Value* attribute,
                             bool case_sensitive) {
  const bool are_several =
      attribute != nullptr && attribute->is_string() && attribute->as_string().find(',') != std::string::npos;
  if (!are_several) return mapped_to_attribute(runtime, items, attribute);
  const Value names = call_method(runtime, *attribute, "split", {{Value::string(",")}, {}});
  std::vector<Value> keys;
  for (const Value& item : items) {
    std::vector<Value> key;
    for (const Value& name : names.items()) {
      key.push_back(folded(runtime, attribute_path(runtime, item, name), case_sensitive));
    }
    keys.push_back(runtime.list(std::move(key)));
  }
  return keys;
}

Value filter_sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value>& items = iterate(runtime, input);
  std::vector<Value> keys =
      sort_keys(runtime, items, arguments.find(2, "attribute"), flag_argument(arguments, 1, "case_sensitive"));
  return runtime.list(sorted_by(runtime, items, std::move(keys), flag_argument(arguments, 1, "case_sensitive"),
                                flag_argument(arguments, 0, "reverse")));
}

Value filter_dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value pairs = filter_items(runtime, input, {});
  const Value* by = arguments.find(1, "by");
  const bool by_value = by != nullptr && by->is_string() && by->as_string() == "value";
  std::vector<Value> keys;
  for (const Value& pair : pairs.items()) keys.push_back(pair.items()[by_value ? 1 : 0]);
  return runtime.list(sorted_by(runtime, pairs.items(), std::move(keys), flag_argument(arguments, 0, "case_sensitive"),
                                flag_argument(arguments, 2, "reverse")));
}

Value filter_unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value>& items = iterate(runtime, input);
  const std::vector<Value> keys = mapped_to_attribute(runtime, items, arguments.find(1, "attribute"));
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive");
  DictObject& seen = *runtime.new_dict();
  std::vector<Value> kept;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Value key = folded(runtime, keys[i], case_sensitive);
    if (!DictObject::is_hashable(key)) fail_data("unhashable type: '" + type_name(key) + "'");
    if (seen.find(key) != nullptr) continue;
    runtime.set(seen, key, Value::none());
    kept.push_back(items[i]);
  }
  return runtime.list(std::move(kept));
}

template <bool kMax>
Value filter_extreme(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value>& items = iterate(runtime, input);
  const std::vector<Value> keys = mapped_to_attribute(runtime, items, arguments.find(1, "attribute"));
  if (items.empty()) return Value::undefined("the extreme of an empty sequence");
  std::size_t best = 0;
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive");
  for (std::size_t i = 1; i < items.size(); ++i) {
    const Value a = folded(runtime, keys[i], case_sensitive), b = folded(runtime, keys[best], case_sensitive);
    if (kMax ? less(runtime, b, a) : less(runtime, a, b)) best = i;
  }
  return items[best];
}

Value filter_sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* start = arguments.find(1, "start");
  Value sum = start != nullptr ? *start : Value::integer(0);
  for (const Value& item : mapped_to_attribute(runtime, iterate(runtime, input), arguments.find(0, "attribute"))) {
    sum = arithmetic(runtime, "+", sum, item);
  }
  return sum;
}

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

std::string name_argument(const Arguments& arguments, std::size_t position, const char* of) {
  if (position >= arguments.positional.size() || !arguments.positional[position].is_string()) {
    fail_template(std::string(of) + " needs a name");
  }
  return arguments.positional[position].as_string();
}

Value filter_map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!truthy(input)) return runtime.list({});  // none is as good as nothing to map
  std::vector<Value> items = iterate(runtime, input);
  if (const Value* attribute = arguments.find(1'000'000, "attribute"); attribute && arguments.positional.empty()) {
    return runtime.list(
        mapped_to_attribute(runtime, std::move(items), attribute, arguments.find(1'000'000, "default")));
  }
  const std::string name = name_argument(arguments, 0, "map");
  const Arguments rest = without_first(arguments, 1);
  for (Value& item : items) item = apply_filter(runtime, name, item, rest);
  return runtime.list(std::move(items));
}

template <bool kKeep, bool kByAttribute>
Value filter_select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!truthy(input)) return runtime.list({});
  const std::size_t test_at = kByAttribute ? 1 : 0;
  if (kByAttribute && arguments.positional.empty()) fail_template("selectattr and rejectattr need an attribute");
  const bool has_test = arguments.positional.size() > test_at;
  const std::string test = has_test ? name_argument(arguments, test_at, "select") : "";
  const Arguments rest = has_test ? without_first(arguments, test_at + 1) : Arguments{};
  std::vector<Value> kept;
  for (const Value& item : iterate(runtime, input)) {
    const Value key = kByAttribute ? attribute_path(runtime, item, arguments.positional[0]) : item;
    if ((has_test ? apply_test(runtime, test, key, rest) : truthy(key)) == kKeep) kept.push_back(item);
  }
  return runtime.list(std::move(kept));
}

Value filter_attr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return get_attribute(runtime, input, name_argument(arguments, 0, "attr"));
}

Value filter_batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::int64_t size = int_argument(arguments, 0, "linecount", 0);
  if (size <= 0) fail_data("batch needs a positive size");
  const Value* fill = arguments.find(1, "fill_with");
  std::vector<Value> batches, batch;
  for (const Value& item : iterate(runtime, input)) {
    batch.push_back(item);
    if (static_cast<std::int64_t>(batch.size()) == size) batches.push_back(runtime.list(std::exchange(batch, {})));
  }
  if (!batch.empty()) {
    while (fill != nullptr && static_cast<std::int64_t>(batch.size()) < size) {
      runtime.step();
      batch.push_back(*fill);
    }
    batches.push_back(runtime.list(std::move(batch)));
  }
  return runtime.list(std::move(batches));
}

Value filter_slice(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value>& items = iterate(runtime, input);
  const std::int64_t count = int_argument(arguments, 0, "slices", 0);
  if (count <= 0) fail_data("slice needs a positive number");
  const Value* fill = arguments.find(1, "fill_with");
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t each = size / count, longer = size % count;
  std::vector<Value> slices;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t first = i * each + std::min(i, longer), last = first + each + (i < longer);
    std::vector<Value> slice(items.begin() + first, items.begin() + last);
    if (fill != nullptr && !fill->is_none() && i >= longer) slice.push_back(*fill);
    slices.push_back(runtime.list(std::move(slice)));
  }
  return runtime.list(std::move(slices));
}

// Pairs of a key and the items that have it, in the order of the keys.
Value filter_groupby(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* attribute = arguments.find(0, "attribute");
  if (attribute == nullptr) fail_template("groupby needs an attribute");
  const bool case_sensitive = flag_argument(arguments, 2, "case_sensitive");
  const std::vector<Value>& items = iterate(runtime, input);
  const std::vector<Value> keys = mapped_to_attribute(runtime, items, attribute, arguments.find(1, "default"));
  std::vector<Value> pairs;
  for (std::size_t i = 0; i < items.size(); ++i) {
    pairs.push_back(runtime.list({folded(runtime, keys[i], case_sensitive), keys[i], items[i]}));
  }
  std::vector<Value> order;
  for (const Value& pair : pairs) order.push_back(pair.items()[0]);
  pairs = sorted_by(runtime, pairs, std::move(order), true, false);
  std::vector<Value> groups;
  for (std::size_t begin = 0, end = 0; begin < pairs.size(); begin = end) {
    std::vector<Value> group;
    for (; end < pairs.size() && equal(runtime, pairs[end].items()[0], pairs[begin].items()[0]); ++end) {
      group.push_back(pairs[end].items()[2]);
    }
    groups.push_back(runtime.group(pairs[begin].items()[1], runtime.list(std::move(group))));
    if (end == begin) fail_data("groupby: a key is not equal to itself");
  }
  return runtime.list(std::move(groups));
}

}  // namespace

Value filter_items(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_undefined()) return runtime.list({});
  if (!input.is_dict()) fail_data("items needs a dict, not " + type_name(input));
  return call_method(runtime, input, "items");
}

std::span<const NamedFilter> sequence_filters() {
  static constexpr NamedFilter kFilters[] = {
      {"attr", filter_attr},
      {"batch", filter_batch},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"first", filter_first},
      {"groupby", filter_groupby},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"map", filter_map},
      {"max", filter_extreme<true>},
      {"min", filter_extreme<false>},
      {"reject", filter_select<false, false>},
      {"rejectattr", filter_select<false, true>},
      {"reverse", filter_reverse},
      {"select", filter_select<true, false>},
      {"selectattr", filter_select<true, true>},
      {"slice", filter_slice},
      {"sort", filter_sort},
      {"sum", filter_sum},
      {"unique", filter_unique},
  };
  return kFilters;
}

}  // namespace strata::jinja
