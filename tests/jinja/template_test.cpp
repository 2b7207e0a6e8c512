// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <regex>

#include "render.h"
#include "tests/sweep.h"

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
  const Fault fault = message.find("limit of") != std::string::npos ? Fault::kLimit : Fault::kTemplate;
  expect_error(fault, message, source, Json::object(), limits);
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

// Each would run for minutes, or take gigabytes, if only evaluated nodes and the text that is made were counted.
TEST(Jinja, WorkIsChargedByWhatItTouches) {
  const RenderLimits limits{.max_steps = 2'000'000};  // the evaluated nodes alone are fewer
  std::size_t number = 0;
  const std::string text = "{% set s = ' ' * 800000 %}{% set t = s ~ 'x' %}{% for i in range(90000) %}{% if ";
  const std::string end = " %}{% endif %}{% endfor %}";
  for (const char* touched :
       {"s.strip()",    "s|length",        "t.isspace()",        "s.find('x')",         "s.rfind('x')",
        "'x' in s",     "s[400000:] in s", "s == s|upper",       "s|wordcount",         "s[::-1]",
        "s|e",          "s.split('x')",    "s.count('y')",       "s|replace('x', 'y')", "s.startswith(s)",
        "s|int",        "{s: 1}[s]",       "s|first and s|last", "s.partition('x')",    "s is upper",
        "'%s' % s",     "'{}'.format(s)",  "s|tojson",           "[s]|string",          "s ~ 'x'",
        "s|trim('x ')", "[s, t]|sort",     "[s, t]|unique|list", "s|center(900000)"}) {
    if (is_in_sample(number++)) expect_fault(text + touched + end, "the limit of", limits);
  }
  const std::string list = "{% set l = range(90000)|list %}{% for i in range(90000) %}{% if ";
  for (const char* touched :
       {"-1 in l", "l == l|reverse|list", "l|sort", "l|map('string')|list", "l|sum", "l|join", "l.count(0)", "l[1:]",
        "l|max", "l|tojson", "l|batch(2)|list", "l + l", "l|unique|list", "l|select('odd')|list"}) {
    if (is_in_sample(number++)) expect_fault(list + touched + end, "the limit of", limits);
  }
}

// Work in proportion to the list: the square of it would be past the limit.
TEST(Jinja, UniqueLooksEachItemUpOnce) {
  EXPECT_EQ(render("{{ range(50000)|unique|list|length }}"), "50000");
  EXPECT_EQ(render("{{ ['a', 'A', 'b', 'a']|unique|list }}{{ ['a', 'A']|unique(case_sensitive=true)|list }}"),
            "['a', 'b']['a', 'A']");
  EXPECT_EQ(render("{{ [1, 1.0, true, '1', none, (1, 2), (1, 2.0), none]|unique|list }}"), "[1, '1', None, (1, 2)]");
  expect_error(Fault::kData, "unhashable type: 'list'", "{{ [[1], [1]]|unique|list }}");
}

TEST(Jinja, MemoryThatIsHeldIsBounded) {
  const auto grown = [](const std::string& first, const std::string& next) {
    return "{% set ns = namespace(a=" + first + ") %}{% for i in range(99) %}{% set ns.a = " + next + " %}{% endfor %}";
  };
  expect_fault(grown("[1]", "ns.a + ns.a"), "limit of memory");
  expect_fault(grown("[1]", "[ns.a, 'x' * 5000000]"), "limit of memory");
  expect_fault(grown("{}", "dict(x=ns.a, y=range(50000)|list|string|list)"), "limit of memory");
  expect_fault("{{ ('a,' * 4000000).split(',') }}", "limit of memory");
  expect_fault("{{ ('a' * 8000000)|list }}", "limit of memory");
  expect_fault("{% macro m(n) %}{{ ' ' * 5000000 }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "limit of");
  expect_fault("{% for i in range(100000) %}{% set x = range(99)|list|reverse|list %}{% endfor %}", "limit of memory");
}

TEST(Jinja, MemoryIsGivenBack) {
  const std::string texts = "{% for i in range(100) %}{% set x = 'a' * 1000000 %}{% endfor %}{{ x is defined }}";
  EXPECT_EQ(render(texts), "False");
  const std::string items = std::to_string(sweep_size(3000, 3000));
  EXPECT_EQ(render("{% for i in range(" + items + ") %}{% for j in range(300) %}{% endfor %}{% endfor %}"), "");
}

TEST(Jinja, LongNamesAreRefused) { expect_fault("{{ " + std::string(200, 'a') + " }}", "longer than 128"); }

TEST(Jinja, RecursiveLoopsCallThemselves) {
  EXPECT_EQ(render("{% for x in [[1, [2]], 3] recursive %}{{ loop.depth }}{% if x is iterable %}<{{ loop(x) }}>"
                   "{% endif %}{% endfor %}"),
            "1<22<3>>1");
  expect_fault("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "limit of nesting");
  expect_error(Fault::kData, "cannot be called", "{% for x in [1] %}{{ loop([1]) }}{% endfor %}");
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
  expect_error(Fault::kLimit, "limit of nesting", "", {{"a", deep}});
}

}  // namespace
}  // namespace strata::jinja
