// SPDX-License-Identifier: Apache-2.0
#include "serve/text_request.h"

#include <gtest/gtest.h>

#include <ctime>
#include <tuple>
#include <utility>
#include <vector>

#include "serve/api_error.h"
#include "serve/limits.h"
#include "serve/messages_api.h"
#include "serve/responses_api.h"

namespace strata::serve {
namespace {

const RequestBounds kBounds{.vocabulary = 100};

CompletionRequest completion(const std::string& body) { return parse_completion_request(parse_body(body), kBounds); }

// A completion with these members.
CompletionRequest with(const std::string& members) { return completion(R"({"prompt": "a", )" + members + "}"); }

ChatRequest chat(const std::string& body) { return parse_chat_request(parse_body(body), kBounds); }

ChatRequest chat_of(const std::string& messages, const std::string& more = "") {
  return chat("{\"messages\": " + messages + more + "}");
}

// Of the error: the field, or the message where it names none.
std::string refused(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400);
    const Json parameter = error.to_json()["error"]["param"];
    return parameter.is_null() ? error.what() : parameter.get<std::string>();
  }
  return "nothing";
}

TEST(ParseBody, RefusesWhatIsNoObjectWithinItsLimits) {
  const auto message = [](const std::string& body) { return refused([&] { parse_body(body); }); };
  EXPECT_EQ(message("{\"a\": 1}"), "nothing");
  EXPECT_EQ(message("[1]"), "the body is no JSON object");
  for (const std::string& body : std::initializer_list<std::string>{
           "", "{", "{\"a\": }", "{\"a\": 1}x", "{\"a\": \"\xff\"}", std::string("{\"a\":\0}", 7), "{'a': 1}",
           "{\"a\": NaN}", "\xff\xfe{\0}\0", "{\"a\": \"\x01\"}", "{\"a\": \"\\ud800\"}"}) {
    EXPECT_NE(message(body).find("not valid JSON"), std::string::npos) << body;
  }
  EXPECT_NE(message("{\"a\": 1e999}").find("too large"), std::string::npos);
  EXPECT_NE(message("{\"a\": 1, \"b\": 2, \"a\": 3}").find("there twice"), std::string::npos);
  EXPECT_NE(message(std::string(1'000'000, '[')).find("nested"), std::string::npos);
  EXPECT_NE(message("{\"a\": " + std::string(1'000'000, '[')).find("nested"), std::string::npos);
  std::string many = "{", values = "{\"a\": [0";
  for (std::size_t i = 0; i <= kMaxJsonKeys; ++i) many += "\"" + std::to_string(i) + "\": 1,";
  EXPECT_NE(message(many + "\"x\": 1}").find("keys"), std::string::npos);
  for (std::size_t i = 0; i <= kMaxJsonValues; ++i) values += ",0";
  EXPECT_NE(message(values + "]}").find("values"), std::string::npos);
}

// A parser that looks through the list at the end of each of its objects takes minutes.
TEST(ParseBody, TakesTimeThatIsLinear) {
  std::string body = R"({"x": [{})";
  for (int i = 1; i < 100'000; ++i) body += R"(,{"a":1})";
  const std::clock_t begin = std::clock();
  EXPECT_EQ(parse_body(body + "]}")["x"].size(), 100'000U);
  for (int i = 0; i < 160'000; ++i) body += R"(,{"a":1})";
  EXPECT_NE(refused([&] { parse_body(body + "]}"); }).find("values"), std::string::npos);
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 5);
}

TEST(CompletionRequest, HasDefaults) {
  const CompletionRequest request = completion(R"({"prompt": "Hi", "model": "any", "user": "x", "unknown": {"a": 1}})");
  ASSERT_EQ(request.prompts.size(), 1U);
  EXPECT_EQ(std::get<std::string>(request.prompts[0]), "Hi");
  EXPECT_EQ(request.text.continuation.limit, 16);
  EXPECT_EQ(request.text.choices, 1);
  EXPECT_FALSE(request.text.streams);
  EXPECT_FALSE(request.text.seed);
  EXPECT_FALSE(request.text.top_logprobs);
  EXPECT_TRUE(request.text.uses_cache);
}

TEST(CompletionRequest, TakesAllThatSamplingKnows) {
  const auto sampling = with(R"("temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "repeat_penalty": 1.5,
      "repeat_last_n": 9, "presence_penalty": -1, "frequency_penalty": 2, "logit_bias": {"5": -100, "7": 1.5})")
                            .text.continuation.sampling;
  EXPECT_EQ(sampling.temperature, 0.5F);
  EXPECT_EQ(sampling.top_p, 0.9F);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.min_p, 0.1F);
  EXPECT_EQ(sampling.repeat_penalty, 1.5F);
  EXPECT_EQ(sampling.repeat_last_n, 9);
  EXPECT_EQ(sampling.presence_penalty, -1);
  EXPECT_EQ(sampling.frequency_penalty, 2);
  EXPECT_EQ(sampling.bias, (std::vector<std::pair<std::int32_t, float>>{{5, -100.0F}, {7, 1.5F}}));
}

TEST(CompletionRequest, TakesWhatEndsIt) {
  const TextRequest request = with(R"("stop": ["a", "é"], "stop_token_ids": [3], "max_tokens": 5,
      "max_completion_tokens": 7, "ignore_eos": true, "seed": -3, "n": 2, "stream": true,
      "stream_options": {"include_usage": true}, "cache_prompt": false, "logprobs": 3)")
                                  .text;
  EXPECT_EQ(request.continuation.stop, (std::vector<std::string>{"a", "é"}));
  EXPECT_EQ(request.continuation.stop_ids, (std::vector<std::int32_t>{3}));
  EXPECT_EQ(request.continuation.limit, 7);
  EXPECT_TRUE(request.continuation.ignore_eos);
  EXPECT_EQ(request.seed, static_cast<std::uint64_t>(-3));
  EXPECT_EQ(request.choices, 2);
  EXPECT_TRUE(request.streams && request.includes_usage && !request.uses_cache);
  EXPECT_EQ(request.top_logprobs, 3);
  EXPECT_EQ(with(R"("stop": "x")").text.continuation.stop, (std::vector<std::string>{"x"}));
  EXPECT_EQ(with(R"("max_tokens": 5.0)").text.continuation.limit, 5);
}

TEST(CompletionRequest, PromptsAreTextsOrTokens) {
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(completion(R"({"prompt": [1, 2]})").prompts[0]),
            (std::vector<std::int32_t>{1, 2}));
  const auto prompts = completion(R"({"prompt": ["a", [99]]})").prompts;
  EXPECT_EQ(std::get<std::string>(prompts[0]), "a");
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(prompts[1]), (std::vector<std::int32_t>{99}));
  for (const char* wrong : {R"({})", R"({"prompt": null})", R"({"prompt": 3})", R"({"prompt": []})",
                            R"({"prompt": [100]})", R"({"prompt": [-1]})", R"({"prompt": [1.5]})",
                            R"({"prompt": [1e300]})", R"({"prompt": ["a", 1]})", R"({"prompt": [{}]})"}) {
    EXPECT_EQ(refused([&] { completion(wrong); }), "prompt") << wrong;
  }
}

TEST(CompletionRequest, NamesTheFieldThatIsWrong) {
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{{"temperature", "-1"},
                                                                                     {"temperature", "\"1\""},
                                                                                     {"temperature", "1e9"},
                                                                                     {"top_p", "1.5"},
                                                                                     {"top_k", "1.5"},
                                                                                     {"top_k", "1e400000"},
                                                                                     {"n", "0"},
                                                                                     {"n", "17"},
                                                                                     {"n", "18446744073709551615"},
                                                                                     {"max_tokens", "-2"},
                                                                                     {"max_tokens", "\"5\""},
                                                                                     {"max_tokens", "1e18"},
                                                                                     {"seed", "1e30"},
                                                                                     {"seed", "0.5"},
                                                                                     {"stream", "1"},
                                                                                     {"stop", "5"},
                                                                                     {"stop", "[5]"},
                                                                                     {"stop", "{}"},
                                                                                     {"logit_bias", "[]"},
                                                                                     {"logit_bias", "{\"x\": 1}"},
                                                                                     {"logit_bias", "{\"100\": 1}"},
                                                                                     {"logit_bias", "{\"1\": 101}"},
                                                                                     {"logit_bias", "{\"1\": null}"},
                                                                                     {"stop_token_ids", "[100]"},
                                                                                     {"stream_options", "{}"},
                                                                                     {"presence_penalty", "3"},
                                                                                     {"logprobs", "true"},
                                                                                     {"logprobs", "21"},
                                                                                     {"best_of", "2"},
                                                                                     {"suffix", "\"x\""},
                                                                                     {"echo", "3"},
                                                                                     {"repeat_penalty", "0"}}) {
    if (value == "1e400000") continue;
    EXPECT_EQ(refused([&] { with("\"" + field + "\": " + value); }), field) << value;
  }
  EXPECT_EQ(refused([&] { with("\"stop\": [" + std::string(16, ' ') + R"("a"],"response_format": {})"); }),
            "response_format.type");
}

TEST(ChatRequest, MessagesReachTheTemplateAsTexts) {
  const Json messages = chat_of(R"([{"role": "developer", "content": "Be nice"},
      {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
        "function": {"name": "f", "arguments": "{\"x\": [1]}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "3"}])")
                            .context["messages"];
  EXPECT_EQ(messages[0]["role"], "system");
  EXPECT_EQ(messages[1]["content"], "ab");
  EXPECT_EQ(messages[2]["content"], "");
  EXPECT_EQ(messages[2]["tool_calls"][0]["function"]["arguments"], Json::parse(R"({"x": [1]})"));
  EXPECT_EQ(messages[3]["content"], "3");
}

TEST(ChatRequest, RefusesMessagesThatAreNone) {
  for (const auto& [messages, field] : std::vector<std::pair<std::string, std::string>>{
           {"null", "messages"},
           {"[]", "messages"},
           {"{}", "messages"},
           {"[3]", "messages[0]"},
           {R"([{"content": "a"}])", "messages[0].role"},
           {R"([{"role": "king", "content": "a"}])", "messages[0].role"},
           {R"([{"role": 3, "content": "a"}])", "messages[0].role"},
           {R"([{"role": "user"}])", "messages[0].content"},
           {R"([{"role": "user", "content": 3}])", "messages[0].content"},
           {R"([{"role": "user", "content": [3]}])", "messages[0].content"},
           {R"([{"role": "user", "content": [{"type": "image_url"}]}])", "messages[0].content"},
           {R"([{"role": "user", "content": [{"type": "text"}]}])", "messages[0].content.text"},
           {R"([{"role": "assistant", "tool_calls": [{}]}])", "messages[0].tool_calls[0].function"}}) {
    EXPECT_EQ(refused([&, &text = messages] { chat_of(text); }), field) << messages;
  }
}

TEST(ChatRequest, ToolsReachTheTemplateUnlessNoneIsToBeCalled) {
  const std::string messages = R"([{"role": "user", "content": "a"}])";
  const std::string tools = R"(, "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}])";
  EXPECT_EQ(chat_of(messages, tools).tools.kind, ToolChoice::Kind::kAuto);
  EXPECT_EQ(chat_of(messages, tools).context["tools"][0]["function"]["name"], "f");
  EXPECT_FALSE(chat_of(messages, tools + R"(, "tool_choice": "none")").context.contains("tools"));
  EXPECT_EQ(chat_of(messages, R"(, "tools": [])").tools.kind, ToolChoice::Kind::kNone);
  EXPECT_EQ(refused([&] { chat_of(messages, R"(, "tools": [{"type": "function"}])"); }), "tools[0].function");
  EXPECT_EQ(refused([&] { chat_of(messages, R"(, "tools": [3])"); }), "tools[0]");
}

TEST(ChatRequest, ChoicesOfTools) {
  const std::string messages = R"([{"role": "user", "content": "a"}])";
  const std::string tools = R"(, "tools": [{"type": "function", "function": {"name": "f"}},
                                          {"type": "function", "function": {"name": "g", "strict": true}}])";
  const auto choice = [&](const std::string& given) {
    return chat_of(messages, tools + R"(, "tool_choice": )" + given).tools;
  };
  EXPECT_EQ(choice("\"required\"").kind, ToolChoice::Kind::kRequired);
  EXPECT_EQ(choice("\"required\"").tools.size(), 2U);
  for (const std::string named :
       {R"({"type": "function", "function": {"name": "g"}})", R"({"type": "function", "name": "g"})",
        R"({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                                      {"type": "function", "function": {"name": "g"}}]}})"}) {
    EXPECT_EQ(choice(named).kind, ToolChoice::Kind::kRequired) << named;
    ASSERT_EQ(choice(named).tools.size(), 1U) << named;
    EXPECT_EQ(choice(named).tools[0]["function"]["name"], "g");
  }
  EXPECT_TRUE(choice("\"auto\"").is_constrained());
  EXPECT_EQ(chat_of(messages, tools + R"(, "tool_choice": {"type": "function", "name": "g"})").context["tools"].size(),
            2U);
  for (const std::string wrong : {R"({"type": "function", "function": {"name": "h"}})", R"({"type": "web"})", "\"any\"",
                                  "3", R"({"type": "allowed_tools", "tools": []})"}) {
    EXPECT_TRUE(refused([&] { choice(wrong); }).starts_with("tool_choice")) << wrong;
  }
  EXPECT_EQ(refused([&] { chat_of(messages, R"(, "tool_choice": "required")"); }), "tool_choice");
}

TEST(TextRequest, ConstraintsComeOneAtATime) {
  const auto constraint = [](const std::string& more) { return with(more).text.constraint; };
  EXPECT_FALSE(constraint(R"("response_format": {"type": "text"}, "grammar": "")"));
  EXPECT_EQ(constraint(R"("response_format": {"type": "json_object"})")->kind, Constraint::Kind::kJsonObject);
  for (const std::string schema :
       {R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "null"}}})",
        R"("response_format": {"type": "json_object", "schema": {"type": "null"}})",
        R"("json_schema": {"type": "null"})", R"("guided_json": {"type": "null"})",
        R"("guided_json": "{\"type\": \"null\"}")", R"("structured_outputs": {"json": {"type": "null"}})"}) {
    ASSERT_TRUE(constraint(schema)) << schema;
    EXPECT_EQ(constraint(schema)->kind, Constraint::Kind::kSchema) << schema;
    EXPECT_EQ(constraint(schema)->value, Json({{"type", "null"}})) << schema;
  }
  EXPECT_EQ(constraint(R"("guided_choice": ["a", "b"])")->kind, Constraint::Kind::kChoice);
  EXPECT_EQ(constraint(R"("guided_regex": "a+")")->kind, Constraint::Kind::kPattern);
  EXPECT_EQ(constraint(R"("grammar": "root ::= \"a\"")")->kind, Constraint::Kind::kGbnf);
  for (const auto& [more, field] : std::vector<std::pair<std::string, std::string>>{
           {R"("response_format": {"type": "xml"})", "response_format.type"},
           {R"("response_format": {"type": "json_schema"})", "response_format.json_schema"},
           {R"("response_format": {"type": "json_schema", "json_schema": {}})", "response_format.json_schema.schema"},
           {R"("json_schema": [])", "json_schema"},
           {R"("grammar": 3)", "grammar"},
           {R"("guided_choice": [1])", "guided_choice"},
           {R"("guided_choice": [])", "guided_choice"},
           {R"("guided_regex": "a", "grammar": "b")", "guided_regex"}}) {
    EXPECT_EQ(refused([&, &text = more] { with(text); }), field) << more;
  }
}

TEST(RefusedFields, ChangeTheAnswerInAWayThatCantBeDone) {
  const std::string messages = R"([{"role": "user", "content": "a"}])";
  for (const auto& [field, value, harmless] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"functions", R"([{"name": "f"}])", "[]"},
           {"function_call", "\"auto\"", "\"none\""},
           {"min_tokens", "1", "0"},
           {"bad_words", "[\"a\"]", "[]"},
           {"typical_p", "0.5", "1.0"},
           {"mirostat", "2", "0"},
           {"dry_multiplier", "0.8", "0.0"},
           {"xtc_probability", "0.5", "0"},
           {"modalities", R"(["text", "audio"])", R"(["text"])"},
           {"continue_final_message", "true", "false"},
           {"reasoning_effort", "\"enormous\"", "\"low\""}}) {
    const auto parse = [&, &name = field](const std::string& given) {
      return refused([&] { chat_of(messages, ", \"" + name + "\": " + given); });
    };
    EXPECT_EQ(parse(value), field);
    EXPECT_EQ(parse(harmless), "nothing") << field;
  }
  EXPECT_EQ(refused([&] { with(R"("typical_p": 0.5)"); }), "typical_p");
}

TEST(RefusedFields, AreThoseOfEachApi) {
  const auto messages = [](const std::string& more) {
    return refused([&] {
      chat_of_messages(
          parse_body(R"({"max_tokens": 1, "messages": [{"role": "user", "content": "a"}], )" + more + "}"));
    });
  };
  EXPECT_EQ(messages(R"("output_format": {"type": "json_schema"})"), "output_format.schema");
  EXPECT_EQ(messages(R"("output_format": {"type": "xml"})"), "output_format.type");
  EXPECT_EQ(messages(R"("mcp_servers": [{"url": "x"}])"), "mcp_servers");
  EXPECT_EQ(messages(R"("tools": [{"type": "web_search_20250305", "name": "web_search"}])"), "tools[0].type");
  EXPECT_EQ(messages(R"("stop_sequences": "a")"), "stop_sequences");
  EXPECT_EQ(messages(R"("mcp_servers": [], "tools": [{"type": "custom", "name": "f"}], "stop_sequences": ["a"])"),
            "nothing");
  const auto responses = [](const std::string& more) {
    return refused([&] { chat_of_responses(parse_body(R"({"input": "a", )" + more + "}")); });
  };
  EXPECT_EQ(responses(R"("prompt": {"id": "x"})"), "prompt");
  EXPECT_EQ(responses(R"("top_logprobs": 2)"), "top_logprobs");
  EXPECT_EQ(responses(R"("include": ["message.output_text.logprobs"])"), "include");
  EXPECT_EQ(responses(R"("max_tool_calls": 1)"), "max_tool_calls");
  EXPECT_EQ(responses(R"("include": [], "background": false, "top_logprobs": 0)"), "nothing");
}

TEST(ChatRequest, TemplateMayBeGivenMore) {
  const ChatRequest request = chat_of(
      R"([{"role": "user", "content": "a"}])",
      R"(, "chat_template_kwargs": {"enable_thinking": false, "messages": 3}, "logprobs": true, "top_logprobs": 4)");
  EXPECT_EQ(request.context["enable_thinking"], false);
  const auto effort = [](const std::string& value) {
    return chat_of(R"([{"role": "user", "content": "a"}])", R"(, "reasoning_effort": )" + value).context;
  };
  EXPECT_EQ(effort("\"none\"")["enable_thinking"], false);
  EXPECT_EQ(effort("\"high\"")["enable_thinking"], true);
  EXPECT_EQ(effort("\"high\"")["reasoning_effort"], "high");
  EXPECT_FALSE(effort("null").contains("enable_thinking"));
  EXPECT_EQ(refused([&] { effort("3"); }), "reasoning_effort");
  EXPECT_TRUE(request.context["messages"].is_array());
  EXPECT_EQ(request.text.top_logprobs, 4);
  EXPECT_EQ(request.text.continuation.limit, -1);
  EXPECT_EQ(refused([&] { chat_of(R"([{"role": "user", "content": "a"}])", R"(, "top_logprobs": 4)"); }),
            "top_logprobs");
}

}  // namespace
}  // namespace strata::serve
