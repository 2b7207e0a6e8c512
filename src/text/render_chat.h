// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "grammar/thoughts.h"
#include "text/text_model.h"

namespace strata::text {

// Throws model_error, naming `model`, when it has no chat template.
void require_chat_template(const TextModel& text_model, const std::string& model);

// Renders the model's chat template over `context` (messages, tools, enable_thinking, ...), to which the names that
// every template may use are added: bos_token, eos_token, add_generation_prompt (false unless given).
std::string render_chat(const TextModel& text_model, nlohmann::ordered_json context);

// What the answer to a rendered prompt says first: a prompt may begin the thoughts, or end them, and a model whose
// vocabulary has their marker may think by itself.
grammar::Thoughts thoughts_behind(std::string_view prompt, const Tokenizer& tokenizer);

}  // namespace strata::text
