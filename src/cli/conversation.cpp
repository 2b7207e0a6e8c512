// SPDX-License-Identifier: Apache-2.0
#include "cli/conversation.h"

#include <algorithm>

#include "base/error.h"
#include "text/common_prefix.h"
#include "text/render_chat.h"

namespace strata::cli {
namespace {

// The part of the context that is kept free for an answer.
constexpr std::int64_t kAnswerShare = 8;

nlohmann::ordered_json message(const char* role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

bool has_role(const nlohmann::ordered_json& entry, const char* role) { return entry["role"] == role; }

}  // namespace

Conversation::Conversation(runtime::Session& session, const text::TextModel& model, text::ContinuationOptions options,
                           std::optional<bool> thinking)
    : session_(session), model_(model), options_(std::move(options)), thinking_(thinking) {}

void Conversation::set_system(const std::string& text) {
  messages_ = nlohmann::ordered_json::array();
  if (!text.empty()) messages_.push_back(message("system", text));
}

void Conversation::reset() {
  std::string system;
  if (!messages_.empty() && has_role(messages_.front(), "system")) system = messages_.front()["content"];
  set_system(system);
}

std::vector<std::int32_t> Conversation::render() const {
  nlohmann::ordered_json context = {{"messages", messages_}, {"add_generation_prompt", true}};
  if (thinking_) context["enable_thinking"] = *thinking_;
  return model_.tokenizer.encode(text::render_chat(model_, std::move(context)), true, false);
}

// A turn is a user's message and all up to the next one. The last turn, which is being asked, stays.
bool Conversation::drop_oldest_turn() {
  auto is_user = [](const nlohmann::ordered_json& entry) { return has_role(entry, "user"); };
  auto first = std::find_if(messages_.begin(), messages_.end(), is_user);
  auto next = first == messages_.end() ? first : std::find_if(first + 1, messages_.end(), is_user);
  if (next == messages_.end()) return false;
  messages_.erase(first, next);
  return true;
}

int Conversation::drop_until_it_fits(std::vector<std::int32_t>& prompt) {
  int before = messages();
  auto fits = [&](std::int64_t limit) { return std::ssize(prompt) <= limit; };
  while (!fits(context() - context() / kAnswerShare) && drop_oldest_turn()) prompt = render();
  if (!fits(context() - 1)) {
    throw usage_error(
        "the message makes " + std::to_string(prompt.size()) + " tokens, the context has " + std::to_string(context()),
        "shorten it, or start again with a larger -c");
  }
  return before - messages();
}

std::size_t Conversation::rewind_to_common_prefix(const std::vector<std::int32_t>& prompt) {
  std::size_t kept =
      std::min(text::common_prefix(cached_, prompt), prompt.size() - 1);  // the last token gives the logits
  session_.rewind(static_cast<std::int64_t>(kept));
  cached_.resize(kept);
  return kept;
}

Conversation::Turn Conversation::ask(const std::string& text, const std::function<void(std::string_view)>& emit,
                                     const std::function<void(std::int64_t)>& progress) {
  auto before = messages_;
  messages_.push_back(message("user", text));
  Turn turn;
  try {
    std::vector<std::int32_t> prompt = render();
    if (prompt.empty()) throw usage_error("the chat template makes an empty prompt of this");
    turn.dropped = drop_until_it_fits(prompt);
    std::size_t kept = rewind_to_common_prefix(prompt);
    turn.reused = static_cast<std::int64_t>(kept);
    turn.answer = generate(session_, model_, cached_, std::span(prompt).subspan(kept), options_, emit, progress);
    cached_ = std::move(prompt);
    cached_.insert(cached_.end(), turn.answer.tokens.begin(), turn.answer.tokens.end());
    cached_.resize(static_cast<std::size_t>(session_.position()));
  } catch (...) {
    messages_ = std::move(before);
    throw;
  }
  if (turn.answer.end == text::EndOfText::kInterrupted && turn.answer.generated == 0) {
    messages_ = std::move(before);
  } else {
    messages_.push_back(message("assistant", turn.answer.text));
  }
  return turn;
}

}  // namespace strata::cli
