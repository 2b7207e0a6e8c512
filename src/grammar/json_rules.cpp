// SPDX-License-Identifier: Apache-2.0
#include "grammar/json_rules.h"

#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace strata::grammar {
namespace {

constexpr std::uint32_t kMostIndent = 20;
constexpr std::uint32_t kMostDigits = 15;         // after the first one
constexpr std::uint32_t kMostExponentDigits = 2;  // what is written so is finite

const CharRanges kEscaped = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};

Expression hex_digits(std::uint32_t count) {
  return repeat_of(character_of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}), count, count);
}

Expression one_of(std::string_view characters) {
  CharRanges ranges;
  for (const char c : characters) ranges.push_back({static_cast<char32_t>(c), static_cast<char32_t>(c)});
  return character_of(std::move(ranges));
}

// \u with four digits, or two of them where a character takes a pair of surrogates.
Expression unicode_escape() {
  Expression other =
      sequence_of({character_of({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}), hex_digits(3)});
  Expression below_surrogates = sequence_of({one_of("Dd"), one_of("01234567"), hex_digits(2)});
  Expression pair = sequence_of(
      {one_of("Dd"), one_of("89ABab"), hex_digits(2), text_of("\\u"), one_of("Dd"), one_of("CDEFcdef"), hex_digits(2)});
  return sequence_of({text_of("u"), choice_of({std::move(other), std::move(below_surrogates), std::move(pair)})});
}

Expression character_in_string() {
  return choice_of({character_of(complement(kEscaped)),
                    sequence_of({text_of("\\"), choice_of({one_of("\"\\/bfnrt"), unicode_escape()})})});
}

Expression quoted(Expression inside) { return sequence_of({text_of("\""), std::move(inside), text_of("\"")}); }

Expression plain_integer() {
  return sequence_of({optional_of(text_of("-")),
                      choice_of({text_of("0"), sequence_of({character_of({{'1', '9'}}),
                                                            repeat_of(character_of({{'0', '9'}}), 0, kMostDigits)})})});
}

Expression digits(std::uint32_t most) { return repeat_of(character_of({{'0', '9'}}), 1, most); }

std::string escape_of(char32_t control) {
  return Json(std::string(1, static_cast<char>(control))).dump().substr(1, std::string::npos);
}

}  // namespace

template <typename Make>
Expression JsonRules::rule(Name name, const char* text, Make make) {
  if (!rules_[name]) {
    rules_[name] = grammar_.add(text);
    Expression expression = make();
    grammar_.rules[*rules_[name]].expression = std::move(expression);
  }
  return rule_of(*rules_[name]);
}

Expression JsonRules::space() {
  return rule(kSpace, "space", [] {
    return choice_of({text_of(""), text_of(" "),
                      sequence_of({repeat_of(text_of("\n"), 1, 2), repeat_of(one_of(" \t"), 0, kMostIndent)})});
  });
}

Expression JsonRules::value() {
  return rule(kValue, "value", [&] { return choice_of({object(), array(), string(), number(), boolean(), null()}); });
}

Expression JsonRules::object() {
  return rule(kObject, "object", [&] {
    const Expression one = member(string(), value());
    return braced(optional_of(sequence_of({one, repeat_of(comma_before(one), 0, kUnlimited)})));
  });
}

Expression JsonRules::array() {
  return rule(kArray, "array", [&] {
    return bracketed(optional_of(
        sequence_of({value(), space(), repeat_of(comma_before(sequence_of({value(), space()})), 0, kUnlimited)})));
  });
}

Expression JsonRules::string() {
  return rule(kString, "string", [] { return quoted(repeat_of(character_in_string(), 0, kUnlimited)); });
}

Expression JsonRules::string(std::uint32_t min, std::uint32_t max) {
  if (min == 0 && max == kUnlimited) return string();
  const Expression one = rule(kCharacter, "character", character_in_string);
  return quoted(repeat_of(one, min, max));
}

Expression JsonRules::number() {
  return rule(kNumber, "number", [] {
    return sequence_of(
        {plain_integer(), optional_of(sequence_of({text_of("."), digits(kMostDigits)})),
         optional_of(sequence_of({one_of("eE"), optional_of(one_of("+-")), digits(kMostExponentDigits)}))});
  });
}

Expression JsonRules::integer() { return rule(kInteger, "integer", plain_integer); }

Expression JsonRules::boolean() const { return choice_of({text_of("true"), text_of("false")}); }

Expression JsonRules::null() const { return text_of("null"); }

Expression JsonRules::braced(Expression inside) {
  return sequence_of({text_of("{"), space(), std::move(inside), text_of("}")});
}

Expression JsonRules::bracketed(Expression inside) {
  return sequence_of({text_of("["), space(), std::move(inside), text_of("]")});
}

Expression JsonRules::member(Expression key, Expression value) {
  return sequence_of({std::move(key), space(), text_of(":"), space(), std::move(value), space()});
}

Expression JsonRules::comma_before(Expression part) { return sequence_of({text_of(","), space(), std::move(part)}); }

Expression JsonRules::constant(const Json& value) {
  if (!value.is_structured() || value.empty()) return text_of(value.dump());
  std::vector<Expression> parts;
  for (auto at = value.begin(); at != value.end(); ++at) {
    Expression part = value.is_object() ? member(text_of(Json(at.key()).dump()), constant(at.value()))
                                        : sequence_of({constant(at.value()), space()});
    parts.push_back(parts.empty() ? std::move(part) : comma_before(std::move(part)));
  }
  return value.is_object() ? braced(sequence_of(std::move(parts))) : bracketed(sequence_of(std::move(parts)));
}

Expression character_in_json(const CharRanges& ranges) {
  const CharRanges plain = intersection(ranges, complement(kEscaped)), escaped = intersection(ranges, kEscaped);
  std::vector<Expression> choices;
  if (!plain.empty() || escaped.empty()) choices.push_back(character_of(plain));
  for (const CharRange& range : escaped) {
    for (char32_t c = range.first; c <= range.last; ++c) {
      std::string text = escape_of(c);
      text.pop_back();  // the quote
      choices.push_back(text_of(std::move(text)));
    }
  }
  return choice_of(std::move(choices));
}

Expression text_in_json(const Expression& expression) {
  STRATA_CHECK(expression.kind != Expression::Kind::kRule && expression.kind != Expression::Kind::kFreeText,
               "rules have no one form in JSON");
  if (expression.kind == Expression::Kind::kCharacter) return character_in_json(expression.ranges);
  Expression out = expression;
  if (expression.kind == Expression::Kind::kText) {
    const std::string quoted_text = Json(expression.text).dump();
    out.text = quoted_text.substr(1, quoted_text.size() - 2);
  }
  for (Expression& part : out.parts) part = text_in_json(part);
  return out;
}

}  // namespace strata::grammar
