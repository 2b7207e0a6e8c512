// SPDX-License-Identifier: Apache-2.0
#include "text/normalizer.h"

#include <limits>

#include "test_data.h"
#include "text/score_text.h"

namespace strata::text {
namespace {

std::string normalized(const std::vector<Normalizer::Step>& steps, std::string_view text) {
  Normalizer normalizer;
  for (const Normalizer::Step& step : steps) normalizer.add(step);
  std::string storage;
  return std::string(normalizer.run(text, storage));
}

TEST(Normalizer, EachStep) {
  EXPECT_EQ(normalized({}, " a"), " a");
  EXPECT_EQ(normalized({Normalizer::Nfc{}}, "e\u0301 \uFB01"), "\u00e9 \uFB01");
  EXPECT_EQ(normalized({Normalizer::Nfkc{}}, "e\u0301 \uFB01 \u2460"), "\u00e9 fi 1");
  EXPECT_EQ(normalized({Normalizer::Lowercase{}}, "ABC \u0130 \u00C9"), "abc i\u0307 \u00E9");
  EXPECT_EQ(normalized({Normalizer::Prepend{"_"}}, "a"), "_a");
  EXPECT_EQ(normalized({Normalizer::Prepend{"_"}}, ""), "");
  EXPECT_EQ(normalized({Normalizer::Replace{"aa", "b"}}, "aaaaa"), "bba");
  EXPECT_EQ(normalized({Normalizer::ReplaceSpaceRuns{"_"}}, " a  b    c "), " a_b_c ");
  EXPECT_EQ(normalized({Normalizer::Strip{true, false}}, " \u3000a\n"), "a\n");
  EXPECT_EQ(normalized({Normalizer::Strip{false, true}}, " a\u2028\n"), " a");
  EXPECT_EQ(normalized({Normalizer::Strip{true, true}}, " \n"), "");
}

TEST(Normalizer, StepsFollowOneAnother) {
  EXPECT_EQ(normalized({Normalizer::Prepend{" "}, Normalizer::Strip{true, false}, Normalizer::Replace{" ", "_"},
                        Normalizer::Prepend{"<"}, Normalizer::Lowercase{}},
                       "A B"),
            "<a_b");
  const std::string big(1000, 'A');
  EXPECT_EQ(normalized({Normalizer::Prepend{"A"}, Normalizer::Replace{"A", "B"}, Normalizer::Lowercase{}}, big),
            std::string(1001, 'b'));
}

// Expected values: serde_json 1.0, which Hugging Face's tokenizers 0.23.3 reads scores with.
TEST(ScoreText, RoundsTwice) {
  EXPECT_EQ(score_of_text("0"), 0.0);
  EXPECT_EQ(score_of_text("-2.5"), -2.5);
  EXPECT_EQ(score_of_text("1e3"), 1000.0);
  EXPECT_EQ(score_of_text("12E-1"), 1.2);
  EXPECT_EQ(score_of_text("2.5e+2"), 250.0);
  EXPECT_EQ(score_of_text("123456789012345678901234567890"), 12345678901234567890.0 * 1e10) << "digits that don't fit";
  EXPECT_EQ(score_of_text("1e400"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(score_of_text("0e400"), 0.0);
  EXPECT_EQ(score_of_text("1e-400"), 0.0);
  EXPECT_EQ(score_of_text("1e99999999999999999999"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(score_of_text("-6.598448276519775"), -(6598448276519775.0 / 1e15));
  EXPECT_EQ(score_of_text("-12.598448276519775"), -(12598448276519775.0 / 1e15));
}

}  // namespace
}  // namespace strata::text
