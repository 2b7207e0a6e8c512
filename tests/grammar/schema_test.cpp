// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "grammar/matcher.h"

namespace strata::grammar {
namespace {

std::shared_ptr<CompiledGrammar> compiled(std::string_view schema) {
  return std::make_shared<CompiledGrammar>(schema_grammar(Json::parse(schema)));
}

bool fits(const std::shared_ptr<CompiledGrammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.advance(text) && matcher.accepts();
}

std::string schema_error(std::string_view schema) {
  try {
    compiled(schema);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

struct Case {
  std::string_view schema;
  std::vector<std::string_view> yes, no;
};

void check(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    SCOPED_TRACE(one.schema);
    const auto grammar = compiled(one.schema);
    for (const std::string_view text : one.yes) EXPECT_TRUE(fits(grammar, text)) << text;
    for (const std::string_view text : one.no) EXPECT_FALSE(fits(grammar, text)) << text;
  }
}

TEST(Schema, Values) {
  check({
      {"{}", {"1", "\"a\"", "null", "[]", "{}", R"({"a": [1, {"b": true}]})", "[[[[1]]]]"}, {"", "a", "[1,]", "{1:2}"}},
      {"true", {"1", "{}"}, {""}},
      {R"({"type": "null"})", {"null"}, {"1", "nul"}},
      {R"({"type": "boolean"})", {"true", "false"}, {"True", "null"}},
      {R"({"type": "integer"})", {"0", "-1", "123", "-0"}, {"1.0", "01", "+1", "1e3", ""}},
      {R"({"type": "number"})", {"0", "-1.50", "1e3", "1.5E-10"}, {"1.", ".5", "1e999", "NaN", "Infinity"}},
      {R"({"type": ["string", "null"]})", {"null", "\"\""}, {"1"}},
      {R"({"type": "string"})",
       {R"("")", R"("é\n\"\\\u00e9\ud83d\ude00")", "\"\xF0\x9F\x98\x80\""},
       {"\"\n\"", R"("\ud83d")", R"("\ude00")", R"("\x41")", "\"\xFF\"", "\"a", "a"}},
      {R"({"const": {"a": [1, "x"]}})",
       {R"({"a":[1,"x"]})", R"({ "a": [1, "x"] })", "{\n  \"a\": [ 1,\n\"x\" ]\n}"},
       {"{}"}},
      {R"({"enum": ["a", "ab", 1, null]})", {"\"a\"", "\"ab\"", "1", "null"}, {"\"b\"", "11", "\"abc\""}},
      {R"({"type": "string", "enum": ["a", 1]})", {"\"a\""}, {"1"}},
      {R"({"type": "integer", "enum": [1, 5, 9], "minimum": 4})", {"5", "9"}, {"1"}},
      {R"({"enum": [1, 2], "const": 2})", {"2"}, {"1"}},
  });
}

TEST(Schema, Strings) {
  check({
      {R"({"minLength": 1, "maxLength": 2, "type": "string"})",
       {R"("a")", R"("é\n")", R"("\ud83d\ude00b")"},
       {R"("")", R"("abc")"}},
      {R"({"pattern": "^a+$"})", {R"("a")", R"("aaa")"}, {R"("")", R"("ab")", "1"}},
      {R"({"pattern": "b"})", {R"("b")", R"("abc")"}, {R"("")", R"("ac")"}},
      {R"({"pattern": "^(a|bc)*$"})", {R"("")", R"("abca")"}, {R"("b")"}},
      {R"({"pattern": "^[^a-z]$"})", {R"("A")", R"("\"")", R"("\n")", R"("é")"}, {R"("b")", R"("")"}},
      {R"({"pattern": "^\\d{2,3}-\\w\\s?$"})", {R"("12-a")", R"("123-_ ")"}, {R"("1-a")", R"("1234-a")"}},
      {R"({"pattern": "^x|y$"})", {R"("xa")", R"("ay")"}, {R"("ax")", R"("ya")"}},
      {R"({"pattern": "^(?:\\u0041|\\x42|\\.|[\\]\\-])+?$"})", {R"("AB.]-")"}, {R"("C")", R"("\\")"}},
      {R"({"pattern": "^a{,2}$"})", {R"("a{,2}")"}, {R"("aa")"}},
      {R"({"format": "date"})",
       {R"("2024-12-31")", R"("2023-02-28")"},
       {R"("2023-02-30")", R"("2023-13-01")", R"("a")"}},
      {R"({"format": "time"})", {R"("12:30:00Z")", R"("23:59:59.5+02:00")"}, {R"("24:00:00Z")", R"("12:30")"}},
      {R"({"format": "date-time"})", {R"("2024-12-31T00:00:00Z")"}, {R"("2024-12-31")"}},
      {R"({"format": "uuid"})", {R"("123e4567-e89b-12d3-a456-426614174000")"}, {R"("123e4567")"}},
      {R"({"format": "ipv4"})", {R"("255.0.10.199")"}, {R"("256.1.1.1")", R"("1.1.1")"}},
      {R"({"format": "email"})", {R"("a.b@c.de")"}, {R"("a@b")", R"("@c.de")"}},
  });
}

TEST(Schema, Numbers) {
  check({
      {R"({"type": "integer", "minimum": 5, "maximum": 123})",
       {"5", "9", "10", "99", "100", "123"},
       {"4", "124", "-5", "05"}},
      {R"({"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 2})", {"-2", "0", "1"}, {"-3", "2"}},
      {R"({"type": "integer", "minimum": 2.5, "maximum": 3.5})", {"3"}, {"2", "4"}},
      {R"({"type": "integer", "maximum": -10})", {"-10", "-11", "-1000"}, {"-9", "0", "10"}},
      {R"({"type": "integer", "minimum": 10})", {"10", "99", "100000"}, {"9", "-10"}},
      {R"({"type": "number", "minimum": 0.5, "exclusiveMaximum": 1.25})",
       {"0.5", "0.50", "1", "1.0", "1.2", "1.2499"},
       {"0.49", "1.25", "1.250", "2", "0"}},
      {R"({"type": "number", "minimum": -1.5, "maximum": 1.5})",
       {"-1.5", "0", "1.5", "-0.7", "1.49"},
       {"-1.51", "1.6"}},
      {R"({"type": "number", "exclusiveMinimum": 0})", {"0.1", "5", "0.001"}, {"0", "0.0", "-1"}},
      {R"({"type": "number", "minimum": 1e3, "maximum": 2e3})", {"1000", "1999.5", "2000"}, {"999", "2000.1"}},
      {R"({"minimum": 1, "exclusiveMinimum": 0, "multipleOf": 1})", {"1", "7"}, {"0", "1.5"}},
  });
}

TEST(Schema, Arrays) {
  check({
      {R"({"items": {"type": "integer"}})", {"[]", "[1]", "[1, 2,3]", "[ 1 ]"}, {"[\"a\"]", "[1,]", "[,1]"}},
      {R"({"items": {"type": "integer"}, "minItems": 2, "maxItems": 3})",
       {"[1,2]", "[1,2,3]"},
       {"[]", "[1]", "[1,2,3,4]"}},
      {R"({"prefixItems": [{"type": "integer"}, {"type": "null"}], "items": false})",
       {"[]", "[1]", "[1,null]"},
       {"[null]", "[1,null,1]"}},
      {R"({"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 1, "maxItems": 3})",
       {"[1]", "[1,2]", "[1,2,2]"},
       {"[]", "[2]", "[1,2,2,2]"}},
      {R"({"items": [{"const": 1}], "additionalItems": {"const": 2}})", {"[]", "[1,2,2]"}, {"[2]"}},
      {R"({"items": {"const": 1}, "maxItems": 0})", {"[]", "[ ]"}, {"[1]"}},
      {R"({"items": false})", {"[]"}, {"[1]"}},
  });
}

TEST(Schema, Objects) {
  check({
      {R"({"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"]})",
       {R"({"a":1,"b":2,"c":3})", R"({"b": 2})", R"({"a":1, "b":2})", R"({ "b":2, "c":3 })"},
       {"{}", R"({"a":1})", R"({"b":2,"a":1})", R"({"b":2,"d":1})", R"({"b":2,})"}},
      {R"({"properties": {"a": {"const": 1}, "b": {"const": 2}}, "additionalProperties": false})",
       {"{}", R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"},
       {R"({"x":1})"}},
      {R"({"properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}})",
       {R"({"a":1,"b":2,"ab":2})", R"({"":2})", R"({"x":2})", R"({"é":2})"},
       {R"({"a":2})", R"({"b":1})", R"({"\u0061":2})"}},
      {R"({"additionalProperties": {"const": 2}})", {"{}", R"({"a":2,"b":2})"}, {R"({"a":1})"}},
      {R"({"type": "object"})", {"{}", R"({"a": {"b": [1]}})"}, {"[]"}},
      {R"({"type": "object", "maxProperties": 1})", {"{}", R"({"a":1})"}, {R"({"a":1,"b":1})"}},
      {R"({"type": "object", "minProperties": 1})", {R"({"a":1})", R"({"a":1,"b":1})"}, {"{}"}},
      {R"({"required": ["x"], "type": "object"})", {R"({"x": [1]})"}, {"{}"}},
      {R"({"properties": {"a\"\\": {"const": 1}}, "required": ["a\"\\"]})", {R"({"a\"\\":1})"}, {"{}"}},
      {R"({"patternProperties": {"^x": {"const": 1}}, "additionalProperties": false})",
       {"{}", R"({"xy":1})"},
       {R"({"y":1})"}},
      {R"({"propertyNames": {"pattern": "^[a-c]$"}})", {R"({"a": 5})"}, {R"({"d": 5})"}},
      {R"({"properties": {"a": false, "b": {"const": 1}}})", {"{}", R"({"b":1})"}, {R"({"a":1})"}},
  });
}

TEST(Schema, Combinations) {
  check({
      {R"({"anyOf": [{"type": "integer"}, {"const": "a"}]})", {"1", "\"a\""}, {"\"b\""}},
      {R"({"oneOf": [{"type": "integer"}, {"type": "string"}]})", {"1", "\"a\""}, {"1.5"}},
      {R"({"oneOf": [{"type": "object", "properties": {"t": {"const": 1}}, "required": ["t"]},
                     {"type": "object", "properties": {"t": {"const": 2}, "u": {}}, "required": ["t"]}]})",
       {R"({"t":1})", R"({"t":2,"u":3})"},
       {R"({"t":1,"u":3})"}},
      {R"({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]})", {"3", "5"}, {"2", "6"}},
      {R"({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"const": 2}}}]})",
       {R"({"a":1})", R"({"a":1,"b":2})"},
       {"{}", R"({"b":2})"}},
      {R"({"allOf": [{"properties": {"a": {"const": 1}}, "additionalProperties": false}, {"properties": {"b": {}}}]})",
       {"{}", R"({"a":1})"},
       {R"({"b":2})"}},
      {R"({"allOf": [{"properties": {"a": {"minimum": 1}}}, {"properties": {"a": {"maximum": 2, "type": "integer"}}}]})",
       {R"({"a":1})", R"({"a":2})"},
       {R"({"a":0})", R"({"a":3})"}},
      {R"({"type": "integer", "anyOf": [{"minimum": 90, "maximum": 99}, {"const": 3}]})", {"95", "3"}, {"4"}},
      {R"({"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}})", {"1"}, {"2"}},
      {R"({"$ref": "#/$defs/x~1y", "$defs": {"x/y": {"const": 1}}})", {"1"}, {"2"}},
      {R"({"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": {"type": "integer", "maximum": 5}}})",
       {"3", "5"},
       {"6", "2"}},
      {R"({"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
           "required": ["v", "next"]})",
       {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})"},
       {R"({"v":1,"next":{}})", R"({"v":1})"}},
      {R"({"type": ["array", "integer"], "items": {"$ref": "#"}})", {"1", "[[1,[2]],3]"}, {"[\"a\"]"}},
  });
}

TEST(Schema, RefusalsNameKeywordAndPath) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {R"({"type": "array", "uniqueItems": true})", R"("uniqueItems" at # is not supported)"},
      {R"({"properties": {"a": {"not": {}}}})", R"("not" at #/properties/a is not supported)"},
      {R"({"items": {"if": {}}})", R"("if" at #/items is not supported)"},
      {R"({"nullable": true})", R"("nullable" at #)"},
      {R"({"type": "strin"})", R"("type" at # is none of JSON's types)"},
      {R"({"minLength": "a"})", R"("minLength" at # is not a whole number)"},
      {R"({"properties": []})", R"("properties" at # is not an object)"},
      {R"({"required": [1]})", R"("required" at # is not a list of strings)"},
      {R"({"items": 5})", R"("items" at # is not a schema)"},
      {R"x({"anyOf": [{"type": "string"}, {"pattern": "(?=a)"}]})x",
       R"("pattern" at #/anyOf/1 is not supported: it looks ahead)"},
      {R"({"pattern": "a\\b"})", "\\b is not supported"},
      {R"({"pattern": "(a"})", "a parenthesis is not closed"},
      {R"({"pattern": "a^b"})", "anchors inside of it"},
      {R"({"pattern": "*"})", "nothing to repeat"},
      {R"({"pattern": "a", "minLength": 3})", R"("pattern" at # is not supported together)"},
      {R"({"format": "regex"})", R"("format" at # is none that is supported: regex)"},
      {R"({"multipleOf": 3})", R"("multipleOf" at # can only be 1)"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", R"("oneOf" at # has alternatives)"},
      {R"({"oneOf": [{"type": "object"}, {"type": "object"}]})", R"("oneOf" at # has alternatives)"},
      {R"({"$ref": "other.json"})", R"("$ref" at # names nothing)"},
      {R"({"$ref": "#/$defs/b"})", R"("$ref" at # names nothing in this schema: #/$defs/b)"},
      {R"({"$ref": "#"})", "no text fulfils"},
      {R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})", "left-recursive"},
      {R"({"allOf": [{"$ref": "#"}], "type": "null"})", "refers to itself without end"},
      {R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", R"("pattern" at #/allOf/1 is there twice)"},
      {R"({"type": "object", "minProperties": 2})", R"("minProperties" at # is only supported)"},
      {R"({"properties": {"a": {}}, "maxProperties": 0})", R"("maxProperties" at # is not supported)"},
      {R"({"patternProperties": {"a": {}, "b": {}}})", R"("patternProperties" at #)"},
      {R"({"properties": {"a": {}}, "propertyNames": {"pattern": "b"}})", R"("propertyNames" at #)"},
      {R"({"required": ["a"], "additionalProperties": false})", "no text fulfils"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", "no text fulfils"},
      {R"({"enum": []})", "no text fulfils"},
      {"[]", "neither an object nor true or false"},
      {R"({"properties": {"a": 5}})", R"("properties" at # is not an object)"},
  };
  for (const auto& [schema, message] : cases) {
    EXPECT_NE(schema_error(schema).find(message), std::string::npos) << schema << ": " << schema_error(schema);
  }
  std::string many = R"({"allOf": [)";
  for (int i = 0; i < 20; ++i) many += R"({"anyOf": [{"minimum": 1}, {"minimum": 2}, {"minimum": 3}]},)";
  many.back() = ']';
  EXPECT_NE(schema_error(many + "}").find("too many combinations"), std::string::npos);
}

TEST(Schema, OtherGrammars) {
  const auto object = std::make_shared<CompiledGrammar>(json_object_grammar());
  EXPECT_TRUE(fits(object, R"({"a": [1, 2.5, {"b": null}]})"));
  EXPECT_FALSE(fits(object, "[1]"));
  EXPECT_FALSE(fits(object, R"({"a": [1, 2.5, {"b": null]})"));
  const std::vector<std::string> texts = {"yes", "no"};
  EXPECT_TRUE(fits(std::make_shared<CompiledGrammar>(choice_grammar(texts)), "no"));
  EXPECT_TRUE(fits(std::make_shared<CompiledGrammar>(pattern_grammar("^\\d+\"$")), "12\""));
  EXPECT_THROW(pattern_grammar("a(?!b)"), Error);
}

}  // namespace
}  // namespace strata::grammar
