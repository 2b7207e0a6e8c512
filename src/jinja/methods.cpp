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
  return runtime.string(strip(runtime, self.as_string(), optional_string(arguments, 0, "chars"), kLeft, kRight));
}

template <std::string (*kConvert)(std::string_view)>
Value method_convert(Runtime& runtime, const Value& self, const Arguments&) {
  runtime.step_characters(self.as_string().size());
  return runtime.string(kConvert(self.as_string()));
}

std::size_t skip_spaces(std::string_view text, std::size_t pos, bool spaces) {
  while (pos < text.size() && is_python_space(decode_utf8(text, pos).code_point) == spaces) {
    pos += character_at(text, pos).size();
  }
  return pos;
}

// The parts of a text; each is charged as it is found.
std::vector<Value> split_at_spaces(Runtime& runtime, std::string_view text, std::int64_t limit) {
  runtime.step_characters(text.size());
  std::vector<Value> parts;
  for (std::size_t pos = skip_spaces(text, 0, true); pos < text.size();) {
    const std::size_t end = limit-- == 0 ? text.size() : skip_spaces(text, pos, false);
    const std::string_view part = text.substr(pos, end - pos);
    parts.push_back(runtime.string(std::string(part)));
    pos = skip_spaces(text, end, true);
  }
  return parts;
}

std::vector<Value> split_at(Runtime& runtime, std::string_view text, std::string_view separator, std::int64_t limit) {
  if (separator.empty()) fail_data("empty separator");
  std::vector<Value> parts;
  std::size_t begin = 0;
  for (; limit != 0; --limit) {
    const std::size_t found = find_text(runtime, text, separator, begin);
    if (found == std::string_view::npos) break;
    parts.push_back(runtime.string(std::string(text.substr(begin, found - begin))));
    begin = found + separator.size();
  }
  parts.push_back(runtime.string(std::string(text.substr(begin))));
  return parts;
}

// From the right is from the left of the reversed text, which is linear where searching backwards is not.
std::vector<Value> from_the_right(Runtime& runtime, const std::string& text, const std::string* separator,
                                  std::int64_t limit) {
  runtime.step_characters(text.size());
  const std::string backwards = reversed(text);
  std::vector<Value> parts = separator == nullptr ? split_at_spaces(runtime, backwards, limit)
                                                  : split_at(runtime, backwards, reversed(*separator), limit);
  std::reverse(parts.begin(), parts.end());
  for (Value& part : parts) part = runtime.string(reversed(part.as_string()));
  return parts;
}

Value method_split(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string* separator = optional_string(arguments, 0, "sep");
  const std::int64_t limit = optional_int(arguments, 1, "maxsplit", -1);
  return runtime.list(separator == nullptr ? split_at_spaces(runtime, self.as_string(), limit)
                                           : split_at(runtime, self.as_string(), *separator, limit));
}

Value method_rsplit(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string* separator = optional_string(arguments, 0, "sep");
  const std::int64_t limit = optional_int(arguments, 1, "maxsplit", -1);
  return runtime.list(from_the_right(runtime, self.as_string(), separator, limit));
}

template <bool kFromRight>
Value method_partition(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& separator = string_argument(arguments, 0, "sep");
  std::vector<Value> parts = kFromRight ? from_the_right(runtime, self.as_string(), &separator, 1)
                                        : split_at(runtime, self.as_string(), separator, 1);
  const Value nothing = runtime.string("");
  if (parts.size() == 2) {
    parts.insert(parts.begin() + 1, runtime.string(separator));
  } else {
    parts.insert(kFromRight ? parts.begin() : parts.end(), 2, nothing);
  }
  return runtime.list(std::move(parts), Kind::kTuple);
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

Value method_splitlines(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Value* keep = arguments.find(0, "keepends");
  const bool keeps = keep != nullptr && truthy(*keep);
  const std::string& text = self.as_string();
  runtime.step_characters(text.size());
  std::vector<Value> lines;
  std::size_t begin = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    std::size_t end = pos + character.size;
    if (is_line_break(character.code_point)) {
      if (character.code_point == '\r' && end < text.size() && text[end] == '\n') ++end;
      lines.push_back(runtime.string(text.substr(begin, (keeps ? end : pos) - begin)));
      begin = end;
    }
    pos = end;
  }
  if (begin < text.size()) lines.push_back(runtime.string(text.substr(begin)));
  return runtime.list(std::move(lines));
}

// The part of a text that an operation with start and end looks at.
struct Window {
  std::string_view text;
  std::int64_t first = 0;    // character
  bool is_empty_at = false;  // start lies beyond the end: nothing is found there, not even nothing
};

Window window_of(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string_view text = self.as_string();
  if (arguments.positional.size() < 2) return {text};
  runtime.step_items(text.size() / 8);
  const auto size = static_cast<std::int64_t>(count_code_points(text));
  const auto bound = [&](std::size_t position, std::int64_t otherwise) {
    const std::int64_t at = optional_int(arguments, position, "", otherwise);
    return at < 0 ? std::max<std::int64_t>(at + size, 0) : at;
  };
  const std::int64_t first = bound(1, 0), last = std::min(bound(2, size), size);
  if (first > last) return {{}, first, true};
  const auto byte_at = [&](std::int64_t index) {
    std::size_t pos = 0;
    for (; index > 0; --index) pos += character_at(text, pos).size();
    return pos;
  };
  const std::size_t begin = byte_at(first);
  return {text.substr(begin, byte_at(last) - begin), first};
}

template <bool kPrefix>
Value method_affix(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Window window = window_of(runtime, self, arguments);
  const auto matches = [&](const std::string& part) {
    runtime.step_bytes(std::min(part.size(), window.text.size()));
    return !window.is_empty_at && (kPrefix ? window.text.starts_with(part) : window.text.ends_with(part));
  };
  const char* name = kPrefix ? "prefix" : "suffix";
  const Value* value = arguments.find(0, name);
  if (value == nullptr || value->kind() != Kind::kTuple) {
    return Value::boolean(matches(string_argument(arguments, 0, name)));
  }
  return Value::boolean(std::any_of(value->items().begin(), value->items().end(), [&](const Value& each) {
    if (!each.is_string()) fail_data("an argument must be a str, not " + type_name(each));
    runtime.step();
    return matches(each.as_string());
  }));
}

Value method_replace(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& with = string_argument(arguments, 1, "new");
  return runtime.string(replace(runtime, self.as_string(), string_argument(arguments, 0, "old"),
                                self.is_safe() && !arguments.find(1, "new")->is_safe() ? escape(with) : with,
                                optional_int(arguments, 2, "count", -1)));
}

// Where a part is found, as the number of its character; -1 where it is not.
template <bool kFromRight>
std::int64_t found_at(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Window window = window_of(runtime, self, arguments);
  const std::string& part = string_argument(arguments, 0, "sub");
  if (window.is_empty_at) return -1;
  const auto characters = [&](std::string_view text) {
    runtime.step_items(text.size() / 16);
    return static_cast<std::int64_t>(count_code_points(text));
  };
  if (kFromRight) {
    runtime.step_characters(window.text.size() + part.size());
    const std::size_t found = find_text(runtime, reversed(window.text), reversed(part));
    if (found == std::string::npos) return -1;
    return window.first + characters(window.text.substr(0, window.text.size() - found - part.size()));
  }
  const std::size_t found = find_text(runtime, window.text, part);
  return found == std::string::npos ? -1 : window.first + characters(window.text.substr(0, found));
}

template <bool kFromRight, bool kMustBeThere>
Value method_find(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::int64_t found = found_at<kFromRight>(runtime, self, arguments);
  if (kMustBeThere && found < 0) fail_data("substring not found");
  return Value::integer(found);
}

Value method_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& part = string_argument(arguments, 0, "sub");
  const Window window = window_of(runtime, self, arguments);
  if (window.is_empty_at) return Value::integer(0);
  if (part.empty()) {
    runtime.step_items(window.text.size() / 16);
    return Value::integer(static_cast<std::int64_t>(count_code_points(window.text)) + 1);
  }
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = find_text(runtime, window.text, part, at)) != std::string::npos; at += part.size()) {
    runtime.step();
    ++count;
  }
  return Value::integer(count);
}

Value method_join(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail_data("join needs items");
  std::string out;
  bool first = true;
  for (const Value& item : iterate(runtime, arguments.positional[0])) {
    if (!item.is_string()) fail_data("join: a str is expected, not " + type_name(item));
    if (!std::exchange(first, false)) out += self.as_string();
    out += self.is_safe() && !item.is_safe() ? escape(item.as_string()) : item.as_string();
    runtime.step_bytes(self.as_string().size() + item.as_string().size());
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

template <bool (*kPredicate)(char32_t), bool kOfNothing = false>
Value method_all(Runtime& runtime, const Value& self, const Arguments&) {
  const std::string& text = self.as_string();
  for (std::size_t pos = 0; pos < text.size();) {
    if (pos % 4 == 0) runtime.step();
    const Decoded character = decode_utf8(text, pos);
    if (!kPredicate(character.code_point)) return Value::boolean(false);
    pos += character.size;
  }
  return Value::boolean(kOfNothing || !text.empty());
}

bool is_alpha(char32_t c) { return char_class(c) == CharClass::kLetter; }
bool is_alnum(char32_t c) { return is_alpha(c) || char_class(c) == CharClass::kNumber; }
bool is_decimal(char32_t c) { return c >= '0' && c <= '9'; }
bool is_ascii(char32_t c) { return c < 0x80; }

Value method_isidentifier(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& text = self.as_string();
  const bool begins_with_digit = !text.empty() && is_decimal(static_cast<unsigned char>(text[0]));
  return begins_with_digit ? Value::boolean(false) : method_all<is_word_character>(runtime, self, arguments);
}

template <bool kUpper>
Value method_is_case(Runtime& runtime, const Value& self, const Arguments&) {
  runtime.step_characters(self.as_string().size());
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

Value method_istitle(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& text = self.as_string();
  runtime.step_characters(2 * text.size());
  return Value::boolean(title(text) == text && upper(text) != lower(text) && arguments.positional.empty());
}

template <Side kSide>
Value method_pad(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string* fill = optional_string(arguments, 1, "fillchar");
  if (fill != nullptr && count_code_points(*fill) != 1) fail_data("the fill character must be one character");
  const std::int64_t width = optional_int(arguments, 0, "width", 0);
  return runtime.string(pad(runtime, self.as_string(), width, kSide, fill == nullptr ? " " : *fill));
}

Value method_zfill(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::string& text = self.as_string();
  const std::int64_t width = optional_int(arguments, 0, "width", 0);
  const std::size_t sign = text.starts_with('-') || text.starts_with('+');
  const auto digits = std::string_view(text).substr(sign);
  return runtime.string(text.substr(0, sign) +
                        pad(runtime, digits, width - static_cast<std::int64_t>(sign), Side::kRight, "0"));
}

Value method_expandtabs(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const std::int64_t width = std::clamp<std::int64_t>(optional_int(arguments, 0, "tabsize", 8), 0, 1000);
  runtime.step_characters(self.as_string().size());
  std::string out;
  std::int64_t column = 0;
  for (const char c : self.as_string()) {
    if (c == '\t') {
      const std::int64_t spaces = width == 0 ? 0 : width - column % width;
      out.append(static_cast<std::size_t>(spaces), ' ');
      column += spaces;
      if (out.size() > runtime.limits().max_output_bytes) Runtime::fail_limit("text");
    } else {
      out.push_back(c);
      column = c == '\n' || c == '\r' ? 0 : column + ((static_cast<unsigned char>(c) & 0xC0) != 0x80);
    }
  }
  return runtime.string(std::move(out));
}

Value method_format(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return format_fields(runtime, self, arguments);
}

Value method_format_map(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.positional[0].is_dict()) fail_data("format_map needs a dict");
  Arguments named;
  for (const auto& [key, value] : dict_of(arguments.positional[0]).entries) {
    runtime.step();
    if (key.is_string()) named.named.emplace_back(key.as_string(), value);
  }
  return format_fields(runtime, self, named);
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

Value method_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Value* key = arguments.find(0, "key");
  if (key == nullptr) fail_data("get needs a key");
  if (!DictObject::is_hashable(*key)) fail_data("unhashable type: '" + type_name(*key) + "'");
  if (const Value* found = find(runtime, self, *key)) return *found;
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
      {"capitalize", method_convert<capitalize>},
      {"casefold", method_convert<casefold>},
      {"center", method_pad<Side::kCenter>},
      {"count", method_count},
      {"endswith", method_affix<false>},
      {"expandtabs", method_expandtabs},
      {"find", method_find<false, false>},
      {"format", method_format},
      {"format_map", method_format_map},
      {"index", method_find<false, true>},
      {"isalnum", method_all<is_alnum>},
      {"isalpha", method_all<is_alpha>},
      {"isascii", method_all<is_ascii, true>},
      {"isdecimal", method_all<is_decimal>},
      {"isdigit", method_all<is_decimal>},
      {"isidentifier", method_isidentifier},
      {"islower", method_is_case<false>},
      {"isnumeric", method_all<is_decimal>},
      {"isprintable", method_all<is_printable, true>},
      {"isspace", method_all<is_python_space>},
      {"istitle", method_istitle},
      {"isupper", method_is_case<true>},
      {"join", method_join},
      {"ljust", method_pad<Side::kLeft>},
      {"lower", method_convert<lower>},
      {"lstrip", method_strip<true, false>},
      {"partition", method_partition<false>},
      {"removeprefix", method_remove_affix<true>},
      {"removesuffix", method_remove_affix<false>},
      {"replace", method_replace},
      {"rfind", method_find<true, false>},
      {"rindex", method_find<true, true>},
      {"rjust", method_pad<Side::kRight>},
      {"rpartition", method_partition<true>},
      {"rsplit", method_rsplit},
      {"rstrip", method_strip<false, true>},
      {"split", method_split},
      {"splitlines", method_splitlines},
      {"startswith", method_affix<true>},
      {"strip", method_strip<true, true>},
      {"swapcase", method_convert<swapcase>},
      {"title", method_convert<title>},
      {"upper", method_convert<upper>},
      {"zfill", method_zfill},
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

const MethodTable& tuple_methods() {
  static const MethodTable table = {{"index", method_list_index}, {"count", method_list_count}};
  return table;
}

}  // namespace

Method find_method(const Value& self, const std::string& name) {
  static const MethodTable kNoMethods;
  const MethodTable& table = self.is_string()             ? string_methods()
                             : self.is_dict()             ? dict_methods()
                             : self.kind() == Kind::kList ? list_methods()
                             : self.is_sequence()         ? tuple_methods()
                                                          : kNoMethods;
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

Value call_method(Runtime& runtime, const Value& self, const std::string& name, const Arguments& arguments) {
  const Runtime::Depth depth(runtime);
  runtime.step();
  const Value result = find_method(self, name)(runtime, self, arguments);
  if (!self.is_string() || !self.is_safe()) return result;
  // What Markup gives of itself is Markup.
  if (result.is_string()) return result.with_safety(true);
  if (!result.is_sequence()) return result;
  std::vector<Value> items;
  for (const Value& item : result.items()) items.push_back(item.with_safety(true));
  return runtime.list(std::move(items), result.kind());
}

}  // namespace strata::jinja
