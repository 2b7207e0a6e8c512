// SPDX-License-Identifier: Apache-2.0
// One mistake of a tokenizer.json per case: all are refused with a message that names it.
#include <functional>

#include "base/error.h"
#include "test_data.h"

namespace strata::text {
namespace {

using nlohmann::json;

void expect_refused(const std::string& file, const std::string& message) {
  try {
    (void)Tokenizer::from_json(file, "dir/tokenizer.json");
    ADD_FAILURE() << "accepted: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel);
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("dir/tokenizer.json"), std::string::npos) << error.what();
  }
}

struct Mistake {
  const char* name;
  const char* message;
  std::function<void(json&)> edit;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class TokenizerRefusal : public testing::TestWithParam<Mistake> {};

TEST_P(TokenizerRefusal, NamesTheMistake) {
  json file = json::parse(read_file(text_file("llama3_tokenizer.json")));
  EXPECT_NO_THROW((void)Tokenizer::from_json(file.dump(), "dir/tokenizer.json"));
  GetParam().edit(file);
  expect_refused(file.dump(), GetParam().message);
}

json& split(json& file) { return file["pre_tokenizer"]["pretokenizers"][0]; }

const Mistake kMistakes[] = {
    {"NoModel", "model is missing", [](json& f) { f.erase("model"); }},
    {"UnknownModel", "\"NoSuch\" is not supported", [](json& f) { f["model"]["type"] = "NoSuch"; }},
    {"ModelTypeNotAString", "model is not an object with a type", [](json& f) { f["model"]["type"] = 1; }},
    {"NoVocab", "model.vocab or model.merges is missing", [](json& f) { f["model"].erase("vocab"); }},
    {"NoMerges", "model.vocab or model.merges is missing", [](json& f) { f["model"].erase("merges"); }},
    {"IdTooLarge", "the id of \"a\"", [](json& f) { f["model"]["vocab"]["a"] = std::int64_t{1} << 60; }},
    {"IdLargerThanInt64", "the id of \"a\"", [](json& f) { f["model"]["vocab"]["a"] = ~std::uint64_t{0}; }},
    {"IdNegative", "the id of \"a\"", [](json& f) { f["model"]["vocab"]["a"] = -1; }},
    {"IdFraction", "not an integer", [](json& f) { f["model"]["vocab"]["a"] = 1.5; }},
    {"IdText", "not an integer", [](json& f) { f["model"]["vocab"]["a"] = "1"; }},
    {"IdList", "not an integer", [](json& f) { f["model"]["vocab"]["a"] = json::array(); }},
    {"IdTwice", "two tokens have the id", [](json& f) { f["model"]["vocab"]["a"] = f["model"]["vocab"]["b"]; }},
    {"MergeOfUnknownTokens", "names \"q\u00fc\u00fc\"",
     [](json& f) { f["model"]["merges"].push_back({"q\u00fc\u00fc", "z"}); }},
    {"MergeIntoUnknownToken", "names \"z!\"", [](json& f) { f["model"]["merges"].push_back({"z", "!"}); }},
    {"MergeOfOne", "not a pair", [](json& f) { f["model"]["merges"].push_back({"a"}); }},
    {"MergeOfThree", "not a pair", [](json& f) { f["model"]["merges"].push_back({"a", "b", "c"}); }},
    {"MergeNumber", "not a pair", [](json& f) { f["model"]["merges"].push_back(1); }},
    {"MergeNested", "not a pair", [](json& f) { f["model"]["merges"].push_back({{"a"}, "b"}); }},
    {"MergeWithoutSpace", "not two tokens", [](json& f) { f["model"]["merges"].push_back("ab"); }},
    {"MergeWithTwoSpaces", "not two tokens", [](json& f) { f["model"]["merges"].push_back("a b c"); }},
    {"ByteFallback", "byte_fallback with ByteLevel is not supported",
     [](json& f) { f["model"]["byte_fallback"] = true; }},
    {"Dropout", "dropout is not supported", [](json& f) { f["model"]["dropout"] = 0.1; }},
    {"WordSuffix", "end_of_word_suffix is not supported", [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }},
    {"UnknownTokenMissing", "unk_token", [](json& f) { f["model"]["unk_token"] = "<nosuch>"; }},
    {"FlagNotABoolean", "ignore_merges is not true or false", [](json& f) { f["model"]["ignore_merges"] = 1; }},
    {"AddedTokensNotAList", "added_tokens is not a list", [](json& f) { f["added_tokens"] = 3; }},
    {"AddedTokenWithoutContent", "no content", [](json& f) { f["added_tokens"].push_back({{"id", 1}}); }},
    {"AddedTokenWithoutId", "the id of added token \"x\"",
     [](json& f) { f["added_tokens"][0]["content"] = "x", f["added_tokens"][0].erase("id"); }},
    {"AddedTokenIdTaken", "of another token",
     [](json& f) { f["added_tokens"].push_back({{"id", 5}, {"content", "<new>"}}); }},
    {"AddedTokenTooLong", "longer than 1024",
     [](json& f) { f["added_tokens"].push_back({{"id", 900}, {"content", std::string(5000, 'x')}}); }},
    {"UnknownNormalizer", "normalizer \"NFKD\" is not supported",
     [](json& f) { f["normalizer"] = {{"type", "NFKD"}}; }},
    {"UnknownPreTokenizer", "pre_tokenizer \"Whitespace\" is not supported",
     [](json& f) { f["pre_tokenizer"] = {{"type", "Whitespace"}}; }},
    {"NoPreTokenizer", "decoder ByteLevel with a pre_tokenizer without ByteLevel",
     [](json& f) { f["pre_tokenizer"] = nullptr; }},
    {"UnknownPattern", "supported: Qwen2/Qwen3, Llama 3, GPT-2",
     [](json& f) { split(f)["pattern"]["Regex"] = "\\w+"; }},
    {"PatternOfNoKind", "neither a String nor a Regex", [](json& f) { split(f)["pattern"] = {{"Text", " "}}; }},
    {"SplitBehavior", "MergedWithPrevious", [](json& f) { split(f)["behavior"] = "MergedWithPrevious"; }},
    {"UnknownDecoder", "decoder \"WordPiece\" is not supported",
     [](json& f) { f["decoder"] = {{"type", "WordPiece"}}; }},
    {"NoDecoder", "decoder null is not supported", [](json& f) { f["decoder"] = nullptr; }},
    {"UnknownPostProcessor", "post_processor \"BertProcessing\" is not supported",
     [](json& f) { f["post_processor"] = {{"type", "BertProcessing"}}; }},
    {"TemplateWithoutItsToken", "does not define",
     [](json& f) { f["post_processor"]["processors"][1]["special_tokens"] = json::object(); }},
    {"TemplateTokenBeyondTheVocabulary", "whose id the vocabulary does not have",
     [](json& f) {
       for (json& token : f["post_processor"]["processors"][1]["special_tokens"]) token["ids"] = {100'000};
     }},
    {"TemplateWithoutText", "leaves the text out",
     [](json& f) { f["post_processor"]["processors"][1]["single"] = json::array(); }},
};

INSTANTIATE_TEST_SUITE_P(Mistakes, TokenizerRefusal, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(TokenizerRefusal, NotJson) { expect_refused("{", "not valid JSON"); }
TEST(TokenizerRefusal, Empty) { expect_refused("", "not valid JSON"); }
TEST(TokenizerRefusal, EmptyObject) { expect_refused("{}", "model is missing"); }
TEST(TokenizerRefusal, NotAnObject) { expect_refused("[1]", "not a JSON object"); }
TEST(TokenizerRefusal, TruncatedFile) {
  const std::string file = read_file(text_file("gpt2_tokenizer.json"));
  expect_refused(file.substr(0, file.size() / 2), "not valid JSON");
}

TEST(TokenizerRefusal, DeepNesting) {
  std::string file;
  for (int i = 0; i < 1'000'000; ++i) file += "{\"a\":";
  expect_refused(file, "nested too deeply");
  expect_refused(std::string(1'000'000, '['), "nested too deeply");
}

}  // namespace
}  // namespace strata::text
