// SPDX-License-Identifier: Apache-2.0
// Formatting by a pattern, as Python has it: str.format, format(value, spec) and the % operator of strings.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/ascii.h"
#include "base/utf8.h"
#include "jinja/runtime.h"

namespace strata::jinja {
namespace {

constexpr std::int64_t kMaxWidth = 100'000, kMaxPrecision = 1000;

bool is_one_of(char c, std::string_view characters) { return characters.find(c) != std::string_view::npos; }

// How a number or a text is laid out; the two mini languages both become this.
struct Layout {
  std::string fill = " ";
  char align = '\0';  // < > ^ =, none: as the type has it
  char sign = '-';    // - + or a space
  bool alternate = false;
  std::int64_t width = 0, precision = -1;
  char grouping = '\0';  // , or _
  char type = '\0';
};

std::int64_t take_number(std::string_view text, std::size_t& pos, std::int64_t limit) {
  std::int64_t value = 0;
  while (pos < text.size() && is_digit(text[pos])) value = std::min(limit + 1, value * 10 + (text[pos++] - '0'));
  if (value > limit) fail_data("a width or precision of a format is too large");
  return value;
}

std::string digits_of(std::uint64_t value, int base) {
  std::array<char, 72> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, base).ptr};
}

std::string grouped(const std::string& digits, char separator, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out;
}

std::string upper_if(std::string text, bool wanted) { return wanted ? upper(text) : text; }

// A number in parts: its sign, a prefix such as 0x, and digits with whatever follows.
struct NumberText {
  std::string sign, prefix, digits, rest;
};

NumberText integer_text(std::int64_t value, const Layout& layout) {
  NumberText text;
  const auto magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const char type = layout.type;
  const int base = is_one_of(type, "xX") ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  text.sign = value < 0 ? "-" : layout.sign == '-' ? "" : std::string(1, layout.sign);
  text.digits = upper_if(digits_of(magnitude, base), type == 'X');
  if (layout.alternate && base != 10) text.prefix = std::string("0") + type;
  if (layout.grouping != '\0') text.digits = grouped(text.digits, layout.grouping, base == 10 ? 3 : 4);
  return text;
}

// std::snprintf agrees with Python on e, f and g, except for what it calls infinity and nan.
NumberText float_text(double value, const Layout& layout) {
  NumberText text;
  text.sign = std::signbit(value) && !std::isnan(value) ? "-" : layout.sign == '-' ? "" : std::string(1, layout.sign);
  const double magnitude = std::isnan(value) ? value : std::fabs(value);
  const bool is_percent = layout.type == '%', is_shortest = layout.type == '\0' && layout.precision < 0;
  const char type = is_percent ? 'f' : layout.type == '\0' || layout.type == 'n' ? 'g' : layout.type;
  if (!std::isfinite(value)) {
    text.rest = upper_if(std::isnan(value) ? "nan" : "inf", is_one_of(type, "EFG"));
  } else if (is_shortest) {
    text.digits = float_repr(magnitude);
  } else {
    const std::string pattern = std::string(layout.alternate ? "%#.*" : "%.*") + type;
    std::vector<char> buffer(static_cast<std::size_t>(kMaxPrecision) + 400);
    const auto precision = static_cast<int>(layout.precision < 0 ? 6 : layout.precision);
    std::snprintf(buffer.data(), buffer.size(), pattern.c_str(), precision, is_percent ? magnitude * 100 : magnitude);
    text.digits = buffer.data();
    // Without a type a number keeps a sign of being a float.
    if (layout.type == '\0' && text.digits.find_first_of(".e") == std::string::npos) text.digits += ".0";
  }
  const std::size_t whole = std::min(text.digits.find_first_of(".e"), text.digits.size());
  text.rest = text.digits.substr(whole) + text.rest;
  text.digits.resize(whole);
  if (layout.grouping != '\0') text.digits = grouped(text.digits, layout.grouping, 3);
  if (is_percent) text.rest += "%";
  return text;
}

std::string lay_out_number(Runtime& runtime, const NumberText& text, const Layout& layout) {
  const std::string front = text.sign + text.prefix, back = text.digits + text.rest;
  const char align = layout.align == '\0' ? '>' : layout.align;
  if (align == '=') {
    return front +
           pad(runtime, back, layout.width - static_cast<std::int64_t>(front.size()), Side::kRight, layout.fill);
  }
  const Side side = align == '<' ? Side::kLeft : align == '^' ? Side::kCenter : Side::kRight;
  return pad(runtime, front + back, layout.width, side, layout.fill);
}

std::string first_characters(const std::string& text, std::int64_t count) {
  std::size_t end = 0;
  for (; count > 0 && end < text.size(); --count) end += character_at(text, end).size();
  return text.substr(0, end);
}

// Python's format() centres to the left where str.center does not always.
std::string lay_out_text(Runtime& runtime, std::string text, const Layout& layout) {
  if (layout.precision >= 0) {
    runtime.step_characters(text.size());
    text = first_characters(text, layout.precision);
  }
  if (layout.align == '^') {
    const auto size = static_cast<std::int64_t>(count_code_points(text));
    if (size >= layout.width) return text;
    text = pad(runtime, text, size + (layout.width - size) / 2, Side::kRight, layout.fill);
    return pad(runtime, text, layout.width, Side::kLeft, layout.fill);
  }
  return pad(runtime, text, layout.width, layout.align == '>' ? Side::kRight : Side::kLeft, layout.fill);
}

// [[fill]align][sign][#][0][width][grouping][.precision][type]
Layout parse_spec(const std::string& spec) {
  Layout layout;
  std::size_t pos = 0;
  if (!spec.empty()) {
    const std::size_t size = character_at(spec, 0).size();
    if (size < spec.size() && is_one_of(spec[size], "<>^=")) {
      layout.fill = spec.substr(0, size);
      layout.align = spec[size];
      pos = size + 1;
    } else if (is_one_of(spec[0], "<>^=")) {
      layout.align = spec[pos++];
    }
  }
  const auto at = [&](std::string_view characters) { return pos < spec.size() && is_one_of(spec[pos], characters); };
  if (at("+- ")) layout.sign = spec[pos++];
  if (at("#")) layout.alternate = ++pos > 0;
  if (at("0")) {
    ++pos;
    if (layout.align == '\0') {
      layout.fill = "0";
      layout.align = '=';
    }
  }
  layout.width = take_number(spec, pos, kMaxWidth);
  if (at(",_")) layout.grouping = spec[pos++];
  if (at(".")) {
    ++pos;
    if (!at("0123456789")) fail_data("a format has no precision after its point");
    layout.precision = take_number(spec, pos, kMaxPrecision);
  }
  if (pos < spec.size()) layout.type = spec[pos++];
  if (pos < spec.size()) fail_data("the format '" + spec.substr(0, 40) + "' is invalid");
  return layout;
}

std::string character_of(std::int64_t code_point) {
  if (code_point < 0 || code_point >= 0x110000 || (code_point >= 0xD800 && code_point < 0xE000)) {
    fail_data("a format's character is out of range");
  }
  std::string text;
  append_utf8(text, static_cast<char32_t>(code_point));
  return text;
}

[[noreturn]] void fail_type(char type, const Value& value) {
  fail_data(std::string("the format '") + type + "' does not fit a '" + type_name(value) + "'");
}

std::string format_integer(Runtime& runtime, const Value& value, const Layout& layout) {
  if (layout.type == 'c') {
    Layout left = layout;
    if (left.align == '\0') left.align = '<';
    return lay_out_text(runtime, character_of(value.as_int()), left);
  }
  if (!is_one_of(layout.type, "bdoxXn")) fail_type(layout.type, value);
  if (layout.precision >= 0) fail_data("a precision is not allowed in the format of an integer");
  return lay_out_number(runtime, integer_text(value.as_int(), layout), layout);
}

// str.format: one field between braces.
class FieldFormatter {
 public:
  FieldFormatter(Runtime& runtime, const Arguments& arguments, bool is_safe)
      : runtime_(runtime), arguments_(arguments), is_safe_(is_safe) {}

  std::string run(std::string_view format, int depth) {
    if (depth > 1) fail_data("a format is nested too deeply");
    std::string out;
    for (std::size_t pos = 0; pos < format.size();) {
      const char c = format[pos++];
      if (c != '{' && c != '}') {
        out.push_back(c);
      } else if (pos < format.size() && format[pos] == c) {
        out.push_back(format[pos++]);
      } else if (c == '}') {
        fail_data("a format has a single brace");
      } else {
        out += field(take_field(format, pos), depth);
        if (out.size() > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
      }
    }
    runtime_.step_bytes(format.size() * 8);
    return out;
  }

 private:
  // Up to the brace that closes the field; braces within its specification are fields themselves.
  static std::string_view take_field(std::string_view format, std::size_t& pos) {
    const std::size_t begin = pos;
    for (int open = 1; pos < format.size(); ++pos) {
      open += format[pos] == '{' ? 1 : format[pos] == '}' ? -1 : 0;
      if (open == 0) return format.substr(begin, pos++ - begin);
    }
    fail_data("a format has a single brace");
  }

  std::string field(std::string_view text, int depth) {
    runtime_.step();
    const std::size_t name_end = name_size(text);
    const Value value = find_value(text.substr(0, name_end));
    text.remove_prefix(name_end);
    char conversion = '\0';
    if (text.starts_with('!')) {
      if (text.size() < 2) fail_data("a format has no conversion after !");
      conversion = text[1];
      text.remove_prefix(2);
    }
    if (!text.empty() && text[0] != ':') fail_data("a format's field has an unexpected end");
    const std::string spec = text.empty() ? "" : run(text.substr(1), depth + 1);
    if (conversion != '\0' && !is_one_of(conversion, "rsa")) fail_data("a format's conversion must be r, s or a");
    const Value shown = conversion == '\0'  ? value
                        : conversion == 's' ? runtime_.string(to_text(runtime_, value))
                                            : runtime_.string(to_repr(runtime_, value));
    if (!is_safe_) return format_value(runtime_, shown, spec);
    return shown.is_string() && shown.is_safe() ? shown.as_string() : escape(format_value(runtime_, shown, spec));
  }

  static std::size_t name_size(std::string_view text) {
    bool in_brackets = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '[') in_brackets = true;
      if (text[i] == ']') in_brackets = false;
      if (!in_brackets && is_one_of(text[i], "!:")) return i;
    }
    return text.size();
  }

  // name, 0 or nothing, then .attribute and [item]
  Value find_value(std::string_view path) {
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    Value value = argument(path.substr(0, end));
    path.remove_prefix(end);
    while (!path.empty()) {
      const bool is_item = path[0] == '[';
      const std::size_t stop = is_item ? path.find(']') : std::min(path.find_first_of(".[", 1), path.size());
      if (stop == std::string_view::npos || stop <= 1) fail_data("a format's field is incomplete");
      const std::string part(path.substr(1, stop - 1));
      const bool is_index = is_item && part.size() < 10 && std::all_of(part.begin(), part.end(), is_digit);
      value = !is_item   ? get_attribute(runtime_, value, part)
              : is_index ? get_item(runtime_, value, Value::integer(std::stoll(part)))
                         : get_item(runtime_, value, runtime_.string(part));
      if (value.is_undefined()) fail_undefined(value);
      path.remove_prefix(stop + (is_item ? 1 : 0));
    }
    return value;
  }

  Value argument(std::string_view name) {
    const bool is_number = std::all_of(name.begin(), name.end(), is_digit);
    if (!is_number) {
      for (const auto& [given, value] : arguments_.named) {
        if (given == name) return value;
      }
      fail_data("a format names the missing argument '" + std::string(name.substr(0, 40)) + "'");
    }
    if (name.size() > 6) fail_data("a format's number is out of range");
    if (!name.empty() && counted_ > 0) fail_data("a format counts and numbers its fields");
    numbered_ = numbered_ || !name.empty();
    if (name.empty() && numbered_) fail_data("a format counts and numbers its fields");
    const std::size_t position = name.empty() ? counted_++ : std::stoul(std::string(name));
    if (position >= arguments_.positional.size()) fail_data("a format has more fields than arguments");
    return arguments_.positional[position];
  }

  Runtime& runtime_;
  const Arguments& arguments_;
  const bool is_safe_;
  std::size_t counted_ = 0;
  bool numbered_ = false;
};

// format % values
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& values)
      : runtime_(runtime), format_(format.as_string()), is_safe_(format.is_safe()), values_(values) {
    if (values.kind() == Kind::kTuple) {
      given_ = values.items();
    } else {
      given_ = {values};
    }
  }

  std::string run() {
    std::string out;
    while (pos_ < format_.size()) {
      if (format_[pos_] != '%') {
        out.push_back(format_[pos_++]);
        continue;
      }
      ++pos_;
      out += conversion();
      if (out.size() > runtime_.limits().max_output_bytes) Runtime::fail_limit("text");
    }
    const bool may_be_left = values_.is_dict() || (values_.kind() == Kind::kList && used_by_name_);
    if (next_ < given_.size() && !may_be_left) fail_data("not all arguments converted during string formatting");
    runtime_.step_bytes(format_.size() * 8);
    return out;
  }

 private:
  bool at(std::string_view characters) const { return pos_ < format_.size() && is_one_of(format_[pos_], characters); }

  const Value& next() {
    if (named_ != nullptr) return *named_;
    if (next_ >= given_.size()) fail_data("not enough arguments for format string");
    return given_[next_++];
  }

  // %(name)s takes a member of the dict.
  void take_name() {
    named_ = nullptr;
    if (!at("(")) return;
    const std::size_t end = format_.find(')', pos_);
    if (end == std::string::npos) fail_data("incomplete format key");
    if (!values_.is_dict()) fail_data("format requires a mapping");
    named_ = find(runtime_, values_, runtime_.string(format_.substr(pos_ + 1, end - pos_ - 1)));
    if (named_ == nullptr) fail_data("a format names a missing key");
    used_by_name_ = true;
    pos_ = end + 1;
  }

  std::int64_t number_or_star(std::int64_t limit) {
    if (!at("*")) return take_number(format_, pos_, limit);
    ++pos_;
    const std::int64_t given = to_int_argument(next(), "* of a format");
    if (given > limit || given < -limit) fail_data("a width or precision of a format is too large");
    return given;
  }

  std::string conversion() {
    runtime_.step();
    take_name();
    Layout layout;
    bool zeros = false, left = false;
    for (; at("-+ 0#"); ++pos_) {
      const char flag = format_[pos_];
      left = left || flag == '-';
      zeros = zeros || flag == '0';
      layout.alternate = layout.alternate || flag == '#';
      if (flag == '+' || (flag == ' ' && layout.sign == '-')) layout.sign = flag;
    }
    layout.width = number_or_star(kMaxWidth);
    if (layout.width < 0) {
      left = true;
      layout.width = -layout.width;
    }
    if (at(".")) {
      ++pos_;
      layout.precision = std::max<std::int64_t>(number_or_star(kMaxPrecision), 0);
    }
    while (at("hlL")) ++pos_;
    if (pos_ >= format_.size()) fail_data("incomplete format");
    layout.type = format_[pos_++];
    if (layout.type == '%') return "%";
    layout.align = left ? '<' : '>';
    if (zeros && !left && is_one_of(layout.type, "diouxXeEfFgG")) {
      layout.align = '=';
      layout.fill = "0";
    }
    return convert(layout, next());
  }

  std::string convert(Layout layout, const Value& value) {
    if (is_one_of(layout.type, "sra")) {
      const std::string text = layout.type == 's' ? to_text(runtime_, value) : to_repr(runtime_, value);
      const bool escapes = is_safe_ && !(value.is_string() && value.is_safe());
      return lay_out_text(runtime_, escapes ? escape(text) : text, layout);
    }
    if (layout.type == 'c') {
      const bool is_character = value.is_string() && count_code_points(value.as_string()) == 1;
      if (!is_character && !value.is_integral()) fail_type('c', value);
      return lay_out_text(runtime_, is_character ? value.as_string() : character_of(value.as_int()), layout);
    }
    if (value.is_undefined()) fail_undefined(value);
    if (!value.is_number()) fail_data("a number is required for the format, not " + type_name(value));
    if (is_one_of(layout.type, "eEfFgG")) {
      return lay_out_number(runtime_, float_text(value.as_double(), layout), layout);
    }
    if (!is_one_of(layout.type, "diuoxX")) fail_template(std::string("format %") + layout.type + " is not supported");
    return convert_integer(layout, value);
  }

  std::string convert_integer(Layout layout, const Value& value) {
    if (is_one_of(layout.type, "iu")) layout.type = 'd';
    if (!value.is_integral() && layout.type != 'd') fail_type(layout.type, value);
    if (!value.is_integral() && std::fabs(value.as_double()) >= 9.2e18) fail_data("an integer is out of range");
    const std::int64_t integer = value.is_integral() ? value.as_int() : static_cast<std::int64_t>(value.as_double());
    NumberText text = integer_text(integer, layout);
    text.digits = pad(runtime_, text.digits, std::max<std::int64_t>(layout.precision, 0), Side::kRight, "0");
    return lay_out_number(runtime_, text, layout);
  }

  Runtime& runtime_;
  const std::string& format_;
  const bool is_safe_;
  const Value& values_;
  std::vector<Value> given_;
  const Value* named_ = nullptr;
  bool used_by_name_ = false;
  std::size_t next_ = 0, pos_ = 0;
};

}  // namespace

std::string format_value(Runtime& runtime, const Value& value, const std::string& spec) {
  if (spec.empty()) return to_text(runtime, value);
  Layout layout = parse_spec(spec);
  if (value.is_string()) {
    if (layout.type != '\0' && layout.type != 's') fail_type(layout.type, value);
    if (layout.align == '=' || layout.sign != '-' || layout.alternate) fail_type('s', value);
    return lay_out_text(runtime, to_text(runtime, value), layout);
  }
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_number()) fail_data("a '" + type_name(value) + "' takes no format");
  const bool is_float = value.kind() == Kind::kFloat || is_one_of(layout.type, "eEfFgG%");
  if (is_float) {
    if (layout.type != '\0' && !is_one_of(layout.type, "eEfFgGn%")) fail_type(layout.type, value);
    return lay_out_number(runtime, float_text(value.as_double(), layout), layout);
  }
  if (layout.type == '\0') layout.type = 'd';
  return format_integer(runtime, value, layout);
}

Value format_fields(Runtime& runtime, const Value& format, const Arguments& arguments) {
  return runtime.string(FieldFormatter(runtime, arguments, format.is_safe()).run(format.as_string(), 0));
}

Value format_percent(Runtime& runtime, const Value& format, const Value& values) {
  return runtime.string(PercentFormatter(runtime, format, values).run(), format.is_safe());
}

}  // namespace strata::jinja
