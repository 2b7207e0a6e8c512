// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "jinja/limits.h"

namespace strata::text {

// Why messages could not be rendered.
class RenderError : public Error {
 public:
  enum class Cause {
    kTemplate,  // it is not usable
    kLimit,     // it exceeds a limit with these messages
    kMessages,  // it can't be applied to them, or refuses them
  };
  RenderError(Cause cause, const std::string& reason, const Error& error)
      : Error(error), cause_(cause), reason_(reason) {}

  Cause cause() const { return cause_; }
  // Without the file that the template came from, which what() names.
  const std::string& reason() const { return reason_; }

 private:
  Cause cause_;
  std::string reason_;
};

// A model's chat template: Jinja as Hugging Face transformers runs it (trim_blocks, lstrip_blocks, loop controls, the
// generation block, raise_exception, strftime_now, their tojson), without includes, imports and inheritance. It is
// parsed when it is first rendered: a model whose template can't be understood is good for all else. Immutable; may be
// rendered from several threads.
class ChatTemplate {
 public:
  // `origin` is the file the source came from, for messages.
  ChatTemplate(std::string source, std::string origin);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // The members of `context` are the template's variables: messages (a list of objects), and as wanted tools,
  // add_generation_prompt, enable_thinking, bos_token, eos_token, ... Throws usage_error when the messages are
  // malformed or the template refuses them (raise_exception), model_error when the template is at fault or exceeds a
  // limit: a RenderError but where messages is no list of objects.
  std::string render(const nlohmann::ordered_json& context, const jinja::RenderLimits& limits = {}) const;

 private:
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace strata::text
