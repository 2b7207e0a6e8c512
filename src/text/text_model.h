// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace strata::text {

// All that a model folder says about text.
struct TextModel {
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat_template;  // missing for base models
  std::string bos_token, eos_token;           // as templates get to see them; may be empty
  std::vector<std::int32_t> eos_ids;          // any of them ends a generated text; ascending
};

// From the contents of a Hugging Face folder's files; all but tokenizer_json may be empty. A chat_template.jinja wins
// over the template in tokenizer_config.json, of whose named templates the one named "default" is taken. `origin` is
// the folder, for messages. Throws model_error.
TextModel load_text_model(std::string_view tokenizer_json, std::string_view tokenizer_config_json,
                          std::string_view generation_config_json, std::string_view config_json,
                          std::string_view chat_template_jinja, const std::string& origin);

}  // namespace strata::text
