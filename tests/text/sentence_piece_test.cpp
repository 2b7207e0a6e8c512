// SPDX-License-Identifier: Apache-2.0
// Tokenizers of SentencePiece's kind. data/sentence_piece/make.py says where the expected values come from.
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "test_data.h"
#include "tests/sweep.h"
#include "text/token_stream.h"

namespace strata::text {
namespace {

using nlohmann::json;

json piece_file(const std::string& name) { return json::parse(read_file(text_file("sentence_piece/" + name))); }

json base_file(const json& changes) { return piece_file(changes.value("base", "bpe") + "_tokenizer.json"); }

// A tokenizer.json with the changes of a variant.
json changed(const json& changes) {
  json file = base_file(changes);
  for (const auto& [name, value] : changes.items()) {
    if (name == "model") {
      file["model"].update(value);
    } else if (name == "added") {
      for (json& token : file["added_tokens"]) token.update(value);
    } else if (name != "base") {
      file[name] = value;
    }
  }
  return file;
}

const Tokenizer& variant(const std::string& name) {
  static std::map<std::string, Tokenizer> loaded;
  const auto found = loaded.find(name);
  if (found != loaded.end()) return found->second;
  return loaded.emplace(name, Tokenizer::from_json(changed(piece_file("variants.json")[name]).dump(), name))
      .first->second;
}

std::string streamed(const Tokenizer& tokenizer, std::span<const std::int32_t> ids, bool continues = false) {
  TokenStream stream(tokenizer, continues);
  std::string text;
  for (const std::int32_t id : ids) {
    text += stream.push(id);
    EXPECT_TRUE(is_valid_utf8(text));
  }
  return text + stream.finish();
}

TEST(SentencePiece, AgreesWithHuggingFace) {
  const auto rows = read_lines(text_file("sentence_piece/cases.jsonl"));
  ASSERT_EQ(rows.size(), 340U);
  for (const auto& row : rows) {
    const Tokenizer& tokenizer = variant(row["variant"]);
    const auto ids = row["ids"].get<std::vector<std::int32_t>>();
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), ids) << row["variant"] << row["text"];
    EXPECT_EQ(tokenizer.decode(ids), row["back"].get<std::string>()) << row["variant"] << row["text"];
    EXPECT_EQ(streamed(tokenizer, ids), row["back"].get<std::string>()) << row["variant"] << row["text"];
  }
}

TEST(SentencePiece, AStreamThatContinuesATextKeepsItsSpace) {
  for (const std::string name : {"llama", "metaspace-always", "unigram"}) {
    const Tokenizer& tokenizer = variant(name);
    const auto ids = tokenizer.encode("one two three", true, false);
    for (std::size_t cut = 1; cut <= ids.size(); ++cut) {
      const auto before = std::span(ids).first(cut), after = std::span(ids).subspan(cut);
      EXPECT_EQ(tokenizer.decode(before) + streamed(tokenizer, after, true), "one two three") << name << cut;
    }
    EXPECT_EQ(streamed(tokenizer, tokenizer.encode(" x", true, false)),
              tokenizer.decode(tokenizer.encode(" x", true, false)));
  }
}

std::vector<std::int32_t> ids_of(const Tokenizer& tokenizer, const std::vector<std::string>& tokens) {
  std::vector<std::int32_t> ids;
  for (const std::string& token : tokens) ids.push_back(tokenizer.id_of(token).value());
  return ids;
}

TEST(SentencePiece, ARunOfBytesThatIsNoTextIsAReplacementForEach) {
  const Tokenizer& tokenizer = variant("llama");
  EXPECT_EQ(tokenizer.decode(ids_of(tokenizer, {"<0xE2>", "<0x82>", "<0xAC>", "a"})), "\u20aca");
  EXPECT_EQ(tokenizer.decode(ids_of(tokenizer, {"<0xE2>", "<0x82>", "a", "<0xAC>"})), "\uFFFD\uFFFDa\uFFFD");
  EXPECT_EQ(tokenizer.decode(ids_of(tokenizer, {"<0x61>", "<0xFF>"})), "\uFFFD\uFFFD");
}

TEST(SentencePiece, AStreamHoldsBackUnfinishedCharacters) {
  const Tokenizer& tokenizer = variant("llama");
  TokenStream stream(tokenizer, false);
  const auto push = [&](const std::string& token) { return stream.push(tokenizer.id_of(token).value()); };
  EXPECT_EQ(push("<0x20>"), "") << "the space that a text begins with";
  EXPECT_EQ(push("<0xE2>"), "");
  EXPECT_EQ(push("<0x82>"), "");
  EXPECT_EQ(push("<0xAC>"), "\u20ac");
  EXPECT_EQ(push("<0x20>"), " ");
  EXPECT_EQ(push("<0xE2>"), "");
  EXPECT_EQ(push("a"), "\uFFFDa");
  EXPECT_EQ(push("<0xF0>"), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
}

TEST(SentencePiece, SpecialTokensAreTextWhenNotParsed) {
  const Tokenizer& tokenizer = variant("llama");
  EXPECT_EQ(tokenizer.encode("<s>", true, false), ids_of(tokenizer, {"<s>"}));
  const auto ids = tokenizer.encode("<s>", false, false);
  EXPECT_GT(ids.size(), 1U);
  EXPECT_EQ(tokenizer.decode(ids), "<s>");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a</s>b"), true), "a b");
}

TEST(SentencePiece, RandomTextComesBack) {
  std::mt19937_64 random(1);
  for (const std::string name : {"llama", "gemma", "metaspace-first", "unigram-whole"}) {
    for (int i = 0; i < 500; ++i) {
      const std::string text = random_text(random, random() % 40);
      EXPECT_EQ(variant(name).decode(variant(name).encode(text, true, false)),
                name == "metaspace-first" || name == "unigram-whole" ? text.substr(text.starts_with(' ')) : text);
    }
  }
}

TEST(SentencePiece, RandomIdsDecodeToValidText) {
  std::mt19937_64 random(2);
  for (const std::string name : {"llama", "metaspace-always", "unigram-unknown"}) {
    for (int i = 0; i < 500; ++i) {
      std::vector<std::int32_t> ids(random() % 20);
      for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % 420) - 10;
      EXPECT_TRUE(is_valid_utf8(variant(name).decode(ids)));
      (void)streamed(variant(name), ids);
    }
  }
}

TEST(SentencePiece, LongRunsOfOneUnit) {
  const std::size_t size = sweep_size(200'000, 1'000'000);
  for (const std::string name : {"llama", "gemma", "unigram", "unigram-whole"}) {
    for (const std::string unit : {" ", "\n", "ab", "the ", "\u4e2d", "\U0001F642", "1", "<|user|>"}) {
      std::string text = "a";
      while (text.size() < size) text += unit;
      const Tokenizer& tokenizer = variant(name);
      EXPECT_GE(tokenizer.decode(tokenizer.encode(text, false, false)).size(), text.size()) << name << unit;
    }
  }
}

struct SentencePieceMistake {
  const char* message;
  json changes;
};

TEST(SentencePiece, WhatIsWrongIsNamed) {
  const json space = {{"type", "Metaspace"}, {"replacement", "__"}};
  const auto sequence = [](const char* name, const json& step, int count) {
    return json{{"type", "Sequence"}, {name, std::vector<json>(static_cast<std::size_t>(count), step)}};
  };
  const auto replace = [](const std::string& from, const std::string& to) {
    return json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  const auto unigram = [](const json& model) { return json{{"base", "unigram"}, {"model", model}}; };
  const std::vector<SentencePieceMistake> mistakes = {
      {"not one character", {{"pre_tokenizer", space}}},
      {"prepend_scheme is not always, first or never",
       {{"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}}}}},
      {"split is not true or false", {{"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "_"}, {"split", 1}}}}},
      {"splits at an empty text",
       {{"pre_tokenizer", {{"type", "Split"}, {"pattern", {{"String", ""}}}, {"behavior", "Isolated"}}}}},
      {"Split behavior \"Removed\"",
       {{"pre_tokenizer", {{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Removed"}}}}},
      {"pre_tokenizer has too many steps", {{"pre_tokenizer", sequence("pretokenizers", {{"type", "Digits"}}, 17)}}},
      {"normalizer has too many steps", {{"normalizer", sequence("normalizers", {{"type", "NFC"}}, 17)}}},
      {"normalizer replaces an empty text", {{"normalizer", replace("", "a")}}},
      {"more than 64 times as long", {{"normalizer", sequence("normalizers", replace("a", "aa"), 7)}}},
      {"content is not a string", {{"normalizer", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}}}}},
      {"Replace of \"\\s+\" is not supported",
       {{"normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", ""}}}}},
      {"prepends more than 64 bytes", {{"normalizer", {{"type", "Prepend"}, {"prepend", std::string(65, 'x')}}}}},
      {"normalizer \"Precompiled\" is not supported", {{"normalizer", {{"type", "Precompiled"}}}}},
      {"decoder null is not supported", {{"decoder", nullptr}}},
      {"decoder \"Fuse\" after Fuse", {{"decoder", sequence("decoders", {{"type", "Fuse"}}, 2)}}},
      {"Strip at the end", {{"decoder", {{"type", "Strip"}, {"content", " "}, {"start", 0}, {"stop", 1}}}}},
      {"start is not an integer from 0 to 1024",
       {{"decoder", {{"type", "Strip"}, {"content", " "}, {"start", -1}, {"stop", 0}}}}},
      {"decoder makes texts more than 64 times as long", {{"decoder", sequence("decoders", replace("a", "aa"), 7)}}},
      {"model.vocab is not a list", {{"model", {{"type", "Unigram"}}}}},
      {"model.vocab or model.merges is missing", unigram({{"type", "BPE"}})},
      {"is not a token with its score", unigram({{"vocab", json::parse(R"([["a", "b"]])")}})},
      {"is not a token with its score", unigram({{"vocab", json::parse(R"([["a"]])")}})},
      {"is not a token with its score", unigram({{"vocab", json::parse(R"([["a", 1, 2]])")}})},
      {"is not a token with its score", unigram({{"vocab", json::parse(R"([[1, "a"]])")}})},
      {"is not a token with its score", unigram({{"vocab", json::parse(R"(["a"])")}})},
      {"token 0 has no score", unigram({{"vocab", json::parse(R"([["a", null]])")}})},
      {"unk_id is 400, which the vocabulary does not have", unigram({{"unk_id", 400}})},
      {"the id of the unknown token", unigram({{"unk_id", -1}})},
      {"Unigram model without unk_id is not supported", unigram({{"unk_id", nullptr}})},
      {"token 0 is longer than 1024 bytes",
       unigram({{"vocab", json::array({json::array({std::string(1025, 'x'), 0})})}})},
      {"neither a token for unknown characters nor those of all bytes",
       unigram({{"type", "ScoredBPE"}, {"unk_id", nullptr}, {"byte_fallback", false}})},
      {"\"Unigram\" with ByteLevel", {{"base", "unigram"}, {"pre_tokenizer", {{"type", "ByteLevel"}}}}},
  };
  for (const auto& [message, changes] : mistakes) {
    try {
      (void)Tokenizer::from_json(changed(changes).dump(), "dir/tokenizer.json");
      ADD_FAILURE() << "accepted: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kModel);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what() << " for " << message;
    }
  }
}

TEST(SentencePiece, AScoreBeyondAllDoublesIsRefused) {
  std::string file = changed({{"base", "unigram"}}).dump();
  const std::string score = file.substr(file.find("[[\"<unk>\",") + 10, 3);
  file.replace(file.find("[[\"<unk>\",") + 10, score.size(), "-1e400");
  EXPECT_THROW((void)Tokenizer::from_json(file, "tokenizer.json"), Error);
}

}  // namespace
}  // namespace strata::text
