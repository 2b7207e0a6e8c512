// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grammar/matcher.h"
#include "text/sampler.h"
#include "text/stop_matcher.h"
#include "text/text_model.h"
#include "text/token_stream.h"

namespace strata::text {

// How a text is continued.
struct ContinuationOptions {
  std::int64_t limit = -1;  // tokens; -1: until an end token or a full context
  bool ignore_eos = false;
  std::vector<std::string> stop;       // what ends the text is not part of it
  std::vector<std::int32_t> stop_ids;  // tokens that end the text, beside the model's own
  bool continues_prompt = false;       // the text goes on where the prompt ends, else it is one of its own
  std::int64_t draft_max = 15;         // tokens that whoever feeds the model may guess and verify in one step; 0: none
  SamplingParameters sampling;
  // What the text may be, null: anything. End tokens come only where it may end; where it can only end, it does.
  std::shared_ptr<const grammar::CompiledGrammar> grammar;
};

enum class EndOfText { kLimit, kEndToken, kStopString, kFullContext, kInterrupted };

// The continuation of a text, token by token: who has the model asks with its logits what comes next, and feeds it.
// Text comes in whole characters, and nothing of a stop string is among it.
class Continuation {
 public:
  // `before` are all tokens so far. The model must outlive the continuation. Where the limit is 0, nothing is to be
  // chosen.
  Continuation(const TextModel& model, const ContinuationOptions& options, std::span<const std::int32_t> before);

  struct Choice {
    std::int32_t token = -1;
    std::string text;              // that can be shown now
    std::optional<EndOfText> end;  // the token is then the last one, and needs not be fed; an end token is not counted
  };
  // Requires one logit at least, and that no choice before was an end. The token is -1 where the grammar ended the
  // text. Throws Error where the grammar is too ambiguous for the text, or wants what no token has.
  Choice choose(std::span<const float> logits);

  // The end: the text that was held back because a stop string or a character might have followed.
  std::string finish();

  // The stop string that ended the text; empty: none did.
  const std::string& stop_string() const { return stop_.found(); }

  std::int64_t chosen() const { return chosen_; }  // tokens, without an end token

 private:
  bool is_end_token(std::int32_t token) const;
  std::int32_t choose_allowed(std::span<const float> logits);
  void follow(std::int32_t token);

  const TextModel& model_;
  ContinuationOptions options_;
  Sampler sampler_;
  StopMatcher stop_;
  TokenStream tokens_;
  std::optional<grammar::Matcher> matcher_;
  std::int64_t chosen_ = 0;
};

}  // namespace strata::text
