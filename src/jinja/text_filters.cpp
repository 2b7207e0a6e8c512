// SPDX-License-Identifier: Apache-2.0
// Filters of text, and tojson as Hugging Face transformers defines it.
#include <algorithm>

#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/filters.h"

namespace strata::jinja {
namespace {

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

Value filter_replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value *from = arguments.find(0, "old"), *to = arguments.find(1, "new");
  if (from == nullptr || to == nullptr) fail_template("replace needs two arguments");
  return runtime.string(replace(runtime, to_text(runtime, input), to_text(runtime, *from), to_text(runtime, *to),
                                int_argument(arguments, 2, "count", -1)));
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

}  // namespace

std::span<const NamedFilter> text_filters() {
  static constexpr NamedFilter kFilters[] = {
      {"capitalize", filter_convert<capitalize>},
      {"center", filter_center},
      {"e", filter_escape},
      {"escape", filter_escape},
      {"forceescape", filter_forceescape},
      {"format", filter_format},
      {"indent", filter_indent},
      {"lower", filter_convert<lower>},
      {"replace", filter_replace},
      {"safe", filter_safe},
      {"string", filter_string},
      {"title", filter_title},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"truncate", filter_truncate},
      {"upper", filter_convert<upper>},
      {"urlencode", filter_urlencode},
      {"wordcount", filter_wordcount},
  };
  return kFilters;
}

}  // namespace strata::jinja
