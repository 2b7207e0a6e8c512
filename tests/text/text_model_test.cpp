// SPDX-License-Identifier: Apache-2.0
#include "text/text_model.h"

#include "base/error.h"
#include "test_data.h"

namespace strata::text {
namespace {

std::string tokenizer_file() { return read_file(text_file("llama3_tokenizer.json")); }

TextModel load(const std::string& tokenizer_config, const std::string& generation_config = "",
               const std::string& config = "", const std::string& jinja = "") {
  return load_text_model(tokenizer_file(), tokenizer_config, generation_config, config, jinja, "dir");
}

void expect_refused(const std::string& message, const std::string& tokenizer_config,
                    const std::string& generation_config = "", const std::string& config = "") {
  try {
    (void)load(tokenizer_config, generation_config, config);
    ADD_FAILURE() << "accepted: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel);
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(TextModel, ATokenizerAloneIsEnough) {
  const TextModel model = load("");
  EXPECT_FALSE(model.chat_template);
  EXPECT_EQ(model.bos_token, "");
  EXPECT_TRUE(model.eos_ids.empty());
}

TEST(TextModel, EndTokensComeFromAllFiles) {
  const TextModel model = load(R"({"eos_token": {"content": "<|eot_id|>"}, "bos_token": "<|begin_of_text|>"})",
                               R"({"eos_token_id": [5, 3, 999999]})", R"({"eos_token_id": 7})");
  const std::int32_t eot = *model.tokenizer.id_of("<|eot_id|>");
  EXPECT_EQ(model.eos_ids, (std::vector<std::int32_t>{3, 5, 7, eot}));
  EXPECT_EQ(model.eos_token, "<|eot_id|>");
  EXPECT_EQ(model.bos_token, "<|begin_of_text|>");
}

TEST(TextModel, ConfigNamesTheTokensWhenTheTokenizerConfigDoesNot) {
  const TextModel model = load("", "", R"({"eos_token_id": 64, "bos_token_id": 65})");
  EXPECT_EQ(model.eos_token, model.tokenizer.token_bytes(64));
  EXPECT_EQ(model.bos_token, model.tokenizer.token_bytes(65));
}

TEST(TextModel, TheTemplateOfItsOwnFileWins) {
  EXPECT_EQ(load(R"({"chat_template": "a"})").chat_template->render(nlohmann::ordered_json::object()), "a");
  EXPECT_EQ(load(R"({"chat_template": "a"})", "", "", "b").chat_template->render(nlohmann::ordered_json::object()),
            "b");
  EXPECT_EQ(load(R"({"chat_template": [{"name": "x", "template": "a"}, {"name": "default", "template": "c"}]})")
                .chat_template->render(nlohmann::ordered_json::object()),
            "c");
}

TEST(TextModel, RefusesMalformedConfigs) {
  expect_refused("dir/tokenizer_config.json", "{");
  expect_refused("not a JSON object", "[]");
  expect_refused("dir/generation_config.json", "", "{\"eos_token_id\": \"x\"}");
  expect_refused("dir/config.json", "", "", "{\"eos_token_id\": [1.5]}");
  expect_refused("neither a string nor a list", R"({"chat_template": 5})");
  expect_refused("no template named", R"({"chat_template": [{"name": "x", "template": "a"}]})");
  expect_refused("the chat template is not usable", R"({"chat_template": "{% if %}"})");
  expect_refused("nested too deeply", std::string(100'000, '['));
}

}  // namespace
}  // namespace strata::text
