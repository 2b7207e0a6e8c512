// SPDX-License-Identifier: Apache-2.0
#include "serve/session_model.h"

namespace strata::serve {

void SessionModel::step(std::span<const Feed> feeds, const TakeLogits& take) {
  fed_.clear();
  for (const Feed& feed : feeds) fed_.push_back({feed.sequence, feed.tokens, feed.wants_logits});
  session_.step(fed_, take);
}

void SessionModel::rewind(int sequence, std::int64_t position) {
  session_.select(sequence);
  session_.rewind(position);
}

}  // namespace strata::serve
