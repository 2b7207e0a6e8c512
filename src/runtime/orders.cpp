// SPDX-License-Identifier: Apache-2.0
#include "runtime/orders.h"

namespace strata::runtime {

void send(ranks::Communicator& ranks, Order order) { ranks.broadcast(std::as_writable_bytes(std::span(&order, 1))); }

Order receive(ranks::Communicator& ranks) {
  Order order;
  ranks.broadcast(std::as_writable_bytes(std::span(&order, 1)));
  return order;
}

}  // namespace strata::runtime
