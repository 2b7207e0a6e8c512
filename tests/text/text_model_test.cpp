// SPDX-License-Identifier: Apache-2.0
#include "text/text_model.h"

#include "base/error.h"
#include "test_data.h"

namespace strata::text {
namespace {

std::string tokenizer_file() { return read_file(text_file("llama3_tokenizer.json")); }

TextModel load(const std::string& tokenizer_config, const std::string& generation_config = "",
               const std::string& config = "", const std::string& jinja = "", const std::string& tool_use = "") {
  return load_text_model({tokenizer_file(), tokenizer_config, generation_config, config, jinja, tool_use}, "dir");
}

using Json = nlohmann::ordered_json;

std::string render(const TextModel& model, const std::string& context = "{}") {
  return model.chat_templates.render(Json::parse(context));
}

constexpr const char* kTools = R"({"tools": [{"type": "function"}]})";

void expect_folder_refused(const std::string& message, const std::string& tokenizer_config,
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
  EXPECT_TRUE(model.chat_templates.empty());
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
  EXPECT_EQ(render(load(R"({"chat_template": "a"})")), "a");
  EXPECT_EQ(render(load(R"({"chat_template": "a"})", "", "", "b")), "b");
  const char* named = R"({"chat_template": [{"name": "x", "template": "a"}, {"name": "default", "template": "c"}]})";
  EXPECT_EQ(render(load(named)), "c");
}

TEST(TextModel, ToolsTakeTheTemplateForTools) {
  const char* named = R"({"chat_template": [{"name": "default", "template": "plain"},
                                            {"name": "tool_use", "template": "tools {{ tools|length }}"}]})";
  EXPECT_EQ(render(load(named)), "plain");
  EXPECT_EQ(render(load(named), kTools), "tools 1");
  EXPECT_EQ(render(load(named), R"({"tools": null})"), "plain");
  EXPECT_EQ(render(load(named), R"({"tools": []})"), "tools 0") << "given, though empty";
  const TextModel files = load(named, "", "", "b", "file {{ tools|length }}");
  EXPECT_EQ(render(files), "b");
  EXPECT_EQ(render(files, kTools), "file 1");
  EXPECT_EQ(render(load("", "", "", "only {{ tools|length }}"), kTools), "only 1") << "no template of that name";
}

TEST(TextModel, ToolsThatAreNotGivenAreNone) {
  EXPECT_EQ(render(load("", "", "", "{{ tools is none }} {{ documents is none }} {{ other is defined }}")),
            "True True False");
}

TEST(TextModel, NullsOfMessagesAreLeftOut) {
  const TextModel model = load("", "", "", "{% for m in messages %}{{ m|tojson }}{% endfor %}");
  EXPECT_EQ(render(model, R"({"messages": [{"role": "a", "content": null, "tool_calls": [{"id": null}]}]})"),
            R"({"role": "a", "tool_calls": [{"id": null}]})")
      << "those of the message itself, no deeper ones";
}

TEST(TextModel, ReasoningHasThreeNames) {
  const TextModel model = load("", "", "", "{% for m in messages %}{{ m|tojson }}{% endfor %}");
  const auto one = [&](const std::string& message) { return render(model, R"({"messages": [)" + message + "]}"); };
  EXPECT_EQ(one(R"({"role": "a", "reasoning": "R"})"),
            R"({"thinking": "R", "role": "a", "reasoning": "R", "reasoning_content": "R"})");
  EXPECT_EQ(one(R"({"thinking": "T", "reasoning": "R"})"),
            R"({"thinking": "T", "reasoning": "R", "reasoning_content": "T"})");
  EXPECT_EQ(one(R"({"reasoning_content": "C", "thinking": "T"})"), R"({"thinking": "T", "reasoning_content": "C"})");
  EXPECT_EQ(one(R"({"reasoning_content": null, "reasoning": "R"})"),
            R"({"thinking": "R", "reasoning": "R", "reasoning_content": "R"})");
  EXPECT_EQ(one(R"({"content": "x"})"), R"({"content": "x"})");
}

TEST(TextModel, ATemplateThatMakesNoSenseIsRefusedWhenItIsUsed) {
  const auto expect_unusable = [](const std::string& tokenizer_config, const std::string& message) {
    const TextModel model = load(tokenizer_config);
    EXPECT_FALSE(model.chat_templates.empty());
    EXPECT_GT(model.tokenizer.encode("text").size(), 0u);
    try {
      (void)render(model);
      ADD_FAILURE() << "rendered: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kModel);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  expect_unusable(R"({"chat_template": 5})", "neither a string nor a list");
  expect_unusable(R"({"chat_template": [{"name": "rag", "template": "a"}]})", "named \"default\", only rag");
  expect_unusable(R"({"chat_template": "{% block a %}x{% endblock %}"})", "the chat template is not usable");
}

TEST(TextModel, RefusesMalformedConfigs) {
  expect_folder_refused("dir/tokenizer_config.json", "{");
  expect_folder_refused("not a JSON object", "[]");
  expect_folder_refused("dir/generation_config.json", "", "{\"eos_token_id\": \"x\"}");
  expect_folder_refused("dir/config.json", "", "", "{\"eos_token_id\": [1.5]}");
  expect_folder_refused("nested too deeply", std::string(100'000, '['));
}

TEST(TextModel, GenerationConfigSaysHowToSample) {
  TextFiles files;
  files.tokenizer = read_file(text_file("llama3_tokenizer.json"));
  const auto sampling = [&](const std::string& config) {
    files.generation_config = config;
    return load_text_model(files, "model").sampling;
  };
  const SamplingParameters own = sampling(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.9,
                                              "min_p": 0, "repetition_penalty": 1.1})");
  EXPECT_FLOAT_EQ(own.temperature, 0.6f);
  EXPECT_EQ(own.top_k, 20);
  EXPECT_FLOAT_EQ(own.top_p, 0.9f);
  EXPECT_FLOAT_EQ(own.min_p, 0);
  EXPECT_FLOAT_EQ(own.repeat_penalty, 1.1f);
  EXPECT_FLOAT_EQ(sampling(R"({"temperature": null})").temperature, SamplingParameters().temperature);
  EXPECT_FLOAT_EQ(sampling(R"({"do_sample": false, "temperature": 0.1})").temperature,
                  SamplingParameters().temperature);
  for (const std::string wrong : {R"({"temperature": -1})", R"({"top_p": "a"})", R"({"repetition_penalty": 0})"}) {
    EXPECT_THROW(sampling(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace strata::text
