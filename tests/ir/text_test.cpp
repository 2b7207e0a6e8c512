// SPDX-License-Identifier: Apache-2.0
#include "ir/text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "ir/op.h"
#include "ir/verify.h"

namespace strata::ir {
namespace {

void expect_round_trip(const std::string& text) { EXPECT_EQ(to_text(parse_module(text, "golden")), text); }

// A function around statements, on fixed parameters.
std::string program(const std::string& statements) {
  return "module m {\n  symbol seq in 1..512\n  symbol ctx in 64..4096 multiple 64\n\n"
         "  func @f(%x: f32[seq, 8], %w: bf16[8], %k: bf16[2, ctx, 4]<16@1>) {\n" +
         statements + "  }\n}\n";
}

std::string error_of(const std::string& text) {
  try {
    (void)parse_module(text, "t.ir");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel);
    return error.what();
  }
  return "no error";
}

void expect_error(const std::string& statements, const std::string& position, const std::string& what) {
  const std::string message = error_of(program(statements)) + " in" + statements;
  EXPECT_NE(message.find("t.ir:" + position), std::string::npos) << message;
  EXPECT_NE(message.find(what), std::string::npos) << message;
  EXPECT_NE(message.find("; "), std::string::npos) << "no remedy: " << message;
}

TEST(Text, RoundTripsOps) {
  expect_round_trip(
      program("    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 8]\n"
              "    %1 = reshape(%0) {shape = [-1, 2, 4]} : f32[seq, 2, 4]\n"
              "    return %1, %k\n"));
}

TEST(Text, RoundTripsWeightsAndScalars) {
  expect_round_trip(
      program("    %0 = weight \"a\\\"b\\\\\\x01.bias\" : f32[8]\n"
              "    %1 = add(%x, %0) : f32[seq, 8]\n"
              "    %2 = scalar -inf : f32\n"
              "    %3 = maximum(%1, %2) : f32[seq, 8]\n"
              "    %4 = scalar 2.0 : bf16\n"
              "    return %3, %4\n"));
}

TEST(Text, RoundTripsLayoutsDTypesAndPlacements) {
  expect_round_trip(
      "module m {\n"
      "  func @f(%x: f32[6, 4] {core: S(1), node: P, rack: P(max)}, %t: i8[5, 6], %ids: i64[3]) {\n"
      "    %0 = pack(%t) {layout = <16@0, 2@1>} : i8[5, 6]<16@0, 2@1>\n"
      "    %1 = gather(%t, %ids) {dtype = bf16} : bf16[3, 6]\n"
      "    %2 = weight \"w\" : bf16[5, 6]\n"
      "    %3 = pack(%2) {layout = <16@0, 2@1, bf16_12>} : bf16[5, 6]<16@0, 2@1, bf16_12>\n"
      "    %4 = weight \"v\" : f32[5, 6]\n"
      "    %5 = pack(%4) {layout = <16@0, f16_15>} : f32[5, 6]<16@0, f16_15>\n"
      "    return %0, %1, %3, %5\n"
      "  }\n}\n");
}

TEST(Text, RoundTripsCalls) {
  expect_round_trip(
      "module m {\n"
      "  func @one(%x: f32[4]) {\n"
      "    %0 = neg(%x) : f32[4]\n"
      "    return %0\n"
      "  }\n"
      "  func @two(%x: f32[4]) {\n"
      "    %0 = call @one(%x) : f32[4]\n"
      "    return %0, %x\n"
      "  }\n"
      "  func @main(%x: f32[4]) {\n"
      "    %0 = call @two(%x) : (f32[4], f32[4])\n"
      "    %1 = get(%0) {index = 1} : f32[4]\n"
      "    return %1\n"
      "  }\n}\n");
}

TEST(Text, PrintingDependsOnStructureOnly) {
  const Module forward = parse_module(program("%a = neg(%x) : f32[seq, 8]\n%b = exp(%x) : f32[seq, 8]\n"
                                              "%c = add(%a, %b) : f32[seq, 8]\nreturn %c\n"),
                                      "a");
  const Module backward = parse_module(program("%b = exp(%x) : f32[seq, 8] // comment\n%a = neg(%x) : f32[seq, 8]\n"
                                               "%dead = sin(%x) : f32[seq, 8]\n%c = add(%a, %b) : f32[seq, 8]\n"
                                               "return %c\n"),
                                       "b");
  EXPECT_EQ(to_text(forward), to_text(backward));
  EXPECT_EQ(to_text(forward).find("sin"), std::string::npos);
}

TEST(Text, PrintedModulesParseToEqualOnes) {
  Module module("built");
  const auto seq = module.symbol({"seq", 2, 64, 2});
  ExprPool& pool = module.pool();
  const Expr* const x = pool.parameter("x", {DType::kF32, {Dim(4, seq), 6}, {}, {}});
  const Expr* const scale = pool.scalar(0.1, DType::kF32);
  module.add({"f", {x}, {pool.op(get_op("mul"), {x, scale})}});
  const Module parsed = parse_module(to_text(module), "printed");
  verify(parsed);
  const Expr& result = *parsed.functions()[0]->results[0];
  EXPECT_EQ(result.type(), module.functions()[0]->results[0]->type());
  EXPECT_EQ(result.arguments[1]->value, 0.1);
  EXPECT_EQ(*parsed.symbols()[0], *seq);
}

TEST(Text, SeedsOfTheFuzzerParse) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(STRATA_SOURCE_DIR "/fuzz/corpus/ir_text")) {
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const Module module = parse_module(text.str(), entry.path().string());
    EXPECT_NO_THROW(verify(module));
    EXPECT_EQ(to_text(parse_module(to_text(module), "again")), to_text(module));
    ++files;
  }
  EXPECT_GE(files, 2);
}

TEST(TextErrors, NamePlaceAndRemedy) {
  expect_error("    %0 = wobble(%x) : f32[seq, 8]\n    return %0\n", "6:10", "there is no op wobble");
  expect_error("    %0 = neg(%y) : f32[seq, 8]\n    return %0\n", "6:14", "the value %y is not defined");
  expect_error("    %0 = neg(%x) : f32[seq, 9]\n    return %0\n", "6:10", "write f32[seq, 8]");
  expect_error("    %0 = neg(%x, %w) : f32[seq, 8]\n    return %0\n", "6:10", "neg has 2 operands");
  expect_error("    %0 = neg(%x) : f32[seq, 8]\n    %0 = neg(%x) : f32[seq, 8]\n    return %0\n", "7:5",
               "%0 is defined twice");
  expect_error("    %0 = neg(%x) : f33[seq, 8]\n    return %0\n", "6:20", "f33 is no dtype");
  expect_error("    %0 = neg(%x) : f32[len, 8]\n    return %0\n", "6:24", "the symbol len is not declared");
  expect_error("    %0 = neg(%x) : f32[0, 8]\n    return %0\n", "6:24", "the size 0 is out of range");
  expect_error("    %0 = neg(%x) : f32[3000000000]\n    return %0\n", "6:24", "out of range");
  expect_error("    %0 = neg(%x : f32[seq, 8]\n    return %0\n", "6:17", "write ')' here");
  expect_error("    %0 = neg(%x) {a = 1} : f32[seq, 8]\n    return %0\n", "6:10", "neg has no attribute a");
  expect_error("    %0 = rms_norm(%x, %w) : f32[seq, 8]\n    return %0\n", "6:10", "attribute eps is missing");
  expect_error("    %0 = rms_norm(%x, %w) {eps = \"a\"} : f32[seq, 8]\n    return %0\n", "6:10",
               "eps has the wrong type");
  expect_error("    %0 = rms_norm(%x, %w) {eps = 1, eps = 1} : f32[seq, 8]\n    return %0\n", "6:37",
               "eps is given twice");
  expect_error("    %0 = scalar 1 : f32[2]\n    return %0\n", "6:21", "the scalar's type is f32[2]");
  expect_error("    %0 = scalar 1e999 : f32\n    return %0\n", "6:17", "beyond the range");
  expect_error("    %0 = scalar 99999999999999999999 : f32\n    return %0\n", "6:17", "more than 64 bits");
  expect_error("    %0 = weight \"a : f32[2]\n    return %0\n", "6:", "a string is not closed");
  expect_error("    %0 = weight \"\" : f32[2]\n    return %0\n", "6:17", "the weight has no name");
  expect_error("    %0 = weight \"\\n\" : f32[2]\n    return %0\n", "6:", "unknown escape");
  expect_error("    %0 = weight \"\\x0\" : f32[2]\n    return %0\n", "6:", "two hexadecimal digits");
  expect_error("    %0 = weight \"a\" : f32[8]<16@1>\n    return %0\n", "6:23", "packs axis 1 of 1 axes");
  expect_error("    %0 = weight \"a\" : f32[8]<0@0>\n    return %0\n", "6:23", "wrong number of lanes");
  expect_error("    %0 = weight \"a\" : f32[2, seq]<16@1>\n    return %0\n", "6:23", "don't divide every value of seq");
  for (const char* type :
       {"i8[8, 8]<16@0, 2@1, bf16_12>", "bf16[8, 8]<16@0, f16_15>", "f16[8, 8]<16@1, f16_15>", "f16[8]<16~@0, f16_15>",
        "bf16[8, 8]<bf16_12>", "bf16[8, 8]<2@1, 16@0, bf16_12>", "bf16[8, 8]<32@0, 2@1, bf16_12>",
        "bf16[8, 8]<16@0, bf16_12>", "f16[8, 8]<16@0, 2@1, f16_15>", "bf16[seq, 8]<16@0, 2@1, bf16_12>",
        "bf16[8, 2000000000]<16@0, 2@1, bf16_12>"}) {
    expect_error(std::string("    %0 = weight \"a\" : ") + type + "\n    return %0\n", "6:23", "encode a matrix");
  }
  expect_error("    %0 = weight \"a\" : bf16[8, 8]<16@0, bf16_12, 2@1>\n    return %0\n",
               "6:", "not the layout's last word");
  expect_error("    %0 = weight \"a\" : bf16[8, 8]<16@0, 2@1, coded>\n    return %0\n", "6:45",
               "there is no encoding coded");
  expect_error("    %0 = weight \"a\" : f32[8] {core: S(1)}\n    return %0\n", "6:23", "axis 1 is split");
  expect_error("    %0 = weight \"a\" : f32[8] {core: S(0), core: P}\n    return %0\n", "6:43",
               "the mesh axis core is placed twice");
  expect_error("    %0 = weight \"a\" : f32[8] {core: P(mean)}\n    return %0\n", "6:39",
               "no parts are combined by mean");
  expect_error("    %0 = weight \"a\" : bf16[8] {core: P}\n    return %0\n", "6:23", "would round the parts P");
  expect_error("    %0 = weight \"a\" : f32[8]<16@-1>\n    return %0\n", "6:33", "there is no axis -1");
  expect_error("    %0 = weight \"a\" : f32[1,1,1,1,1,1,1,1,1]\n    return %0\n", "6:", "too many axes");
  expect_error("    %0 = weight \"a\" : f32[2000000000, 2000000000, 2000000000]\n    return %0\n", "6:23",
               "2^62 bytes");
  expect_error("    %0 = call @g(%x) : f32[seq, 8]\n    return %0\n", "6:15", "the function @g is not defined");
  expect_error("    %0 = get(%x) {index = 1} : f32[seq, 8]\n    return %0\n", "6:10", "index 1 of a tuple of 1");
  expect_error("    %0 = get(%x) : f32[seq, 8]\n    return %0\n", "6:10", "get has the wrong form");
  expect_error("    return\n", "7:3", "write '%' here");
}

TEST(TextErrors, OfTheModule) {
  const auto has = [](const std::string& text, const std::string& what) {
    const std::string message = error_of(text);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  has("", "t.ir:1:1");
  has("", "write 'module' here");
  has("module m {", "found the end of the text");
  has("module m { } x", "text after the module");
  has("module m { symbol s in 5..4 }", "the range 5..4");
  has("module m { symbol s in 0..4 }", "the size 0 is out of range");
  has("module m { symbol s in 1..4 multiple 2 }", "no multiples of 2");
  has("module m { symbol s in 1..4 symbol s in 1..5 }", "declared twice");
  has("module m { symbol s in 1..4 symbol s in 1..4 }", "declared twice");
  has("module m { func @f(%0: f32) { return %0 } }", "called like a numbered value");
  has("module m { func @f(%x: f32, %x: f32) { return %x } }", "%x is defined twice");
  has("module m { func @f(%x: f32) { return %x } func @f(%x: f32) { return %x } }", "@f is defined twice");
  has("module m { func @f(%x: f32) { return %x, %x } func @g(%x: f32) { %0 = call @f(%x) : (f32, f32) return %0 } }",
      "a tuple is returned");
  has("module m { func @f(%x: f32) { return %x } func @g(%x: bf16) { %0 = call @f(%x) : bf16 return %0 } }",
      "argument %x is bf16, not f32");
  has("module m { func @f(%x: f32) { return %x } func @g() { %0 = call @f() : f32 return %0 } }", "has 0 arguments");
}

TEST(TextLimitsTest, DeepAndLongTextNeedsNoStack) {
  std::string text = "module m { func @f(%v0: f32) {\n";
  constexpr int kDepth = 20000;
  for (int i = 0; i < kDepth; ++i) {
    text += "%v" + std::to_string(i + 1) + " = neg(%v" + std::to_string(i) + ") : f32\n";
  }
  text += "return %v" + std::to_string(kDepth) + " } }";
  const Module module = parse_module(text, "deep");
  EXPECT_EQ(topological_order(*module.functions()[0]).size(), kDepth + 1U);
  EXPECT_NE(error_of("module m " + std::string(100000, '{')).find("t.ir:1:11"), std::string::npos);
}

TEST(Text, VersionsNameTheirFunction) {
  const auto module = [](const std::string& origin) {
    return "module m {\n  func @f(%x: f32[8]) {\n    return %x\n  }\n  func @g(%x: f32[8]) of @f {\n    return %x\n  "
           "}\n"
           "  func @h(%x: f32[8]) of @" +
           origin + " {\n    return %x\n  }\n}\n";
  };
  expect_round_trip(module("f"));
  EXPECT_EQ(parse_module(module("f"), "t.ir").find("h")->origin, "f");
  EXPECT_NE(error_of(module("nothing")).find("there is no function @nothing, t.ir:8:26; define it"), std::string::npos)
      << error_of(module("nothing"));
  EXPECT_NE(error_of(module("g")).find("@g is a version itself"), std::string::npos) << error_of(module("g"));
  EXPECT_NE(error_of(module("h")).find("there is no function @h"), std::string::npos) << error_of(module("h"));
}

}  // namespace
}  // namespace strata::ir
