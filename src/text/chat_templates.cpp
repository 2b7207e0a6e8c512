// SPDX-License-Identifier: Apache-2.0
#include "text/chat_templates.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

// Services give null for what a message doesn't have, and templates ask whether it is there.
Json without_nulls(const Json& message) {
  Json kept = Json::object();
  for (const auto& [name, value] : message.items()) {
    if (!value.is_null()) kept[name] = value;
  }
  return kept;
}

// Templates read reasoning_content, some of them thinking; of messages all three names are known.
Json with_reasoning(Json message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    if (!message.contains(name)) continue;
    const Json reasoning = message[name];
    Json named = Json::object();
    named["thinking"] = reasoning;
    named.update(message);
    named["reasoning_content"] = reasoning;
    return named;
  }
  return message;
}

void prepare_messages(Json& context) {
  const auto messages = context.find("messages");
  if (messages == context.end() || !messages->is_array()) return;  // refused when it is rendered
  for (Json& message : *messages) {
    if (message.is_object()) message = with_reasoning(without_nulls(message));
  }
}

}  // namespace

void ChatTemplates::add(const std::string& name, ChatTemplate chat_template) {
  by_name_.insert_or_assign(name, std::move(chat_template));
}

const ChatTemplate& ChatTemplates::select(bool has_tools) const {
  if (refusal_) throw *refusal_;
  auto found = has_tools ? by_name_.find("tool_use") : by_name_.end();
  if (found == by_name_.end()) found = by_name_.find("default");
  if (found != by_name_.end()) return found->second;
  std::string names;
  for (const auto& entry : by_name_) names += (names.empty() ? "" : ", ") + entry.first;
  throw model_error("the model has no chat template named \"default\", only " + names, "chat_template",
                    "name one of them so, or add chat_template.jinja to the model");
}

std::string ChatTemplates::render(Json context) const {
  if (context.is_object()) {
    prepare_messages(context);
    for (const char* name : {"tools", "documents"}) {
      if (!context.contains(name)) context[name] = nullptr;
    }
  }
  const bool has_tools = context.is_object() && !context["tools"].is_null();
  return select(has_tools).render(context);
}

}  // namespace strata::text
