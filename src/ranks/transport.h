// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace strata::ranks {

// Moves bytes between the ranks of a program, numbered from 0.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Sends to one rank while it receives from another one, or the same; a negative rank is none. What is received is as
  // long as what that rank sends. By one thread at a time.
  virtual void exchange(int to, std::span<const std::byte> send, int from, std::span<std::byte> receive) = 0;
};

}  // namespace strata::ranks
