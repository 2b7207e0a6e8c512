// SPDX-License-Identifier: Apache-2.0
#include "serve/chat_messages.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/api_error.h"
#include "serve/limits.h"

namespace strata::serve {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"system", "developer", "user", "assistant", "tool", "function"};

constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};

// A list of parts is the texts of all of them: templates of language models know texts.
std::string joined_parts(const Json& parts, const std::string& path) {
  std::string text;
  for (const Json& part : parts) {
    const RequestReader reader(part, path);
    const std::string type = reader.text("type");
    if (type != "text" && type != "input_text" && type != "output_text" && type != "refusal") {
      throw bad_request(path + " has a part of type " + type.substr(0, 50) + ": this model reads text alone", path);
    }
    text += reader.text(type == "refusal" ? "refusal" : "text");
  }
  return text;
}

void read_content(const RequestReader& reader, bool is_required, Json& message) {
  const Json* const content = reader.find("content");
  if (content == nullptr) {
    if (is_required) reader.refuse("content", "is missing");
    return;
  }
  if (content->is_array()) {
    message["content"] = joined_parts(*content, reader.path("content"));
  } else if (!content->is_string()) {
    reader.refuse("content", "is neither a string nor a list of parts");
  }
}

// In the API the arguments of a call are a text of JSON; templates write them as JSON, so they are given the object.
void read_tool_calls(const RequestReader& reader, Json& message) {
  const Json* const calls = reader.list("tool_calls", kMaxTools);
  if (calls == nullptr) return;
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const std::string path = reader.path("tool_calls") + "[" + std::to_string(i) + "]";
    const RequestReader call((*calls)[i], path);
    const Json* const function = call.object("function");
    if (function == nullptr) call.refuse("function", "is missing");
    const RequestReader called(*function, call.path("function"));
    called.text("name");
    const Json* const arguments = called.find("arguments");
    if (arguments == nullptr || !arguments->is_string()) continue;
    Json parsed;
    try {
      parsed = parse_body(arguments->get_ref<const std::string&>());
    } catch (const ApiError&) {
      continue;  // a model may have written anything, and gets to see it again
    }
    message["tool_calls"][i]["function"]["arguments"] = std::move(parsed);
  }
}

Json read_message(const Json& given, const std::string& path) {
  const RequestReader reader(given, path);
  const std::string role = reader.text("role");
  if (std::ranges::find(kRoles, role) == kRoles.end()) reader.refuse("role", "is none of a chat's");
  Json message = given;
  if (role == "developer") message["role"] = "system";  // what it is called of later models
  const bool has_calls = role == "assistant" && (reader.has("tool_calls") || reader.has("reasoning_content"));
  read_content(reader, !has_calls, message);
  if (!message.contains("content") || message["content"].is_null()) message["content"] = "";
  read_tool_calls(reader, message);
  return message;
}

Json read_messages(const RequestReader& body) {
  const Json* const given = body.list("messages", kMaxMessages);
  if (given == nullptr) body.refuse("messages", "is missing");
  if (given->empty()) body.refuse("messages", "is empty");
  Json messages = Json::array();
  for (std::size_t i = 0; i < given->size(); ++i) {
    messages.push_back(read_message((*given)[i], "messages[" + std::to_string(i) + "]"));
  }
  return messages;
}

void check_tools(const Json& tools) {
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const RequestReader tool(tools[i], "tools[" + std::to_string(i) + "]");
    if (tool.text("type") != "function") tool.refuse("type", "can only be function");
    const Json* const function = tool.object("function");
    if (function == nullptr) tool.refuse("function", "is missing");
    RequestReader(*function, tool.path("function")).text("name");
  }
}

const std::string& name_of(const Json& tool) { return tool["function"]["name"].get_ref<const std::string&>(); }

// The tools that a choice names: one, or some of which one may or must be called (allowed_tools).
void choose_named(const RequestReader& body, const Json& given, ToolChoice& choice) {
  const RequestReader reader(given, "tool_choice");
  const std::string type = reader.text("type");
  std::vector<std::string> names;
  const auto add = [&](const RequestReader& named) {
    const Json* const function = named.object("function");
    names.push_back(function != nullptr ? RequestReader(*function, named.path("function")).text("name")
                                        : named.text("name"));
  };
  choice.kind = ToolChoice::Kind::kRequired;
  if (type == "function") {
    add(reader);
    choice.is_parallel = false;
  } else if (type == "allowed_tools") {
    const Json* const inside = reader.has("allowed_tools") ? reader.object("allowed_tools") : &given;
    const RequestReader allowed(*inside, "tool_choice");
    if (allowed.text_or("mode", "auto") == "auto") choice.kind = ToolChoice::Kind::kAuto;
    const Json* const list = allowed.list("tools", kMaxTools);
    if (list == nullptr || list->empty()) body.refuse("tool_choice", "allows no tools");
    for (const Json& tool : *list) add(RequestReader(tool, "tool_choice.tools"));
  } else {
    body.refuse("tool_choice", "is none of auto, none, required, function and allowed_tools");
  }
  Json chosen = Json::array();
  for (const Json& tool : choice.tools) {
    if (std::ranges::find(names, name_of(tool)) != names.end()) chosen.push_back(tool);
  }
  if (chosen.size() < names.size()) body.refuse("tool_choice", "names a tool that isn't among the tools");
  choice.tools = std::move(chosen);
}

// The template is given the tools unless none is to be called.
ToolChoice read_choice(const RequestReader& body) {
  ToolChoice choice;
  const Json* const tools = body.list("tools", kMaxTools);
  if (tools != nullptr) {
    check_tools(*tools);
    choice.tools = *tools;
  }
  choice.is_parallel = body.boolean_or("parallel_tool_calls", true);
  const Json* const given = body.find("tool_choice");
  if (given != nullptr && *given == "none") {
    choice.tools = Json::array();
    return choice;
  }
  if (choice.tools.empty()) {
    if (given != nullptr && *given != "auto") body.refuse("tool_choice", "is given without tools");
    return choice;
  }
  choice.kind = ToolChoice::Kind::kAuto;
  if (given == nullptr || *given == "auto") return choice;
  if (*given == "required") {
    choice.kind = ToolChoice::Kind::kRequired;
  } else if (given->is_object()) {
    choose_named(body, *given, choice);
  } else {
    body.refuse("tool_choice", "is none of auto, none and required, nor an object");
  }
  return choice;
}

// Some templates know efforts, others only whether to think at all.
void read_effort(const RequestReader& body, Json& context) {
  if (!body.has("reasoning_effort")) return;
  const std::string effort = body.text("reasoning_effort");
  if (std::ranges::find(kEfforts, effort) == kEfforts.end()) {
    body.refuse("reasoning_effort", "is none of none, minimal, low, medium, high, xhigh and max");
  }
  context["reasoning_effort"] = effort;
  if (!context.contains("enable_thinking")) context["enable_thinking"] = effort != "none" && effort != "minimal";
}

}  // namespace

Json read_chat_context(const RequestReader& body, ToolChoice& choice) {
  Json context = Json::object();
  if (const Json* const more = body.object("chat_template_kwargs"); more != nullptr) context = *more;
  read_effort(body, context);
  context["messages"] = read_messages(body);
  context["add_generation_prompt"] = true;
  choice = read_choice(body);
  context.erase("tools");
  // All of them, whichever may be called: so the prompt stays the same.
  if (choice.kind != ToolChoice::Kind::kNone) context["tools"] = *body.find("tools");
  return context;
}

}  // namespace strata::serve
