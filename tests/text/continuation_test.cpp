// SPDX-License-Identifier: Apache-2.0
#include "text/continuation.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string_view>

#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/schema.h"
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

std::shared_ptr<const grammar::CompiledGrammar> gbnf(std::string_view text) {
  return std::make_shared<grammar::CompiledGrammar>(grammar::parse_gbnf(text));
}

// What a model makes that wants this text, and its end.
Made wanted(const TextModel& of, ContinuationOptions options, const std::string& text) {
  const std::vector<std::int32_t> tokens = of.tokenizer.encode(text, true, false);
  Continuation continuation(of, options, {});
  Made made;
  for (std::size_t i = 0; i < 100 && !made.end; ++i) {
    std::vector<float> logits(static_cast<std::size_t>(of.tokenizer.vocab_size()), 0);
    if (i < tokens.size()) logits[static_cast<std::size_t>(tokens[i])] = 1;
    const Continuation::Choice choice = continuation.choose(logits);
    made.text += choice.text;
    made.end = choice.end;
  }
  made.text += continuation.finish();
  made.chosen = continuation.chosen();
  return made;
}

TEST(Continuation, GrammarSaysWhatComesAndWhereItEnds) {
  ContinuationOptions options = greedy();
  options.grammar = gbnf(R"(root ::= "yes" | "no" " way"?)");
  EXPECT_EQ(wanted(model(), options, "yes").text, "yes");
  EXPECT_EQ(wanted(model(), options, "yes").end, EndOfText::kEndToken);
  EXPECT_EQ(wanted(model(), options, "no way").text, "no way");
  EXPECT_EQ(wanted(model(), options, "no<|eot_id|>").text, "no");  // may end, and may go on
  const Made other = wanted(model(), options, "perhaps");
  EXPECT_TRUE(other.text == "yes" || other.text.starts_with("no")) << other.text;
  options.ignore_eos = true;  // it ends all the same
  EXPECT_EQ(wanted(model(), options, "no way").text, "no way");
}

TEST(Continuation, TokensThatEndATextEndNoUnfinishedOne) {
  ContinuationOptions options = greedy();
  options.grammar = gbnf(R"(root ::= "aaaa" | "bc")");
  options.stop_ids = tokens_of("b");
  const Made made = wanted(model(), options, "b");
  EXPECT_TRUE(made.text == "aaaa" || made.text == "bc") << made.text;
}

// SentencePiece's first token shows no space.
TEST(Continuation, GrammarSeesWhatIsShown) {
  TextFiles files;
  files.tokenizer = read_file(text_file("sentence_piece/bpe_tokenizer.json"));
  const TextModel of = load_text_model(files, "model");
  ContinuationOptions options = greedy();
  options.continues_prompt = false;
  options.grammar = gbnf(R"(root ::= [a-z]+ (" " [a-z]+)* ".")");
  const Made made = wanted(of, options, "the cat sat.");
  EXPECT_EQ(made.text, "the cat sat.");
  EXPECT_EQ(made.end, EndOfText::kEndToken);  // without an end token
}

TEST(Continuation, WhatNoTokenSaysIsAnError) {
  TextFiles files;
  files.tokenizer = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
                         "pre_tokenizer": {"type": "ByteLevel"}, "decoder": {"type": "ByteLevel"}})";
  const TextModel of = load_text_model(files, "model");
  ContinuationOptions options = greedy();
  options.grammar = gbnf(R"(root ::= "ax")");
  EXPECT_THROW(wanted(of, options, "a"), Error);
}

// Random logits under a schema: JSON that holds.
TEST(Continuation, RandomModelsAnswerAsTheSchemaWants) {
  ContinuationOptions options = greedy();
  options.sampling = {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0};
  options.continues_prompt = false;
  options.grammar = std::make_shared<grammar::CompiledGrammar>(grammar::schema_grammar(nlohmann::ordered_json::parse(
      R"({"properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer", "minimum": 7},
          "tags": {"items": {"enum": ["a", "b c", "é"]}, "maxItems": 3}}, "required": ["name", "age", "tags"]})")));
  std::mt19937_64 random(3);
  for (int i = 0; i < 5; ++i) {
    options.sampling.seed = random();
    Continuation continuation(model(), options, {});
    std::string text;
    for (std::optional<EndOfText> end; !end;) {
      std::vector<float> logits(static_cast<std::size_t>(model().tokenizer.vocab_size()));
      for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 100;
      const Continuation::Choice choice = continuation.choose(logits);
      text += choice.text;
      end = choice.end;
    }
    text += continuation.finish();
    const auto value = nlohmann::ordered_json::parse(text);
    EXPECT_GE(value["age"], 7) << text;
    EXPECT_LE(value["tags"].size(), 3U) << text;
    EXPECT_TRUE(value["name"].is_string()) << text;
  }
}

}  // namespace
}  // namespace strata::text
