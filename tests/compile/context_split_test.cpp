// SPDX-License-Identifier: Apache-2.0
// Attentions whose context threads share in parts: the code against the interpreter, and where a plan does so.
#include <gtest/gtest.h>

#include "op_case.h"
#include "schedule/schedule_text.h"
#include "schedule/tile_tree.h"

namespace strata::compile {
namespace {

struct Attention {
  std::string dtype;
  int heads, kv_heads, dim;
  double tolerance;
  std::string name = "attention", attributes = "";
};

// Behind caches that are appended to.
std::string text_of(const Attention& of, const std::string& rows, const std::string& context) {
  const auto n = [](int value) { return std::to_string(value); };
  const std::string cache = of.dtype + "[" + n(of.kv_heads) + ", " + context + ", " + n(of.dim) + "]";
  const std::string q = "f32[" + rows + ", " + n(of.heads) + ", " + n(of.dim) + "]";
  const std::string kv = "f32[" + rows + ", " + n(of.kv_heads) + ", " + n(of.dim) + "]";
  return "module test {\n  symbol seq in 1..40\n  symbol ctx in 64..4096 multiple 64\n  func @main(%q: " + q +
         ", %k: " + kv + ", %v: " + kv + ", %kc: " + cache + ", %vc: " + cache + ", %p: i32[" + rows + "]) {\n" +
         "    %0 = cache_append(%kc, %k, %p) : " + cache + "\n    %1 = cache_append(%vc, %v, %p) : " + cache + "\n" +
         "    %2 = " + of.name + "(%q, %0, %1, %p) {scale = 0.25" + of.attributes + "} : " + q +
         "\n    return %2, %0, %1\n  }\n}\n";
}

// Against the interpreter, and to the bit the same for every team: smaller than the tiles, and larger than all parts.
void expect_equal_in_parts(CompiledFunction& compiled, const Attention& c, int seq, int past, std::int64_t context,
                           std::mt19937_64& random) {
  const Symbols symbols = {{"seq", seq}, {"ctx", context}};
  auto arguments = random_arguments(compiled.function(), symbols, random);
  for (int i = 0; i < seq; ++i) arguments[5].data[static_cast<std::size_t>(i)] = past + i;
  const auto expected = compiled.reference(arguments, symbols);
  const auto alone = compiled.run(arguments, symbols, 1);
  EXPECT_LE(relative_error(alone[0], expected[0]), c.tolerance) << "seq=" << seq << " past=" << past;
  for (const int threads : {2, 3, 19}) {
    EXPECT_EQ(compiled.run(arguments, symbols, threads)[0].data, alone[0].data)
        << "seq=" << seq << " past=" << past << " threads=" << threads;
  }
}

TEST(ContextSplit, OneTokenEqualsTheInterpreterWithAnyTeam) {
  std::mt19937_64 random(37);
  const Attention cases[] = {{"f32", 6, 2, 48, 2e-6},
                             {"f16", 8, 1, 24, 2e-6},
                             {"bf16", 4, 2, 128, 1e-2},
                             {"bf16", 3, 1, 7, 2e-6},
                             {"f32", 2, 2, 16, 2e-6, "windowed_attention", ", window = 21"},
                             {"bf16", 14, 2, 32, 1e-2, "windowed_capped_attention", ", softcap = 1.5, window = 70"}};
  for (const Attention& c : cases) {
    if (!is_in_sample(static_cast<std::size_t>(&c - cases))) continue;
    for (const std::int64_t parts : {2, 5}) {
      if (!is_soak() && (parts == 2) != ((&c - cases) % 2 == 0)) continue;
      SCOPED_TRACE(c.name + " " + c.dtype + " in " + std::to_string(parts));
      CompiledFunction compiled(text_of(c, "1", "ctx"), {.parts = parts}, random);
      ASSERT_NE(compiled.generated().find("combine_attention"), std::string::npos);
      EXPECT_NE(compiled.generated().find("r_t_, r_t.end, b_scores"), std::string::npos) << "what a part has to fetch";
      for (const int past : {0, 15, 16, 33, 127}) {
        expect_equal_in_parts(compiled, c, 1, past, 128, random);
      }
    }
  }
}

TEST(ContextSplit, FewRowsEqualTheInterpreterWithAnyTeam) {
  std::mt19937_64 random(41);
  const Attention cases[] = {{"f32", 6, 2, 16, 2e-6},
                             {"f16", 4, 4, 24, 4e-6, "capped_attention", ", softcap = 0.75"},
                             {"f32", 2, 1, 8, 2e-6, "windowed_attention", ", window = 1"}};
  for (const Attention& c : cases) {
    if (!is_in_sample(static_cast<std::size_t>(&c - cases))) continue;
    SCOPED_TRACE(c.name + " " + c.dtype);
    CompiledFunction compiled(text_of(c, "seq", "ctx"), {.parts = 3}, random);
    for (const auto& [seq, past] : {std::pair{1, 0}, {1, 63}, {5, 3}, {17, 70}, {40, 88}}) {
      expect_equal_in_parts(compiled, c, seq, past, 128, random);
    }
  }
}

// Lanes don't divide the context, and there are fewer groups of them than parts.
TEST(ContextSplit, TakesAnyContext) {
  std::mt19937_64 random(43);
  const Attention c = {"f32", 4, 2, 16, 2e-6};
  CompiledFunction compiled(text_of(c, "1", "100"), {.parts = 40}, random);
  for (const int past : {0, 1, 50, 99}) expect_equal_in_parts(compiled, c, 1, past, 128, random);
}

// The plan of a token behind `past` others on a machine of so many cores.
class Plans : public testing::Test {
 protected:
  Plans() : machine_((ops::register_all(), machine::load("avx512-zen4"))) {
    machine_.cores = 64;
    machine_.memory[2].shared_by = 8;
    machine_.memory.back().shared_by = 64;
    machine_.memory.back().read_bytes_per_s = {{1, 30e9}, {8, 200e9}, {64, 400e9}};
  }

  // Parts of its context.
  std::int64_t parts(int threads, std::int64_t past, const std::string& rows = "1", std::int64_t seq = 1) {
    const ir::Module module = ir::parse_module(text_of({"bf16", 16, 8, 128, 0}, rows, "ctx"), "test");
    vectorize::Version version{"test", nullptr, {"main"}};
    version.steps = {{128, {{"seq", seq}, {"ctx", past}}}};
    if (rows == "seq") version.symbols = {{"seq", ir::Symbol{"seq", 2, 40, 1}}};
    PassContext context{machine_, {}, {}};
    context.threads = threads;
    const auto planned = std::move(plan_versions(module, {version}, context)[0]);
    for (const schedule::ScheduledOp& op : planned.schedule.back().ops) {
      if (!op.attention) continue;
      const schedule::TileNode* const split = schedule::find_split(op.tree.body);
      barriers_ = op.barriers;
      return split == nullptr ? 1 : split->parts;
    }
    ADD_FAILURE() << "there is no attention";
    return 0;
  }

  machine::Machine machine_;
  int barriers_ = 0;
};

TEST_F(Plans, MoreCoresThanKeyValueHeadsSplitTheContext) {
  EXPECT_EQ(parts(2, 4096), 1);
  EXPECT_EQ(parts(8, 4096), 1) << "a head for each thread";
  EXPECT_EQ(barriers_, 1);
  EXPECT_EQ(parts(64, 4096) % 8, 0);
  EXPECT_GT(parts(64, 4096), 1);
  EXPECT_EQ(barriers_, 2);
  EXPECT_GT(parts(64, 4096, "seq", 4), 1) << "so do few rows";
  EXPECT_EQ(parts(64, 8), 1) << "a barrier is longer than so few keys";
  machine_.has_whole_reductions = true;
  EXPECT_EQ(parts(64, 4096), 1);
}

TEST_F(Plans, AnExpensiveBarrierLeavesTheContextWhole) {
  machine_.barrier_s *= 1000;
  EXPECT_EQ(parts(64, 4096), 1);
}

}  // namespace
}  // namespace strata::compile
