// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "ranks/communicator.h"

namespace strata::runtime {

// What rank 0 tells the others to do, at the same time as it does it itself.
struct Order {
  enum Kind : std::int32_t {
    kEnd,      // the program is over
    kCompile,  // for whoever opens sessions; a text follows
    kOpen,     // the same
    kClose,    // a session
    kSelect,   // a sequence: `first`
    kForward,  // `rows` tokens and their positions, of which `wanted` hidden rows are kept
    kHead,     // the logits of `rows` hidden rows from `first` on
  };
  static constexpr std::int64_t kOwnTokens = 4;  // those of more tokens follow

  Kind kind = kEnd;
  std::int32_t session = 0;
  std::int64_t rows = 0, first = 0;
  std::int64_t wanted = 0;
  std::int32_t tokens[kOwnTokens] = {}, positions[kOwnTokens] = {};
};

// From rank 0 to all, and its receipt.
void send(ranks::Communicator& ranks, Order order);
Order receive(ranks::Communicator& ranks);

}  // namespace strata::runtime
