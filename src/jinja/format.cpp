// SPDX-License-Identifier: Apache-2.0
// How Python writes values: str(), repr() and json.dumps().
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/unicode.h"
#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

std::string hex_escape(const char* prefix, char32_t code_point, int digits) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%s%0*x", prefix, digits, static_cast<unsigned>(code_point));
  return buffer.data();
}

std::string string_repr(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos, has_double = text.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    const char32_t c = character.code_point;
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (is_printable(c)) {
      out.append(text, pos, character.size);
    } else {
      out += c < 0x100 ? hex_escape("\\x", c, 2) : c < 0x10000 ? hex_escape("\\u", c, 4) : hex_escape("\\U", c, 8);
    }
    pos += character.size;
  }
  out.push_back(quote);
  return out;
}

void append_json_string(std::string& out, const std::string& text, bool ensure_ascii) {
  static constexpr std::string_view kCharacters = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
  out.push_back('"');
  for (std::size_t pos = 0; pos < text.size();) {
    const Decoded character = decode_utf8(text, pos);
    const char32_t c = character.code_point;
    const std::size_t known = c < 0x80 ? kCharacters.find(static_cast<char>(c)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out += {'\\', kLetters[known]};
    } else if (c < 0x20 || (ensure_ascii && c >= 0x7F && c < 0x10000 && c != 0x7F)) {
      out += hex_escape("\\u", c, 4);
    } else if (ensure_ascii && c >= 0x10000) {
      out += hex_escape("\\u", 0xD800 + ((c - 0x10000) >> 10), 4);
      out += hex_escape("\\u", 0xDC00 + ((c - 0x10000) & 0x3FF), 4);
    } else {
      out.append(text, pos, character.size);
    }
    pos += character.size;
  }
  out.push_back('"');
}

class ReprWriter {
 public:
  explicit ReprWriter(Runtime& runtime) : runtime_(runtime) {}

  std::string run(const Value& value) {
    write(value);
    return std::move(out_);
  }

 private:
  void append(std::string_view text) {
    runtime_.charge_text(text.size());
    out_ += text;
    if (out_.size() > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
  }

  void write(const Value& value) {
    const Runtime::Depth depth(runtime_);
    runtime_.step();
    switch (value.kind()) {
      case Kind::kUndefined:
        return append("Undefined");
      case Kind::kString:
        runtime_.step_characters(value.as_string().size());
        return append(value.is_safe() ? "Markup(" + string_repr(value.as_string()) + ")"
                                      : string_repr(value.as_string()));
      case Kind::kList:
        append("[");
        write_items(value.items());
        return append("]");
      case Kind::kTuple:
        append("(");
        write_items(value.items());
        return append(value.items().size() == 1 ? ",)" : ")");
      case Kind::kDict:
        return write_dict(dict_of(value));
      default:
        return append(to_text(runtime_, value));
    }
  }

  void write_items(const std::vector<Value>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) append(", ");
      write(items[i]);
    }
  }

  void write_dict(const DictObject& dict) {
    append("{");
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
      if (i > 0) append(", ");
      write(dict.entries[i].first);
      append(": ");
      write(dict.entries[i].second);
    }
    append("}");
  }

  Runtime& runtime_;
  std::string out_;
};

class JsonWriter {
 public:
  JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  std::string run(const Value& value) {
    write(value);
    runtime_.charge_text(out_.size());
    return std::move(out_);
  }

 private:
  void write(const Value& value) {
    const Runtime::Depth depth(runtime_);
    runtime_.step();
    if (out_.size() > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
    switch (value.kind()) {
      case Kind::kNone:
        out_ += "null";
        break;
      case Kind::kString:
        runtime_.step_characters(value.as_string().size());
        append_json_string(out_, value.as_string(), style_.ensure_ascii);
        break;
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        out_ += number(value);
        break;
      case Kind::kList:
      case Kind::kTuple:
        write_items(value.items());
        break;
      case Kind::kDict:
        write_dict(dict_of(value));
        break;
      default:
        if (value.is_undefined()) fail_undefined(value);
        fail_data("tojson: a " + type_name(value) + " has no JSON form");
    }
  }

  static std::string number(const Value& value) {
    if (value.is_bool()) return value.as_bool() ? "true" : "false";
    if (value.kind() == Kind::kInt) return std::to_string(value.as_int());
    const double real = value.as_double();
    if (std::isnan(real)) return "NaN";
    if (std::isinf(real)) return real > 0 ? "Infinity" : "-Infinity";
    return float_repr(real);
  }

  void new_line(int level) {
    if (style_.indent < 0) return;
    out_.push_back('\n');
    out_.append(static_cast<std::size_t>(style_.indent) * static_cast<std::size_t>(level), ' ');
  }

  void write_items(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_.push_back('[');
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line(level_);
      write(items[i]);
    }
    new_line(--level_);
    out_.push_back(']');
  }

  void write_dict(const DictObject& dict) {
    if (dict.entries.empty()) {
      out_ += "{}";
      return;
    }
    const std::vector<std::size_t> order = entry_order(dict);
    out_.push_back('{');
    ++level_;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_ += style_.item_separator;
      new_line(level_);
      write_key(dict.entries[order[i]].first);
      out_ += style_.key_separator;
      write(dict.entries[order[i]].second);
    }
    new_line(--level_);
    out_.push_back('}');
  }

  std::vector<std::size_t> entry_order(const DictObject& dict) {
    std::vector<Value> keys;
    for (const auto& entry : dict.entries) keys.push_back(style_.sort_keys ? entry.first : Value::boolean(false));
    return sorted_order(runtime_, keys);
  }

  void write_key(const Value& key) {
    append_json_string(out_,
                       key.is_string() ? key.as_string()
                       : key.is_none() ? "null"
                                       : number(key),
                       style_.ensure_ascii);
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  const std::size_t e = shortest.find('e');
  const bool negative = shortest.front() == '-';
  std::string digits(1, shortest[negative]);
  if (e > static_cast<std::size_t>(negative) + 2)
    digits += shortest.substr(static_cast<std::size_t>(negative) + 2, e - negative - 2);
  int exponent = 0;
  const char* exponent_begin = shortest.data() + e + 1 + (shortest[e + 1] == '+');
  std::from_chars(exponent_begin, shortest.data() + shortest.size(), exponent);
  const std::string sign = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits[0] + (digits.size() > 1 ? "." + digits.substr(1) : "");
    out += exponent < 0 ? "e-" : "e+";
    return out + (std::abs(exponent) < 10 ? "0" : "") + std::to_string(std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto point = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= point) return sign + digits + std::string(point - digits.size(), '0') + ".0";
  return sign + digits.substr(0, point) + "." + digits.substr(point);
}

std::string to_repr(Runtime& runtime, const Value& value) { return ReprWriter(runtime).run(value); }

std::string to_text(Runtime& runtime, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "";
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return value.as_bool() ? "True" : "False";
    case Kind::kInt:
      return std::to_string(value.as_int());
    case Kind::kFloat:
      return float_repr(value.as_double());
    case Kind::kString:
      runtime.step_bytes(value.as_string().size());
      return value.as_string();
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
      return to_repr(runtime, value);
    case Kind::kNamespace:
    case Kind::kLoop:
    case Kind::kCallable:
      return "<" + type_name(value) + ">";
  }
  return "";
}

std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
  return JsonWriter(runtime, style).run(value);
}

}  // namespace strata::jinja
