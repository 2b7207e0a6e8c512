// SPDX-License-Identifier: Apache-2.0
#include "text/continuation.h"

#include <gtest/gtest.h>

#include "tests/text/test_data.h"

namespace strata::text {
namespace {

const TextModel& model() {
  static const TextModel kModel = [] {
    TextFiles files;
    files.tokenizer = read_file(text_file("llama3_tokenizer.json"));
    files.tokenizer_config = R"({"eos_token": "<|eot_id|>"})";
    return load_text_model(files, "model");
  }();
  return kModel;
}

ContinuationOptions greedy() {
  ContinuationOptions options;
  options.sampling.temperature = 0;
  options.continues_prompt = true;
  return options;
}

// Each of these tokens is the likeliest in its turn.
struct Made {
  std::string text;
  std::optional<EndOfText> end;
  std::int64_t chosen = 0;
};

Made make(const ContinuationOptions& options, const std::vector<std::int32_t>& tokens) {
  Continuation continuation(model(), options, {});
  Made made;
  for (const std::int32_t token : tokens) {
    std::vector<float> logits(static_cast<std::size_t>(model().tokenizer.vocab_size()), 0);
    logits[static_cast<std::size_t>(token)] = 1;
    const Continuation::Choice choice = continuation.choose(logits);
    EXPECT_EQ(choice.token, token);
    made.text += choice.text;
    made.end = choice.end;
    if (made.end) break;
  }
  made.text += continuation.finish();
  made.chosen = continuation.chosen();
  return made;
}

std::vector<std::int32_t> tokens_of(const std::string& text) { return model().tokenizer.encode(text, true, false); }

TEST(Continuation, TextIsThatOfItsTokens) {
  const Made made = make(greedy(), tokens_of("one, two: \xC3\xA9\xE2\x82\xAC"));
  EXPECT_EQ(made.text, "one, two: \xC3\xA9\xE2\x82\xAC");
  EXPECT_FALSE(made.end);
}

TEST(Continuation, EndTokenEndsUncountedUnlessItIsIgnored) {
  std::vector<std::int32_t> tokens = tokens_of("a<|eot_id|>b");
  Made made = make(greedy(), tokens);
  EXPECT_EQ(made.text, "a");
  EXPECT_EQ(made.end, EndOfText::kEndToken);
  EXPECT_EQ(made.chosen, 1);
  ContinuationOptions ignoring = greedy();
  ignoring.ignore_eos = true;
  made = make(ignoring, tokens);
  EXPECT_EQ(made.text, "ab");
  EXPECT_EQ(made.chosen, 3);
  ContinuationOptions more = greedy();
  more.stop_ids = {tokens[0]};
  EXPECT_EQ(make(more, tokens).end, EndOfText::kEndToken);
}

TEST(Continuation, StopStringAndLimitCountTheirToken) {
  ContinuationOptions options = greedy();
  options.stop = {"two"};
  const std::vector<std::int32_t> tokens = tokens_of("one two three");
  const Made stopped = make(options, tokens);
  EXPECT_EQ(stopped.text, "one ");
  EXPECT_EQ(stopped.end, EndOfText::kStopString);
  options.limit = 1;
  const Made cut = make(options, tokens);
  EXPECT_EQ(cut.end, EndOfText::kLimit);
  EXPECT_EQ(cut.chosen, 1);
}

}  // namespace
}  // namespace strata::text
