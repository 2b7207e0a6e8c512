// SPDX-License-Identifier: Apache-2.0
#include "serve/messages_api.h"

#include <utility>

#include "serve/api_error.h"
#include "serve/block_format.h"
#include "serve/limits.h"
#include "serve/refused_fields.h"

namespace strata::serve {
namespace {

using Kind = AnswerPart::Kind;

void copy(const Json& from, const char* name, Json& to, const char* as) {
  if (const auto found = from.find(name); found != from.end() && !found->is_null()) to[as] = *found;
}

Json text_part(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

Json call_of(const RequestReader& block) {
  const Json* const input = block.object("input");
  const std::string arguments = input == nullptr ? "{}" : to_text(*input);
  return {{"id", block.text_or("id", "")},
          {"type", "function"},
          {"function", {{"name", block.text("name")}, {"arguments", arguments}}}};
}

// A message's blocks become one message, and one for each result of a tool, which stand before it.
void add_message(const Json& given, const std::string& path, Json& messages) {
  const RequestReader reader(given, path);
  const std::string role = reader.text("role");
  if (role != "user" && role != "assistant") reader.refuse("role", "is neither user nor assistant");
  Json message = {{"role", role}};
  const Json* const content = reader.find("content");
  if (content == nullptr || !content->is_array()) {
    copy(given, "content", message, "content");
    messages.push_back(std::move(message));
    return;
  }
  Json parts = Json::array(), calls = Json::array();
  std::string thoughts;
  for (std::size_t i = 0; i < content->size(); ++i) {
    const RequestReader block((*content)[i], reader.path("content") + "[" + std::to_string(i) + "]");
    const std::string type = block.text("type");
    if (type == "text") {
      parts.push_back(text_part(block.text("text")));
    } else if (type == "tool_use") {
      calls.push_back(call_of(block));
    } else if (type == "thinking") {
      thoughts += block.text("thinking");
    } else if (type == "tool_result") {
      Json result = {{"role", "tool"}, {"tool_call_id", block.text_or("tool_use_id", "")}, {"content", ""}};
      copy((*content)[i], "content", result, "content");
      messages.push_back(std::move(result));
    } else {
      block.refuse("type", "is none that this model reads");
    }
  }
  if (parts.empty() && calls.empty() && thoughts.empty()) return;  // results alone
  message["content"] = std::move(parts);
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  if (!thoughts.empty()) message["reasoning_content"] = thoughts;
  messages.push_back(std::move(message));
}

Json messages_of(const RequestReader& body) {
  Json messages = Json::array();
  if (const Json* const system = body.find("system"); system != nullptr) {
    messages.push_back({{"role", "system"}, {"content", *system}});
  }
  const Json* const given = body.list("messages", kMaxMessages);
  if (given == nullptr || given->empty()) body.refuse("messages", "is missing");
  for (std::size_t i = 0; i < given->size(); ++i) {
    add_message((*given)[i], "messages[" + std::to_string(i) + "]", messages);
  }
  return messages;
}

Json tools_of(const Json& given) {
  Json tools = Json::array();
  for (std::size_t i = 0; i < given.size(); ++i) {
    const RequestReader tool(given[i], "tools[" + std::to_string(i) + "]");
    if (tool.text_or("type", "custom") != "custom") tool.refuse("type", "can only be custom");
    Json function = {{"name", tool.text("name")}};
    copy(given[i], "description", function, "description");
    copy(given[i], "input_schema", function, "parameters");
    copy(given[i], "strict", function, "strict");
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return tools;
}

Json tool_choice(const RequestReader& body) {
  const Json* const choice = body.object("tool_choice");
  if (choice == nullptr) return "auto";
  const RequestReader reader(*choice, "tool_choice");
  const std::string type = reader.text("type");
  if (type == "any") return "required";
  if (type == "tool") return {{"type", "function"}, {"function", {{"name", reader.text("name")}}}};
  if (type != "auto" && type != "none") body.refuse("tool_choice", "is none of auto, none, any and tool");
  return type;
}

// {"type": "json_schema", "schema"}
void copy_output_format(const RequestReader& body, Json& chat) {
  const Json* const format = body.object("output_format");
  if (format == nullptr) return;
  const RequestReader reader(*format, "output_format");
  if (reader.text("type") != "json_schema") reader.refuse("type", "can only be json_schema");
  if (!reader.has("schema")) reader.refuse("schema", "is missing");
  chat["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"schema", *reader.find("schema")}}}};
}

std::string named_event(const Json& data) { return "event: " + data["type"].get<std::string>() + "\n" + event(data); }

class MessagesFormat : public BlockFormat {
 public:
  using BlockFormat::BlockFormat;

  std::string begin() override {
    Json message = body(nullptr, {{"input_tokens", head().prompt_tokens}, {"output_tokens", 0}});
    return named_event({{"type", "message_start"}, {"message", std::move(message)}});
  }

  std::string end(const Usage& usage) override {
    return named_event({{"type", "message_delta"},
                        {"delta", {{"stop_reason", stop_reason()}, {"stop_sequence", stop_sequence()}}},
                        {"usage", usage_json(usage)}}) +
           named_event({{"type", "message_stop"}});
  }

  Json whole(const Usage& usage) override {
    Json message = body(stop_reason(), usage_json(usage));
    for (const Block& block : blocks()) message["content"].push_back(content_of(block));
    return message;
  }

  std::string error(const ApiError& error) override { return named_event(error.to_json()); }

 protected:
  std::string opened(const Block& block, std::size_t index) override {
    Block empty = block;
    empty.text = block.kind == Kind::kToolCall ? "{}" : "";
    return named_event({{"type", "content_block_start"}, {"index", index}, {"content_block", content_of(empty)}});
  }

  std::string grown(const Block& block, std::size_t index, const std::string& text) override {
    Json delta;
    if (block.kind == Kind::kContent) delta = {{"type", "text_delta"}, {"text", text}};
    if (block.kind == Kind::kReasoning) delta = {{"type", "thinking_delta"}, {"thinking", text}};
    if (block.kind == Kind::kToolCall) delta = {{"type", "input_json_delta"}, {"partial_json", text}};
    return named_event({{"type", "content_block_delta"}, {"index", index}, {"delta", std::move(delta)}});
  }

  std::string closed(const Block&, std::size_t index) override {
    return named_event({{"type", "content_block_stop"}, {"index", index}});
  }

  std::string id_prefix(Kind) const override { return "toolu_"; }

 private:
  Json body(const Json& reason, Json usage) const {
    return {{"id", id_},
            {"type", "message"},
            {"role", "assistant"},
            {"model", head().model},
            {"content", Json::array()},
            {"stop_reason", reason},
            {"stop_sequence", reason.is_null() ? Json(nullptr) : stop_sequence()},
            {"usage", std::move(usage)}};
  }

  static Json content_of(const Block& block) {
    if (block.kind == Kind::kContent) return {{"type", "text"}, {"text", block.text}};
    if (block.kind == Kind::kReasoning) return {{"type", "thinking"}, {"thinking", block.text}, {"signature", ""}};
    Json input = Json::object();
    try {
      input = parse_body(block.text);
    } catch (const ApiError&) {  // the model's arguments are no object
    }
    return {{"type", "tool_use"}, {"id", block.id}, {"name", block.name}, {"input", std::move(input)}};
  }

  static Json usage_json(const Usage& usage) {
    return {{"input_tokens", usage.prompt - usage.reused},
            {"cache_read_input_tokens", usage.reused},
            {"output_tokens", usage.made}};
  }

  Json stop_reason() const {
    if (has_calls()) return "tool_use";
    switch (end_of_text()) {
      case text::EndOfText::kEndToken:
        return "end_turn";
      case text::EndOfText::kStopString:
        return "stop_sequence";
      default:
        return "max_tokens";
    }
  }

  Json stop_sequence() const {
    return end_of_text() == text::EndOfText::kStopString ? Json(stop_string()) : Json(nullptr);
  }

  std::string id_ = random_id("msg_");
};

}  // namespace

Json chat_of_messages(const Json& body) {
  const RequestReader reader(body);
  refuse_fields(reader, refused_of_messages());
  Json chat = {{"messages", messages_of(reader)}};
  if (!reader.has("max_tokens")) reader.refuse("max_tokens", "is missing");
  for (const char* name : {"max_tokens", "temperature", "top_p", "top_k", "min_p", "stream", "seed", "cache_prompt",
                           "chat_template_kwargs"}) {
    copy(body, name, chat, name);
  }
  if (const Json* const stops = reader.list("stop_sequences", kMaxStops); stops != nullptr) chat["stop"] = *stops;
  if (const Json* const thinking = reader.object("thinking"); thinking != nullptr) {
    const bool thinks = RequestReader(*thinking, "thinking").text("type") != "disabled";
    chat["chat_template_kwargs"]["enable_thinking"] = thinks;
  }
  if (const Json* const tools = reader.list("tools", kMaxTools); tools != nullptr && !tools->empty()) {
    chat["tools"] = tools_of(*tools);
    chat["tool_choice"] = tool_choice(reader);
    const Json* const choice = reader.object("tool_choice");
    if (choice != nullptr && choice->value("disable_parallel_tool_use", Json()) == true) {
      chat["parallel_tool_calls"] = false;
    }
  }
  copy_output_format(reader, chat);
  return chat;
}

std::unique_ptr<AnswerFormat> messages_format(AnswerHead head, const AnswerParser::Options& parser) {
  return std::make_unique<MessagesFormat>(std::move(head), parser);
}

}  // namespace strata::serve
