// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace strata::text {

// Guesses how a text goes on: as it went on where its last tokens stood before. Answers that quote what they are about
// (summaries, edited code) do. Known as prompt lookup decoding (Saxena 2023; Yang et al., arXiv 2304.04487).
class NgramDraft {
 public:
  static constexpr std::size_t kLongest = 4, kShortest = 2;  // tokens that must be alike; longer ones are asked first

  void push(std::int32_t token);
  void push(std::span<const std::int32_t> tokens) {
    for (const std::int32_t token : tokens) push(token);
  }

  // At most `most` tokens that followed; none where the end of the text is new.
  std::span<const std::int32_t> guess(std::size_t most) const;

 private:
  static constexpr std::size_t kLengths = kLongest - kShortest + 1;

  std::vector<std::int32_t> tokens_;
  // By a hash of its tokens, where each n-gram of a length was last followed by something.
  std::array<std::unordered_map<std::uint64_t, std::size_t>, kLengths> followed_;
};

}  // namespace strata::text
