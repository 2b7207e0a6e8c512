// SPDX-License-Identifier: Apache-2.0
// Requests of /v1/chat/completions against what transformers makes of the same conversations with Qwen3's template.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "serve/text_request.h"
#include "text/render_chat.h"
#include "text/text_model.h"

namespace strata::serve {
namespace {

std::string content_of(const std::string& name) {
  std::ifstream in(STRATA_SOURCE_DIR + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

// The template of Qwen3; the tokenizer doesn't matter.
text::TextModel qwen3_text() {
  text::TextFiles files;
  files.tokenizer = content_of("/models/demo/tokenizer.json");
  files.tokenizer_config = content_of("/tests/data/qwen3/tokenizer_config.json");
  return text::load_text_model(files, "qwen3");
}

// As a client sends it: arguments of calls are text.
Json request_of(const Json& row) {
  Json request = {{"messages", row["messages"]}};
  for (Json& message : request["messages"]) {
    if (!message.contains("tool_calls")) continue;
    for (Json& call : message["tool_calls"]) {
      Json& arguments = call["function"]["arguments"];
      if (!arguments.is_string()) arguments = arguments.dump();
    }
  }
  if (row.contains("tools")) request["tools"] = row["tools"];
  if (row.contains("enable_thinking")) request["chat_template_kwargs"] = {{"enable_thinking", row["enable_thinking"]}};
  return request;
}

TEST(Qwen3Chats, AreRenderedAsTransformersDoes) {
  const text::TextModel model = qwen3_text();
  const std::string lines = content_of("/tests/data/qwen3/chat_cases.jsonl");
  int compared = 0, with_tools = 0;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    const Json row = Json::parse(lines.substr(at, end - at));
    at = end + 1;
    if (row["add_generation_prompt"] != true) continue;
    ChatRequest request = parse_chat_request(request_of(row), {.vocabulary = 100});
    EXPECT_EQ(request.tools.kind == ToolChoice::Kind::kAuto, row.contains("tools"));
    EXPECT_EQ(text::render_chat(model, request.context), row["rendered"].get<std::string>());
    ++compared;
    with_tools += row.contains("tools") ? 1 : 0;
  }
  EXPECT_GE(compared, 20);
  EXPECT_GE(with_tools, 3);
}

}  // namespace
}  // namespace strata::serve
