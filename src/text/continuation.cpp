// SPDX-License-Identifier: Apache-2.0
#include "text/continuation.h"

#include <algorithm>

#include "base/error.h"

namespace strata::text {

Continuation::Continuation(const TextModel& model, const ContinuationOptions& options,
                           std::span<const std::int32_t> before)
    : model_(model),
      options_(options),
      sampler_(options.sampling),
      stop_(options.stop),
      tokens_(model.tokenizer, options.continues_prompt) {
  for (const std::int32_t token : before) sampler_.accept_prompt(token);
  if (options_.grammar != nullptr) matcher_.emplace(options_.grammar);
}

bool Continuation::is_end_token(std::int32_t token) const {
  const auto holds = [&](const std::vector<std::int32_t>& ids) { return std::ranges::find(ids, token) != ids.end(); };
  return holds(options_.stop_ids) || (!options_.ignore_eos && holds(model_.eos_ids));
}

std::int32_t Continuation::choose_allowed(std::span<const float> logits) {
  const bool begins_text = chosen_ == 0 && !options_.continues_prompt;
  grammar::TokenMask allowed = matcher_->mask(model_.grammar_tokens().bytes(begins_text));
  const bool accepts = matcher_->accepts();
  for (const std::vector<std::int32_t>& ends : {model_.eos_ids, options_.stop_ids}) {
    for (const std::int32_t token : ends) {
      if (token >= model_.tokenizer.vocab_size() || !is_end_token(token)) continue;
      accepts ? allowed.add(static_cast<std::size_t>(token)) : allowed.remove(static_cast<std::size_t>(token));
    }
  }
  const std::int32_t token = sampler_.sample(logits, &allowed);
  if (token >= 0 || accepts) return token;
  throw Error(ExitCode::kRuntime, "the vocabulary has no token for what the grammar wants next", "",
              "let the grammar allow characters that the model knows");
}

void Continuation::follow(std::int32_t token) {
  const bool begins_text = chosen_ == 0 && !options_.continues_prompt;
  const bool is_followed = matcher_->advance(GrammarTokens::text(model_.tokenizer, token, begins_text));
  STRATA_CHECK(is_followed, "the grammar's mask allowed what it refuses");
}

Continuation::Choice Continuation::choose(std::span<const float> logits) {
  Choice choice;
  choice.token = matcher_ ? choose_allowed(logits) : sampler_.sample(logits);
  if (choice.token < 0 || is_end_token(choice.token)) {
    choice.end = EndOfText::kEndToken;
    return choice;
  }
  if (matcher_) follow(choice.token);
  sampler_.accept(choice.token);
  ++chosen_;
  const Tokenizer& tokenizer = model_.tokenizer;
  if (choice.token < tokenizer.vocab_size()) {
    // A special token is not printed, but it may be what the user wants to stop at.
    StopMatcher::Result shown = tokenizer.is_special(choice.token)
                                    ? stop_.push(tokenizer.token_bytes(choice.token), false)
                                    : stop_.push(tokens_.push(choice.token));
    choice.text = std::move(shown.text);
    if (shown.stopped) choice.end = EndOfText::kStopString;
  }
  if (!choice.end && chosen_ == options_.limit) choice.end = EndOfText::kLimit;
  return choice;
}

std::string Continuation::finish() {
  StopMatcher::Result shown = stop_.push(tokens_.finish());
  if (!shown.stopped) shown.text += stop_.finish();
  return shown.text;
}

}  // namespace strata::text
