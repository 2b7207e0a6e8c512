// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <regex>

#include "render.h"

namespace strata::jinja {
namespace {

void expect_error(Fault fault, const std::string& message, const std::string& source,
                  const Json& context = Json::object(), const RenderLimits& limits = {}) {
  try {
    (void)render(source, context, limits);
    ADD_FAILURE() << "no error: " << message;
  } catch (const TemplateError& error) {
    EXPECT_EQ(error.fault, fault) << error.what();
    const std::string shown = "line " + std::to_string(error.line) + ": " + error.what();
    EXPECT_NE(shown.find(message), std::string::npos) << shown;
  }
}

void expect_fault(const std::string& source, const std::string& message, const RenderLimits& limits = {}) {
  expect_error(Fault::kTemplate, message, source, Json::object(), limits);
}

// The file's values were made with jinja2 in the environment of transformers.
TEST(Jinja, AgreesWithJinja2) {
  const auto rows = read_cases();
  ASSERT_GT(rows.size(), 80u);
  const Json& context = rows[0]["context"];
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string source = rows[i]["template"];
    if (rows[i].contains("fails")) {
      EXPECT_THROW((void)render(source, context), TemplateError) << source;
    } else {
      EXPECT_EQ(render(source, context), rows[i]["rendered"].get<std::string>()) << source;
    }
  }
}

TEST(Jinja, TheTemplateMayRefuseTheMessages) {
  expect_error(Fault::kRefusal, "roles must alternate", "{{ raise_exception('roles must alternate') }}");
}

TEST(Jinja, ValuesThatDoNotFitAreTheMessagesFault) {
  expect_error(Fault::kData, "line 2", "a\n{{ messages[0].content + 1 }}",
               {{"messages", Json::array({{{"content", "x"}}})}});
  expect_error(Fault::kData, "attribute 'b'", "{{ a.b.c }}", {{"a", Json::object()}});
}

TEST(Jinja, CurrentDate) {
  EXPECT_TRUE(std::regex_match(render("{{ strftime_now('%d %b %Y') }}"), std::regex("\\d\\d \\w+ 20\\d\\d")));
}

TEST(Jinja, SyntaxErrorsNameTheLine) {
  expect_fault("a\nb\n{% if x %}", "line 3");
  expect_fault("{{ 'abc }}", "a string is not closed");
  expect_fault("{{ a", "a tag is not closed");
  expect_fault("{# a", "a comment is not closed");
  expect_fault("{% raw %}a", "a raw block is not closed");
  expect_fault("{{ (1 }}", "unexpected '}'");
  expect_fault("{{ 1 ? 2 }}", "unexpected character");
  expect_fault("{{ a b }}", "expected '}}' before 'b'");
  expect_fault("{% endif %}", "'endif' is not supported");
  expect_fault("{% break %}", "outside of a loop");
  expect_fault("{{ 99999999999999999999 }}", "out of range");
  expect_fault("{{ '\\xZZ' }}", "escape");
}

TEST(Jinja, UnsupportedThingsAreNamed) {
  expect_fault("{% include 'x' %}", "tag 'include' is not supported");
  expect_fault("{{ 1 | nosuch }}", "filter 'nosuch' is not supported");
  expect_fault("{{ 1 is nosuch }}", "test 'nosuch' is not supported");
  expect_fault("{{ nosuch() }}", "'nosuch' is undefined");
  expect_fault("{% for x in y recursive %}{% endfor %}", "recursive loops");
}

TEST(Jinja, ValuesCannotBeChanged) {
  expect_fault("{% set a = [] %}{{ a.append(1) }}", "not allowed");
  expect_fault("{% set a = {} %}{{ a.update(1) }}", "not allowed");
  expect_fault("{% set a = {} %}{% set a.b = 1 %}", "not a namespace");
}

TEST(Jinja, DeepNestingIsRefused) {
  const auto repeated = [](const std::string& text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  constexpr int kMany = 100'000;
  using Brackets = std::pair<const char*, const char*>;
  for (const auto& [open, close] : {Brackets{"(", ")"}, {"[", "]"}, {"{1:", "}"}, {"-", ""}, {"not ", ""}}) {
    expect_fault("{{ " + repeated(open, kMany) + "a" + repeated(close, kMany) + " }}", "nested too deeply");
  }
  for (const char* chain : {"+1", ".a", "[0]", "|e", " and 1", " if a", " if b else a", "**1", "()"}) {
    expect_fault("{{ a" + repeated(chain, kMany) + " }}", "nested too deeply");
  }
  expect_fault(repeated("{% if a %}", kMany), "nested too deeply");
  expect_fault(repeated("{% for a in b %}", kMany), "nested too deeply");
}

TEST(Jinja, StepsAreBounded) {
  RenderLimits limits;
  limits.max_steps = 100'000;
  const std::string loop = "{% for a in range(9999) %}";
  expect_fault(loop + loop + "{% endfor %}{% endfor %}", "limit of steps", limits);
  expect_fault("{{ [1] * 1000000000 }}", "limit of steps", limits);
}

TEST(Jinja, RangesAreBounded) {
  expect_fault("{% for a in range(1000000000) %}{% endfor %}", "limit of range");
  expect_fault("{{ range(-9223372036854775807, 9223372036854775807) }}", "limit of range");
}

TEST(Jinja, TextIsBounded) {
  RenderLimits limits;
  limits.max_output_bytes = 100'000;
  expect_fault("{{ 'a' * 100001 }}", "limit of text", limits);
  expect_fault("{% for a in range(1001) %}{{ 'a' * 100 }}{% endfor %}", "limit of text", limits);
  expect_fault("{% set ns = namespace(a='aa') %}{% for a in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
               "limit of text", limits);
  expect_fault("{{ ('a' * 50000).replace('', 'bbbb') }}", "limit of text", limits);
}

TEST(Jinja, RecursionIsBounded) {
  expect_fault("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "limit of nesting");
  const std::string nest =
      "{% set ns = namespace(a=[]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}";
  EXPECT_EQ(render(nest), "");
  expect_fault(nest + "{{ ns.a }}", "limit of nesting");
  expect_fault(nest + "{{ ns.a | tojson }}", "limit of nesting");
  expect_fault(nest + "{% set b = [ns.a] %}{{ b == [[ns.a]] }}{{ [ns.a] == [ns.a] }}", "limit of nesting");
}

TEST(Jinja, CyclesAreHarmless) {
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a[0].a | length }}"), "1");
}

TEST(Jinja, DeepDataIsRefused) {
  Json deep = Json::array();
  for (int i = 0; i < 2000; ++i) deep = Json::array({std::move(deep)});
  expect_error(Fault::kTemplate, "limit of nesting", "", {{"a", deep}});
}

}  // namespace
}  // namespace strata::jinja
