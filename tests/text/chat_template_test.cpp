// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <functional>

#include "base/error.h"
#include "test_data.h"

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& context = Json::object(),
                   const jinja::RenderLimits& limits = {}) {
  return ChatTemplate(source, "dir/tokenizer_config.json").render(context, limits);
}

void expect_error(ExitCode code, const std::string& message, const std::function<void()>& act) {
  try {
    act();
    ADD_FAILURE() << "no error: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

TEST(ChatTemplate, RendersQwen3sAsTransformersDoes) {
  const Json config = Json::parse(read_file(qwen3_file("tokenizer_config.json")));
  const ChatTemplate parsed(config["chat_template"], "tokenizer_config.json");
  const auto rows = read_lines(qwen3_file("chat_cases.jsonl"));
  ASSERT_EQ(rows.size(), 48u);
  for (Json row : rows) {
    const std::string rendered = row["rendered"];
    row.erase("rendered");
    EXPECT_EQ(parsed.render(row), rendered);
  }
}

TEST(ChatTemplate, LongSourcesAreRefused) {
  const std::string source(std::size_t{256} << 10, 'a');
  EXPECT_EQ(render(source), source);
  expect_error(ExitCode::kModel, "larger than 256 KiB", [&] { (void)render(source + "a"); });
}

TEST(ChatTemplate, ErrorsSayWhoseFaultItIs) {
  expect_error(ExitCode::kModel, "dir/tokenizer_config.json, line 3", [] { (void)render("a\nb\n{% if x %}"); });
  expect_error(ExitCode::kModel, "limit of text",
               [] { (void)render("{{ 'a' * 1001 }}", Json::object(), {.max_output_bytes = 1000}); });
  expect_error(ExitCode::kUsage, "refuses these messages: roles must alternate",
               [] { (void)render("{{ raise_exception('roles must alternate') }}"); });
  expect_error(ExitCode::kUsage, "cannot be applied to these messages",
               [] { (void)render("{{ a.b.c }}", {{"a", Json::object()}}); });
}

TEST(ChatTemplate, MessagesMustBeAListOfObjects) {
  expect_error(ExitCode::kUsage, "must be a list", [] { (void)render("", {{"messages", 1}}); });
  expect_error(ExitCode::kUsage, "not an object", [] { (void)render("", {{"messages", Json::array({1})}}); });
  expect_error(ExitCode::kUsage, "JSON object", [] { (void)render("", Json::array()); });
}

TEST(ChatTemplate, InvalidUtf8InTheSourceIsReplaced) { EXPECT_EQ(render("a\xFF{{ 'b\xC3' }}"), "a\uFFFDb\uFFFD"); }

}  // namespace
}  // namespace strata::text
