// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/limits.h"
#include "grammar/matcher.h"
#include "grammar/number_range.h"
#include "grammar/pattern.h"
#include "grammar/schema_merge.h"
#include "grammar/string_formats.h"

namespace strata::grammar {
namespace {

Expression nothing() { return choice_of({}); }

// Without an exponent.
std::string decimal_of(const Json& number) {
  if (!number.is_number_float()) return number.dump();
  std::array<char, 400> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number.get<double>(), std::chars_format::fixed).ptr;
  return {digits.data(), end};
}

// A bound, of which the schema may have one of each kind: the narrower.
std::optional<NumberBound> bound_of(const Json& schema, const char* inclusive, const char* exclusive, bool is_lower) {
  const auto with = schema.find(inclusive), without = schema.find(exclusive);
  if (without == schema.end()) {
    return with == schema.end() ? std::nullopt : std::optional(NumberBound{decimal_of(*with), false});
  }
  const bool is_narrower = with != schema.end() && (is_lower ? *with > *without : *with < *without);
  return NumberBound{decimal_of(is_narrower ? *with : *without), !is_narrower};
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  return type == "integer" ? value.is_number_integer() : value.is_number();
}

std::uint32_t count_or(const Json& schema, const char* keyword, std::uint32_t fallback) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return fallback;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(found->get<std::uint64_t>(), kUnlimited - 1));
}

std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded decoded = decode_utf8(text, at);
    out.push_back(decoded.code_point);
    at += decoded.size;
  }
  return out;
}

const CharRanges kControls = {{0, 0x1F}};

// A JSON string's inside, without control characters, and its closing quote that is none of these names from their
// `depth`-th character on. The names are in order.
Expression none_of(std::span<const std::u32string> names, std::size_t depth) {
  const Expression any = character_in_json(complement(kControls));
  std::vector<Expression> choices;
  CharRanges begun = kControls;
  const bool is_name = !names.empty() && names.front().size() == depth;
  if (is_name) names = names.subspan(1);
  if (!is_name) choices.push_back(text_of("\""));
  while (!names.empty()) {
    const char32_t next = names.front()[depth];
    const auto end = std::ranges::find_if(names, [&](const std::u32string& name) { return name[depth] != next; });
    const auto count = static_cast<std::size_t>(end - names.begin());
    choices.push_back(sequence_of({character_in_json({{next, next}}), none_of(names.first(count), depth + 1)}));
    begun.push_back({next, next});
    names = names.subspan(count);
  }
  choices.push_back(sequence_of({character_in_json(complement(begun)), repeat_of(any, 0, kUnlimited), text_of("\"")}));
  return choice_of(std::move(choices));
}

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& document, Grammar& grammar)
      : document_(document), grammar_(grammar), rules_(grammar), merger_(document) {}

  // One rule for equal schemas, so that what refers to itself ends.
  Expression compile(const SchemaAt& at) {
    const std::string key = at.schema.dump();
    if (const auto known = known_.find(key); known != known_.end()) return rule_of(known->second);
    const std::uint32_t rule = grammar_.add(at.path);
    known_.emplace(key, rule);
    Expression expression = expression_of(at);
    grammar_.rules[rule].expression = std::move(expression);
    return rule_of(rule);
  }

 private:
  Expression expression_of(const SchemaAt& at) {
    const Json schema = merger_.keywords_of(at);
    if (schema.is_boolean()) return schema == true ? rules_.value() : nothing();
    const bool is_alone = schema.size() == 1;
    if (is_alone && schema.contains("$ref")) return compile(merger_.target({schema, at.path}));
    for (const char* const name : {"anyOf", "oneOf"}) {
      if (is_alone && schema.contains(name)) return any_of({schema, at.path}, name);
    }
    std::vector<Expression> choices;
    for (const SchemaAt& one : merger_.alternatives(at)) choices.push_back(plain(one));
    return choice_of(std::move(choices));
  }

  Expression any_of(const SchemaAt& at, const char* name) {
    if (std::string_view(name) == "oneOf") merger_.check_disjoint(at);
    std::vector<Expression> choices;
    for (std::size_t i = 0; i < at.schema[name].size(); ++i) {
      choices.push_back(
          compile({at.schema[name][i], path_below(at.path, std::string(name) + "/" + std::to_string(i))}));
    }
    return choice_of(std::move(choices));
  }

  Expression plain(const SchemaAt& at) {
    if (at.schema.empty()) return rules_.value();
    if (at.schema.contains("const") || at.schema.contains("enum")) return constants(at);
    std::vector<Expression> choices;
    for (const std::string& type : types_of(at.schema, at.path)) choices.push_back(of_type(type, at));
    return choice_of(std::move(choices));
  }

  Expression of_type(const std::string& type, const SchemaAt& at) {
    if (type == "object") return object(at);
    if (type == "array") return array(at);
    if (type == "string") return string(at);
    if (type == "boolean") return rules_.boolean();
    if (type == "null") return rules_.null();
    return number(at, type == "integer");
  }

  // Those that the rest of the schema allows.
  Expression constants(const SchemaAt& at) {
    Json values = at.schema.contains("enum") ? at.schema["enum"] : Json::array({at.schema["const"]});
    Json rest = at.schema;
    rest.erase("enum");
    if (rest.contains("const")) {
      const Json value = rest["const"];
      const bool is_in = has_value(values, value);
      values = is_in ? Json::array({value}) : Json::array();
      rest.erase("const");
    }
    std::vector<Expression> choices;
    for (const Json& value : values) {
      if (holds(value, {rest, at.path})) choices.push_back(rules_.constant(value));
    }
    return choice_of(std::move(choices));
  }

  bool holds(const Json& value, const SchemaAt& at) {
    if (at.schema.empty()) return true;
    const std::vector<std::string> types = types_of(at.schema, at.path);
    if (at.schema.size() == 1 && at.schema.contains("type")) {
      return std::ranges::any_of(types, [&](const std::string& type) { return has_type(value, type); });
    }
    const std::string key = at.schema.dump();
    std::shared_ptr<CompiledGrammar>& checker = checkers_[key];
    if (checker == nullptr) {
      Grammar grammar;
      SchemaCompiler compiler(document_, grammar);
      const std::uint32_t root = grammar.add(at.path, compiler.plain(at));
      grammar.root = root;
      checker = std::make_shared<CompiledGrammar>(grammar);
    }
    Matcher matcher(checker);
    return matcher.advance(value.dump()) && matcher.accepts();
  }

  Expression number(const SchemaAt& at, bool is_integer) {
    if (at.schema.contains("multipleOf")) {
      if (at.schema["multipleOf"] != 1) refuse_keyword(at.path, "multipleOf", "can only be 1");
      is_integer = true;
    }
    auto min = bound_of(at.schema, "minimum", "exclusiveMinimum", true);
    auto max = bound_of(at.schema, "maximum", "exclusiveMaximum", false);
    if (!min && !max) return is_integer ? rules_.integer() : rules_.number();
    auto between =
        is_integer ? integers_between(std::move(min), std::move(max)) : numbers_between(std::move(min), std::move(max));
    return between ? std::move(*between) : nothing();
  }

  Expression string(const SchemaAt& at) {
    const Json& schema = at.schema;
    const bool has_length = schema.contains("minLength") || schema.contains("maxLength");
    const bool has_pattern = schema.contains("pattern"), has_format = schema.contains("format");
    if (!has_pattern && !has_format) {
      const std::uint32_t min = count_or(schema, "minLength", 0), max = count_or(schema, "maxLength", kUnlimited);
      if (min > kMaxRepeats) refuse_keyword(at.path, "minLength", "is above " + std::to_string(kMaxRepeats));
      if (min > max) return nothing();
      return rules_.string(min, max == kUnlimited ? max : std::min(max, kMaxRepeats));
    }
    const char* const keyword = has_pattern ? "pattern" : "format";
    if (has_length) refuse_keyword(at.path, keyword, "is not supported together with minLength or maxLength");
    if (has_pattern && has_format) refuse_keyword(at.path, "format", "is not supported together with pattern");
    return sequence_of({text_of("\""), text_in_json(pattern(at, keyword)), text_of("\"")});
  }

  Expression pattern(const SchemaAt& at, const char* keyword) {
    const auto& text = at.schema[keyword].get_ref<const std::string&>();
    if (std::string_view(keyword) == "pattern") {
      try {
        return parse_pattern(text);
      } catch (const PatternError& error) {
        refuse_keyword(at.path, keyword, std::string("is not supported: ") + error.what());
      }
    }
    const auto of_format = pattern_of_format(text);
    if (!of_format) refuse_keyword(at.path, keyword, "is none that is supported: " + text.substr(0, 40));
    return parse_pattern(*of_format);
  }

  Expression array(const SchemaAt& at) {
    const Json& schema = at.schema;
    std::vector<Expression> first;
    if (const auto prefix = schema.find("prefixItems"); prefix != schema.end()) {
      for (std::size_t i = 0; i < prefix->size(); ++i) {
        first.push_back(element((*prefix)[i], path_below(at.path, "prefixItems/" + std::to_string(i))));
      }
    }
    const auto items = schema.find("items");
    const Expression other =
        items == schema.end() ? element(true, at.path) : element(*items, path_below(at.path, "items"));
    const std::uint32_t min = count_or(schema, "minItems", 0), max = count_or(schema, "maxItems", kUnlimited);
    if (min > kMaxRepeats) refuse_keyword(at.path, "minItems", "is above " + std::to_string(kMaxRepeats));
    if (min > max) return nothing();
    return rules_.bracketed(elements(first, other, min, max == kUnlimited ? max : std::min(max, kMaxRepeats)));
  }

  Expression element(const Json& schema, const std::string& path) {
    return sequence_of({compile({schema, path}), rules_.space()});
  }

  // From the last one to the first: what stands behind one is optional where there may be so few.
  Expression elements(const std::vector<Expression>& first, const Expression& other, std::uint32_t min,
                      std::uint32_t max) {
    const auto fixed = static_cast<std::uint32_t>(std::min<std::size_t>(first.size(), max));
    const auto before = [&](std::uint32_t count, std::uint32_t limit) { return limit > count ? limit - count : 0; };
    Expression rest;
    if (max > fixed) {
      const std::uint32_t most = max == kUnlimited ? kUnlimited : max - fixed, least = before(fixed, min);
      if (fixed > 0) {
        rest = repeat_of(rules_.comma_before(other), least, most);
      } else {
        const std::uint32_t more = most == kUnlimited ? kUnlimited : most - 1;
        rest = sequence_of({other, repeat_of(rules_.comma_before(other), before(1, least), more)});
        if (min == 0) rest = optional_of(std::move(rest));
      }
    }
    for (std::uint32_t i = fixed; i-- > 0;) {
      Expression one = i == 0 ? first[i] : rules_.comma_before(first[i]);
      rest = sequence_of({std::move(one), std::move(rest)});
      if (i >= min) rest = optional_of(std::move(rest));
    }
    return rest;
  }

  struct Property {
    Expression member;
    bool is_required = false;
  };

  Expression object(const SchemaAt& at) {
    const Json& schema = at.schema;
    const Json named = schema.value("properties", Json::object());
    const Json required = schema.value("required", Json::array());
    std::vector<Property> properties;
    std::vector<std::string> names;
    const auto add = [&](const std::string& name, const Json& value, const std::string& path) {
      if (std::ranges::find(names, name) != names.end()) return;
      names.push_back(name);
      properties.push_back(
          {rules_.member(text_of(Json(name).dump()), compile({value, path})), has_value(required, name)});
    };
    for (const auto& [name, value] : named.items()) add(name, value, path_below(at.path, "properties/" + name));
    // What must be there without being named is as the others that aren't.
    const Json others = schema.value("additionalProperties", Json(true));
    for (const Json& name : required) add(name, others, path_below(at.path, "additionalProperties"));
    if (!names.empty() && schema.contains("propertyNames")) {
      refuse_keyword(at.path, "propertyNames", "is not supported beside named properties");
    }
    const std::optional<Expression> other = other_member(at, names);
    check_counts(at, properties, other.has_value());
    return rules_.braced(members(at, properties, other));
  }

  // A member that the schema doesn't name, where there may be some.
  std::optional<Expression> other_member(const SchemaAt& at, const std::vector<std::string>& names) {
    const Json& schema = at.schema;
    const auto others = schema.find("additionalProperties");
    const bool has_others = others == schema.end() ? names.empty() : *others != false;
    if (schema.contains("patternProperties")) return pattern_member(at, names, has_others && others != schema.end());
    if (!has_others) return std::nullopt;
    const Json value = others == schema.end() ? Json(true) : *others;
    return rules_.member(other_name(at, names), compile({value, path_below(at.path, "additionalProperties")}));
  }

  Expression other_name(const SchemaAt& at, const std::vector<std::string>& names) {
    const auto given = at.schema.find("propertyNames");
    if (given != at.schema.end() && *given != true) {
      return compile({all_of({{"type", "string"}}, *given), path_below(at.path, "propertyNames")});
    }
    if (names.empty()) return rules_.string();
    std::vector<std::u32string> known;
    for (const std::string& name : names) {
      if (name.size() > kMaxNameBytes) refuse_keyword(at.path, "additionalProperties", "stands beside too long names");
      known.push_back(code_points(name));
    }
    std::ranges::sort(known);
    return rule_of(grammar_.add(at.path, sequence_of({text_of("\""), none_of(known, 0)})));
  }

  std::optional<Expression> pattern_member(const SchemaAt& at, const std::vector<std::string>& names, bool has_others) {
    const Json& patterns = at.schema["patternProperties"];
    if (patterns.size() != 1 || !names.empty() || has_others || at.schema.contains("propertyNames")) {
      refuse_keyword(at.path, "patternProperties", "is only supported with one pattern and nothing beside");
    }
    const std::string& name = patterns.begin().key();
    const std::string path = path_below(at.path, "patternProperties/" + name);
    return rules_.member(compile({{{"type", "string"}, {"pattern", name}}, path}),
                         compile({patterns.begin().value(), path}));
  }

  // Numbers of members are only counted where all have free names: there a name may come twice, and still counts once.
  void check_counts(const SchemaAt& at, const std::vector<Property>& properties, bool has_others) {
    const std::uint32_t min = count_or(at.schema, "minProperties", 0);
    const std::uint32_t max = count_or(at.schema, "maxProperties", kUnlimited);
    const auto required = static_cast<std::uint32_t>(std::ranges::count_if(properties, &Property::is_required));
    const bool is_free = properties.empty() && has_others;
    if (min > std::max<std::uint32_t>(required, is_free ? 1 : 0)) {
      refuse_keyword(at.path, "minProperties", "is only supported up to the number of required properties");
    }
    if (!is_free && max < properties.size() + (has_others ? kUnlimited / 2 : 0)) {
      refuse_keyword(at.path, "maxProperties", "is not supported beside named properties");
    }
    if (max < min) refuse_keyword(at.path, "maxProperties", "is below minProperties");
  }

  Expression members(const SchemaAt& at, const std::vector<Property>& properties,
                     const std::optional<Expression>& other) {
    const std::uint32_t max = std::min(count_or(at.schema, "maxProperties", kUnlimited), kUnlimited);
    const std::uint32_t more = max == kUnlimited ? kUnlimited : std::min(max, kMaxRepeats) - std::min(max, 1U);
    Expression others;  // behind some member
    if (other) others = repeat_of(rules_.comma_before(*other), 0, properties.empty() ? more : kUnlimited);
    std::vector<Expression> behind(properties.size() + 1);  // what may stand behind some member, from the i-th on
    behind.back() = others;
    for (std::size_t i = properties.size(); i-- > 0;) {
      Expression one = rules_.comma_before(properties[i].member);
      if (!properties[i].is_required) one = optional_of(std::move(one));
      behind[i] = rule_of(grammar_.add(at.path, sequence_of({std::move(one), behind[i + 1]})));
    }
    std::vector<Expression> choices;
    for (std::size_t i = 0; i < properties.size(); ++i) {
      choices.push_back(sequence_of({properties[i].member, behind[i + 1]}));
      if (properties[i].is_required) return choice_of(std::move(choices));
    }
    if (other && max > 0) choices.push_back(sequence_of({*other, others}));
    if (count_or(at.schema, "minProperties", 0) == 0) choices.emplace_back();
    return choice_of(std::move(choices));
  }

  const Json& document_;
  Grammar& grammar_;
  JsonRules rules_;
  SchemaMerger merger_;
  std::map<std::string, std::uint32_t> known_;
  std::map<std::string, std::shared_ptr<CompiledGrammar>> checkers_;
};

}  // namespace

Expression add_schema(const Json& schema, Grammar& grammar) {
  return SchemaCompiler(schema, grammar).compile({schema, "#"});
}

Grammar schema_grammar(const Json& schema) {
  Grammar grammar;
  grammar.add("root");
  Expression root = add_schema(schema, grammar);
  grammar.rules.front().expression = std::move(root);
  return grammar;
}

Grammar json_object_grammar() {
  Grammar grammar;
  grammar.add("root");
  Expression root = JsonRules(grammar).object();
  grammar.rules.front().expression = std::move(root);
  return grammar;
}

Grammar choice_grammar(std::span<const std::string> texts) {
  Grammar grammar;
  std::vector<Expression> choices;
  for (const std::string& text : texts) choices.push_back(text_of(text));
  grammar.add("root", choice_of(std::move(choices)));
  return grammar;
}

Grammar pattern_grammar(std::string_view pattern) {
  Grammar grammar;
  try {
    grammar.add("root", parse_pattern(pattern));
  } catch (const PatternError& error) {
    throw usage_error(std::string("the pattern is not supported: ") + error.what(), "write it otherwise");
  }
  return grammar;
}

}  // namespace strata::grammar
