// SPDX-License-Identifier: Apache-2.0
#include "serve/session_model.h"

namespace strata::serve {

void SessionModel::step(std::span<const Feed> feeds, const TakeLogits& take) {
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    session_.select(feeds[i].sequence);
    if (feeds[i].wants_logits) {
      take(i, session_.feed(feeds[i].tokens));
    } else {
      session_.feed_all(feeds[i].tokens, {});
    }
  }
}

void SessionModel::rewind(int sequence, std::int64_t position) {
  session_.select(sequence);
  session_.rewind(position);
}

}  // namespace strata::serve
