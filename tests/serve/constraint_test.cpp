// SPDX-License-Identifier: Apache-2.0
#include "serve/constraint.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "serve/api_error.h"
#include "serve/engine.h"
#include "serve/metrics.h"
#include "serve/service.h"
#include "tests/serve/fake_model.h"

namespace strata::serve {
namespace {

bool fits(const std::shared_ptr<const grammar::CompiledGrammar>& grammar, std::string_view text) {
  grammar::Matcher matcher(grammar);
  return matcher.advance(text) && matcher.accepts();
}

ToolChoice two_tools(ToolChoice::Kind kind, bool is_strict) {
  const Json add = {{"name", "add"},
                    {"strict", is_strict},
                    {"parameters", {{"properties", {{"a", {{"enum", {1, 2}}}}}}, {"required", {"a"}}}}};
  const Json now = {{"name", "now"}};
  return {.kind = kind,
          .tools = {{{"type", "function"}, {"function", add}}, {{"type", "function"}, {"function", now}}}};
}

const ToolFormat &kHermesFormat = tool_format_of("<tool_call>", ""),
                 &kLlamaFormat = tool_format_of(R"({"name": function name, "parameters": dictionary})", "");

TEST(GrammarCache, RequiredToolsAreCalls) {
  GrammarCache cache;
  const auto grammar = cache.get(
      {.constraint = {}, .tools = two_tools(ToolChoice::Kind::kRequired, false), .tool_format = &kHermesFormat});
  const std::string add = "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>";
  EXPECT_TRUE(fits(grammar, add));
  EXPECT_TRUE(fits(grammar, add + "\n<tool_call>{\"name\":\"now\",\"arguments\":{\"x\":[]}}</tool_call>"));
  EXPECT_FALSE(fits(grammar, "Hello"));
  EXPECT_FALSE(fits(grammar, ""));
  EXPECT_FALSE(fits(grammar, "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 3}}\n</tool_call>"));
  EXPECT_FALSE(fits(grammar, "<tool_call>\n{\"name\": \"sub\", \"arguments\": {}}\n</tool_call>"));
  const auto bare = cache.get(
      {.constraint = {}, .tools = two_tools(ToolChoice::Kind::kRequired, true), .tool_format = &kLlamaFormat});
  EXPECT_TRUE(fits(bare, R"({"name": "add", "parameters": {"a": 2}})"));
  EXPECT_FALSE(fits(bare, R"({"name": "add", "arguments": {"a": 2}})"));
}

TEST(GrammarCache, StrictToolsAreCalledAsTheirParametersSay) {
  GrammarCache cache;
  const auto grammar =
      cache.get({.constraint = {}, .tools = two_tools(ToolChoice::Kind::kAuto, true), .tool_format = &kHermesFormat});
  EXPECT_TRUE(fits(grammar, "Hello < you"));
  EXPECT_TRUE(fits(grammar, ""));
  EXPECT_TRUE(fits(grammar, "I add.\n<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 1}}</tool_call> and"));
  EXPECT_TRUE(fits(grammar, "<tool_call>{\"name\": \"now\", \"arguments\": {\"any\": \"thing\"}}</tool_call>"));
  EXPECT_FALSE(fits(grammar, "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 3}}</tool_call>"));
  EXPECT_FALSE(fits(grammar, "a <tool_call> b"));
  const auto bare =
      cache.get({.constraint = {}, .tools = two_tools(ToolChoice::Kind::kAuto, true), .tool_format = &kLlamaFormat});
  EXPECT_TRUE(fits(bare, "Hello {}"));
  EXPECT_TRUE(fits(bare, R"({"name": "add", "parameters": {"a": 2}})"));
  EXPECT_FALSE(fits(bare, R"({"name": "add", "parameters": {"a": 3}})"));
}

TEST(GrammarCache, BeginsBehindThoughts) {
  GrammarCache cache;
  const Constraint constraint{.kind = Constraint::Kind::kChoice, .value = {"yes", "no"}, .field = "guided_choice"};
  const auto get = [&](grammar::Thoughts thoughts) {
    return cache.get({.constraint = constraint, .tools = {}, .thoughts = thoughts});
  };
  EXPECT_TRUE(fits(get(grammar::Thoughts::kNone), "yes"));
  EXPECT_FALSE(fits(get(grammar::Thoughts::kNone), "<think>a</think>yes"));
  EXPECT_TRUE(fits(get(grammar::Thoughts::kBegun), "\nHm, no?\n</think>\n\nyes"));
  EXPECT_FALSE(fits(get(grammar::Thoughts::kBegun), "yes"));
  EXPECT_TRUE(fits(get(grammar::Thoughts::kPossible), "<think>a</think>\n\nno"));
  EXPECT_TRUE(fits(get(grammar::Thoughts::kPossible), "no"));
  EXPECT_FALSE(fits(get(grammar::Thoughts::kPossible), "<think>a</think>\n\nperhaps"));
}

TEST(GrammarCache, EqualRequestsShareAGrammar) {
  GrammarCache cache;
  const auto get = [&](const std::string& pattern) {
    return cache.get({.constraint = Constraint{Constraint::Kind::kPattern, pattern, "guided_regex"}, .tools = {}});
  };
  const auto first = get("^a$");
  EXPECT_EQ(get("^a$"), first);
  EXPECT_NE(get("^b$"), first);
  for (int i = 0; i < 100; ++i) get("^" + std::to_string(i) + "$");
  EXPECT_NE(get("^a$"), first);
  EXPECT_EQ(cache.get({}), nullptr);
  try {
    get("(?=a)");
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.to_json()["error"]["param"], "guided_regex");
  }
}

class ConstrainedService : public testing::Test {
 protected:
  Json json(const std::string& path, const std::string& body, int status = 200) {
    const HttpRequest request{.method = "POST", .path = path, .body = body};
    const HttpResponse response = Service(engine_, text_, metrics_, options_).handle(request);
    EXPECT_EQ(response.status, status) << response.body;
    return Json::parse(response.body);
  }

  // The model wants to say this, whatever it may say.
  void want(const std::string& text) {
    model_.next = [answer = text_.tokenizer.encode(text, false, false),
                   prompt = std::size_t{0}](std::span<const std::int32_t> tokens) mutable {
      if (prompt == 0 || tokens.size() <= prompt) prompt = tokens.size();
      const std::size_t at = tokens.size() - prompt;
      return at < answer.size() ? answer[at] : kEnd;
    };
  }

  // Thinks, and shows its tools as Qwen's templates do.
  text::TextModel text_ = demo_text_with_template(
      R"({%- if tools %}<tool_call>{{ tools | tojson }}{%- endif %}{%- for message in messages %}{{ message.content }}{%- endfor %})"
      R"({{ '<think>\n' if enable_thinking else '' }})");
  FakeModel model_{3, 512};
  Metrics metrics_;
  Engine engine_{model_, text_, 8, metrics_};
  ServiceOptions options_{.model = "tiny", .api_keys = {}, .cors_origins = {}, .hosts = {}};
};

const std::string kAsk =
    R"({"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 200, )";
const std::string kYesNo =
    R"({"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["yes", "no"]}}})";
const std::string kTwoTools = R"("tools": [{"type": "function", "function": {"name": "add", "parameters":
    {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}}},
    {"type": "function", "function": {"name": "now"}}])";

TEST_F(ConstrainedService, AnswersAsTheSchemaSays) {
  want("I don't know");
  const Json choice = json("/v1/chat/completions", kAsk + R"("response_format": )" + kYesNo + "}")["choices"][0];
  const std::string content = choice["message"]["content"];
  EXPECT_TRUE(content == "\"yes\"" || content == "\"no\"") << content;
  EXPECT_EQ(choice["finish_reason"], "stop");
}

TEST_F(ConstrainedService, ThinksFirst) {
  want("Let me see, a < b.\n</think>\n\nI don't know");
  const Json message = json("/v1/chat/completions", kAsk + R"("chat_template_kwargs": {"enable_thinking": true},
      "response_format": )" + kYesNo + "}")["choices"][0]["message"];
  EXPECT_EQ(message["reasoning_content"], "Let me see, a < b.");
  const std::string content = message["content"];
  EXPECT_TRUE(content == "\"yes\"" || content == "\"no\"") << content;
}

TEST_F(ConstrainedService, CallsTheToolThatItMust) {
  want("Hello!");
  for (const std::string choice : {R"("required")", R"({"type": "function", "function": {"name": "add"}})"}) {
    const Json answer =
        json("/v1/chat/completions",
             kAsk + kTwoTools + R"(, "parallel_tool_calls": false, "tool_choice": )" + choice + "}")["choices"][0];
    EXPECT_EQ(answer["finish_reason"], "tool_calls");
    const Json function = answer["message"]["tool_calls"].at(0)["function"];
    EXPECT_EQ(function["name"], "add");
    const Json arguments = Json::parse(function["arguments"].get<std::string>());
    EXPECT_TRUE(arguments == Json({{"a", 1}}) || arguments == Json({{"a", 2}})) << arguments;
  }
  json("/v1/chat/completions", kAsk + kTwoTools + R"(, "tool_choice": "required", "response_format": )" + kYesNo + "}",
       400);
}

TEST_F(ConstrainedService, OtherApisSayItOtherwise) {
  want("I don't know");
  const Json response = json("/v1/responses", R"({"input": "Hello", "temperature": 0, "text": {"format":
      {"type": "json_schema", "name": "x", "schema": {"const": "no"}}}})");
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "\"no\"");
  const Json message =
      json("/v1/messages", kAsk + R"("output_format": {"type": "json_schema", "schema": {"const": 5}}})");
  EXPECT_EQ(message["content"][0]["text"], "5");
  const Json called = json("/v1/messages", kAsk + R"("tools": [{"name": "add", "input_schema": {"const": {"b": 1}}}],
      "tool_choice": {"type": "tool", "name": "add"}})");
  EXPECT_EQ(called["content"][0]["input"], Json({{"b", 1}}));
  const Json completion =
      json("/v1/completions", R"({"prompt": "a", "temperature": 0, "grammar": "root ::= \"x\" [yz]"})");
  EXPECT_TRUE(completion["choices"][0]["text"] == "xy" || completion["choices"][0]["text"] == "xz") << completion;
}

TEST_F(ConstrainedService, WhatIsNotSupportedIsRefusedByName) {
  const Json error = json("/v1/chat/completions", kAsk + R"("response_format": {"type": "json_schema", "json_schema":
      {"schema": {"properties": {"a": {"not": {}}}}}}})",
                          400)["error"];
  EXPECT_EQ(error["param"], "response_format.json_schema.schema");
  EXPECT_NE(error["message"].get<std::string>().find("\"not\" at #/properties/a"), std::string::npos) << error;
  EXPECT_EQ(json("/v1/completions", R"({"prompt": "a", "grammar": "root = a"})", 400)["error"]["param"], "grammar");
  const std::string strict =
      R"("tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"not": {}}}}]})";
  EXPECT_EQ(json("/v1/chat/completions", kAsk + strict, 400)["error"]["param"], "tools");
}

}  // namespace
}  // namespace strata::serve
