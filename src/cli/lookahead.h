// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "runtime/session.h"
#include "text/draft_budget.h"
#include "text/ngram_draft.h"

namespace strata::cli {

// Feeds a session the tokens of a text as they are chosen, and where the text can be guessed the next ones with them:
// a step of few rows reads the weights once, as a step of one does. What was guessed wrong is forgotten again. The
// logits are those of the text, whatever was guessed, to the rounding of a step of so many rows.
class Lookahead {
 public:
  // What a step of 1, 2, ... rows takes; asked once, when there is something to guess. Of one row alone nothing is
  // guessed.
  using Costs = std::function<std::vector<double>()>;

  // `before`: the tokens that the session holds.
  Lookahead(runtime::Session& session, Costs costs, std::span<const std::int32_t> before);

  // The session holds no guesses any more.
  ~Lookahead();
  Lookahead(const Lookahead&) = delete;
  Lookahead& operator=(const Lookahead&) = delete;

  // Appends a token: its logits, f32[vocab], valid until the next call. Empty where `stop` says that nothing is wanted.
  std::span<const float> feed(std::int32_t token, const std::function<bool()>& stop);

  // Tokens of the text that were fed, and those before.
  std::int64_t position() const { return position_; }

  std::int64_t guessed() const { return guessed_; }
  std::int64_t right() const { return right_; }

 private:
  std::span<const float> verify(std::int32_t token, std::span<const std::int32_t> guess);
  void settle();

  runtime::Session& session_;
  const Costs costs_;
  text::NgramDraft draft_;
  std::optional<text::DraftBudget> budget_;
  std::int64_t position_;
  std::vector<std::int32_t> verified_;  // guesses behind the last token that was chosen, in the session
  std::vector<float> rows_;             // logits of a step's rows
  std::size_t used_ = 0;                // guesses that turned out right
  std::int64_t guessed_ = 0, right_ = 0;
};

}  // namespace strata::cli
