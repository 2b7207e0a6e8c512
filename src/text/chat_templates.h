// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

namespace strata::text {

// The templates of a model by their names. What a template gets to see, and which one, is as transformers 5 has it.
class ChatTemplates {
 public:
  void add(const std::string& name, ChatTemplate chat_template);

  // The model's entry makes no sense; that is said when a template is wanted.
  void refuse(Error error) { refusal_ = std::move(error); }

  bool empty() const { return by_name_.empty() && !refusal_; }

  // "tool_use" where `context` has tools and there is one of this name, else "default". Of each message those members
  // that are null are left out, and reasoning_content is also what is called thinking or reasoning; tools and
  // documents that are not given are none. Throws as ChatTemplate::render does.
  std::string render(nlohmann::ordered_json context) const;

 private:
  const ChatTemplate& select(bool has_tools) const;

  std::map<std::string, ChatTemplate, std::less<>> by_name_;
  std::optional<Error> refusal_;
};

}  // namespace strata::text
