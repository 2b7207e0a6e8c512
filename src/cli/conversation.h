// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/generation.h"

namespace strata::cli {

// A chat: its messages, and a session whose cache holds as much of the rendered conversation as it can. A turn computes
// only what differs from the turn before.
class Conversation {
 public:
  // `thinking` reaches the template as enable_thinking; nullopt: the template's own default.
  Conversation(runtime::Session& session, const text::TextModel& model, text::ContinuationOptions options,
               std::optional<bool> thinking);

  // Starts anew with this system message; an empty one means none.
  void set_system(const std::string& text);
  // Forgets all but the system message.
  void reset();

  struct Turn {
    GenerationResult answer;
    int dropped = 0;          // old messages that no longer fit in the context
    std::int64_t reused = 0;  // prompt tokens that the cache held already
  };

  // Throws usage_error, with the conversation as it was before, when `text` alone does not fit in the context.
  Turn ask(const std::string& text, const std::function<void(std::string_view)>& emit,
           const std::function<void(std::int64_t)>& progress = {});

  int messages() const { return static_cast<int>(messages_.size()); }
  std::int64_t tokens() const { return session_.position(); }
  std::int64_t context() const { return session_.context(); }

 private:
  std::vector<std::int32_t> render() const;
  int drop_until_it_fits(std::vector<std::int32_t>& prompt);
  bool drop_oldest_turn();
  std::size_t rewind_to_common_prefix(const std::vector<std::int32_t>& prompt);

  runtime::Session& session_;
  const text::TextModel& model_;
  text::ContinuationOptions options_;
  std::optional<bool> thinking_;
  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();
  std::vector<std::int32_t> cached_;  // the tokens in the session's cache
};

}  // namespace strata::cli
