// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

namespace strata::serve {

// How many tokens of a prompt a step takes while other sequences decode: as many as make a step at most about twice as
// long as the decoding alone, so that a long prompt delays nobody much. Decides from what it is told alone: no clock.
class ChunkSizer {
 public:
  // `most` >= 1: tokens that a step can take.
  explicit ChunkSizer(std::int64_t most);

  std::int64_t size() const { return size_; }

  // What the last step was like: `decoding` sequences by a token each, and `tokens` of a prompt.
  void add(std::int64_t decoding, std::int64_t tokens, double seconds);

 private:
  // Of so many sequences, or the next fewer that there were; the fewest of all where there were none.
  double decoding_s(std::int64_t decoding) const;

  const std::int64_t most_, least_;
  std::int64_t size_;
  std::map<std::int64_t, double> decoding_s_;  // of steps of so many sequences' tokens alone, lately
};

}  // namespace strata::serve
