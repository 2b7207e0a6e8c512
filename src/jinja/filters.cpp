// SPDX-License-Identifier: Apache-2.0
// Jinja's filters, and tojson as Hugging Face transformers defines it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

using Filter = Value (*)(Runtime&, const Value& input, const Arguments&);

bool flag_argument(const Arguments& arguments, std::size_t position, const char* name) {
  const Value* value = arguments.find(position, name);
  return value != nullptr && truthy(*value);
}

std::int64_t int_argument(const Arguments& arguments, std::size_t position, const char* name, std::int64_t otherwise) {
  const Value* value = arguments.find(position, name);
  return value == nullptr || value->is_none() ? otherwise : to_int_argument(*value, name);
}

template <std::string (*kConvert)(std::string_view)>
Value filter_convert(Runtime& runtime, const Value& input, const Arguments&) {
  const std::string text = to_text(runtime, input);
  runtime.step_characters(text.size());
  return runtime.string(kConvert(text), input.is_safe());
}

// Unlike str.title, words begin only after spaces and opening brackets.
std::string title_words(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    const char32_t c = character.code_point;
    const bool separates = is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    out += at_start ? upper(text.substr(pos, character.size)) : lower(text.substr(pos, character.size));
    at_start = separates;
    pos += character.size;
  }
  return out;
}

Value filter_title(Runtime& runtime, const Value& input, const Arguments&) {
  const std::string text = to_text(runtime, input);
  runtime.step_characters(text.size());
  return runtime.string(title_words(text));
}

Value filter_escape(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_safe()) return input;
  return runtime.string(escape(to_text(runtime, input)), true);
}

Value filter_forceescape(Runtime& runtime, const Value& input, const Arguments&) {
  return runtime.string(escape(to_text(runtime, input)), true);
}

Value filter_safe(Runtime& runtime, const Value& input, const Arguments&) {
  return input.is_string() ? input.with_safety(true) : runtime.string(to_text(runtime, input), true);
}

Value filter_string(Runtime& runtime, const Value& input, const Arguments&) {
  return input.is_string() ? input : runtime.string(to_text(runtime, input));
}

Value filter_trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* characters = arguments.find(0, "chars");
  if (characters != nullptr && !characters->is_none() && !characters->is_string()) fail_data("trim needs a str");
  const bool given = characters != nullptr && characters->is_string();
  const std::string text = to_text(runtime, input);
  return runtime.string(strip(runtime, text, given ? &characters->as_string() : nullptr, true, true), input.is_safe());
}

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
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = !part.empty() && parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    value = get_item(runtime, value, is_index ? Value::integer(index) : Value::string(part));
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

Value filter_replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value *from = arguments.find(0, "old"), *to = arguments.find(1, "new");
  if (from == nullptr || to == nullptr) fail_template("replace needs two arguments");
  return runtime.string(replace(runtime, to_text(runtime, input), to_text(runtime, *from), to_text(runtime, *to),
                                int_argument(arguments, 2, "count", -1)));
}

bool parse_float(Runtime& runtime, std::string text, double& value) {
  text = strip(runtime, text, nullptr, true, true);
  std::erase(text, '_');
  const char* begin = text.data() + (!text.empty() && text[0] == '+');
  const auto parsed = std::from_chars(begin, text.data() + text.size(), value);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool parse_int(Runtime& runtime, std::string text, int base, std::int64_t& value) {
  runtime.step_characters(text.size());
  text = lower(strip(runtime, text, nullptr, true, true));
  std::erase(text, '_');
  const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
  if (!prefix.empty() && text.starts_with(prefix)) text.erase(0, 2);
  const char* begin = text.data() + (!text.empty() && text[0] == '+');
  const auto parsed = std::from_chars(begin, text.data() + text.size(), value, base);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

Value filter_int(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* otherwise = arguments.find(0, "default");
  const Value fallback = otherwise != nullptr ? *otherwise : Value::integer(0);
  const std::int64_t base = int_argument(arguments, 1, "base", 10);
  if (base < 2 || base > 36) fail_data("int: the base must be from 2 to 36");
  double real = 0;
  std::int64_t integer = 0;
  if (input.is_integral()) return Value::integer(input.as_int());
  if (input.is_string() && parse_int(runtime, input.as_string(), static_cast<int>(base), integer))
    return Value::integer(integer);
  if (input.kind() == Kind::kFloat) {
    real = input.as_double();
  } else if (!input.is_string() || !parse_float(runtime, input.as_string(), real)) {
    return fallback;
  }
  const bool fits = std::fabs(real) < 9.2e18;
  return fits ? Value::integer(static_cast<std::int64_t>(real)) : fallback;
}

Value filter_float(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* otherwise = arguments.find(0, "default");
  double real = 0;
  if (input.is_number()) return Value::real(input.as_double());
  if (input.is_string() && parse_float(runtime, input.as_string(), real)) return Value::real(real);
  return otherwise != nullptr ? *otherwise : Value::real(0);
}

Value filter_abs(Runtime&, const Value& input, const Arguments&) {
  if (input.kind() == Kind::kFloat) return Value::real(std::fabs(input.as_double()));
  const bool negative = input.is_number() && input.as_double() < 0;
  return negative ? negate(input) : negate(negate(input));
}

// To a multiple of 10^-precision, halves to the even one, as Python's round().
std::int64_t rounded(std::int64_t value, std::int64_t precision) {
  if (precision >= 0) return value;
  if (precision < -18) return 0;
  std::int64_t unit = 1;
  for (; precision < 0; ++precision) unit *= 10;
  const std::int64_t rest = value % unit, down = value - rest, half = unit / 2;
  const std::int64_t distance = std::abs(rest), step = value < 0 ? -unit : unit;
  const bool is_away = distance > half || (distance == half && down / unit % 2 != 0);
  std::int64_t result = down;
  if (is_away && __builtin_add_overflow(down, step, &result)) fail_data("an integer is out of range");
  return result;
}

double rounded(double value, std::int64_t precision) {
  if (!std::isfinite(value)) return value;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
  }
  // The decimal digits decide, not those of a product: 0.025 is a little more than it shows.
  std::array<char, 700> digits{};
  std::snprintf(digits.data(), digits.size(), "%.*f", static_cast<int>(precision), value);
  return std::strtod(digits.data(), nullptr);
}

Value filter_round(Runtime&, const Value& input, const Arguments& arguments) {
  if (!input.is_number()) fail_data("round needs a number, not " + type_name(input));
  const Value* method = arguments.find(1, "method");
  const std::string how = method != nullptr && method->is_string() ? method->as_string() : "common";
  const std::int64_t precision = std::clamp<std::int64_t>(int_argument(arguments, 0, "precision", 0), -300, 300);
  const double scale = std::pow(10.0, static_cast<double>(precision));
  // Python's ceil and floor give integers, which have no negative zero.
  if (how == "ceil") return Value::real((std::ceil(input.as_double() * scale) + 0.0) / scale);
  if (how == "floor") return Value::real((std::floor(input.as_double() * scale) + 0.0) / scale);
  if (how != "common") fail_template("round: method must be common, ceil or floor");
  return input.is_integral() ? Value::integer(rounded(input.as_int(), precision))
                             : Value::real(rounded(input.as_double(), precision));
}

Value filter_tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  JsonStyle style;
  style.ensure_ascii = flag_argument(arguments, 0, "ensure_ascii");
  const Value* indent = arguments.find(1, "indent");
  if (indent != nullptr && !indent->is_none()) {
    style.indent = static_cast<int>(std::clamp<std::int64_t>(to_int_argument(*indent, "indent"), 0, 64));
    style.item_separator = ",";
  }
  const Value* separators = arguments.find(2, "separators");
  if (separators != nullptr && !separators->is_none()) {
    const bool is_pair = separators->is_sequence() && separators->items().size() == 2;
    if (!is_pair) fail_data("tojson: separators must be a pair");
    style.item_separator = to_text(runtime, separators->items()[0]);
    style.key_separator = to_text(runtime, separators->items()[1]);
  }
  style.sort_keys = flag_argument(arguments, 3, "sort_keys");
  return runtime.string(to_json(runtime, input, style));
}

Value filter_indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* width = arguments.find(0, "width");
  const bool blank = flag_argument(arguments, 2, "blank");
  const std::string prefix = width != nullptr && width->is_string()
                                 ? width->as_string()
                                 : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(
                                                   width == nullptr ? 4 : to_int_argument(*width, "width"), 0, 10'000)),
                                               ' ');
  const Value text = runtime.string(to_text(runtime, input) + "\n");
  const Value lines = call_method(runtime, text, "splitlines");
  std::string out = flag_argument(arguments, 1, "first") ? prefix : "";
  for (std::size_t i = 0; i < lines.items().size(); ++i) {
    const std::string& line = lines.items()[i].as_string();
    runtime.step_bytes(prefix.size() + line.size());
    if (i > 0) out += "\n";
    if (i > 0 && (blank || !line.empty())) out += prefix;
    out += line;
    if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  }
  return runtime.string(std::move(out), input.is_safe());
}

Value filter_items(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.is_undefined()) return runtime.list({});
  if (!input.is_dict()) fail_data("items needs a dict, not " + type_name(input));
  return call_method(runtime, input, "items");
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
  std::vector<Value> seen, kept;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Value key = folded(runtime, keys[i], flag_argument(arguments, 0, "case_sensitive"));
    const bool known =
        std::any_of(seen.begin(), seen.end(), [&](const Value& each) { return equal(runtime, each, key); });
    if (known) continue;
    seen.push_back(key);
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

Value filter_center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::int64_t width = int_argument(arguments, 0, "width", 80);
  return runtime.string(pad(runtime, to_text(runtime, input), width, Side::kCenter), input.is_safe());
}

// Everything but unreserved characters as %XX: of a path, which keeps "/", or of a query.
std::string percent_encoded(const std::string& text, bool keeps_slash) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= '0' && byte <= '9') || c == '_' || c == '.' || c == '-' || c == '~' ||
                          (c == '/' && keeps_slash);
    if (is_plain) {
      out.push_back(c);
    } else if (c == ' ' && !keeps_slash) {
      out.push_back('+');  // within a query
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Value filter_urlencode(Runtime& runtime, const Value& input, const Arguments&) {
  const auto encoded = [&](const Value& value, bool keeps_slash) {
    const std::string text = to_text(runtime, value);
    runtime.step_characters(text.size());
    return percent_encoded(text, keeps_slash);
  };
  if (input.is_string() || (!input.is_dict() && !input.is_sequence())) return runtime.string(encoded(input, true));
  std::string out;
  for (const Value& pair : input.is_dict() ? filter_items(runtime, input, {}).items() : input.items()) {
    const std::vector<Value>& parts = iterate(runtime, pair);
    if (parts.size() != 2) fail_data("urlencode needs pairs");
    out += (out.empty() ? "" : "&") + encoded(parts[0], false) + "=" + encoded(parts[1], false);
    if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  }
  return runtime.string(std::move(out));
}

Value filter_truncate(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value text = input.is_string() ? input : runtime.string(to_text(runtime, input));
  const std::int64_t size = length(runtime, text), wanted = int_argument(arguments, 0, "length", 255);
  const Value* end_argument = arguments.find(2, "end");
  const Value end = end_argument != nullptr ? *end_argument : Value::string("...");
  if (!end.is_string()) fail_data("truncate: end must be a str");
  const std::int64_t kept = wanted - length(runtime, end);
  if (kept < 0) fail_data("truncate: the length is smaller than that of the end");
  if (size <= wanted + int_argument(arguments, 3, "leeway", 5)) return text;
  Value cut = get_slice(runtime, text, Value::none(), Value::integer(kept), Value::none());
  if (!flag_argument(arguments, 1, "killwords")) {
    cut = call_method(runtime, cut, "rsplit", {{Value::string(" "), Value::integer(1)}, {}}).items()[0];
  }
  return arithmetic(runtime, "+", cut, end);
}

Value filter_format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    fail_data("format takes positional or named arguments, not both");
  }
  const Value format = input.is_string() ? input : runtime.string(to_text(runtime, input));
  if (arguments.named.empty()) {
    return format_percent(runtime, format, runtime.list(arguments.positional, Kind::kTuple));
  }
  DictObject* named = runtime.new_dict();
  for (const auto& [name, value] : arguments.named) runtime.set(*named, Value::string(name), value);
  return format_percent(runtime, format, Runtime::dict_value(named));
}

Value filter_wordcount(Runtime& runtime, const Value& input, const Arguments&) {
  const std::string text = to_text(runtime, input);
  runtime.step_characters(text.size());
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t pos = 0; pos < text.size(); pos += character_at(text, pos).size()) {
    const bool is_word = is_word_character(decode_utf8(text, pos).code_point);
    words += is_word && !in_word;
    in_word = is_word;
  }
  return Value::integer(words);
}

const std::unordered_map<std::string_view, Filter>& filters() {
  static const std::unordered_map<std::string_view, Filter> table = {
      {"abs", filter_abs},
      {"attr", filter_attr},
      {"batch", filter_batch},
      {"capitalize", filter_convert<capitalize>},
      {"center", filter_center},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"e", filter_escape},
      {"escape", filter_escape},
      {"first", filter_first},
      {"forceescape", filter_forceescape},
      {"float", filter_float},
      {"format", filter_format},
      {"groupby", filter_groupby},
      {"indent", filter_indent},
      {"int", filter_int},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"lower", filter_convert<lower>},
      {"map", filter_map},
      {"max", filter_extreme<true>},
      {"min", filter_extreme<false>},
      {"reject", filter_select<false, false>},
      {"rejectattr", filter_select<false, true>},
      {"replace", filter_replace},
      {"reverse", filter_reverse},
      {"round", filter_round},
      {"safe", filter_safe},
      {"select", filter_select<true, false>},
      {"selectattr", filter_select<true, true>},
      {"slice", filter_slice},
      {"sort", filter_sort},
      {"string", filter_string},
      {"sum", filter_sum},
      {"title", filter_title},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"truncate", filter_truncate},
      {"unique", filter_unique},
      {"upper", filter_convert<upper>},
      {"urlencode", filter_urlencode},
      {"wordcount", filter_wordcount},
  };
  return table;
}

}  // namespace

bool is_filter(const std::string& name) { return filters().contains(name); }

Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments) {
  const Runtime::Depth depth(runtime);
  runtime.step();
  const auto found = filters().find(name);
  if (found == filters().end()) fail_template("filter '" + name.substr(0, 40) + "' is not supported");
  return found->second(runtime, input, arguments);
}

}  // namespace strata::jinja
