// SPDX-License-Identifier: Apache-2.0
#include "text/ngram_draft.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace strata::text {
namespace {

using Tokens = std::vector<std::int32_t>;

Tokens guess(const Tokens& text, std::size_t most) {
  NgramDraft draft;
  draft.push(text);
  const auto found = draft.guess(most);
  return {found.begin(), found.end()};
}

TEST(NgramDraftTest, GuessesWhatFollowedTheSameTokens) {
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2}, 3), (Tokens{3, 4, 5}));
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2}, 1), (Tokens{3}));
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2}, 0), (Tokens{}));
  // All that followed, the repeated tokens among it.
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 1, 2}, 10), (Tokens{3, 4, 5, 1, 2}));
}

TEST(NgramDraftTest, OfANewEndNothingIsGuessed) {
  EXPECT_EQ(guess({}, 4), (Tokens{}));
  EXPECT_EQ(guess({1}, 4), (Tokens{}));
  EXPECT_EQ(guess({1, 2}, 4), (Tokens{}));
  // One token alike is too few.
  EXPECT_EQ(guess({1, 2, 3, 9, 2}, 4), (Tokens{}));
}

TEST(NgramDraftTest, TheLongerTheBetterThenTheLater) {
  // Behind 1 2 3 came 7, behind the later 9 2 3 came 8.
  EXPECT_EQ(guess({1, 2, 3, 7, 9, 2, 3, 8, 1, 2, 3}, 1), (Tokens{7}));
  EXPECT_EQ(guess({1, 2, 3, 7, 9, 2, 3, 8, 5, 2, 3}, 1), (Tokens{8}));
  EXPECT_EQ(guess({1, 2, 7, 1, 2, 8, 1, 2}, 1), (Tokens{8}));
}

TEST(NgramDraftTest, RepeatedTokens) { EXPECT_EQ(guess({4, 4, 4, 4}, 3), (Tokens{4})); }

// What a search of the whole text finds.
TEST(NgramDraftTest, RandomTextsLikeASearch) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Tokens text(random() % 40);
    for (auto& token : text) token = static_cast<std::int32_t>(random() % 3);
    Tokens expected;
    const std::size_t size = text.size();
    for (std::size_t length = std::min(NgramDraft::kLongest, size); length >= NgramDraft::kShortest; --length) {
      std::size_t at = 0;
      for (std::size_t end = length; end < size; ++end) {
        if (std::equal(text.end() - static_cast<std::ptrdiff_t>(length), text.end(),
                       text.begin() + static_cast<std::ptrdiff_t>(end - length))) {
          at = end;
        }
      }
      if (at == 0) continue;
      expected.assign(text.begin() + static_cast<std::ptrdiff_t>(at),
                      text.begin() + static_cast<std::ptrdiff_t>(std::min(size, at + 5)));
      break;
    }
    EXPECT_EQ(guess(text, 5), expected);
  }
}

}  // namespace
}  // namespace strata::text
