// SPDX-License-Identifier: Apache-2.0
// The tokenizer "llama" of GGUF files: SentencePiece's BPE by scores.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "import/gguf.h"
#include "import/gguf_tokenizer.h"
#include "tests/base/expect_error.h"
#include "tests/import/gguf_bytes.h"
#include "text/text_model.h"

namespace strata::importer {
namespace {

using fixtures::array;
using fixtures::expect_error;
using fixtures::float_array;
using fixtures::GgufBytes;
using fixtures::value;
using Ids = std::vector<std::int32_t>;

struct Piece {
  std::string text;
  float score;
  std::int32_t type;
};

GgufBytes file_of(const std::vector<Piece>& pieces) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (const auto& [text, score, type] : pieces) {
    tokens.push_back(text);
    scores.push_back(score);
    types.push_back(type);
  }
  GgufBytes file;
  file.set("tokenizer.ggml.model", value("llama"));
  file.set("tokenizer.ggml.tokens", array(tokens));
  file.set("tokenizer.ggml.scores", float_array(scores));
  file.set("tokenizer.ggml.token_type", array(types));
  file.set("tokenizer.ggml.add_bos_token", value(false));
  return file;
}

text::TextModel text_model(const GgufBytes& file) {
  const std::string bytes = file.head();
  text::TextFiles files;
  for (const auto& [name, text] : gguf_texts(parse_gguf(std::as_bytes(std::span(bytes)), "file.gguf").metadata)) {
    if (name == "tokenizer.json") files.tokenizer = text;
    if (name == "tokenizer_config.json") files.tokenizer_config = text;
    if (name == "generation_config.json") files.generation_config = text;
  }
  return text::load_text_model(files, "file.gguf");
}

Ids encoded(const GgufBytes& file, const std::string& text) { return text_model(file).tokenizer.encode(text); }

// No prefix of a space, characters of which pairs are joined.
GgufBytes letters(const std::vector<Piece>& more, const std::string& characters = "abc") {
  std::vector<Piece> pieces = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  for (const char character : characters) pieces.push_back({std::string(1, character), -100, 1});
  pieces.insert(pieces.end(), more.begin(), more.end());
  GgufBytes file = file_of(pieces);
  file.set("tokenizer.ggml.add_space_prefix", value(false));
  return file;
}

TEST(GgufSentencePiece, AgreesWithSentencePiece) {
  const std::string folder = STRATA_SOURCE_DIR "/tests/text/data/sentence_piece/";
  std::vector<Piece> pieces;
  std::ifstream list(folder + "bpe_pieces.json");
  for (const auto& piece : nlohmann::json::parse(list)) pieces.push_back({piece[0], piece[1], piece[2]});
  const text::TextModel model = text_model(file_of(pieces));
  std::ifstream cases(folder + "gguf_cases.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(cases, line); ++count) {
    const auto row = nlohmann::json::parse(line);
    EXPECT_EQ(model.tokenizer.encode(row["text"].get<std::string>()), row["ids"].get<Ids>()) << line;
    EXPECT_EQ(model.tokenizer.decode(row["ids"].get<Ids>()), row["back"].get<std::string>()) << line;
  }
  EXPECT_EQ(count, 18U);
}

TEST(GgufSentencePiece, JoinsTheHighestScoreFirstThenTheLeftmost) {
  EXPECT_EQ(encoded(letters({{"ab", -2, 1}, {"bc", -1, 1}}), "abc"), (Ids{3, 7}));
  EXPECT_EQ(encoded(letters({{"ab", -1, 1}, {"bc", -2, 1}}), "abc"), (Ids{6, 5}));
  EXPECT_EQ(encoded(letters({{"bc", -1, 1}, {"ab", -1, 1}}), "abc"), (Ids{7, 5}));
  EXPECT_EQ(encoded(letters({{"ab", -1, 1}, {"bc", -1, 1}, {"abc", -9, 1}}), "abc"), (Ids{8}));
  EXPECT_EQ(encoded(letters({{"aa", 0, 1}}), "aaaaa"), (Ids{6, 6, 3}));
}

TEST(GgufSentencePiece, TextIsNeverJoinedToASpecialToken) {
  const GgufBytes file = letters({{"</", -1, 1}, {"s>", -1, 1}}, "</s>");
  EXPECT_EQ(encoded(file, "</s>"), Ids{2});
  EXPECT_EQ(text_model(file).tokenizer.encode("</s>", false), (Ids{7, 8}));
}

TEST(GgufSentencePiece, UserDefinedTokensAreFoundFirst) {
  EXPECT_EQ(encoded(letters({{"ab", -1, 1}, {"bc", 0, 4}}), "abc"), (Ids{3, 7}));
  EXPECT_EQ(encoded(letters({{"ab", -1, 1}, {"bc", 0, 5}}), "abc"), (Ids{6, 5})) << "an unused one is none";
}

TEST(GgufSentencePiece, WhatHasNoTokenIsItsBytesElseUnknown) {
  EXPECT_EQ(encoded(letters({}), "a\u00e9\u00e9b"), (Ids{3, 0, 4}));
  EXPECT_EQ(encoded(letters({{"<0xC3>", 0, 6}, {"<0xA9>", 0, 6}}), "a\u00e9b"), (Ids{3, 6, 7, 4}));
  EXPECT_EQ(encoded(letters({{"<0xC3>", 0, 6}}), "a\u00e9b"), (Ids{3, 0, 4}));
}

TEST(GgufSentencePiece, SpacesAreASymbolAndOneMayBePutInFront) {
  GgufBytes file = letters({{"\u2581", -100, 1}});
  EXPECT_EQ(encoded(file, "a b"), (Ids{3, 6, 4}));
  EXPECT_EQ(text_model(file).tokenizer.decode(Ids{6, 3, 6, 4}), " a b");
  file.erase("tokenizer.ggml.add_space_prefix");
  EXPECT_EQ(encoded(file, "a b"), (Ids{6, 3, 6, 4}));
  EXPECT_EQ(encoded(file, "a<s>b"), (Ids{6, 3, 1, 6, 4})) << "after a special token too";
  EXPECT_EQ(encoded(file, ""), Ids{});
  EXPECT_EQ(text_model(file).tokenizer.decode(Ids{6, 3, 6, 4}), "a b");
}

TEST(GgufSentencePiece, TokensAroundATextAreBosUnlessTheFileSaysOtherwise) {
  GgufBytes file = letters({});
  file.erase("tokenizer.ggml.add_bos_token");
  file.set("tokenizer.ggml.bos_token_id", value(1U));
  file.set("tokenizer.ggml.eos_token_id", value(2U));
  EXPECT_EQ(encoded(file, "a"), (Ids{1, 3}));
  file.set("tokenizer.ggml.add_eos_token", value(true));
  EXPECT_EQ(encoded(file, "a"), (Ids{1, 3, 2}));
  EXPECT_EQ(text_model(file).eos_ids, Ids{2});
  EXPECT_EQ(text_model(file).bos_token, "<s>");
}

TEST(GgufSentencePiece, SpecialTokensOfPhi3TakeSpacesAlong) {
  GgufBytes file = letters({{"<|end|>", 0, 3}});
  EXPECT_EQ(encoded(file, "<|end|>\n a"), (Ids{6, 0, 3}));
  file.set("general.architecture", value("phi3"));
  EXPECT_EQ(encoded(file, "<|end|>\n a"), (Ids{6, 3}));
  EXPECT_EQ(encoded(file, "<s>\n a"), (Ids{1, 0, 3}));
}

struct BadSentencePiece {
  const char* key;
  std::string value;  // empty: the key is missing
  const char* message;
};

TEST(GgufSentencePiece, WhatIsWrongIsNamed) {
  const float infinite = std::numeric_limits<float>::infinity(), none = std::numeric_limits<float>::quiet_NaN();
  const std::vector<BadSentencePiece> cases = {
      {"tokenizer.ggml.scores", "", "\"tokenizer.ggml.scores\" is missing"},
      {"tokenizer.ggml.scores", float_array({1, 2}), "there are 6 tokens and the scores of 2"},
      {"tokenizer.ggml.scores", array({1, 2, 3, 4, 5, 6}), "is not a list of numbers"},
      {"tokenizer.ggml.scores", float_array({0.F, 0.F, 0.F, infinite, 0.F, 0.F}), "the score of token 3 is not finite"},
      {"tokenizer.ggml.scores", float_array({0.F, 0.F, 0.F, 0.F, 0.F, none}), "the score of token 5 is not finite"},
      {"tokenizer.ggml.tokens", array({"<unk>", "<s>", "</s>", "a", "a", "c"}), "the tokens 3 and 4 are the same"},
      {"tokenizer.ggml.tokens", array({"<unk>", "<s>", "</s>", std::string(2000, 'x'), "a", "c"}),
       "token 3 is longer than 1024 bytes"},
      {"tokenizer.ggml.token_type", array({3, 3, 3, 1, 1, 1}),
       "neither a token for unknown characters nor those of all"},
      {"tokenizer.ggml.unknown_token_id", value(9U), "is no token's id"},
      {"tokenizer.ggml.add_space_prefix", value(1U), "is not true or false"},
  };
  for (const auto& [key, bytes, message] : cases) {
    GgufBytes file = letters({});
    bytes.empty() ? file.erase(key) : file.set(key, bytes);
    expect_error(ExitCode::kModel, {message, "file.gguf"}, [&] { text_model(file); });
  }
}

}  // namespace
}  // namespace strata::importer
