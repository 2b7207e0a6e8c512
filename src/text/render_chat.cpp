// SPDX-License-Identifier: Apache-2.0
#include "text/render_chat.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace strata::text {
namespace {

bool ends_with(std::string_view prompt, std::string_view word) {
  const std::size_t last = prompt.find_last_not_of(" \t\r\n");
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(word);
}

}  // namespace

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

grammar::Thoughts thoughts_behind(std::string_view prompt, const Tokenizer& tokenizer) {
  if (ends_with(prompt, grammar::kThinkBegin)) return grammar::Thoughts::kBegun;
  if (ends_with(prompt, grammar::kThinkEnd)) return grammar::Thoughts::kNone;
  return tokenizer.id_of(grammar::kThinkEnd) ? grammar::Thoughts::kPossible : grammar::Thoughts::kNone;
}

}  // namespace strata::text
