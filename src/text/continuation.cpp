// SPDX-License-Identifier: Apache-2.0
#include "text/continuation.h"

#include <algorithm>

namespace strata::text {

Continuation::Continuation(const TextModel& model, const ContinuationOptions& options,
                           std::span<const std::int32_t> before)
    : model_(model),
      options_(options),
      sampler_(options.sampling),
      stop_(options.stop),
      tokens_(model.tokenizer, options.continues_prompt) {
  for (const std::int32_t token : before) sampler_.accept_prompt(token);
}

bool Continuation::is_end_token(std::int32_t token) const {
  const auto holds = [&](const std::vector<std::int32_t>& ids) { return std::ranges::find(ids, token) != ids.end(); };
  return holds(options_.stop_ids) || (!options_.ignore_eos && holds(model_.eos_ids));
}

Continuation::Choice Continuation::choose(std::span<const float> logits) {
  Choice choice;
  choice.token = sampler_.sample(logits);
  if (is_end_token(choice.token)) {
    choice.end = EndOfText::kEndToken;
    return choice;
  }
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
