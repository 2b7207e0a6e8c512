// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/text_file.h"
#include "compile/opt.h"
#include "compile/pipeline.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

// Each pass alone, and the default order.
std::vector<std::vector<std::string>> pass_lists() {
  std::vector<std::vector<std::string>> lists = {{}};
  for (const Pass& pass : passes()) lists.push_back({std::string(pass.name)});
  return lists;
}

std::vector<fs::path> corpus() {
  const fs::path folder = fs::path(STRATA_SOURCE_DIR) / "fuzz/corpus/ir_text";
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

// Whatever the text: a module, or an error that a user can understand.
TEST(OptCorpus, NoTextIsAnInternalError) {
  const auto files = corpus();
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const std::string text = read_text_file(file, std::size_t{1} << 20);
    for (const auto& passes : pass_lists()) {
      SCOPED_TRACE(file.filename().string() + " " + (passes.empty() ? "all" : passes[0]));
      for (const char* machine : {"avx2-generic", "avx512-zen4", "neon-generic", "rvv-generic", "x86-64-baseline"}) {
        try {
          optimise_text(text, file.filename().string(), passes, machine);
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()), "");
        } catch (const std::exception& error) {
          ADD_FAILURE() << machine << ": " << error.what();
        }
      }
    }
  }
}

constexpr const char* kScheduled = R"(module m {
  symbol seq in 1..512

  func @f(%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>) {
    %0 = exp(%x) : f32[seq, 64]<16@1>
    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 64]<16@1>
    return %1
  }
}

schedule {
  func @f {
    // exp f32[seq, 64]<16@1>
    %0 {
      parallel i0i1 by 4096 {
        vector i0i1 by 16 {
          stage 0
        }
      }
    }
    // rms_norm f32[seq, 64]<16@1>
    %1 {
      barrier
      parallel i0 by 1 {
        serial i0 by 1 {
          vector k by 16 {
            stage 0
          }
          vector k by 16 {
            stage 1
          }
        }
      }
    }
    end {
      barrier
    }
  }
}
)";

std::string scheduled(const std::string& text) { return optimise_text(text, "x.ir", {"schedule"}, "avx512-zen5"); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

// A module gets its default trees; with a schedule behind it, those.
TEST(OptSchedule, TreesArePrintedAndReadBack) {
  const std::string text = kScheduled;
  EXPECT_EQ(scheduled(text.substr(0, text.find("schedule"))), text);
  EXPECT_EQ(scheduled(text), text);
  const std::string scalar = replaced(text, "parallel i0i1 by 4096 {\n        vector i0i1 by 16",
                                      "parallel i0i1 by 64 {\n        vector i0i1 by 1");
  EXPECT_NE(scalar, text);
  EXPECT_EQ(scheduled(scalar), scalar);
}

TEST(OptSchedule, WhatTheVerifierFindsIsTheInputsMistake) {
  const std::string text = kScheduled;
  const auto refuse = [&](const std::string& from, const std::string& to, const std::string& part) {
    testing::expect_error(ExitCode::kModel, {part, "x.ir"}, [&] { scheduled(replaced(text, from, to)); });
  };
  refuse("      barrier\n      parallel i0", "      parallel i0", "a barrier is missing before %1");
  refuse("    end {\n      barrier\n    }\n", "    end {\n    }\n", "a barrier is missing at the end");
  refuse("stage 1", "stage 0", "stage 0 is computed twice");
  refuse("parallel i0 by", "parallel k by", "threads would share the sums along k");
  refuse("    %1 {", "    %2 {", "@f computes no %2, x.ir:22:5");
  refuse("func @f {\n    // exp", "func @g {\n    // exp", "the module has no function @g, x.ir:12:9");
  refuse("        serial i0 by 1 {", "        serially i0 by 1 {", "'serially' is no node of a tile tree, x.ir:25:9");
}

TEST(OptSchedule, StandsBehindTheOtherPasses) {
  const auto refuse = [](const std::vector<std::string>& passes) {
    testing::expect_error(ExitCode::kUsage, {"schedule"},
                          [&] { optimise_text(kScheduled, "x.ir", passes, "avx512-zen5"); });
  };
  refuse({});
  refuse({"egraph"});
  refuse({"egraph", "schedule"});
  refuse({"schedule", "egraph"});
  const std::string module = std::string(kScheduled).substr(0, std::string(kScheduled).find("schedule"));
  EXPECT_NE(optimise_text(module, "x.ir", {"egraph", "schedule"}, "avx512-zen5").find("\nschedule {\n"),
            std::string::npos);
}

TEST(OptSchedule, WhatHasNoCodeIsNamed) {
  testing::expect_error(ExitCode::kModel, {"there is no code for %0", "egraph"}, [] {
    scheduled(
        "module m {\n  func @f(%x: f32[8, 64], %w: f32[32, 64]<16@0>) {\n    %0 = matmul_nt(%x, %w) : f32[8, 32]\n    "
        "return %0\n  }\n}\n");
  });
}

std::string placed(const std::string& type, const std::string& passes = "egraph") {
  const std::string text =
      "module m {\n  func @f(%x: " + type + ") {\n    %0 = exp(%x) : " + type + "\n    return %0\n  }\n}\n";
  return optimise_text(text, "x.ir", {passes}, "avx512-zen5");
}

// Of two cores.
TEST(OptPlacement, IsOfTheMachinesMesh) {
  EXPECT_NE(placed("f32[4, 6] {core: S(0)}").find("f32[4, 6] {core: S(0)}"), std::string::npos);
  const auto refuse = [](const std::string& type, const std::vector<std::string>& parts) {
    testing::expect_error(ExitCode::kModel, parts, [&] { placed(type); });
  };
  refuse("f32[4, 6] {rack: S(0)}",
         {"@f: %x is f32[4, 6] {rack: S(0)}, but the mesh has no axis rack", "x.ir", "avx512-zen5 (core of 2)"});
  refuse("f32[4, 7] {core: S(1)}", {"axis 1 (7) has no 2 equal parts"});
  refuse("f32[4, 16]<16@1> {core: S(1)}", {"the parts of axis 1 (16) are no whole groups of 16"});
}

TEST(Opt, AValueReadAfterItsMemoryIsOverwrittenIsTheInputsMistake) {
  const char* const text =
      "module m {\n"
      "  symbol ctx in 16..64 multiple 16\n"
      "  func @f(%k: f32[1, ctx, 4], %row: f32[2, 1, 4], %positions: i32[2]) {\n"
      "    %0 = cache_append(%k, %row, %positions) : f32[1, ctx, 4]\n"
      "    return %0, %k\n"
      "  }\n"
      "}\n";
  testing::expect_error(ExitCode::kModel, {"@f", "overwritten", "x.ir"},
                        [&] { optimise_text(text, "x.ir", {}, "avx2-generic"); });
}

}  // namespace
}  // namespace strata::compile
