// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/text_file.h"
#include "compile/opt.h"
#include "compile/pipeline.h"
#include "compile/schedule_pass.h"
#include "ir/op.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "ops/register.h"
#include "tests/base/expect_error.h"
#include "tests/sweep.h"

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
  std::size_t number = 0;  // under a sanitizer each text with one machine a pass, in turns
  for (const fs::path& file : files) {
    const std::string text = read_text_file(file, std::size_t{1} << 20);
    for (const auto& passes : pass_lists()) {
      SCOPED_TRACE(file.filename().string() + " " + (passes.empty() ? "all" : passes[0]));
      for (const char* machine : {"avx2-generic", "avx512-zen4", "neon-generic", "rvv-generic", "x86-64-baseline"}) {
        if (!is_in_sample(number++)) continue;
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

// The same as one region.
constexpr const char* kJoined = R"(schedule {
  func @f {
    // %0: exp f32[seq, 64]<16@1>, with %1
    // rms_norm f32[seq, 64]<16@1>
    %0, %1 {
      parallel i0 by 1 {
        serial i0 by 1 {
          buffer tile0: f32[64] in L1
          vector k by 16 {
            stage 0 into tile0
            stage 1
          }
          vector k by 16 {
            stage 2
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

// A tree that divides a context, and waits before it combines the parts.
constexpr const char* kSplit = R"(module m {
  func @f(%q: f32[1, 4, 32], %k: f32[2, 64, 32]<16@1>, %v: f32[2, 64, 32], %p: i32[1]) {
    %0 = attention(%q, %k, %v, %p) {scale = 0.25} : f32[1, 4, 32]
    return %0
  }
}

schedule {
  func @f {
    // attention f32[1, 4, 32]
    %0 {
      shared running: f32[4, 80]
      parallel h by 2 {
        parallel s by 1 {
          split t into 2 {
            buffer queries: f32[64] in L1
            buffer scores: f32[128] in L1
            leaf attention-start with queries, running
            serial t by 64 {
              leaf attention-scores rows 2 panels 1 ahead 0 locality 0 with queries, scores
              leaf attention-softmax with scores, running
              leaf attention-values rows 2 panels 2 ahead 0 locality 0 with scores, running
            }
          }
        }
      }
      barrier
      parallel h by 2 {
        parallel s by 1 {
          leaf attention-combine with running
        }
      }
    }
    end {
      barrier
    }
  }
}
)";

TEST(Opt, AScheduleMayDivideAContext) {
  ops::register_all();
  EXPECT_EQ(scheduled(kSplit), kSplit);
  EXPECT_THROW(scheduled(replaced(kSplit, "      barrier\n      parallel", "      parallel")), Error);
}

// A module gets its default trees; with a schedule behind it, those. A text joins ops, and parts them.
TEST(OptSchedule, TreesArePrintedAndReadBack) {
  const std::string text = kScheduled;
  const std::string module = text.substr(0, text.find("schedule"));
  EXPECT_EQ(scheduled(module), module + kJoined);
  EXPECT_EQ(scheduled(module + kJoined), module + kJoined);
  EXPECT_EQ(scheduled(text), text);
  const std::string scalar = replaced(text, "parallel i0i1 by 4096 {\n        vector i0i1 by 16",
                                      "parallel i0i1 by 64 {\n        vector i0i1 by 1");
  EXPECT_NE(scalar, text);
  EXPECT_EQ(scheduled(scalar), scalar);
}

TEST(OptSchedule, WhatTheVerifierFindsIsTheInputsMistake) {
  const std::string text = kScheduled;
  const auto refuse = [&](const std::string& from, const std::string& to, const std::string& part) {
    fixtures::expect_error(ExitCode::kModel, {part, "x.ir"}, [&] { scheduled(replaced(text, from, to)); });
  };
  refuse("      barrier\n      parallel i0", "      parallel i0", "a barrier is missing before %1");
  refuse("    end {\n      barrier\n    }\n", "    end {\n    }\n", "a barrier is missing at the end");
  refuse("stage 1", "stage 0", "stage 0 is computed twice");
  refuse("parallel i0 by", "parallel k by", "threads would share the sums along k");
  refuse("    %1 {", "    %2 {", "@f computes no %2, x.ir:22:5");
  refuse("    %1 {", "    %1, %w {", "@f computes no %w, x.ir:22:9");
  refuse("    %1 {", "    %0, %1 {", "stage 2 is not computed");
  refuse("func @f {\n    // exp", "func @g {\n    // exp", "the module has no function @g, x.ir:12:9");
  refuse("        serial i0 by 1 {", "        serially i0 by 1 {", "'serially' is no node of a tile tree, x.ir:25:9");
}

TEST(OptSchedule, OpsThatAreNoRegionAreNamed) {
  const std::string module = R"(module m {
  func @f(%x: f32[8, 64]) {
    %0 = cast(%x) {dtype = i32} : i32[8, 64]
    %1 = neg(%0) : i32[8, 64]
    return %1
  }
}

)";
  fixtures::expect_error(ExitCode::kModel, {"these ops are no region: cast makes no floating numbers", "x.ir:11:5"},
                         [&] { scheduled(module + "schedule {\n  func @f {\n    %0, %1 {\n    }\n  }\n}\n"); });
}

// The ops of @f that have code, those of a region together: "exp+reduce_sum".
std::string regions(const std::string& body, const ScheduleOptions& options) {
  ops::register_all();
  const ir::Module module =
      ir::parse_module("module m {\n  symbol seq in 1..512\n  func @f(" + body + "  }\n}\n", "test");
  std::string text;
  const Schedule schedule = schedule_module(module, machine::load("avx512-zen5"), options);
  for (const auto& op : schedule.functions[0].ops) {
    if (!op.has_code()) continue;
    text += text.empty() ? "" : " ";
    for (const auto& part : op.parts) text += part.value == op.value ? "" : part.value->op->name() + "+";
    text += op.value->op->name();
  }
  return text;
}

TEST(Fusion, JoinsWhatMovesLessTogether) {
  const std::string gate =
      "%x: f32[seq, 96]<16@1>, %y: f32[seq, 96]<16@1>) {\n    %0 = silu(%x) : f32[seq, 96]<16@1>\n    %1 = mul(%0, %y) "
      ": "
      "f32[seq, 96]<16@1>\n    %2 = unpack(%1) : f32[seq, 96]\n    %3 = pack(%2) {layout = <6@0>} : f32[seq, 96]<6@0>\n"
      "    return %3\n";
  EXPECT_EQ(regions(gate, {.threads = 2}), "silu+mul+pack");
  EXPECT_EQ(regions(gate, {.threads = 2, .fusion = Fusion::kNone}), "silu mul pack");
}

// One row's sum is one thread's work, its many elements are that of all.
TEST(Fusion, NotWhereOneThreadWouldDoTheWorkOfAll) {
  const std::string sum =
      "%x: f32[1, 1048576]) {\n    %0 = exp(%x) : f32[1, 1048576]\n    %1 = reduce_sum(%0) : f32[1]\n    return %1\n";
  EXPECT_EQ(regions(sum, {.threads = 1}), "exp+reduce_sum");
  EXPECT_EQ(regions(sum, {.threads = 8}), "exp reduce_sum");
  EXPECT_EQ(regions(sum, {.threads = 8, .fusion = Fusion::kWherePossible}), "exp+reduce_sum");
}

TEST(OptSchedule, StandsBehindTheOtherPasses) {
  const auto refuse = [](const std::vector<std::string>& passes) {
    fixtures::expect_error(ExitCode::kUsage, {"schedule"},
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
  fixtures::expect_error(ExitCode::kModel, {"there is no code for %0", "egraph"}, [] {
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
    fixtures::expect_error(ExitCode::kModel, parts, [&] { placed(type); });
  };
  refuse("f32[4, 6] {rack: S(0)}",
         {"@f: %x is f32[4, 6] {rack: S(0)}, but the mesh has no axis rack", "x.ir", "avx512-zen5 (core of 2)"});
  refuse("f32[4, 7] {core: S(1)}", {"axis 1 (7) has no 2 equal parts"});
  refuse("f32[4, 16]<16@1> {core: S(1)}", {"the parts of axis 1 (16) are no whole groups of 16"});
}

// A softmax and the sum that it weights, with two heads of queries for one of keys and values; `masked` makes %4 of the
// scores %3.
std::string attention_in_parts(const std::string& masked) {
  return "module m {\n  symbol seq in 1..8\n"
         "  func @f(%q: f32[seq, 4, 16], %k: f32[2, 24, 16], %v: f32[2, 24, 16], %p: i32[seq]) {\n"
         "    %0 = transpose(%q) {perm = [1, 0, 2]} : f32[4, seq, 16]\n"
         "    %1 = scalar 0.25 : f32\n"
         "    %2 = mul(%0, %1) : f32[4, seq, 16]\n"
         "    %3 = grouped_matmul_nt(%2, %k) : f32[4, seq, 24]\n" +
         masked +
         "    %5 = softmax(%4) : f32[4, seq, 24]\n"
         "    %6 = grouped_matmul(%5, %v) : f32[4, seq, 16]\n"
         "    %7 = transpose(%6) {perm = [1, 0, 2]} : f32[seq, 4, 16]\n"
         "    return %7\n  }\n}\n";
}

TEST(Opt, AttentionInPartsBecomesOneReduction) {
  const auto expect = [](const std::string& text, const std::string& op) {
    const std::string made = optimise_text(text, "x.ir", {"algebra"}, "avx512-zen5");
    EXPECT_NE(made.find("= " + op), std::string::npos) << made;
    EXPECT_EQ(made.find("softmax("), std::string::npos) << made;
  };
  const std::string causal = "    %4 = causal_mask(%3, %p) : f32[4, seq, 24]\n";
  const std::string window = "    %4 = window_mask(%3, %p) {window = 5} : f32[4, seq, 24]\n";
  const std::string capped =
      "    %c = scalar 3 : f32\n    %d = div(%3, %c) : f32[4, seq, 24]\n"
      "    %t = tanh(%d) : f32[4, seq, 24]\n    %u = mul(%t, %c) : f32[4, seq, 24]\n";
  expect(attention_in_parts(causal), "attention(%q, %k, %v, %p) {scale = 0.25}");
  expect(attention_in_parts(window), "windowed_attention(%q, %k, %v, %p) {scale = 0.25, window = 5}");
  expect(attention_in_parts(capped + replaced(causal, "%3", "%u")),
         "capped_attention(%q, %k, %v, %p) {scale = 0.25, softcap = 3.0}");
  expect(attention_in_parts(capped + replaced(window, "%3", "%u")),
         "windowed_capped_attention(%q, %k, %v, %p) {scale = 0.25, softcap = 3.0, window = 5}");
  // One head of keys and values for each of queries.
  std::string own = replaced(attention_in_parts(causal), "%k: f32[2", "%k: f32[4");
  own = replaced(replaced(own, "%v: f32[2", "%v: f32[4"), "grouped_matmul_nt", "batch_matmul_nt");
  expect(replaced(own, "grouped_matmul(", "batch_matmul("), "attention(%q, %k, %v, %p) {scale = 0.25}");
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
  fixtures::expect_error(ExitCode::kModel, {"@f", "overwritten", "x.ir"},
                         [&] { optimise_text(text, "x.ir", {}, "avx2-generic"); });
}

}  // namespace
}  // namespace strata::compile
