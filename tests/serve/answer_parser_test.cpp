// SPDX-License-Identifier: Apache-2.0
#include "serve/answer_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace strata::serve {
namespace {

using Kind = AnswerPart::Kind;

const ToolFormat &kHermes = tool_format_of("<tool_call>", ""),
                 &kLlama = tool_format_of(R"({"name": function name, "parameters": x})", "");
const AnswerParser::Options kPlain, kTools{.tools = &kHermes}, kBareTools{.tools = &kLlama, .tool_names = {"add"}};

void join(std::vector<AnswerPart>& all, const std::vector<AnswerPart>& more) {
  for (const AnswerPart& part : more) {
    EXPECT_TRUE(part.kind == Kind::kToolCall || !part.text.empty());
    if (part.kind != Kind::kToolCall && !all.empty() && all.back().kind == part.kind) {
      all.back().text += part.text;
    } else {
      all.push_back(part);
    }
  }
}

std::string written(const std::vector<AnswerPart>& parts) {
  std::string out;
  for (const AnswerPart& part : parts) {
    const char* const kind = part.kind == Kind::kContent ? "C" : part.kind == Kind::kReasoning ? "R" : "T";
    out += kind + (part.kind == Kind::kToolCall ? part.name + ":" : "") + "[" + part.text + "]";
  }
  return out;
}

std::string parsed(const std::string& answer, const AnswerParser::Options& options = kPlain, std::size_t cut = 0,
                   std::uint64_t seed = 1) {
  AnswerParser parser(options);
  std::mt19937_64 random(seed);
  std::vector<AnswerPart> all;
  for (std::size_t at = 0; at < answer.size();) {
    const std::size_t size = cut == 0 ? answer.size() : 1 + random() % cut;
    join(all, parser.push(std::string_view(answer).substr(at, size)));
    at += size;
  }
  join(all, parser.finish());
  return written(all);
}

constexpr const char* kCall = "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": [2]}}\n</tool_call>";

TEST(AnswerParser, ContentIsAsItIs) {
  EXPECT_EQ(parsed("Hello <think> there </think>\n"), "C[Hello <think> there </think>\n]");
  EXPECT_EQ(parsed("  Hi"), "C[  Hi]");
  EXPECT_EQ(parsed(" \n"), "C[ \n]");
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("<thin"), "C[<thin]");
}

TEST(AnswerParser, ThinkingComesFirst) {
  EXPECT_EQ(parsed("<think>\nLet me see.\n\n</think>\n\nYes."), "R[Let me see.]C[Yes.]");
  EXPECT_EQ(parsed("\n<think></think>Yes."), "C[Yes.]");
  EXPECT_EQ(parsed("<think>and no end </thi"), "R[and no end </thi]");
  EXPECT_EQ(parsed("<think>a </think> b </think>"), "R[a]C[b </think>]");
}

TEST(AnswerParser, PromptMayHaveBegunTheThinking) {
  const AnswerParser::Options options{.begins_in_reasoning = true};
  EXPECT_EQ(parsed("Hm.\n</think>\n\nYes.", options), "R[Hm.]C[Yes.]");
  EXPECT_EQ(parsed("Hm.", options), "R[Hm.]");
}

TEST(AnswerParser, ThinkingMayStay) {
  const AnswerParser::Options options{.splits_reasoning = false};
  EXPECT_EQ(parsed("<think>a</think> b", options), "C[<think>a</think> b]");
}

TEST(AnswerParser, CallsAreTakenOut) {
  EXPECT_EQ(parsed(kCall, kTools), "Tadd:[{\"a\":1,\"b\":[2]}]");
  EXPECT_EQ(parsed("I'll add.\n" + std::string(kCall) + "\n" + kCall, kTools),
            "C[I'll add.]Tadd:[{\"a\":1,\"b\":[2]}]Tadd:[{\"a\":1,\"b\":[2]}]");
  EXPECT_EQ(parsed("<think>x</think>\n" + std::string(kCall), kTools), "R[x]Tadd:[{\"a\":1,\"b\":[2]}]");
  EXPECT_EQ(parsed(R"(<tool_call>{"name": "now"}</tool_call>)", kTools), "Tnow:[{}]");
  EXPECT_EQ(parsed(R"(<tool_call>{"name": "f", "arguments": "{\"x\": 1}"}</tool_call>)", kTools), "Tf:[{\"x\": 1}]");
}

TEST(AnswerParser, WhatIsNoCallStaysContent) {
  EXPECT_EQ(parsed(kCall), "C[" + std::string(kCall) + "]");  // nobody asked for calls
  for (const std::string text : {"a <tool_call>{bad}</tool_call> b", "<tool_call>[1]</tool_call>", "<tool_call>{}",
                                 "a < tool_call> <tool_cal", "<tool_call>{\"name\": 3}</tool_call>"}) {
    EXPECT_EQ(parsed(text, kTools), "C[" + text + "]");
  }
}

TEST(AnswerParser, BareCallsAreWholeAnswers) {
  EXPECT_EQ(parsed(R"({"name": "add", "parameters": {"a": 1}})", kBareTools), "Tadd:[{\"a\":1}]");
  EXPECT_EQ(parsed("\n {\"name\": \"add\", \"parameters\": {}} \n", kBareTools), "Tadd:[{}]");
  for (const std::string text : {R"({"name": "other", "parameters": {}})", R"({"a": 1})", R"({"name": "add")",
                                 R"(I say {"name": "add", "parameters": {}})", "{", "no"}) {
    EXPECT_EQ(parsed(text, kBareTools), "C[" + text + "]");
  }
}

TEST(AnswerParser, CutsChangeNothing) {
  std::mt19937_64 random(3);
  const std::vector<std::string> pieces = {"<think>", "</think>", "<tool_call>", "</tool_call>", kCall,  "a", " ", "\n",
                                           "<",       ">",        "é",           "<t",           "text "};
  for (int i = 0; i < 2000; ++i) {
    std::string answer;
    for (std::uint64_t n = random() % 8; n > 0; --n) answer += pieces[random() % pieces.size()];
    for (const AnswerParser::Options& options :
         {kPlain, kTools, kBareTools, AnswerParser::Options{.begins_in_reasoning = true, .tools = &kHermes}}) {
      ASSERT_EQ(parsed(answer, options, 4, random()), parsed(answer, options)) << answer;
    }
  }
}

}  // namespace
}  // namespace strata::serve
