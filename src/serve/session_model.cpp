// SPDX-License-Identifier: Apache-2.0
#include "serve/session_model.h"

namespace strata::serve {

void SessionModel::step(std::span<const Feed> feeds, const TakeLogits& take) {
  fed_.clear();
  for (const Feed& feed : feeds) fed_.push_back({feed.sequence, feed.tokens, feed.wants_logits});
  session_.step(fed_, take);
}

SequenceModel::Begun SessionModel::begin(std::span<const int> ended, std::span<const std::int32_t> tokens) {
  const runtime::Session::Begun begun = session_.begin(ended, tokens);
  return {begun.sequence, begun.held};
}

void SessionModel::end(int sequence, bool is_right) {
  if (!is_right) {
    session_.select(sequence);
    session_.rewind(0);
  }
  session_.end(sequence);
}

}  // namespace strata::serve
