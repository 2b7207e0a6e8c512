// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <functional>
#include <regex>

#include "base/error.h"
#include "test_data.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& context = Json::object(), const RenderLimits& limits = {}) {
  return ChatTemplate::parse(source, "dir/tokenizer_config.json").render(context, limits);
}

void expect_error(ExitCode code, const std::string& message, const std::function<void()>& act) {
  try {
    act();
    ADD_FAILURE() << "no error: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

void expect_fault(const std::string& source, const std::string& message, const RenderLimits& limits = {}) {
  expect_error(ExitCode::kModel, message, [&] { (void)render(source, Json::object(), limits); });
}

TEST(ChatTemplate, RendersQwen3sAsTransformersDoes) {
  const Json config = Json::parse(read_file(qwen3_file("tokenizer_config.json")));
  const ChatTemplate parsed = ChatTemplate::parse(config["chat_template"], "tokenizer_config.json");
  const auto rows = read_lines(qwen3_file("chat_cases.jsonl"));
  ASSERT_EQ(rows.size(), 48u);
  for (Json row : rows) {
    const std::string rendered = row["rendered"];
    row.erase("rendered");
    EXPECT_EQ(parsed.render(row), rendered);
  }
}

// The file's values were made with jinja2 in the environment of transformers.
TEST(ChatTemplate, AgreesWithJinja2) {
  const auto rows = read_lines(text_file("jinja_cases.jsonl"));
  ASSERT_GT(rows.size(), 80u);
  const Json& context = rows[0]["context"];
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string source = rows[i]["template"];
    if (rows[i].contains("fails")) {
      EXPECT_THROW((void)render(source, context), Error) << source;
    } else {
      EXPECT_EQ(render(source, context), rows[i]["rendered"].get<std::string>()) << source;
    }
  }
}

TEST(ChatTemplate, TheTemplateMayRefuseTheMessages) {
  expect_error(ExitCode::kUsage, "roles must alternate",
               [] { (void)render("{{ raise_exception('roles must alternate') }}"); });
}

TEST(ChatTemplate, ValuesThatDoNotFitAreTheMessagesFault) {
  expect_error(ExitCode::kUsage, "line 2", [] {
    (void)render("a\n{{ messages[0].content + 1 }}", {{"messages", Json::array({{{"content", "x"}}})}});
  });
  expect_error(ExitCode::kUsage, "attribute 'b'", [] { (void)render("{{ a.b.c }}", {{"a", Json::object()}}); });
}

TEST(ChatTemplate, MessagesMustBeAListOfObjects) {
  expect_error(ExitCode::kUsage, "must be a list", [] { (void)render("", {{"messages", 1}}); });
  expect_error(ExitCode::kUsage, "not an object", [] { (void)render("", {{"messages", Json::array({1})}}); });
  expect_error(ExitCode::kUsage, "JSON object", [] { (void)render("", Json::array()); });
}

TEST(ChatTemplate, CurrentDate) {
  EXPECT_TRUE(std::regex_match(render("{{ strftime_now('%d %b %Y') }}"), std::regex("\\d\\d \\w+ 20\\d\\d")));
}

TEST(ChatTemplate, SyntaxErrorsNameTheLine) {
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

TEST(ChatTemplate, UnsupportedThingsAreNamed) {
  expect_fault("{% include 'x' %}", "tag 'include' is not supported");
  expect_fault("{{ 1 | nosuch }}", "filter 'nosuch' is not supported");
  expect_fault("{{ 1 is nosuch }}", "test 'nosuch' is not supported");
  expect_fault("{{ nosuch() }}", "'nosuch' is undefined");
  expect_fault("{% for x in y recursive %}{% endfor %}", "recursive loops");
}

TEST(ChatTemplate, ValuesCannotBeChanged) {
  expect_fault("{% set a = [] %}{{ a.append(1) }}", "not allowed");
  expect_fault("{% set a = {} %}{{ a.update(1) }}", "not allowed");
  expect_fault("{% set a = {} %}{% set a.b = 1 %}", "not a namespace");
}

TEST(ChatTemplate, DeepNestingIsRefused) {
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

TEST(ChatTemplate, StepsAreBounded) {
  RenderLimits limits;
  limits.max_steps = 100'000;
  const std::string loop = "{% for a in range(9999) %}";
  expect_fault(loop + loop + "{% endfor %}{% endfor %}", "limit of steps", limits);
  expect_fault("{{ [1] * 1000000000 }}", "limit of steps", limits);
}

TEST(ChatTemplate, RangesAreBounded) {
  expect_fault("{% for a in range(1000000000) %}{% endfor %}", "limit of range");
  expect_fault("{{ range(-9223372036854775807, 9223372036854775807) }}", "limit of range");
}

TEST(ChatTemplate, TextIsBounded) {
  RenderLimits limits;
  limits.max_output_bytes = 100'000;
  expect_fault("{{ 'a' * 100001 }}", "limit of text", limits);
  expect_fault("{% for a in range(1001) %}{{ 'a' * 100 }}{% endfor %}", "limit of text", limits);
  expect_fault("{% set ns = namespace(a='aa') %}{% for a in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
               "limit of text", limits);
  expect_fault("{{ ('a' * 50000).replace('', 'bbbb') }}", "limit of text", limits);
}

TEST(ChatTemplate, RecursionIsBounded) {
  expect_fault("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "limit of nesting");
  const std::string nest =
      "{% set ns = namespace(a=[]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}";
  EXPECT_EQ(render(nest), "");
  expect_fault(nest + "{{ ns.a }}", "limit of nesting");
  expect_fault(nest + "{{ ns.a | tojson }}", "limit of nesting");
  expect_fault(nest + "{% set b = [ns.a] %}{{ b == [[ns.a]] }}{{ [ns.a] == [ns.a] }}", "limit of nesting");
}

TEST(ChatTemplate, CyclesAreHarmless) {
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a[0].a | length }}"), "1");
}

TEST(ChatTemplate, DeepDataIsRefused) {
  Json deep = Json::array();
  for (int i = 0; i < 2000; ++i) deep = Json::array({std::move(deep)});
  expect_error(ExitCode::kModel, "limit of nesting", [&] { (void)render("", {{"a", deep}}); });
}

TEST(ChatTemplate, InvalidUtf8InTheSourceIsReplaced) { EXPECT_EQ(render("a\xFF{{ 'b\xC3' }}"), "a\uFFFDb\uFFFD"); }

}  // namespace
}  // namespace strata::text
