// SPDX-License-Identifier: Apache-2.0
#include "text/render_chat.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace strata::text {

void require_chat_template(const TextModel& text_model, const std::string& model) {
  if (!text_model.chat_templates.empty()) return;
  throw model_error("the model has no chat template", model, "use strata run, or add chat_template.jinja to the model");
}

std::string render_chat(const TextModel& text_model, nlohmann::ordered_json context) {
  auto add = [&](const char* name, nlohmann::ordered_json value) {
    if (!context.contains(name)) context[name] = std::move(value);
  };
  add("bos_token", text_model.bos_token);
  add("eos_token", text_model.eos_token);
  add("add_generation_prompt", false);
  return text_model.chat_templates.render(std::move(context));
}

}  // namespace strata::text
