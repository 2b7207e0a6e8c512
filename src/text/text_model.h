// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_templates.h"
#include "text/grammar_tokens.h"
#include "text/sampler.h"
#include "text/tokenizer.h"

namespace strata::text {

// All that a model folder says about text.
struct TextModel {
  Tokenizer tokenizer;
  ChatTemplates chat_templates;       // empty for base models
  std::string bos_token, eos_token;   // as templates get to see them; may be empty
  std::vector<std::int32_t> eos_ids;  // any of them ends a generated text; ascending
  SamplingParameters sampling = {};   // as the model wants it, unless somebody says otherwise
  std::shared_ptr<LazyGrammarTokens> lazy_grammar_tokens = std::make_shared<LazyGrammarTokens>();

  const GrammarTokens& grammar_tokens() const { return lazy_grammar_tokens->get(tokenizer); }
};

// The contents of a Hugging Face folder's files; all but tokenizer may be empty.
struct TextFiles {
  std::string tokenizer, tokenizer_config, generation_config, config;
  std::string chat_template;      // chat_template.jinja
  std::string tool_use_template;  // additional_chat_templates/tool_use.jinja
};

// Templates in files of their own win over those in tokenizer_config.json. `origin` is the folder, for messages.
// Throws model_error, but never because of a template: that is said when it is used.
TextModel load_text_model(const TextFiles& files, const std::string& origin);

// The same of files that `read` gives by their names, empty where there is none. Throws model_error without a
// tokenizer.json too.
TextModel read_text_model(const std::function<std::string(const std::string& name)>& read, const std::string& origin);

}  // namespace strata::text
