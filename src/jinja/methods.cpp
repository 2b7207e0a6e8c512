// SPDX-License-Identifier: Apache-2.0
// Methods of Python's str, dict and list that templates may call. Those that change their object are refused, as in
// Jinja's immutable sandbox.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

using Method = Value (*)(Runtime&, const Value& self, const Arguments&);
using MethodTable = std::unordered_map<std::string_view, Method>;

const std::string& string_argument(const Arguments& arguments, std::size_t position, const char* name) {
  const Value* value = arguments.find(position, name);
  if (value == nullptr) fail_data("an argument is missing");
  if (value->is_undefined()) fail_undefined(*value);
  if (!value->is_string()) fail_data("an argument must be a str, not " + type_name(*value));
  return value->as_string();
}

// nullptr for a missing argument or none.
const std::string* optional_string(const Arguments& arguments, std::size_t position, const char* name) {
  const Value* value = arguments.find(position, name);
  return value == nullptr || value->is_none() ? nullptr : &string_argument(arguments, position, name);
}

std::int64_t optional_int(const Arguments& arguments, std::size_t position, const char* name, std::int64_t otherwise) {
  const Value* value = arguments.find(position, name);
  return value == nullptr || value->is_none() ? otherwise : to_int_argument(*value, name);
}

template <bool kLeft, bool kRight>
Value method_strip(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return runtime.string(strip(self.as_string(), optional_string(arguments, 0, "chars"), kLeft, kRight));
}

template <std::string (*kConvert)(std::string_view)>
Value method_convert(Runtime& runtime, const Value& self, const Arguments&) {
  return runtime.string(kConvert(self.as_string()));
}

std::vector<std::string> split_at_spaces(std::string_view text, std::int64_t limit) {
  std::vector<std::string> parts;
  std::string rest = strip(text, nullptr, true, false);
  text = rest;
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && !is_python_space(decode_utf8(text, end).code_point)) {
      end += character_at(text, end).size();
    }
    if (limit-- == 0) {
      parts.push_back(strip(text, nullptr, false, true));
      break;
    }
    parts.emplace_back(text.substr(0, end));
    while (end < text.size() && is_python_space(decode_utf8(text, end).code_point)) {
      end += character_at(text, end).size();
    }
    text.remove_prefix(end);
  }
  return parts;
}

std::vector<std::string> split_at(std::string_view text, const std::string& separator, std::int64_t limit) {
  if (separator.empty()) fail_data("empty separator");
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t found; limit != 0 && (found = text.find(separator, begin)) != std::string_view::npos; --limit) {
    parts.emplace_back(text.substr(begin, found - begin));
    begin = found + separator.size();
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

std::vector<std::string> split_at_from_right(std::string_view text, const std::string& separator, std::int64_t limit) {
  if (separator.empty()) fail_data("empty separator");
  std::vector<std::string> parts;
  for (std::size_t found; limit != 0 && (found = text.rfind(separator)) != std::string_view::npos; --limit) {
    parts.emplace_back(text.substr(found + separator.size()));
    text = text.substr(0, found);
  }
  parts.emplace_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value list_of_strings(Runtime& runtime, std::vector<std::string> parts) {
  std::vector<Value> items;
  for (std::string& part : parts) items.push_back(runtime.string(std::move(part)));
  return runtime.list(std::move(items));
}

Value method_split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string* separator = optional_string(arguments, 0, "sep");
  const std::int64_t limit = optional_int(arguments, 1, "maxsplit", -1);
  return list_of_strings(runtime, separator == nullptr ? split_at_spaces(self.as_string(), limit)
                                                       : split_at(self.as_string(), *separator, limit));
}

Value method_rsplit(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string* separator = optional_string(arguments, 0, "sep");
  const std::int64_t limit = optional_int(arguments, 1, "maxsplit", -1);
  if (separator == nullptr && limit >= 0) fail_template("rsplit at spaces with a limit is not supported");
  return list_of_strings(runtime, separator == nullptr ? split_at_spaces(self.as_string(), -1)
                                                       : split_at_from_right(self.as_string(), *separator, limit));
}

Value method_splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Value* keep = arguments.find(0, "keepends");
  const bool keeps = keep != nullptr && truthy(*keep);
  const std::string& text = self.as_string();
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    const char32_t c = character.code_point;
    std::size_t end = pos + character.size;
    const bool is_break =
        (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (is_break) {
      if (c == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back(text.substr(begin, (keeps ? end : pos) - begin));
      begin = end;
    }
    pos = end;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return list_of_strings(runtime, std::move(lines));
}

bool matches_any(const Arguments& arguments, const char* name, bool (*matches)(std::string_view, std::string_view),
                 std::string_view text) {
  const Value* value = arguments.find(0, name);
  if (value == nullptr || value->kind() != Kind::kTuple) return matches(text, string_argument(arguments, 0, name));
  return std::any_of(value->items().begin(), value->items().end(), [&](const Value& each) {
    if (!each.is_string()) fail_data("an argument must be a str, not " + type_name(each));
    return matches(text, each.as_string());
  });
}

Value method_startswith(Runtime&, const Value& self, const Arguments& arguments) {
  const auto matches = [](std::string_view text, std::string_view part) { return text.starts_with(part); };
  return Value::boolean(matches_any(arguments, "prefix", matches, self.as_string()));
}

Value method_endswith(Runtime&, const Value& self, const Arguments& arguments) {
  const auto matches = [](std::string_view text, std::string_view part) { return text.ends_with(part); };
  return Value::boolean(matches_any(arguments, "suffix", matches, self.as_string()));
}

Value method_replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return runtime.string(replace(runtime, self.as_string(), string_argument(arguments, 0, "old"),
                                string_argument(arguments, 1, "new"), optional_int(arguments, 2, "count", -1)));
}

std::int64_t character_index(const std::string& text, std::size_t byte) {
  return byte == std::string::npos
             ? -1
             : static_cast<std::int64_t>(count_code_points(std::string_view(text).substr(0, byte)));
}

Value method_find(Runtime&, const Value& self, const Arguments& arguments) {
  return Value::integer(character_index(self.as_string(), self.as_string().find(string_argument(arguments, 0, "sub"))));
}

Value method_rfind(Runtime&, const Value& self, const Arguments& arguments) {
  return Value::integer(
      character_index(self.as_string(), self.as_string().rfind(string_argument(arguments, 0, "sub"))));
}

Value method_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Value found = method_find(runtime, self, arguments);
  if (found.as_int() < 0) fail_data("substring not found");
  return found;
}

Value method_count(Runtime&, const Value& self, const Arguments& arguments) {
  const std::string& part = string_argument(arguments, 0, "sub");
  if (part.empty()) return Value::integer(length(self) + 1);
  return Value::integer(static_cast<std::int64_t>(split_at(self.as_string(), part, -1).size()) - 1);
}

Value method_join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail_data("join needs items");
  std::string out;
  bool first = true;
  for (const Value& item : iterate(runtime, arguments.positional[0])) {
    if (!item.is_string()) fail_data("join: a str is expected, not " + type_name(item));
    if (!std::exchange(first, false)) out += self.as_string();
    out += item.as_string();
    if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
  }
  return runtime.string(std::move(out));
}

template <bool kPrefix>
Value method_remove_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& affix = string_argument(arguments, 0, kPrefix ? "prefix" : "suffix");
  std::string_view text = self.as_string();
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return runtime.string(std::string(text));
}

template <bool (*kPredicate)(char32_t)>
Value method_all(Runtime&, const Value& self, const Arguments&) {
  const std::string& text = self.as_string();
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    if (!kPredicate(character.code_point)) return Value::boolean(false);
    pos += character.size;
  }
  return Value::boolean(!text.empty());
}

bool is_alpha(char32_t c) { return char_class(c) == CharClass::kLetter; }
bool is_alnum(char32_t c) { return is_alpha(c) || char_class(c) == CharClass::kNumber; }
bool is_decimal(char32_t c) { return c >= '0' && c <= '9'; }

template <bool kUpper>
Value method_is_case(Runtime&, const Value& self, const Arguments&) {
  bool any = false;
  for (std::size_t pos = 0; pos < self.as_string().size();) {
    const Decoded character = decode_utf8(self.as_string(), pos);
    const char32_t c = character.code_point;
    if (has_case(c)) {
      any = true;
      if ((kUpper ? to_upper(c) : to_lower(c)) != c) return Value::boolean(false);
    }
    pos += character.size;
  }
  return Value::boolean(any);
}

// {} and {0} and {name} without format specifications.
Value method_format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& format = self.as_string();
  std::string out;
  std::size_t next = 0;
  for (std::size_t pos = 0; pos < format.size(); ++pos) {
    const bool doubled = pos + 1 < format.size() && format[pos + 1] == format[pos];
    if (format[pos] != '{' && format[pos] != '}') {
      out.push_back(format[pos]);
    } else if (doubled) {
      out.push_back(format[pos++]);
    } else {
      const std::size_t end = format[pos] == '{' ? format.find('}', pos) : std::string::npos;
      if (end == std::string::npos) fail_data("a format has a single brace");
      const std::string field = format.substr(pos + 1, end - pos - 1);
      const bool numbered = !field.empty() && std::all_of(field.begin(), field.end(), is_decimal) && field.size() < 6;
      const std::size_t position = field.empty() ? next++ : numbered ? std::stoul(field) : arguments.positional.size();
      const Value* value = arguments.find(position, numbered || field.empty() ? "" : field);
      if (value == nullptr)
        fail_template("format field {" + field.substr(0, 40) + "} is not supported or has no value");
      const std::string text = to_text(runtime, *value);
      runtime.charge_text(text.size());
      out += text;
      pos = end;
    }
  }
  return runtime.string(std::move(out));
}

Value pair_of(Runtime& runtime, const Value& a, const Value& b) { return runtime.list({a, b}, Kind::kTuple); }

Value method_items(Runtime& runtime, const Value& self, const Arguments&) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict_of(self).entries) items.push_back(pair_of(runtime, key, value));
  return runtime.list(std::move(items));
}

Value method_keys(Runtime& runtime, const Value& self, const Arguments&) {
  return runtime.list(iterate(runtime, self));
}

Value method_values(Runtime& runtime, const Value& self, const Arguments&) {
  std::vector<Value> items;
  for (const auto& entry : dict_of(self).entries) items.push_back(entry.second);
  return runtime.list(std::move(items));
}

Value method_get(Runtime&, const Value& self, const Arguments& arguments) {
  const Value* key = arguments.find(0, "key");
  if (key == nullptr) fail_data("get needs a key");
  if (const Value* found = dict_of(self).find(*key)) return *found;
  const Value* otherwise = arguments.find(1, "default");
  return otherwise != nullptr ? *otherwise : Value::none();
}

Value method_copy(Runtime&, const Value& self, const Arguments&) { return self; }

Value method_list_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail_data("index needs an item");
  for (std::size_t i = 0; i < self.items().size(); ++i) {
    if (equal(runtime, self.items()[i], arguments.positional[0])) return Value::integer(static_cast<std::int64_t>(i));
  }
  fail_data("the item is not in the list");
}

Value method_list_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail_data("count needs an item");
  const auto is_equal = [&](const Value& each) { return equal(runtime, each, arguments.positional[0]); };
  return Value::integer(std::count_if(self.items().begin(), self.items().end(), is_equal));
}

Value method_forbidden(Runtime&, const Value& self, const Arguments&) {
  fail_template("a method that changes its " + type_name(self) + " is not allowed in a template");
}

const MethodTable& string_methods() {
  static const MethodTable table = {
      {"strip", method_strip<true, true>},
      {"lstrip", method_strip<true, false>},
      {"rstrip", method_strip<false, true>},
      {"upper", method_convert<upper>},
      {"lower", method_convert<lower>},
      {"title", method_convert<title>},
      {"casefold", method_convert<lower>},
      {"capitalize", method_convert<capitalize>},
      {"split", method_split},
      {"rsplit", method_rsplit},
      {"splitlines", method_splitlines},
      {"startswith", method_startswith},
      {"endswith", method_endswith},
      {"replace", method_replace},
      {"find", method_find},
      {"rfind", method_rfind},
      {"index", method_index},
      {"count", method_count},
      {"join", method_join},
      {"removeprefix", method_remove_affix<true>},
      {"format", method_format},
      {"removesuffix", method_remove_affix<false>},
      {"isalpha", method_all<is_alpha>},
      {"isalnum", method_all<is_alnum>},
      {"isdigit", method_all<is_decimal>},
      {"isdecimal", method_all<is_decimal>},
      {"isnumeric", method_all<is_decimal>},
      {"isspace", method_all<is_python_space>},
      {"isupper", method_is_case<true>},
      {"islower", method_is_case<false>},
  };
  return table;
}

const MethodTable& dict_methods() {
  static const MethodTable table = {
      {"items", method_items},       {"keys", method_keys},       {"values", method_values},
      {"get", method_get},           {"copy", method_copy},       {"update", method_forbidden},
      {"pop", method_forbidden},     {"clear", method_forbidden}, {"setdefault", method_forbidden},
      {"popitem", method_forbidden},
  };
  return table;
}

const MethodTable& list_methods() {
  static const MethodTable table = {
      {"index", method_list_index},  {"count", method_list_count}, {"copy", method_copy},
      {"append", method_forbidden},  {"extend", method_forbidden}, {"insert", method_forbidden},
      {"pop", method_forbidden},     {"remove", method_forbidden}, {"clear", method_forbidden},
      {"reverse", method_forbidden}, {"sort", method_forbidden},
  };
  return table;
}

}  // namespace

Value bind_method(Runtime& runtime, const Value& self, const std::string& name) {
  static const MethodTable kNoMethods;
  const MethodTable& table = self.is_string()     ? string_methods()
                             : self.is_dict()     ? dict_methods()
                             : self.is_sequence() ? list_methods()
                                                  : kNoMethods;
  const auto found = table.find(name);
  if (found == table.end()) return {};
  const Method method = found->second;
  return runtime.callable(name, [self, method](Runtime& r, const Arguments& a) { return method(r, self, a); });
}

}  // namespace strata::jinja
