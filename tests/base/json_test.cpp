// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/base/expect_error.h"

namespace strata {
namespace {

using fixtures::expect_error;
using nlohmann::json;

void expect_refused(const std::string& text, const std::string& part, const JsonLimits& limits = {}) {
  expect_error(ExitCode::kModel, {part, "file.json"}, [&] { parse_json(text, "file.json", limits); });
}

TEST(Json, BuildsWhatTheLibraryBuilds) {
  const std::string text =
      R"({"a": [1, -2, 3.5, true, null, {"b": [[], {}]}], "c": {"d": "\u00e9\n", "e": 18446744073709551615}, "f": []})";
  EXPECT_EQ(parse_json(text, "file.json"), json::parse(text));
}

TEST(Json, ScalarsAreDocuments) {
  EXPECT_EQ(parse_json(" 7 ", "file.json"), json(7));
  EXPECT_EQ(parse_json("\"x\"", "file.json"), json("x"));
}

TEST(Json, MalformedTextNamesTheByte) {
  expect_refused("", "not valid JSON");
  expect_refused("{\"a\": 1,}", "not valid JSON at byte 9");
  expect_refused("{} x", "not valid JSON");
  expect_refused("{\"a\": \"\xff\"}", "not valid JSON");
  expect_refused("{\"a\": 1e999}", "not valid JSON");
  expect_refused(std::string("{\"a\"\0: 1}", 9), "not valid JSON");
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "file.json"));
  expect_refused(nested(65), "nested deeper than 64");
  expect_refused(std::string(1'000'000, '['), "nested deeper than 64");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  expect_refused(objects, "nested deeper than 64");
}

TEST(Json, SizeIsLimited) { expect_refused("[1, 2, 3]", "9 bytes", {.max_bytes = 8}); }

TEST(Json, RepeatedKeysAreRefusedOrTheLastCounts) {
  const std::string text = R"({"a": {"x": 1}, "b": 2, "a": [3]})";
  expect_refused(text, "\"a\" is there twice");
  EXPECT_EQ(parse_json(text, "file.json", {.unique_keys = false}), json::parse(text));
}

class JsonObjectTest : public ::testing::Test {
 protected:
  void refused(const std::string& part, const std::function<void(const JsonObject&)>& read) {
    expect_error(ExitCode::kModel, {part, "file.json"}, [&] { read(object_); });
  }
  json document_ = json::parse(
      R"({"i": 5, "neg": -3, "big": 18446744073709551615, "f": 1.5, "s": "x", "b": true, "n": null, "o": {"i": 9}})");
  JsonObject object_{document_, "file.json"};
};

TEST_F(JsonObjectTest, ReadsFields) {
  EXPECT_EQ(object_.integer("i", 0, 5), 5);
  EXPECT_EQ(object_.integer("neg", -3, 5), -3);
  EXPECT_EQ(object_.integer_or("n", 7, 0, 5), 7);
  EXPECT_EQ(object_.number("f", 0, 2), 1.5);
  EXPECT_EQ(object_.number("i", 0, 5), 5.0);
  EXPECT_EQ(object_.number_or("nosuch", 2.5, 0, 1), 2.5);
  EXPECT_EQ(object_.text("s"), "x");
  EXPECT_EQ(object_.text_or("nosuch", "y"), "y");
  EXPECT_TRUE(object_.boolean_or("b", false));
  EXPECT_TRUE(object_.boolean_or("n", true));
  EXPECT_EQ(object_.object("o").integer("i", 0, 10), 9);
  EXPECT_FALSE(object_.has("n"));
}

TEST_F(JsonObjectTest, RefusesWrongTypesAndRanges) {
  refused("\"nosuch\" is missing", [](const JsonObject& o) { o.integer("nosuch", 0, 1); });
  refused("\"n\" is missing", [](const JsonObject& o) { o.text("n"); });
  refused("an integer from 0 to 4, not 5", [](const JsonObject& o) { o.integer("i", 0, 4); });
  refused("not 1.5", [](const JsonObject& o) { o.integer("f", 0, 4); });
  refused("not 18446744073709551615", [](const JsonObject& o) { o.integer("big", INT64_MIN, INT64_MAX); });
  refused("a number from 2.0 to 3.0, not 1.5", [](const JsonObject& o) { o.number("f", 2, 3); });
  refused("a number", [](const JsonObject& o) { o.number("s", 2, 3); });
  refused("true or false", [](const JsonObject& o) { o.boolean_or("i", false); });
  refused("a string, not 5", [](const JsonObject& o) { o.text("i"); });
  refused("an object", [](const JsonObject& o) { o.object("i"); });
  refused("\"i\" must be a string, not 9, file.json, \"o\"", [](const JsonObject& o) { o.object("o").text("i"); });
}

TEST_F(JsonObjectTest, OnlyObjectsHaveFields) {
  const json list = json::array();
  expect_error(ExitCode::kModel, {"not array", "file.json"}, [&] { JsonObject(list, "file.json"); });
}

}  // namespace
}  // namespace strata
