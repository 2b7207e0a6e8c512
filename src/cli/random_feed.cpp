// SPDX-License-Identifier: Apache-2.0
#include "cli/random_feed.h"

#include "cli/signals.h"

namespace strata::cli {

void RandomFeed::at_once(std::int64_t count) {
  tokens_.resize(static_cast<std::size_t>(count));
  for (auto& token : tokens_) token = this->token();
  session_.feed(tokens_, {}, [] { return pending_signal() != 0; });
  stop_if_interrupted();
}

void RandomFeed::singly(std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::int32_t next = token();
    session_.feed({&next, 1});
    stop_if_interrupted();
  }
}

std::int32_t RandomFeed::token() {
  return static_cast<std::int32_t>(random_() % static_cast<std::uint64_t>(session_.manifest().vocab_size));
}

}  // namespace strata::cli
