// SPDX-License-Identifier: Apache-2.0
#include "serve/responses_api.h"

#include <utility>

#include "serve/api_error.h"
#include "serve/block_format.h"
#include "serve/limits.h"
#include "serve/refused_fields.h"

namespace strata::serve {
namespace {

using ItemKind = AnswerPart::Kind;

void add_item(const Json& given, const std::string& path, Json& messages) {
  const RequestReader item(given, path);
  const std::string type = item.text_or("type", "message");
  if (type == "message") {
    Json message = {{"role", item.text("role")}};
    if (const Json* const content = item.find("content"); content != nullptr) message["content"] = *content;
    messages.push_back(std::move(message));
  } else if (type == "function_call") {
    const Json function = {{"name", item.text("name")}, {"arguments", item.text_or("arguments", "{}")}};
    Json call = {{"id", item.text_or("call_id", "")}, {"type", "function"}, {"function", function}};
    // Calls one behind the other are of one message, and may follow its text.
    const bool goes_on = !messages.empty() && messages.back()["role"] == "assistant";
    if (!goes_on) messages.push_back({{"role", "assistant"}, {"content", ""}});
    messages.back()["tool_calls"].push_back(std::move(call));
  } else if (type == "function_call_output") {
    messages.push_back(
        {{"role", "tool"}, {"tool_call_id", item.text_or("call_id", "")}, {"content", item.text("output")}});
  } else if (type != "reasoning") {
    item.refuse("type", "is none that this model reads");
  }
}

Json input_messages(const RequestReader& body) {
  Json messages = Json::array();
  if (body.has("instructions")) messages.push_back({{"role", "system"}, {"content", body.text("instructions")}});
  const Json* const input = body.find("input");
  if (input == nullptr) body.refuse("input", "is missing");
  if (input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
    return messages;
  }
  if (!input->is_array() || input->empty() || input->size() > kMaxMessages) {
    body.refuse("input", "is neither a string nor a list of some items");
  }
  for (std::size_t i = 0; i < input->size(); ++i) add_item((*input)[i], "input[" + std::to_string(i) + "]", messages);
  return messages;
}

Json function_tools(const Json& given) {
  Json tools = Json::array();
  for (std::size_t i = 0; i < given.size(); ++i) {
    const RequestReader tool(given[i], "tools[" + std::to_string(i) + "]");
    if (tool.text("type") != "function") tool.refuse("type", "can only be function");
    Json function = {{"name", tool.text("name")}};
    for (const char* name : {"description", "parameters", "strict"}) {
      if (const Json* const value = tool.find(name); value != nullptr) function[name] = *value;
    }
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return tools;
}

// What is beside the type stands in an object of its own in chats.
void copy_text_format(const RequestReader& body, Json& chat) {
  const Json* const text = body.object("text");
  const Json* const format = text == nullptr ? nullptr : RequestReader(*text, "text").object("format");
  if (format == nullptr) return;
  const RequestReader reader(*format, "text.format");
  const std::string type = reader.text("type");
  chat["response_format"] = {{"type", type}};
  if (type == "json_schema") {
    if (!reader.has("schema")) reader.refuse("schema", "is missing");
    chat["response_format"]["json_schema"] = {{"schema", *reader.find("schema")}};
  }
}

class ResponsesFormat : public BlockFormat {
 public:
  ResponsesFormat(AnswerHead head, const AnswerParser::Options& parser, Json instructions)
      : BlockFormat(std::move(head), parser), instructions_(std::move(instructions)) {}

  std::string begin() override {
    return numbered({{"type", "response.created"}, {"response", response("in_progress", nullptr)}}) +
           numbered({{"type", "response.in_progress"}, {"response", response("in_progress", nullptr)}});
  }

  std::string end(const Usage& usage) override {
    const std::string type = is_whole() ? "response.completed" : "response.incomplete";
    return numbered({{"type", type}, {"response", whole(usage)}});
  }

  Json whole(const Usage& usage) override {
    Json all = response(is_whole() ? "completed" : "incomplete", usage_json(usage));
    if (!is_whole()) all["incomplete_details"] = {{"reason", "max_output_tokens"}};
    for (const Block& block : blocks()) all["output"].push_back(item(block, true));
    return all;
  }

  std::string error(const ApiError& error) override {
    return numbered({{"type", "error"}, {"code", "server_error"}, {"message", error.what()}, {"param", nullptr}});
  }

 protected:
  std::string opened(const Block& block, std::size_t index) override {
    Block empty = block;
    empty.text.clear();
    Json added = item(empty, false);
    if (block.kind != ItemKind::kToolCall) added["content"] = Json::array();
    std::string events =
        numbered({{"type", "response.output_item.added"}, {"output_index", index}, {"item", std::move(added)}});
    if (block.kind == ItemKind::kToolCall) return events;
    return events + of_part("response.content_part.added", block, index, {{"part", part(block.kind, "")}});
  }

  std::string grown(const Block& block, std::size_t index, const std::string& text) override {
    Json more = {{"delta", text}};
    if (block.kind == ItemKind::kContent) more["logprobs"] = Json::array();
    return of_part(event_name(block.kind, "delta"), block, index, std::move(more));
  }

  std::string closed(const Block& block, std::size_t index) override {
    Json more;
    more[block.kind == ItemKind::kToolCall ? "arguments" : "text"] = block.text;
    if (block.kind == ItemKind::kContent) more["logprobs"] = Json::array();
    if (block.kind == ItemKind::kToolCall) more["name"] = block.name;
    std::string events = of_part(event_name(block.kind, "done"), block, index, std::move(more));
    if (block.kind != ItemKind::kToolCall) {
      events += of_part("response.content_part.done", block, index, {{"part", part(block.kind, block.text)}});
    }
    return events +
           numbered({{"type", "response.output_item.done"}, {"output_index", index}, {"item", item(block, true)}});
  }

  std::string id_prefix(ItemKind kind) const override {
    if (kind == ItemKind::kToolCall) return "fc_";
    return kind == ItemKind::kContent ? "msg_" : "rs_";
  }

 private:
  static std::string event_name(ItemKind kind, const std::string& what) {
    if (kind == ItemKind::kToolCall) return "response.function_call_arguments." + what;
    return (kind == ItemKind::kContent ? "response.output_text." : "response.reasoning_text.") + what;
  }

  bool is_whole() const {
    return end_of_text() == text::EndOfText::kEndToken || end_of_text() == text::EndOfText::kStopString;
  }

  std::string numbered(Json data) {
    data["sequence_number"] = sequence_++;
    return "event: " + data["type"].get<std::string>() + "\n" + event(data);
  }

  std::string of_part(const std::string& type, const Block& block, std::size_t index, Json more) {
    Json data = {{"type", type}, {"item_id", block.id}, {"output_index", index}};
    if (block.kind != ItemKind::kToolCall) data["content_index"] = 0;
    data.update(more);
    return numbered(std::move(data));
  }

  static Json part(ItemKind kind, const std::string& text) {
    if (kind == ItemKind::kReasoning) return {{"type", "reasoning_text"}, {"text", text}};
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
  }

  static Json item(const Block& block, bool is_done) {
    const char* const status = is_done ? "completed" : "in_progress";
    if (block.kind == ItemKind::kToolCall) {
      return {{"id", block.id},     {"type", "function_call"}, {"call_id", "call_" + block.id.substr(3)},
              {"name", block.name}, {"arguments", block.text}, {"status", status}};
    }
    Json content = Json::array({part(block.kind, block.text)});
    if (block.kind == ItemKind::kReasoning) {
      return {{"id", block.id},
              {"type", "reasoning"},
              {"summary", Json::array()},
              {"content", std::move(content)},
              {"status", status}};
    }
    return {{"id", block.id},
            {"type", "message"},
            {"role", "assistant"},
            {"content", std::move(content)},
            {"status", status}};
  }

  static Json usage_json(const Usage& usage) {
    return {{"input_tokens", usage.prompt},
            {"input_tokens_details", {{"cached_tokens", usage.reused}}},
            {"output_tokens", usage.made},
            {"output_tokens_details", {{"reasoning_tokens", 0}}},
            {"total_tokens", usage.prompt + usage.made}};
  }

  Json response(const std::string& status, const Json& usage) const {
    return {{"id", id_},
            {"object", "response"},
            {"created_at", created_},
            {"status", status},
            {"error", nullptr},
            {"incomplete_details", nullptr},
            {"instructions", instructions_},
            {"model", head().model},
            {"output", Json::array()},
            {"parallel_tool_calls", true},
            {"tool_choice", "auto"},
            {"tools", Json::array()},
            {"metadata", Json::object()},
            {"store", false},
            {"usage", usage}};
  }

  const Json instructions_;
  const std::string id_ = random_id("resp_");
  const std::int64_t created_ = unix_time();
  std::int64_t sequence_ = 0;
};

}  // namespace

Json chat_of_responses(const Json& body) {
  const RequestReader reader(body);
  refuse_fields(reader, refused_of_responses());
  Json chat = {{"messages", input_messages(reader)}};
  for (const char* name : {"temperature", "top_p", "top_k", "min_p", "stream", "seed", "cache_prompt",
                           "chat_template_kwargs", "tool_choice", "parallel_tool_calls"}) {
    if (const Json* const value = reader.find(name); value != nullptr) chat[name] = *value;
  }
  if (const Json* const reasoning = reader.object("reasoning"); reasoning != nullptr) {
    const RequestReader options(*reasoning, "reasoning");
    if (options.has("effort")) chat["reasoning_effort"] = options.text("effort");
  }
  if (const Json* const limit = reader.find("max_output_tokens"); limit != nullptr) chat["max_tokens"] = *limit;
  if (const Json* const tools = reader.list("tools", kMaxTools); tools != nullptr)
    chat["tools"] = function_tools(*tools);
  copy_text_format(reader, chat);
  return chat;
}

std::unique_ptr<AnswerFormat> responses_format(AnswerHead head, const AnswerParser::Options& parser,
                                               const Json& instructions) {
  return std::make_unique<ResponsesFormat>(std::move(head), parser, instructions);
}

}  // namespace strata::serve
