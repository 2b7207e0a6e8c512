// SPDX-License-Identifier: Apache-2.0
#include "serve/service.h"

#include <gtest/gtest.h>

#include <cmath>

#include "serve/answer_format.h"
#include "tests/serve/fake_model.h"

namespace strata::serve {
namespace {

class Services : public testing::Test {
 protected:
  Services() : model_(3, 512), engine_(model_, demo_text(), 8, metrics_) {}

  HttpResponse ask(const std::string& path, const std::string& body, const std::string& method = "POST") {
    HttpRequest request{.method = method, .path = path, .body = body};
    return Service(engine_, demo_text(), metrics_, options_).handle(request);
  }

  Json json(const std::string& path, const std::string& body, int status = 200, const std::string& method = "POST") {
    HttpResponse response = ask(path, body, method);
    EXPECT_EQ(response.status, status) << response.body;
    return Json::parse(response.body);
  }

  // The data of a stream's events, without OpenAI's end.
  std::vector<Json> events(const std::string& path, const std::string& body, bool has_names = false) {
    HttpResponse response = ask(path, body);
    EXPECT_EQ(response.content_type, "text/event-stream");
    if (response.stream == nullptr) return {};
    std::string all;
    for (std::string part = response.stream->next(); !part.empty(); part = response.stream->next()) all += part;
    std::vector<Json> events;
    bool is_done = false;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = all.find("\n\n", at);
      std::string line = all.substr(at, end - at);
      at = end + 2;
      if (has_names) {
        const std::string name = line.substr(7, line.find('\n') - 7);
        line.erase(0, line.find('\n') + 1);
        EXPECT_EQ(Json::parse(line.substr(6))["type"], name);
      }
      EXPECT_TRUE(line.starts_with("data: ")) << line;
      is_done = line == "data: [DONE]";
      if (!is_done) events.push_back(Json::parse(line.substr(6)));
    }
    EXPECT_EQ(is_done, !has_names);
    return events;
  }

  // After each prompt the model says this.
  void say(const std::string& text) {
    Tokens answer = demo_text().tokenizer.encode(text, false, false);
    model_.next = [answer, prompt = Tokens()](std::span<const std::int32_t> tokens) mutable {
      const bool goes_on =
          tokens.size() > prompt.size() && !prompt.empty() && std::equal(prompt.begin(), prompt.end(), tokens.begin());
      if (!goes_on) prompt.assign(tokens.begin(), tokens.end());
      const std::size_t at = tokens.size() - prompt.size();
      return at < answer.size() ? answer[at] : kEnd;
    };
  }

  FakeModel model_;
  Metrics metrics_;
  Engine engine_;
  ServiceOptions options_{.model = "tiny", .api_keys = {}, .cors_origins = {}, .hosts = {}};
};

const std::string kHello = R"("messages": [{"role": "user", "content": "Hello"}], "temperature": 0)";

TEST_F(Services, ChatAnswers) {
  say("And there was light.");
  const Json answer = json("/v1/chat/completions", "{" + kHello + "}");
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "And there was light.");
  EXPECT_EQ(answer["choices"][0]["message"]["role"], "assistant");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_GT(answer["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(answer["usage"]["total_tokens"].get<int>(),
            answer["usage"]["prompt_tokens"].get<int>() + answer["usage"]["completion_tokens"].get<int>());
}

TEST_F(Services, StreamIsTheWholeAnswerInParts) {
  say("<think>\nHmm: \xC3\xA9\xE2\x82\xAC\n</think>\n\nAnd there was light.\xF0\x9F\x98\x80");
  const Json whole = json("/v1/chat/completions", "{" + kHello + "}")["choices"][0];
  std::string content, reasoning, finish;
  const auto chunks = events("/v1/chat/completions", "{" + kHello + R"(, "stream": true})");
  for (const Json& chunk : chunks) {
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_EQ(chunk["id"], chunks[0]["id"]);
    EXPECT_FALSE(chunk.contains("usage"));
    const Json& choice = chunk["choices"].at(0);
    content += choice["delta"].value("content", "");
    reasoning += choice["delta"].value("reasoning_content", "");
    if (!choice["finish_reason"].is_null()) finish = choice["finish_reason"];
  }
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(content, "And there was light.\xF0\x9F\x98\x80");
  EXPECT_EQ(reasoning, "Hmm: \xC3\xA9\xE2\x82\xAC");
  EXPECT_EQ(finish, "stop");
  EXPECT_EQ(whole["message"]["content"], content);
  EXPECT_EQ(whole["message"]["reasoning_content"], reasoning);
}

TEST_F(Services, UsageIsAChunkOfItsOwnWhereItIsAskedFor) {
  say("Light.");
  const auto chunks =
      events("/v1/chat/completions", "{" + kHello + R"(, "stream": true, "stream_options": {"include_usage": true}})");
  EXPECT_TRUE(chunks.back()["choices"].empty());
  EXPECT_GT(chunks.back()["usage"]["completion_tokens"], 0);
  EXPECT_TRUE(chunks.front()["usage"].is_null());
}

TEST_F(Services, StopStringsAndLimitsEndAnAnswer) {
  say("one two three four");
  const auto choice = [&](const std::string& more) {
    return json("/v1/chat/completions", "{" + kHello + more + "}")["choices"][0];
  };
  EXPECT_EQ(choice(R"(, "stop": "three")")["message"]["content"], "one two ");
  EXPECT_EQ(choice(R"(, "stop": "three")")["finish_reason"], "stop");
  EXPECT_EQ(choice(R"(, "max_tokens": 1)")["finish_reason"], "length");
  EXPECT_EQ(choice(R"(, "max_completion_tokens": 0)")["message"]["content"], "");
}

TEST_F(Services, ToolsAreCalled) {
  say("Let me add.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>");
  const std::string tools = R"(, "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}])";
  const Json choice = json("/v1/chat/completions", "{" + kHello + tools + "}")["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_EQ(choice["message"]["content"], "Let me add.");
  const Json call = choice["message"]["tool_calls"].at(0);
  EXPECT_EQ(call["function"]["name"], "add");
  EXPECT_EQ(call["function"]["arguments"], "{\"a\":1}");
  EXPECT_EQ(call["type"], "function");
  int calls = 0;
  for (const Json& chunk : events("/v1/chat/completions", "{" + kHello + tools + R"(, "stream": true})")) {
    const Json& delta = chunk["choices"][0]["delta"];
    if (!delta.contains("tool_calls")) continue;
    EXPECT_EQ(delta["tool_calls"][0]["index"], calls++);
    EXPECT_EQ(delta["tool_calls"][0]["function"], call["function"]);
  }
  EXPECT_EQ(calls, 1);
}

TEST_F(Services, ToolsThatTheTemplateDoesntShowAreRefused) {
  const text::TextModel text = demo_text_with_template("{% for m in messages %}{{ m.content }}{% endfor %}");
  HttpRequest request{.method = "POST", .path = "/v1/chat/completions"};
  request.body = "{" + kHello + R"(, "tools": [{"type": "function", "function": {"name": "add"}}]})";
  const HttpResponse response = Service(engine_, text, metrics_, options_).handle(request);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(Json::parse(response.body)["error"]["param"], "tools");
}

constexpr const char* kThinkSayCall =
    "<think>\nHm.\n</think>\n\nLet me add.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>";

TEST_F(Services, MessagesAreAnthropics) {
  say(kThinkSayCall);
  const std::string body = R"({"max_tokens": 100, "temperature": 0, "system": [{"type": "text", "text": "Be nice"}],
      "messages": [{"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "add", "input": {"a": 2}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "4"},
                                     {"type": "text", "text": "Go on"}]}],
      "tools": [{"name": "add", "input_schema": {"type": "object"}}])";
  const Json answer = json("/v1/messages", body + "}");
  EXPECT_EQ(answer["type"], "message");
  EXPECT_EQ(answer["stop_reason"], "tool_use");
  ASSERT_EQ(answer["content"].size(), 3U);
  EXPECT_EQ(answer["content"][0]["thinking"], "Hm.");
  EXPECT_EQ(answer["content"][1]["text"], "Let me add.");
  EXPECT_EQ(answer["content"][2]["input"], Json::parse(R"({"a": 1})"));
  EXPECT_GT(answer["usage"]["input_tokens"], 0);

  const auto chunks = events("/v1/messages", body + R"(, "stream": true})", true);
  std::string text;
  std::vector<std::string> types;
  for (const Json& chunk : chunks) {
    if (chunk["type"] == "content_block_start") types.push_back(chunk["content_block"]["type"]);
    if (chunk["type"] != "content_block_delta") continue;
    for (const char* name : {"text", "thinking", "partial_json"}) text += chunk["delta"].value(name, "");
  }
  EXPECT_EQ(text, "Hm.Let me add.{\"a\":1}");
  EXPECT_EQ(types, (std::vector<std::string>{"thinking", "text", "tool_use"}));
  EXPECT_EQ(chunks.front()["type"], "message_start");
  EXPECT_EQ(chunks.at(chunks.size() - 2)["delta"]["stop_reason"], "tool_use");
  EXPECT_EQ(chunks.back()["type"], "message_stop");
}

TEST_F(Services, MessagesRefuseWhatTheyCantDo) {
  for (const char* body :
       {R"({"messages": [{"role": "user", "content": "a"}]})", R"({"max_tokens": 5})",
        R"({"max_tokens": 5, "messages": []})",
        R"({"max_tokens": 5, "messages": [{"role": "system", "content": "a"}]})",
        R"({"max_tokens": 5, "messages": [{"role": "user", "content": [{"type": "image"}]}]})",
        R"({"max_tokens": 5, "messages": [{"role": "user"}]})", R"({"max_tokens": 5, "messages": [7]})",
        R"({"max_tokens": 5, "messages": [{"role": "user", "content": "a"}], "tools": [{}]})"}) {
    EXPECT_EQ(json("/v1/messages", body, 400)["type"], "error") << body;
  }
}

TEST_F(Services, MessagesNameTheStopThatWasFound) {
  say("one two three four");
  const std::string body = R"({"messages": [{"role": "user", "content": "Hello"}], "temperature": 0)";
  const std::string stops = R"(, "max_tokens": 50, "stop_sequences": ["never", "three", "four"])";
  const Json answer = json("/v1/messages", body + stops + "}");
  EXPECT_EQ(answer["stop_reason"], "stop_sequence");
  EXPECT_EQ(answer["stop_sequence"], "three");
  const auto chunks = events("/v1/messages", body + stops + R"(, "stream": true})", true);
  EXPECT_EQ(chunks.at(chunks.size() - 2)["delta"]["stop_sequence"], "three");
  EXPECT_EQ(json("/v1/messages", body + R"(, "max_tokens": 50})")["stop_sequence"], nullptr);
  EXPECT_EQ(json("/v1/messages/count_tokens", body + "}")["input_tokens"], answer["usage"]["input_tokens"]);
  json("/v1/messages/count_tokens", R"({"messages": []})", 400);
}

TEST_F(Services, ResponsesAreLists) {
  say(kThinkSayCall);
  const std::string body =
      R"({"instructions": "Be nice", "temperature": 0, "input": [{"role": "user", "content": "Hello"},
      {"type": "function_call", "call_id": "1", "name": "add", "arguments": "{\"a\": 2}"},
      {"type": "function_call_output", "call_id": "1", "output": "4"},
      {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on"}]}],
      "tools": [{"type": "function", "name": "add", "parameters": {}}])";
  const Json answer = json("/v1/responses", body + "}");
  EXPECT_EQ(answer["object"], "response");
  EXPECT_EQ(answer["status"], "completed");
  EXPECT_EQ(answer["instructions"], "Be nice");
  ASSERT_EQ(answer["output"].size(), 3U);
  EXPECT_EQ(answer["output"][0]["content"][0]["text"], "Hm.");
  EXPECT_EQ(answer["output"][1]["content"][0]["text"], "Let me add.");
  EXPECT_EQ(answer["output"][2]["arguments"], "{\"a\":1}");
  const auto chunks = events("/v1/responses", body + R"(, "stream": true})", true);
  for (std::size_t i = 0; i < chunks.size(); ++i) EXPECT_EQ(chunks[i]["sequence_number"], i);
  Json last = chunks.back()["response"];
  ASSERT_EQ(last["output"].size(), 3U);
  EXPECT_EQ(last["output"][1]["content"], answer["output"][1]["content"]);
  const Json cut = json("/v1/responses", R"({"input": "Hello", "temperature": 0, "max_output_tokens": 2})");
  EXPECT_EQ(cut["status"], "incomplete");
  for (const char* wrong : {"{}", R"({"input": []})", R"({"input": [{"type": "item_reference"}]})",
                            R"({"input": "a", "previous_response_id": "x"})", R"({"input": [{"role": "user"}]})",
                            R"({"input": "a", "text": {"format": {"type": "grammar"}}})"}) {
    json("/v1/responses", wrong, 400);
  }
}

TEST_F(Services, LogprobsFitTheText) {
  say("And light");
  const Json choice =
      json("/v1/chat/completions", "{" + kHello + R"(, "logprobs": true, "top_logprobs": 2})")["choices"][0];
  std::string text;
  for (const Json& token : choice["logprobs"]["content"]) {
    text += token["token"].get<std::string>();
    EXPECT_EQ(token["top_logprobs"].size(), 2U);
    EXPECT_LE(token["logprob"], 0);
  }
  EXPECT_EQ(text, "And light");
  std::size_t streamed = 0;
  for (const Json& chunk : events("/v1/chat/completions", "{" + kHello + R"(, "logprobs": true, "stream": true})")) {
    if (!chunk["choices"][0]["logprobs"].is_null()) streamed += chunk["choices"][0]["logprobs"]["content"].size();
  }
  EXPECT_EQ(streamed, choice["logprobs"]["content"].size());
}

TEST_F(Services, CompletionsGoOnWithTheirPrompts) {
  const std::string body = R"("prompt": ["And", "The"], "temperature": 0, "max_tokens": 4, "n": 2)";
  const Json answer = json("/v1/completions", "{" + body + "}");
  EXPECT_EQ(answer["object"], "text_completion");
  ASSERT_EQ(answer["choices"].size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(answer["choices"][i]["index"], i);
  EXPECT_EQ(answer["choices"][0]["text"], answer["choices"][1]["text"]);
  EXPECT_NE(answer["choices"][0]["text"], answer["choices"][2]["text"]);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["completion_tokens"], 16);
  std::vector<std::string> texts(4);
  for (const Json& chunk : events("/v1/completions", "{" + body + R"(, "stream": true})")) {
    texts[chunk["choices"][0]["index"].get<std::size_t>()] += chunk["choices"][0]["text"].get<std::string>();
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(answer["choices"][i]["text"], texts[i]);
  const Json echoed = json("/v1/completions", R"({"prompt": "And", "max_tokens": 0, "echo": true})");
  EXPECT_EQ(echoed["choices"][0]["text"], "And");
}

TEST_F(Services, CompletionLogprobsAreListsOfOneLength) {
  const Json logprobs =
      json("/v1/completions",
           R"({"prompt": "And", "temperature": 0, "max_tokens": 4, "logprobs": 1})")["choices"][0]["logprobs"];
  for (const char* name : {"tokens", "token_logprobs", "top_logprobs", "text_offset"}) {
    EXPECT_EQ(logprobs[name].size(), 4U) << name;
  }
  EXPECT_EQ(logprobs["text_offset"][0], 0);
}

TEST_F(Services, SeedDecides) {
  model_.next = [](std::span<const std::int32_t>) { return 5; };
  const auto text = [&](int seed) {
    return json("/v1/completions", R"({"prompt": "And", "max_tokens": 20, "temperature": 50, "top_k": 0, "top_p": 1,
        "min_p": 0, "seed": )" + std::to_string(seed) +
                                       "}")["choices"][0]["text"];
  };
  EXPECT_EQ(text(7), text(7));
  EXPECT_NE(text(7), text(8));
}

TEST_F(Services, TokensAndTextsAreTurnedIntoEachOther) {
  const Json tokens = json("/tokenize", R"({"content": "Hello there <|im_end|>"})")["tokens"];
  EXPECT_EQ(tokens.back(), kEnd);
  EXPECT_EQ(json("/detokenize", Json{{"tokens", tokens}}.dump())["content"], "Hello there <|im_end|>");
  const Json plain = json("/tokenize", R"({"content": "<|im_end|>", "parse_special": false})")["tokens"];
  EXPECT_GT(plain.size(), 1U);
  json("/detokenize", R"({"tokens": [2048]})", 400);
  json("/detokenize", "{}", 400);
  json("/tokenize", R"({"content": 3})", 400);
}

TEST_F(Services, EmbeddingsAreUnitVectorsOfTheLastTokens) {
  const Json answer = json("/v1/embeddings", R"({"input": [[5, 6, 7], [9], [400, 401], [3, 3], [3, 4]]})");
  EXPECT_EQ(answer["object"], "list");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 10);
  ASSERT_EQ(answer["data"].size(), 5U);
  const Json first = answer["data"][0]["embedding"];  // of (3, 7, -2)
  ASSERT_EQ(first.size(), 3U);
  EXPECT_NEAR(first[0].get<double>(), 3 / std::sqrt(62.0), 1e-6);
  EXPECT_NEAR(first[1].get<double>(), 7 / std::sqrt(62.0), 1e-6);
  EXPECT_EQ(answer["data"][4]["index"], 4);
  const Json cut = json("/v1/embeddings", R"({"input": [9], "dimensions": 1, "encoding_format": "base64"})");
  EXPECT_EQ(cut["data"][0]["embedding"], "AACAPw==");  // 1.0
  for (const char* wrong : {"{}", R"({"input": []})", R"({"input": ""})", R"({"input": [[]]})", R"({"input": [5000]})",
                            R"({"input": "a", "dimensions": 0})", R"({"input": "a", "encoding_format": "int8"})"}) {
    json("/v1/embeddings", wrong, 400);
  }
}

TEST_F(Services, SaysWhatItIs) {
  EXPECT_EQ(json("/health", "", 200, "GET")["slots"], 3);
  EXPECT_EQ(json("/v1/models", "", 200, "GET")["data"][0]["id"], "tiny");
  EXPECT_EQ(json("/v1/models/tiny", "", 200, "GET")["id"], "tiny");
  json("/v1/completions", R"({"prompt": "And", "max_tokens": 3})");
  const std::string metrics = ask("/metrics", "", "GET").body;
  EXPECT_NE(metrics.find("strata_generated_tokens_total 3\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("strata_requests_total{path=\"/v1/completions\",code=\"200\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics.find("strata_time_to_first_token_seconds_count 1\n"), std::string::npos);
}

TEST_F(Services, PageLoadsNothingFromElsewhere) {
  const HttpResponse page = ask("/", "", "GET");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_TRUE(page.body.starts_with("<!doctype html>"));
  for (const char* outside : {"src=\"http", "href=\"http", "url(", "import(", "innerHTML"}) {
    EXPECT_EQ(page.body.find(outside), std::string::npos) << outside;
  }
  EXPECT_EQ(page.headers.at(0).first, "Content-Security-Policy");
  EXPECT_TRUE(page.headers.at(0).second.starts_with("default-src 'none'"));
}

TEST_F(Services, ErrorsAreOpenAis) {
  EXPECT_EQ(json("/v1/models", "", 405)["error"]["type"], "invalid_request_error");
  EXPECT_EQ(json("/nothing", "{}", 404)["error"]["code"], nullptr);
  EXPECT_EQ(json("/v1/completions", "{}", 400)["error"]["param"], "prompt");
  const std::string endless = R"({"prompt": ")" + std::string(9000, 'x') + "\"}";
  EXPECT_EQ(json("/v1/completions", endless, 400)["error"]["code"], "context_length_exceeded");
  EXPECT_EQ(json("/v1/completions", R"({"prompt": ""})", 400)["error"]["param"], "prompt");
  EXPECT_EQ(json("/v1/completions", R"({"prompt": "a", "n": 12})", 400)["error"]["param"], "n");
}

// The template's limits hold for what a client sends, and where the model's files are is no client's business.
TEST_F(Services, MessagesThatAreTooLongForTheTemplateAreRefused) {
  const std::string text(std::size_t{9} << 20, 'a');
  const Json error =
      json("/v1/chat/completions", R"({"messages": [{"role": "user", "content": ")" + text + "\"}]}", 400)["error"];
  EXPECT_EQ(error["code"], "context_length_exceeded");
  EXPECT_EQ(error["param"], "messages");
  EXPECT_EQ(error["message"].get<std::string>().find('/'), std::string::npos) << error;
}

TEST_F(Services, FilesOfTheServerAreNotNamed) {
  text::TextModel text = demo_text_with_template("{{ messages | unknown_filter }}");
  HttpRequest request{.method = "POST", .path = "/v1/chat/completions", .body = "{" + kHello + "}"};
  std::string log;
  options_.log = [&](const std::string& message) { log = message; };
  const HttpResponse broken = Service(engine_, text, metrics_, options_).handle(request);
  EXPECT_EQ(broken.status, 500);
  EXPECT_NE(broken.body.find("unknown_filter"), std::string::npos) << broken.body;
  EXPECT_EQ(broken.body.find("/secret"), std::string::npos) << broken.body;
  EXPECT_NE(log.find("/secret"), std::string::npos) << log;
  text = demo_text_with_template("{{ raise_exception('no') }}");
  const HttpResponse refused = Service(engine_, text, metrics_, options_).handle(request);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body.find("/secret"), std::string::npos) << refused.body;
}

TEST_F(Services, KeysHostsAndOriginsLetIn) {
  options_.api_keys = {"secret"};
  options_.hosts = {"localhost"};
  const Service service(engine_, demo_text(), metrics_, options_);
  HttpRequest request{.method = "GET", .path = "/v1/models", .host = "localhost:1"};
  EXPECT_EQ(service.handle(request).status, 401);
  EXPECT_EQ(service.refuse(request)->status, 401);
  request.authorization = "Bearer secret";
  EXPECT_EQ(service.handle(request).status, 200);
  EXPECT_FALSE(service.refuse(request));
  request.origin = "http://evil.example";
  EXPECT_EQ(service.handle(request).status, 403);
  request.origin = "http://localhost:1";
  EXPECT_EQ(service.handle(request).status, 200);
  request.host = "evil.example";
  EXPECT_EQ(service.handle(request).status, 403);
  HttpRequest health{.method = "GET", .path = "/health", .host = "localhost"};
  EXPECT_EQ(service.handle(health).status, 200);
  health.path = "/nothing";  // what there is, is told to those who may know
  EXPECT_EQ(service.handle(health).status, 401);
}

TEST_F(Services, PagesOfOneOriginMayBeLetIn) {
  HttpRequest request{.method = "OPTIONS", .path = "/v1/models", .origin = "https://page.example"};
  EXPECT_EQ(Service(engine_, demo_text(), metrics_, options_).handle(request).status, 403);
  options_.cors_origins = {"https://other.example", "https://page.example"};
  request.wanted_headers = "anthropic-version,x-stainless-os";
  const Service service(engine_, demo_text(), metrics_, options_);
  const HttpResponse preflight = service.handle(request);
  EXPECT_EQ(preflight.status, 204);
  const auto allowed = [&] {
    for (const auto& [name, value] : service.handle(request).headers) {
      if (name == "Access-Control-Allow-Headers") return value;
    }
    return std::string();
  };
  EXPECT_EQ(allowed(), "anthropic-version,x-stainless-os");
  request.wanted_headers = "a\r\nb: c";
  EXPECT_EQ(allowed(), "Authorization, Content-Type, x-api-key");
  request.method = "GET";
  const auto headers = service.handle(request).headers;
  EXPECT_EQ(headers.at(0),
            (std::pair<std::string, std::string>("Access-Control-Allow-Origin", "https://page.example")));
}

TEST_F(Services, ClientThatGoesCancelsItsTexts) {
  model_.next = [](std::span<const std::int32_t>) { return 400; };
  HttpRequest request{.method = "POST", .path = "/v1/completions", .body = R"({"prompt": "a", "max_tokens": -1})"};
  request.is_connected = [] { return false; };
  const Service service(engine_, demo_text(), metrics_, options_);
  EXPECT_EQ(service.handle(request).status, 499);
  request.body = R"({"prompt": "a", "max_tokens": -1, "stream": true})";
  service.handle(request).stream.reset();
  request.is_connected = [] { return true; };
  request.body = R"({"prompt": "b", "max_tokens": 1, "n": 3})";
  EXPECT_EQ(service.handle(request).status, 200);
}

}  // namespace
}  // namespace strata::serve
