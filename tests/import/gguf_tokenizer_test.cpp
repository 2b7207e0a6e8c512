// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/split_regex.h"
#include "import/gguf.h"
#include "tests/base/expect_error.h"
#include "tests/import/gguf_bytes.h"

namespace strata::importer {
namespace {

using fixtures::array;
using fixtures::expect_error;
using fixtures::GgufBytes;
using fixtures::value;
using nlohmann::json;

// Two letters, their pair, a hole, a control token and one of a user.
GgufBytes small_tokenizer(const std::string& pre = "qwen2") {
  GgufBytes file;
  file.set("tokenizer.ggml.model", value("gpt2"));
  file.set("tokenizer.ggml.pre", value(pre));
  file.set("tokenizer.ggml.tokens", array({"a", "b\"\\\x01", "ab", "[PAD3]", "<|im_end|>", "<think>"}));
  file.set("tokenizer.ggml.token_type", array({1, 1, 1, 5, 3, 4}));
  file.set("tokenizer.ggml.merges", array({"a b"}));
  file.set("tokenizer.ggml.bos_token_id", value(0U));
  file.set("tokenizer.ggml.eos_token_id", value(2U));
  return file;
}

using Texts = std::map<std::string, json>;

Texts texts_of(const GgufBytes& file) {
  const std::string bytes = file.head();
  Texts texts;
  for (const auto& [name, text] : gguf_texts(parse_gguf(std::as_bytes(std::span(bytes)), "file.gguf").metadata)) {
    texts[name] = json::parse(text);
  }
  return texts;
}

TEST(GgufTokenizer, IsATokenizerJson) {
  const json tokenizer = texts_of(small_tokenizer())["tokenizer.json"];
  EXPECT_EQ(tokenizer["model"]["type"], "BPE");
  EXPECT_EQ(tokenizer["model"]["ignore_merges"], false);
  EXPECT_EQ(tokenizer["model"]["vocab"],
            (json{{"a", 0}, {"b\"\\\x01", 1}, {"ab", 2}, {"<|im_end|>", 4}, {"<think>", 5}}));
  EXPECT_EQ(tokenizer["model"]["merges"], json::array({"a b"}));
  EXPECT_EQ(tokenizer["normalizer"]["type"], "NFC");
  EXPECT_EQ(tokenizer["decoder"]["type"], "ByteLevel");
  const json& added = tokenizer["added_tokens"];
  ASSERT_EQ(added.size(), 2U);
  EXPECT_EQ(added[0]["content"], "<|im_end|>");
  EXPECT_EQ(added[0]["special"], true);
  EXPECT_EQ(added[1]["id"], 5);
  EXPECT_EQ(added[1]["special"], false);
}

TEST(GgufTokenizer, CutsWordsByTheNameOfTheWay) {
  const auto steps = [](const std::string& pre) {
    return texts_of(small_tokenizer(pre))["tokenizer.json"]["pre_tokenizer"]["pretokenizers"];
  };
  EXPECT_EQ(steps("qwen2")[0]["pattern"]["Regex"], kQwen2SplitRegex);
  EXPECT_EQ(steps("qwen2")[1]["use_regex"], false);
  EXPECT_EQ(steps("llama-bpe")[0]["pattern"]["Regex"], kLlama3SplitRegex);
  EXPECT_EQ(steps("smollm")[0]["type"], "Digits");
  EXPECT_EQ(steps("smollm")[1]["use_regex"], true);
  EXPECT_EQ(steps("gpt-2").size(), 1U);
  EXPECT_EQ(texts_of(small_tokenizer("llama-bpe"))["tokenizer.json"]["model"]["ignore_merges"], true);
  EXPECT_TRUE(texts_of(small_tokenizer("llama-bpe"))["tokenizer.json"]["normalizer"].is_null());
}

std::vector<std::string> around_text(const GgufBytes& file) {
  std::vector<std::string> names;
  const json tokenizer = texts_of(file)["tokenizer.json"];
  for (const json& item : tokenizer["post_processor"]["single"]) {
    names.push_back(item.contains("SpecialToken") ? item["SpecialToken"]["id"] : "TEXT");
  }
  return names;
}

TEST(GgufTokenizer, PutsTokensAroundATextWhereTheFileSaysSo) {
  using Names = std::vector<std::string>;
  GgufBytes file = small_tokenizer();
  EXPECT_EQ(around_text(file), (Names{"TEXT"}));
  EXPECT_EQ(around_text(small_tokenizer("llama-bpe")), (Names{"a", "TEXT"}));
  file.set("tokenizer.ggml.add_bos_token", value(true));
  file.set("tokenizer.ggml.add_eos_token", value(true));
  EXPECT_EQ(around_text(file), (Names{"a", "TEXT", "ab"}));
  file.erase("tokenizer.ggml.bos_token_id");
  EXPECT_EQ(around_text(file), (Names{"TEXT", "ab"}));
}

TEST(GgufTokenizer, EndsAreThoseNamedAndThoseKnown) {
  GgufBytes file = small_tokenizer();
  EXPECT_EQ(texts_of(file)["generation_config.json"]["eos_token_id"], (json{2, 4}));
  file.set("tokenizer.ggml.eot_token_id", value(5U));
  EXPECT_EQ(texts_of(file)["generation_config.json"]["eos_token_id"], (json{2, 4, 5}));
}

TEST(GgufTokenizer, HasTheChatTemplates) {
  GgufBytes file = small_tokenizer();
  EXPECT_FALSE(texts_of(file)["tokenizer_config.json"].contains("chat_template"));
  EXPECT_EQ(texts_of(file)["tokenizer_config.json"]["bos_token"], "a");
  file.set("tokenizer.chat_template", value("{{ one }}"));
  EXPECT_EQ(texts_of(file)["tokenizer_config.json"]["chat_template"], "{{ one }}");
  file.set("tokenizer.chat_templates", array({"tool_use"}));
  file.set("tokenizer.chat_template.tool_use", value("{{ tools }}"));
  const json templates = texts_of(file)["tokenizer_config.json"]["chat_template"];
  ASSERT_EQ(templates.size(), 2U);
  EXPECT_EQ(templates[0]["name"], "default");
  EXPECT_EQ(templates[1]["template"], "{{ tools }}");
}

TEST(GgufTokenizer, NoTokenizerIsNone) { EXPECT_TRUE(texts_of(GgufBytes()).empty()); }

struct BadTokenizer {
  const char* key;
  std::string value;  // empty: the key is missing
  const char* message;
};

TEST(GgufTokenizer, WhatIsWrongIsNamed) {
  const std::vector<BadTokenizer> cases = {
      {"tokenizer.ggml.model", value("bert"), "unsupported tokenizer \"bert\""},
      {"tokenizer.ggml.pre", value("other"), "unsupported pre-tokenizer \"other\""},
      {"tokenizer.ggml.pre", value(1U), "is not a string"},
      {"tokenizer.ggml.tokens", "", "\"tokenizer.ggml.tokens\" is missing"},
      {"tokenizer.ggml.tokens", array({1, 2}), "is not a list of strings"},
      {"tokenizer.ggml.tokens", array({"a", "b", "ab", "x", "y", "\xff"}), "token 5 is not UTF-8"},
      {"tokenizer.ggml.tokens", array({"a", "b", "ab", "x", "a", "z"}), "the tokens 0 and 4 are the same"},
      {"tokenizer.ggml.tokens", array({"a"}), "there are 1 tokens and the types of 6"},
      {"tokenizer.ggml.token_type", array({"a"}), "is not a list of integers"},
      {"tokenizer.ggml.merges", "", "\"tokenizer.ggml.merges\" is missing"},
      {"tokenizer.ggml.merges", array({"a \xff"}), "merge 0 is not UTF-8"},
      {"tokenizer.ggml.bos_token_id", value(6U), "is no token's id"},
      {"tokenizer.ggml.eos_token_id", value(3U), "is no token's id"},
      {"tokenizer.ggml.eos_token_id", value(GgufKind::kI32, std::int32_t{-1}), "is no token's id"},
      {"tokenizer.ggml.add_bos_token", value(1U), "is not true or false"},
      {"tokenizer.chat_template", value("\xff"), "is not UTF-8"},
  };
  for (const auto& [key, bytes, message] : cases) {
    GgufBytes file = small_tokenizer();
    bytes.empty() ? file.erase(key) : file.set(key, bytes);
    expect_error(ExitCode::kModel, {message, "file.gguf"}, [&] { texts_of(file); });
  }
}

}  // namespace
}  // namespace strata::importer
