// SPDX-License-Identifier: Apache-2.0
// Code for a machine with a memory level that software manages: what it computes from copies, in tiles that fit.
#include <regex>

#include "base/error.h"
#include "op_case.h"
#include "schedule/tile_image.h"
#include "tests/replaced.h"

namespace strata::compile {
namespace {

// scratchpad-generic with so many bytes of it.
class Scratchpad {
 public:
  explicit Scratchpad(std::int64_t bytes) : folder_(std::filesystem::temp_directory_path(), "strata-scratchpad") {
    machine::Machine machine = machine::load("scratchpad-generic");
    machine.memory[0].capacity_bytes = bytes;
    write_file(folder_.path() / "scratchpad.json", machine::to_json(machine));
  }
  std::string file() const { return (folder_.path() / "scratchpad.json").string(); }

 private:
  TempDir folder_;
};

std::int64_t most_live_bytes(const PlannedFunction& function) {
  std::int64_t most = 0;
  for (const auto& scheduled : function.planned().schedule) {
    for (const auto& op : scheduled.ops) {
      if (op.has_code() && !op.is_call()) most = std::max(most, schedule::copy_work(op, op.tree).live_bytes);
    }
  }
  return most;
}

// The trees of all ops.
std::string trees(const PlannedFunction& function) {
  std::string text;
  for (const auto& scheduled : function.planned().schedule) {
    for (const auto& op : scheduled.ops) text += schedule::to_text(op.tree, function.machine());
  }
  return text;
}

// Rows, norms, products of many rows and of one, look-ups: of sizes that neither lanes nor tiles divide.
std::vector<OpCase> cases() {
  return {
      {"elementwise", "%a: f32[seq, 333], %b: f32[333]",
       "    %0 = add(%a, %b) : f32[seq, 333]\n    %1 = silu(%0) : f32[seq, 333]\n", "%1"},
      {"strided", "%a: f32[seq, 331]",
       "    %0 = slice(%a) {axis = 1, begin = 3, end = 300} : f32[seq, 297]\n    %1 = exp(%0) : f32[seq, 297]\n", "%1"},
      {"transposed", "%a: f32[37, 41]",
       "    %0 = transpose(%a) {perm = [1, 0]} : f32[41, 37]\n    %1 = exp(%0) : f32[41, 37]\n", "%1"},
      {"norm", "%a: f32[seq, 3, 257], %w: f32[257]", "    %0 = rms_norm(%a, %w) {eps = 1e-06} : f32[seq, 3, 257]\n",
       "%0"},
      {"blocks", "%a: f32[seq, 96], %s: f32[seq, 3]", "    %0 = scale_blocks(%a, %s) : f32[seq, 96]\n", "%0"},
      {"rope", "%x: f32[seq, 3, 2, 9], %c: f32[seq, 9], %s: f32[seq, 9]",
       "    %0 = rope(%x, %c, %s) : f32[seq, 3, 2, 9]\n", "%0"},
      {"product", "%a: f32[seq, 333]",
       "    %0 = weight \"w\" : f32[131, 333]\n    %1 = matmul_nt(%a, %0) : f32[seq, 131]\n", "%1"},
      {"widened_product", "%a: f32[seq, 333]",
       "    %0 = weight \"w\" : f16[131, 333]\n    %1 = matmul_nt(%a, %0) : f32[seq, 131]\n", "%1"},
      {"product_of_pairs", "%a: f32[seq, 333]",
       "    %0 = weight \"w\" : bf16[131, 333]\n    %1 = matmul_nt(%a, %0) : f32[seq, 131]\n", "%1", 5e-3},
      {"one_row", "%a: f32[1, 333]",
       "    %0 = weight \"w\" : bf16[131, 333]\n    %1 = matmul_nt(%a, %0) : f32[1, 131]\n", "%1"},
      {"bytes", "%a: i8[seq, 515]",
       "    %0 = weight \"w\" : i8[133, 515]\n    %1 = matmul_nt(%a, %0) : f32[seq, 133]\n", "%1"},
      {"look_up", "%ids: i32[seq]",
       "    %0 = weight \"w\" : f32[31, 133]\n    %1 = gather(%0, %ids) : f32[seq, 133]\n"
       "    %2 = matmul_nt(%1, %0) : f32[seq, 31]\n",
       "%2"},
      {"behind_one_another", "%a: f32[seq, 33], %b: f32[seq, 31]",
       "    %0 = concat(%a, %b) {axis = 1} : f32[seq, 64]\n", "%0"},
  };
}

// In 256 KiB, and where hardly a tile fits; what is not swept in full, in turns.
TEST(Copies, EqualTheInterpreterInAnySize) {
  std::mt19937_64 random(61);
  const std::vector<OpCase> all = cases();
  for (const std::int64_t bytes : {262144, 24576}) {
    const Scratchpad scratchpad(bytes);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!is_soak() && (i % 2 == 0) != (bytes == 262144)) continue;
      if (!is_in_sample(i)) continue;
      const OpCase& c = all[i];
      SCOPED_TRACE(c.name + " in " + std::to_string(bytes));
      CompiledFunction compiled(module_text(c), {.machine = scratchpad.file(), .without = {}}, random);
      EXPECT_LE(most_live_bytes(compiled), bytes);
      EXPECT_NE(compiled.generated().find("tensor::copy_box("), std::string::npos);
      expect_equal(compiled, c, random);
    }
  }
}

// Keys and values in blocks, and rows of both caches that are changed.
TEST(Copies, OfAnAttention) {
  std::mt19937_64 random(67);
  const std::string text =
      "module test {\n  symbol seq in 1..40\n  symbol ctx in 64..128 multiple 64\n"
      "  func @main(%q: f32[seq, 6, 24], %k: f32[seq, 2, 24], %v: f32[seq, 2, 24], %kc: DTYPE[2, ctx, 24], "
      "%vc: DTYPE[2, ctx, 24], %p: i32[seq]) {\n"
      "    %0 = cache_append(%kc, %k, %p) : DTYPE[2, ctx, 24]\n"
      "    %1 = cache_append(%vc, %v, %p) : DTYPE[2, ctx, 24]\n"
      "    %2 = attention(%q, %0, %1, %p) {scale = 0.25} : f32[seq, 6, 24]\n    return %2, %0, %1\n  }\n}\n";
  for (const std::int64_t bytes : {262144, 12288}) {
    const Scratchpad scratchpad(bytes);
    for (const char* dtype : {"f32", "bf16"}) {
      SCOPED_TRACE(std::string(dtype) + " in " + std::to_string(bytes));
      const std::string typed = std::regex_replace(text, std::regex("DTYPE"), dtype);
      CompiledFunction compiled(typed, {.machine = scratchpad.file(), .without = {}}, random);
      EXPECT_LE(most_live_bytes(compiled), bytes);
      for (const auto& [seq, past] : {std::pair{1, 0}, {1, 63}, {5, 3}, {40, 0}, {17, 70}}) {
        expect_equal_behind(compiled, 5, seq, past, 4e-6, random);
      }
    }
  }
}

// A quarter of the memory: the same result from smaller tiles.
TEST(Copies, SmallerMemoryHasSmallerTiles) {
  const std::string text =
      "module test {\n  symbol seq in 1..512\n  func @main(%a: f32[seq, 1024]) {\n"
      "    %0 = weight \"w\" : f32[1000, 1024]\n    %1 = matmul_nt(%a, %0) : f32[seq, 1000]\n"
      "    %2 = softmax(%1) : f32[seq, 1000]\n    return %2\n  }\n}\n";
  std::mt19937_64 random(71), same(71);
  const Scratchpad small(65536);
  ops::register_all();
  const PlannedFunction wide(text, {}, machine::load("scratchpad-generic"), random);
  const PlannedFunction narrow(text, {}, machine::load(small.file()), same);
  EXPECT_LE(most_live_bytes(narrow), 65536);
  EXPECT_GT(most_live_bytes(wide), 65536) << trees(wide);
  EXPECT_LE(most_live_bytes(wide), 262144);
  EXPECT_NE(trees(wide), trees(narrow));
}

TEST(Copies, WhatFitsInNoTilesIsNamed) {
  const Scratchpad tiny(1024);
  std::mt19937_64 random(73);
  const OpCase c = {"wide", "%a: f32[seq, 333]", "    %0 = softmax(%a) : f32[seq, 333]\n", "%0"};
  try {
    const CompiledFunction compiled(module_text(c), {.machine = tiny.file(), .without = {}}, random);
    ADD_FAILURE() << trees(compiled);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("softmax of f32[seq, 333]"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("does not fit scratchpad"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace strata::compile
