// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <mutex>

#include "base/error.h"
#include "base/utf8.h"
#include "jinja/error.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace strata::text {
namespace {

// Parsed, a template takes up to a hundred times its size; the longest that are published have some 50 KiB.
constexpr std::size_t kMaxSourceBytes = std::size_t{256} << 10;

[[noreturn]] void report(const jinja::TemplateError& error, const std::string& origin) {
  using Cause = RenderError::Cause;
  const std::string message = std::string(error.what()).substr(0, 200);
  const std::string line = error.line > 0 ? ", line " + std::to_string(error.line) : "";
  switch (error.fault) {
    case jinja::Fault::kTemplate:
    case jinja::Fault::kLimit:
      throw RenderError(error.fault == jinja::Fault::kLimit ? Cause::kLimit : Cause::kTemplate, message,
                        model_error("the chat template is not usable: " + message, origin + line,
                                    "use a model with another template"));
    case jinja::Fault::kData:
      throw RenderError(
          Cause::kMessages, message,
          usage_error("the chat template of " + origin + line + " cannot be applied to these messages: " + message,
                      "check the messages"));
    case jinja::Fault::kRefusal:
      throw RenderError(
          Cause::kMessages, message,
          usage_error("the chat template of " + origin + " refuses these messages: " + message, "change the messages"));
  }
  internal_error(__FILE__, __LINE__, "unknown kind of template error");
}

void check_context(const nlohmann::ordered_json& context) {
  if (!context.is_object()) throw usage_error("the input of a chat template must be a JSON object with messages");
  const auto messages = context.find("messages");
  if (messages == context.end()) return;
  if (!messages->is_array()) throw usage_error("messages must be a list", "give a list of {\"role\", \"content\"}");
  for (const auto& message : *messages) {
    if (!message.is_object()) throw usage_error("a message is not an object", "give a list of {\"role\", \"content\"}");
  }
}

}  // namespace

struct ChatTemplate::State {
  std::string source, origin;
  std::once_flag once;
  jinja::Template parsed;

  const jinja::Template& parse() {
    std::call_once(once, [this] {
      if (source.size() > kMaxSourceBytes) throw model_error("the chat template is larger than 256 KiB", origin);
      if (!is_valid_utf8(source)) source = replace_invalid_utf8(source);
      parsed = jinja::parse_template(source);
    });
    return parsed;
  }
};

ChatTemplate::ChatTemplate(std::string source, std::string origin) : state_(std::make_unique<State>()) {
  state_->source = std::move(source);
  state_->origin = std::move(origin);
}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::render(const nlohmann::ordered_json& context, const jinja::RenderLimits& limits) const {
  check_context(context);
  try {
    jinja::Runtime runtime(limits);
    return jinja::Interpreter(runtime).render(state_->parse(), context);
  } catch (const jinja::TemplateError& error) {
    report(error, state_->origin);
  }
}

}  // namespace strata::text
