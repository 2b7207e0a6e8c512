// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <thread>

#include "base/unicode.h"
#include "test_data.h"
#include "tests/sweep.h"

namespace strata::text {
namespace {

void expect_cases(const Tokenizer& tokenizer, const std::string& path, std::size_t count) {
  const auto rows = read_lines(path);
  ASSERT_EQ(rows.size(), count);
  for (const auto& row : rows) {
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), row["ids"].get<std::vector<std::int32_t>>())
        << row["text"];
  }
}

Tokenizer fixture(const std::string& name) { return Tokenizer::from_json(read_file(text_file(name)), name); }

TEST(Tokenizer, AgreesWithHuggingFaceOnQwen3) {
  expect_cases(qwen3_tokenizer(), qwen3_file("tokenizer_cases.jsonl"), 281);
}

TEST(Tokenizer, AgreesWithHuggingFaceOnLlama3sKind) {
  expect_cases(fixture("llama3_tokenizer.json"), text_file("llama3_cases.jsonl"), 14);
}

TEST(Tokenizer, AgreesWithHuggingFaceOnGpt2sKind) {
  expect_cases(fixture("gpt2_tokenizer.json"), text_file("gpt2_cases.jsonl"), 14);
}

TEST(Tokenizer, DecodesToTheNormalizedText) {
  const Tokenizer& tokenizer = qwen3_tokenizer();
  for (const auto& row : read_lines(qwen3_file("tokenizer_cases.jsonl"))) {
    const std::string text = row["text"].get<std::string>();
    std::string storage;
    EXPECT_EQ(tokenizer.decode(row["ids"].get<std::vector<std::int32_t>>()), normalize_nfc(text, storage));
  }
}

TEST(Tokenizer, RandomTextComesBackNormalized) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random, random() % 40);
    std::string storage;
    EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode(text)), normalize_nfc(text, storage));
  }
}

TEST(Tokenizer, RandomBytesCountAsReplacementCharacters) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = random_bytes(random, random() % 40);
    EXPECT_EQ(qwen3_tokenizer().encode(bytes), qwen3_tokenizer().encode(replace_invalid_utf8(bytes)));
  }
}

TEST(Tokenizer, RandomIdsDecodeToValidText) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::int32_t> ids(random() % 20);
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % 160'000) - 1000;
    EXPECT_TRUE(is_valid_utf8(qwen3_tokenizer().decode(ids)));
  }
}

TEST(Tokenizer, NulBytesAreCharacters) {
  const std::string text("a\0b\0", 4);
  EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode(text)), text);
}

TEST(Tokenizer, SpecialTokensAreTextWhenNotParsed) {
  const Tokenizer& tokenizer = qwen3_tokenizer();
  EXPECT_EQ(tokenizer.encode("<|im_end|>"), std::vector<std::int32_t>{151645});
  const auto ids = tokenizer.encode("<|im_end|>", false);
  EXPECT_GT(ids.size(), 1u);
  EXPECT_EQ(tokenizer.decode(ids), "<|im_end|>");
}

TEST(Tokenizer, SpecialTokensCanBeLeftOutOfTheText) {
  EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode("a<|im_end|>b"), true), "ab");
  EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode("a<think>b"), true), "a<think>b");
}

TEST(Tokenizer, BeginTokenIsOptional) {
  const Tokenizer tokenizer = fixture("llama3_tokenizer.json");
  const auto with = tokenizer.encode("the"), without = tokenizer.encode("the", true, false);
  ASSERT_EQ(with.size(), without.size() + 1);
  EXPECT_EQ(with[0], tokenizer.id_of("<|begin_of_text|>"));
}

TEST(Tokenizer, TokensByIdAndName) {
  const Tokenizer& tokenizer = qwen3_tokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 151669);
  EXPECT_EQ(tokenizer.id_of("<|im_start|>"), 151644);
  EXPECT_EQ(tokenizer.id_of("no such token"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(151644));
  EXPECT_FALSE(tokenizer.is_special(151667));
  EXPECT_EQ(tokenizer.token_bytes(220), " ");
  EXPECT_EQ(tokenizer.token_bytes(145080), "\U0001F642");
  EXPECT_EQ(tokenizer.token_bytes(-1), "");
  EXPECT_EQ(tokenizer.token_bytes(151669), "");
}

TEST(Tokenizer, MegabytesOfOneCharacter) {
  const std::string text(sweep_size(10'000'000, 10'000'000), 'a');
  EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode(text)), text);
}

TEST(Tokenizer, LongRunsOfOneUnit) {
  for (const std::string unit : {" ", "\n", "ab", "\u0301", "\u4e2d", "\U0001F642", "'", "1", "<|im_end|>"}) {
    std::string text;
    while (text.size() < sweep_size(500'000, 500'000)) text += unit;
    EXPECT_EQ(qwen3_tokenizer().decode(qwen3_tokenizer().encode(text)), text) << unit;
  }
}

TEST(Tokenizer, LongRunsOfMixedMarksAreSorted) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0316";
  const std::string normal = qwen3_tokenizer().decode(qwen3_tokenizer().encode(text));
  EXPECT_EQ(normal.substr(0, 4), "\u00e1\u0316");
  EXPECT_EQ(normal.substr(normal.size() - 2), "\u0301");
}

TEST(Tokenizer, ThreadsGetTheSameIds) {
  const auto rows = read_lines(qwen3_file("tokenizer_cases.jsonl"));
  std::vector<int> different(4, 0);
  std::vector<std::thread> threads;
  for (int& count : different) {
    threads.emplace_back([&rows, &count] {
      for (const auto& row : rows) {
        count +=
            qwen3_tokenizer().encode(row["text"].get<std::string>()) != row["ids"].get<std::vector<std::int32_t>>();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(different, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace strata::text
