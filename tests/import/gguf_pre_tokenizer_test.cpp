// SPDX-License-Identifier: Apache-2.0
// data/make_pre_tokenizer_cases.py says where the expected values come from.
#include "import/gguf_pre_tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "import/gguf.h"
#include "tests/import/gguf_bytes.h"
#include "text/steps_reader.h"

namespace strata::importer {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

json section_of(const std::string& name) {
  fixtures::GgufBytes file;
  file.set("tokenizer.ggml.pre", fixtures::value(name));
  const std::string bytes = file.head();
  const GgufContents contents = parse_gguf(std::as_bytes(std::span(bytes)), "file.gguf");
  return json::parse(gguf_pre_tokenizer_json(find_gguf_pre_tokenizer(contents.metadata)));
}

Words cut(const std::string& name, const std::string& text) {
  Words words;
  const text::PreTokenizerSection section = text::read_pre_tokenizer(section_of(name), "file.gguf");
  EXPECT_TRUE(section.is_byte_level);
  section.steps.run(text, true, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(GgufPreTokenizer, CutsAsHuggingFaceDoes) {
  std::ifstream cases(STRATA_SOURCE_DIR "/tests/import/data/pre_tokenizer_cases.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(cases, line); ++count) {
    const json row = json::parse(line);
    if (row.contains("words")) {
      EXPECT_EQ(cut(row["pre"], row["text"]), row["words"].get<Words>()) << row;
      continue;
    }
    const json steps = section_of(row["pre"])["pretokenizers"];
    Words regexes;
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) regexes.push_back(steps[i]["pattern"]["Regex"]);
    EXPECT_EQ(regexes, row["regexes"].get<Words>());
    EXPECT_EQ(steps.back()["use_regex"], false);
  }
  EXPECT_EQ(count, 121U);
}

TEST(GgufPreTokenizer, AFileThatNamesNoneIsCutByDefault) {
  EXPECT_EQ(find_gguf_pre_tokenizer(GgufMetadata()).name, "default");
}

TEST(GgufPreTokenizer, LongTextsKeepAllOfTheirCharacters) {
  for (const std::string name : {"default", "qwen35", "tekken", "gpt-4o", "deepseek-llm", "deepseek-coder"}) {
    for (const std::string unit : {" ", "a", "A", "\u0301", "\u00aaA", "!", "\n", "1", "\u4e2d"}) {
      std::string text;
      while (text.size() < 50'000) text += unit;
      std::size_t size = 0;
      for (const std::string& word : cut(name, text + "x")) size += word.size();
      EXPECT_EQ(size, text.size() + 1);
    }
  }
}

}  // namespace
}  // namespace strata::importer
