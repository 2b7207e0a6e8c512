// SPDX-License-Identifier: Apache-2.0
// Attention over caches in pages that don't follow one another: the code against the interpreter.
#include <gtest/gtest.h>

#include "op_case.h"

namespace strata::compile {
namespace {

constexpr std::int64_t kPage = 256;

struct PagedAttention {
  std::string name;
  std::string dtype;
  int heads, kv_heads, dim;
  double tolerance;
  std::string attributes = "";
  std::string rows = "seq";

  bool has_own_pages() const { return name.find("each") != std::string::npos; }
};

// The rows of @main's caches that are written, and read by pages afterwards.
std::string text_of(const PagedAttention& of) {
  const auto n = [](int value) { return std::to_string(value); };
  const std::string cache = of.dtype + "[" + n(of.kv_heads) + ", ctx, " + n(of.dim) + "]";
  const std::string q = "f32[" + of.rows + ", " + n(of.heads) + ", " + n(of.dim) + "]";
  const std::string kv = "f32[" + of.rows + ", " + n(of.kv_heads) + ", " + n(of.dim) + "]";
  const std::string table = of.has_own_pages() ? "i32[" + of.rows + ", pages]" : "i32[pages]";
  return "module test {\n  symbol seq in 1..40\n  symbol ctx in 256..2048 multiple 256\n  symbol pages in 1..4\n"
         "  func @main(%q: " +
         q + ", %k: " + kv + ", %v: " + kv + ", %kc: " + cache + ", %vc: " + cache + ", %p: i32[" + of.rows +
         "], %r: i32[" + of.rows + "], %t: " + table + ") {\n" + "    %0 = cache_append(%kc, %k, %r) : " + cache +
         "\n    %1 = cache_append(%vc, %v, %r) : " + cache + "\n    %2 = " + of.name +
         "(%q, %0, %1, %p, %t) {scale = " + "0.25" + of.attributes + "} : " + q + "\n    return %2, %0, %1\n  }\n}\n";
}

// Rows of one sequence stand behind one another from `past` on; of several ones each has its own place and pages.
std::vector<ir::Value> paged_arguments(const CompiledFunction& compiled, const PagedAttention& of, int seq, int past,
                                       std::mt19937_64& random) {
  const std::int64_t pool = 8, most = 3;
  const Symbols symbols = {{"seq", seq}, {"ctx", pool * kPage}, {"pages", most}};
  auto arguments = random_arguments(compiled.function(), symbols, random);
  std::vector<std::int64_t> pages(static_cast<std::size_t>(pool));
  std::iota(pages.begin(), pages.end(), 0);
  const std::int64_t tables = of.has_own_pages() ? seq : 1;
  std::vector<std::vector<std::int64_t>> own;
  for (std::int64_t i = 0; i < tables; ++i) {
    std::ranges::shuffle(pages, random);
    own.emplace_back(pages.begin(), pages.begin() + most);
    for (std::int64_t j = 0; j < most; ++j) {
      arguments[7].data[static_cast<std::size_t>(i * most + j)] =
          static_cast<double>(own.back()[static_cast<std::size_t>(j)]);
    }
  }
  for (int i = 0; i < seq; ++i) {
    const std::int64_t position = of.has_own_pages() ? (past + 191 * i) % (most * kPage) : past + i;
    const auto& table = own[static_cast<std::size_t>(of.has_own_pages() ? i : 0)];
    arguments[5].data[static_cast<std::size_t>(i)] = static_cast<double>(position);
    arguments[6].data[static_cast<std::size_t>(i)] =
        static_cast<double>(kPage * table[static_cast<std::size_t>(position / kPage)] + position % kPage);
  }
  return arguments;
}

void expect_equal_to_interpreter(CompiledFunction& compiled, const PagedAttention& c, int seq, int past,
                                 std::mt19937_64& random) {
  const Symbols symbols = {{"seq", seq}, {"ctx", 8 * kPage}, {"pages", 3}};
  const auto arguments = paged_arguments(compiled, c, seq, past, random);
  const auto expected = compiled.reference(arguments, symbols);
  for (const int threads : {1, 3}) {
    const auto got = compiled.run(arguments, symbols, threads);
    EXPECT_LE(relative_error(got[0], expected[0]), c.tolerance)
        << c.name << " " << c.dtype << " seq=" << seq << " past=" << past << " threads=" << threads;
  }
}

// Sizes that lanes don't divide, ends of pages, windows that begin inside of one.
TEST(PagedAttention, EqualsTheInterpreter) {
  std::mt19937_64 random(61);
  const PagedAttention cases[] = {
      {"each_paged_attention", "f32", 6, 2, 16, 2e-6},
      {"each_paged_attention", "bf16", 4, 2, 64, 1e-2},
      {"each_paged_attention", "f16", 3, 1, 7, 2e-6},
      {"windowed_each_paged_attention", "bf16", 2, 2, 24, 1e-2, ", window = 300"},
      {"paged_attention", "f32", 6, 2, 16, 2e-6},
      {"paged_attention", "bf16", 4, 2, 64, 1e-2},
      {"windowed_paged_attention", "f16", 4, 4, 24, 2e-6, ", window = 21"},
      {"paged_attention", "bf16", 3, 1, 7, 2e-6, "", "1"},
  };
  for (const PagedAttention& c : cases) {
    if (!is_in_sample(static_cast<std::size_t>(&c - cases))) continue;
    SCOPED_TRACE(c.name + " " + c.dtype);
    CompiledFunction compiled(text_of(c), {}, random);
    for (const auto& [seq, past] : {std::pair{1, 0}, {1, 511}, {9, 254}}) {
      if (c.rows == "1" && seq != 1) continue;
      expect_equal_to_interpreter(compiled, c, seq, past, random);
    }
  }
}

// Threads share a context in whole pages.
TEST(PagedAttention, EqualsTheInterpreterInParts) {
  std::mt19937_64 random(67);
  const PagedAttention cases[] = {{"each_paged_attention", "bf16", 4, 2, 32, 1e-2},
                                  {"windowed_paged_attention", "f32", 6, 2, 16, 2e-6, ", window = 300"}};
  for (const PagedAttention& c : cases) {
    SCOPED_TRACE(c.name);
    CompiledFunction compiled(text_of(c), {.parts = 2}, random);
    ASSERT_NE(compiled.generated().find("combine_attention"), std::string::npos);
    for (const auto& [seq, past] : {std::pair{1, 300}, {7, 600}}) {
      expect_equal_to_interpreter(compiled, c, seq, past, random);
    }
  }
}

}  // namespace
}  // namespace strata::compile
