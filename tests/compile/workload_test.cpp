// SPDX-License-Identifier: Apache-2.0
#include "compile/workload.h"

#include <gtest/gtest.h>

#include "../base/expect_error.h"
#include "compile/pipeline.h"
#include "ir/text.h"
#include "ops/register.h"

namespace strata::compile {
namespace {

TEST(Workload, IsWrittenAsItIsRead) {
  EXPECT_EQ(parse_workload("prompt=4096"), (Workload{4096, 128, 1}));
  EXPECT_EQ(parse_workload("batch=4,generate=0,prompt=7"), (Workload{7, 0, 4}));
  EXPECT_EQ(to_text(parse_workload("generate=1")), "prompt=512,generate=1,batch=1");
}

TEST(Workload, MistakesAreNamed) {
  for (const auto& [text, named] : {std::pair{"", "no ''"},
                                    {"promt=1", "'promt'"},
                                    {"prompt", "prompt can't be ''"},
                                    {"prompt=-1", "'-1'"},
                                    {"prompt=1e3", "'1e3'"},
                                    {"batch=0", "batch can't be '0'"},
                                    {"prompt=99999999999999999999", "can't be"},
                                    {"prompt=1,prompt=2", "given twice"},
                                    {"prompt=1,", "no ''"},
                                    {"prompt=0,generate=0", "both 0"}}) {
    SCOPED_TRACE(text);
    strata::fixtures::expect_error(ExitCode::kUsage, {"--workload", named}, [&] { parse_workload(text); });
  }
}

// "seq1: 128 x 1 at 576; ..."; a step of entries that make one row or none is told.
std::string steps(const Workload& workload, const std::vector<std::string>& functions,
                  const std::string& symbols = "  symbol ctx in 64..4096 multiple 64\n") {
  std::string text = "module m {\n  symbol seq in 1..512\n" + symbols;
  for (const std::string& name : functions) text += "  func @" + name + "(%x: f32[seq, 4]) {\n    return %x\n  }\n";
  const ir::Module module = ir::parse_module(text + "}\n", "test");
  text.clear();
  for (const vectorize::Version& version : default_versions(module, workload)) {
    text += (text.empty() ? "" : "; ") + version.tag + ":";
    for (const vectorize::Step& step : version.steps) {
      char line[80];
      const auto ctx = step.sizes.find("ctx");
      std::snprintf(line, sizeof line, " %g x %d", step.runs, static_cast<int>(step.sizes.at("seq")));
      text += line;
      if (ctx != step.sizes.end()) text += " at " + std::to_string(ctx->second);
      if (step.sizes.contains("pages")) text += " in " + std::to_string(step.sizes.at("pages"));
      for (const std::string& entry : step.entries) {
        if (entry.starts_with("forward_")) text += entry.substr(std::string("forward").size());
      }
    }
  }
  return text;
}

std::string steps(const Workload& workload, bool has_versions = true) {
  std::vector<std::string> functions = {"forward"};
  if (has_versions) functions.insert(functions.end(), {"forward_one", "forward_none"});
  return steps(workload, functions);
}

TEST(Workload, RowsOfSeveralSequencesHaveVersionsOfTheirOwn) {
  const std::vector<std::string> functions = {"forward", "forward_one", "forward_none", "forward_each", "head"};
  const std::string symbols = "  symbol ctx in 256..65536 multiple 256\n  symbol pages in 1..16\n";
  EXPECT_EQ(steps({512, 128, 4}, functions, symbols),
            "seq1: 128 x 1 at 576 in 3; chunk: 4 x 512 at 256 in 1_one 0.01 x 64 at 512 in 2_none; "
            "each: 128 x 4 at 576 in 3_each; mixed: 0.01 x 64 at 512 in 2_each; rows: 0.01 x 64");
  EXPECT_EQ(steps({512, 128, 100}, functions, symbols),
            "seq1: 128 x 1 at 576 in 3; chunk: 100 x 512 at 256 in 1_one 0.01 x 64 at 512 in 2_none; "
            "each: 0.01 x 16 at 512 in 2_each; mixed: 256 x 64 at 576 in 3_each; rows: 0.01 x 64")
      << "as many calls as that takes";
}

TEST(Workload, WeighsTheVersionsThatRunIt) {
  EXPECT_EQ(steps({}), "seq1: 128 x 1 at 576; chunk: 1 x 512 at 256_one 0.01 x 64 at 512_none; rows: 0.01 x 64");
  EXPECT_EQ(steps({1024, 10, 1}),
            "seq1: 10 x 1 at 1029; chunk: 1 x 512 at 256_none 1 x 512 at 768_one 0.01 x 64 at 1024; rows: 0.01 x 64");
  EXPECT_EQ(steps({1300, 10, 1}),
            "seq1: 10 x 1 at 1305; chunk: 2 x 512 at 512_none 1 x 276 at 1162_one 0.01 x 64 at 1300; rows: 0.01 x 64");
  EXPECT_EQ(
      steps({520, 0, 1}),
      "seq1: 0.01 x 1 at 520; few: 1 x 8 at 516_one 0.01 x 16 at 520_none; chunk: 1 x 512 at 256_none 0.01 x 64 at "
      "520_one; rows: 0.01 x 64");
  EXPECT_EQ(
      steps({512, 128, 4}),
      "seq1: 0.01 x 1 at 512; few: 128 x 4 at 576 0.01 x 16 at 512_one_none; chunk: 4 x 512 at 256_one 0.01 x 64 at "
      "512_none; rows: 0.01 x 64");
  EXPECT_EQ(steps({0, 128, 1}), "seq1: 128 x 1 at 64; chunk: 0.01 x 64 at 1_one_none; rows: 0.01 x 64");
}

TEST(Workload, WithoutVersionsForFewerRowsAllAreMade) {
  EXPECT_EQ(steps({}, false), "seq1: 128 x 1 at 576; chunk: 1 x 512 at 256; rows: 0.01 x 64");
  EXPECT_EQ(steps({1300, 10, 1}, false),
            "seq1: 10 x 1 at 1305; chunk: 2 x 512 at 512 1 x 276 at 1162; rows: 0.01 x 64");
}

// Of a few rows and of a chunk, each planned by itself with something switched off.
std::string kept(const std::vector<std::string>& few_without, const std::vector<std::string>& chunk_without,
                 bool has_fixed_tiles = true) {
  ops::register_all();
  machine::Machine machine = machine::load("avx512-zen4");
  machine.has_fixed_tiles = has_fixed_tiles;
  const ir::Module module = ir::parse_module(R"(module m {
  symbol seq in 1..512
  func @forward(%x: f32[seq, 64]) {
    %0 = weight "w" : f32[256, 64]
    %1 = matmul_nt(%x, %0) : f32[seq, 256]
    return %1
  }
}
)",
                                             "test");
  const vectorize::Version few = {"few", nullptr, {"forward"}, {{}}, {{"seq", {"seq", 2, 16, 1}}}, "chunk"};
  const vectorize::Version chunk = {"chunk", nullptr, {"forward"}, {{}}, {{"seq", {"seq", 2, 512, 1}}}};
  std::vector<codegen::PlannedVersion> planned;
  planned.push_back(std::move(plan_versions(module, {few}, {machine, few_without, {}})[0]));
  planned.push_back(std::move(plan_versions(module, {chunk}, {machine, chunk_without, {}})[0]));
  remove_slower_than_spare(planned, {machine, {}, {}});
  std::string tags;
  for (const codegen::PlannedVersion& version : planned) tags += version.version.tag + " ";
  return tags;
}

TEST(Workload, AFewRowsHaveAVersionOnlyWhereItsPlanCostsLess) {
  EXPECT_EQ(kept({}, {"vectorize"}), "few chunk ");
  EXPECT_EQ(kept({"vectorize"}, {}), "chunk ");
  EXPECT_EQ(kept({}, {}), "chunk ") << "the same plan";
  EXPECT_EQ(kept({}, {}, false), "few chunk ") << "its product has tiles of its own";
}

}  // namespace
}  // namespace strata::compile
