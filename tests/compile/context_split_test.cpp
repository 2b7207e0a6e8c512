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
    for (const std::int64_t parts : {2, 5}) {
      if (!is_soak() && (parts == 2) != ((&c - cases) % 2 == 0)) continue;
      SCOPED_TRACE(c.name + " " + c.dtype + " in " + std::to_string(parts));
      CompiledFunction compiled(text_of(c, "1", "ctx"), {.parts = parts}, random);
      ASSERT_NE(compiled.generated().find("combine_attention"), std::string::npos);
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

}  // namespace
}  // namespace strata::compile
