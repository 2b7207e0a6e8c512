// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace strata::cli {
namespace {

std::string write_temporary(const std::string& content) {
  // The tests may run at the same time.
  std::string path = testing::TempDir() + "strata_input_test_" +
                     testing::UnitTest::GetInstance()->current_test_info()->name() + ".txt";
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::vector<std::string> lines_of(const std::string& content) {
  InputFile input(write_temporary(content));
  std::vector<std::string> lines;
  for (std::string line; input.next_line(line);) lines.push_back(line);
  return lines;
}

TEST(InputFile, GivesLinesWithAndWithoutAnEndAndFromWindows) {
  EXPECT_EQ(lines_of("a\n\nb\r\nc"), (std::vector<std::string>{"a", "", "b", "c"}));
  EXPECT_TRUE(lines_of("").empty());
}

TEST(InputFile, GivesLinesLongerThanItsBuffer) {
  std::string longer(200'000, 'x');
  EXPECT_EQ(lines_of(longer + "\n" + longer), (std::vector<std::string>{longer, longer}));
}

TEST(InputFile, NamesTheLine) {
  std::string path = write_temporary("a\nb\n");
  InputFile input(path);
  std::string line;
  input.next_line(line);
  input.next_line(line);
  EXPECT_EQ(input.position(), path + ", line 2");
}

TEST(InputFile, MissingFileIsAUsageError) {
  try {
    InputFile input("/nonexistent/file");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("/nonexistent/file"), std::string::npos);
  }
}

TEST(InputFile, FolderIsAUsageError) { EXPECT_THROW(read_input("/"), Error); }

TEST(ParseInputObject, KeepsTheOrderOfKeys) {
  EXPECT_EQ(to_json_line(parse_input_object(R"({"b": 1, "a": "é"})", "x")), "{\"b\":1,\"a\":\"\\u00e9\"}\n");
}

TEST(ParseInputObject, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "1", "{", "{\"a\": nan}", "{\"a\": \"\xff\"}"}) {
    EXPECT_THROW(parse_input_object(text, "x"), Error) << text;
  }
}

TEST(ParseInputObject, RefusesDeepNesting) {
  EXPECT_THROW(parse_input_object("{\"a\":" + std::string(1'000'000, '['), "x"), Error);
}

TEST(ParseInputObject, BracketsInStringsAreNoNesting) {
  EXPECT_NO_THROW(parse_input_object("{\"a\": \"\\\"" + std::string(1000, '[') + "\"}", "x"));
}

TEST(ToJsonLine, ReplacesWhatIsNotUtf8) { EXPECT_EQ(to_json_line({{"text", "a\xff"}}), "{\"text\":\"a\\ufffd\"}\n"); }

}  // namespace
}  // namespace strata::cli
