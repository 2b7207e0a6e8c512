// SPDX-License-Identifier: Apache-2.0
#include "vectorize/search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../base/wild_clock.h"
#include "base/error.h"
#include "changed_machine.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "machine/cost.h"
#include "machine/machine.h"
#include "ops/register.h"

namespace strata::vectorize {
namespace {

using machine::Machine;

// Attention of one head group and a gated product, twice.
constexpr const char* kDecoder = R"(module decoder {
  symbol seq in 1..64
  symbol ctx in 64..512 multiple 64
  func @layer(%x: f32[seq, 128], %p: i32[seq], %k: bf16[2, ctx, 64], %v: bf16[2, ctx, 64], %norm.weight: f32[128], %q.weight: bf16[256, 128], %k.weight: bf16[128, 128], %v.weight: bf16[128, 128], %o.weight: bf16[128, 256]) {
    %0 = rms_norm(%x, %norm.weight) {eps = 1e-06} : f32[seq, 128]
    %1 = matmul_nt(%0, %q.weight) : f32[seq, 256]
    %2 = reshape(%1) {shape = [-1, 4, 64]} : f32[seq, 4, 64]
    %3 = matmul_nt(%0, %k.weight) : f32[seq, 128]
    %4 = reshape(%3) {shape = [-1, 2, 64]} : f32[seq, 2, 64]
    %5 = cache_append(%k, %4, %p) : bf16[2, ctx, 64]
    %6 = matmul_nt(%0, %v.weight) : f32[seq, 128]
    %7 = reshape(%6) {shape = [-1, 2, 64]} : f32[seq, 2, 64]
    %8 = cache_append(%v, %7, %p) : bf16[2, ctx, 64]
    %9 = attention(%2, %5, %8, %p) {scale = 0.125} : f32[seq, 4, 64]
    %10 = reshape(%9) {shape = [-1, 256]} : f32[seq, 256]
    %11 = matmul_nt(%10, %o.weight) : f32[seq, 128]
    %12 = add(%x, %11) : f32[seq, 128]
    return %12, %5, %8
  }
  func @forward(%x: f32[seq, 128], %p: i32[seq], %k: bf16[2, ctx, 64], %v: bf16[2, ctx, 64]) {
    %0 = weight "norm.weight" : f32[128]
    %1 = weight "q.weight" : bf16[256, 128]
    %2 = weight "k.weight" : bf16[128, 128]
    %3 = weight "v.weight" : bf16[128, 128]
    %4 = weight "o.weight" : bf16[128, 256]
    %5 = call @layer(%x, %p, %k, %v, %0, %1, %2, %3, %4) : (f32[seq, 128], bf16[2, ctx, 64], bf16[2, ctx, 64])
    %6 = get(%5) {index = 0} : f32[seq, 128]
    %7 = get(%5) {index = 1} : bf16[2, ctx, 64]
    %8 = get(%5) {index = 2} : bf16[2, ctx, 64]
    return %6, %7, %8
  }
}
)";

struct Planned {
  std::string one;   // of one row
  std::string many;  // of up to 64
  plan::SearchStats stats;
};

// Both versions of the program in one search, as a compilation plans them: 128 steps of one row, one chunk.
Planned plan(const Machine& machine, const std::set<std::string>& without = {}, double work = 1) {
  ops::register_all();
  const ir::Module source = ir::parse_module(kDecoder, "test");
  const ir::Module one = ir::specialise(source, {{"seq", std::int64_t{1}}});
  const ir::Module many = ir::specialise(source, {{"seq", ir::Symbol{"seq", 2, 64, 1}}});
  SearchOptions options;
  options.without = without;
  options.work = work;
  const SearchResult found = search({{"one", &one, {"forward"}, {{128, {{"ctx", 512}}}}},
                                     {"many", &many, {"forward"}, {{8, {{"seq", 64}, {"ctx", 256}}}}}},
                                    machine, options);
  for (const ir::Module& module : found.modules) ir::verify(module);
  return {ir::to_text(found.modules[0]), ir::to_text(found.modules[1]), found.stats};
}

// Of 32 registers, six rows by four vectors take 24 and leave some for the operands; of 8, two by two take 4.
constexpr const char* kRowTile = "<6@0";
constexpr const char* kRowTileOfEight = "<2@0";

// The three products of the norm are one, its weights are joined and packed outside of the layer, keys lie packed along
// the context and values along their own axis, both in pairs, and elementwise work runs in 16 lanes. Rounding a row
// would take longer than it saves: there are few weights, and the code of a layer that runs once comes from memory.
TEST(Search, PlansALayer) {
  EXPECT_EQ(plan(zen5()).one, R"(module decoder {
  symbol ctx in 64..512 multiple 64

  func @layer(%x: f32[1, 128], %p: i32[1], %k: bf16[2, ctx, 64]<16@1, 2@2>, %v: bf16[2, ctx, 64]<16@2, 2@1>, %norm.weight: f32[128]<16@0>, %q_and_k_and_v.weight: bf16[512, 128]<16@0, 2@1>, %o.weight: bf16[128, 256]<16@0, 2@1>) {
    %0 = pack(%x) {layout = <16@1>} : f32[1, 128]<16@1>
    %1 = rms_norm(%0, %norm.weight) {eps = 1e-06} : f32[1, 128]<16@1>
    %2 = unpack(%1) : f32[1, 128]
    %3 = matmul_nt(%2, %q_and_k_and_v.weight) : f32[1, 512]
    %4 = slice(%3) {axis = 1, begin = 0, end = 256} : f32[1, 256]
    %5 = reshape(%4) {shape = [-1, 4, 64]} : f32[1, 4, 64]
    %6 = slice(%3) {axis = 1, begin = 256, end = 384} : f32[1, 128]
    %7 = reshape(%6) {shape = [-1, 2, 64]} : f32[1, 2, 64]
    %8 = cache_append(%k, %7, %p) : bf16[2, ctx, 64]<16@1, 2@2>
    %9 = slice(%3) {axis = 1, begin = 384, end = 512} : f32[1, 128]
    %10 = reshape(%9) {shape = [-1, 2, 64]} : f32[1, 2, 64]
    %11 = cache_append(%v, %10, %p) : bf16[2, ctx, 64]<16@2, 2@1>
    %12 = attention(%5, %8, %11, %p) {scale = 0.125} : f32[1, 4, 64]
    %13 = reshape(%12) {shape = [-1, 256]} : f32[1, 256]
    %14 = matmul_nt(%13, %o.weight) : f32[1, 128]
    %15 = pack(%14) {layout = <16@1>} : f32[1, 128]<16@1>
    %16 = add(%0, %15) : f32[1, 128]<16@1>
    %17 = unpack(%16) : f32[1, 128]
    return %17, %8, %11
  }
  func @forward(%x: f32[1, 128], %p: i32[1], %k: bf16[2, ctx, 64]<16@1, 2@2>, %v: bf16[2, ctx, 64]<16@2, 2@1>) {
    %0 = weight "norm.weight" : f32[128]
    %1 = pack(%0) {layout = <16@0>} : f32[128]<16@0>
    %2 = weight "q.weight" : bf16[256, 128]
    %3 = weight "k.weight" : bf16[128, 128]
    %4 = concat(%2, %3) {axis = 0} : bf16[384, 128]
    %5 = weight "v.weight" : bf16[128, 128]
    %6 = concat(%4, %5) {axis = 0} : bf16[512, 128]
    %7 = pack(%6) {layout = <16@0, 2@1>} : bf16[512, 128]<16@0, 2@1>
    %8 = weight "o.weight" : bf16[128, 256]
    %9 = pack(%8) {layout = <16@0, 2@1>} : bf16[128, 256]<16@0, 2@1>
    %10 = call @layer(%x, %p, %k, %v, %1, %7, %9) : (f32[1, 128], bf16[2, ctx, 64]<16@1, 2@2>, bf16[2, ctx, 64]<16@2, 2@1>)
    %11 = get(%10) {index = 0} : f32[1, 128]
    %12 = get(%10) {index = 1} : bf16[2, ctx, 64]<16@1, 2@2>
    %13 = get(%10) {index = 2} : bf16[2, ctx, 64]<16@2, 2@1>
    return %11, %12, %13
  }
}
)");
}

// All versions agree on the memory that they share.
TEST(Search, VersionsShareConstantsAndStates) {
  const Planned planned = plan(zen5());
  for (const std::string& text : {planned.one, planned.many}) {
    EXPECT_TRUE(contains(text, "pack(%6) {layout = <16@0, 2@1>} : bf16[512, 128]<16@0, 2@1>")) << text;
    EXPECT_TRUE(contains(text, "%k: bf16[2, ctx, 64]<16@1, 2@2>, %v: bf16[2, ctx, 64]<16@2, 2@1>, ")) << text;
  }
  EXPECT_TRUE(contains(planned.many, std::string("{layout = ") + kRowTile + ", 2@1>} : bf16")) << planned.many;
}

TEST(Search, FollowsTheLanesOfTheMachine) {
  const Planned planned = plan(changed([](Machine& m) {
    m.vector_registers.bytes = 32;
    for (machine::Unit& unit : m.units) unit.lanes = 8;
  }));
  for (const std::string& text : {planned.one, planned.many}) {
    EXPECT_TRUE(contains(text, "<8@0, 2@1>")) << text;
    EXPECT_TRUE(contains(text, "rms_norm(") && contains(text, "f32[128]<8@0>")) << text;
    EXPECT_FALSE(contains(text, "<16")) << text;
  }
}

TEST(Search, WithoutADotProductUnitPacksNoPairs) {
  const Machine machine =
      changed([](Machine& m) { std::erase_if(m.units, [](const machine::Unit& unit) { return unit.k > 1; }); });
  const Planned planned = plan(machine);
  for (const std::string& text : {planned.one, planned.many}) {
    EXPECT_TRUE(contains(text, "bf16[512, 128]<16@0>")) << text;
    EXPECT_TRUE(contains(text, "%k: bf16[2, ctx, 64]<16@1>, %v: bf16[2, ctx, 64], ")) << text;
    EXPECT_FALSE(contains(text, "2@1")) << text;
  }
  EXPECT_TRUE(contains(planned.many, std::string("f32[seq, 128]") + kRowTile + ">")) << planned.many;
}

// Bytes meet the unit that sums four products where the machine has one; rows of f32 are never rounded to bytes.
TEST(Search, BytesLieAsTheUnitTakesThem) {
  ops::register_all();
  const auto planned_text = [](const Machine& machine, const std::string& rows) {
    const ir::Module module =
        ir::parse_module("module m {\n  func @f(%a: " + rows +
                             "[48, 70]) {\n    %0 = weight \"w\" : i8[100, "
                             "70]\n    %1 = matmul_nt(%a, %0) : f32[48, 100]\n    return %1\n  }\n}\n",
                         "test");
    auto found = search({{"m", &module, {"f"}}}, machine, {});
    return ir::to_text(found.modules[0]);
  };
  const Machine with_quads = machine::load("avx512-zen4");
  EXPECT_TRUE(contains(planned_text(with_quads, "i8"), "i8[100, 70]<16@0, 4@1>"));
  EXPECT_TRUE(contains(planned_text(with_quads, "i8"), "i8[48, 70]<6@0, 4@1>"));
  EXPECT_FALSE(contains(planned_text(with_quads, "f32"), "4@1"));
  const Machine without =
      changed([](Machine& m) { std::erase_if(m.units, [](const auto& unit) { return unit.k == 4; }); });
  EXPECT_FALSE(contains(planned_text(without, "i8"), "4@1"));
}

TEST(Search, RowTilesFollowTheRegisters) {
  const Machine few = changed([](Machine& m) { m.vector_registers.count = 8; });
  const Planned planned = plan(few);
  EXPECT_TRUE(contains(planned.many, std::string("{layout = ") + kRowTileOfEight + ", 2@1>} : bf16")) << planned.many;
  EXPECT_FALSE(contains(planned.many, kRowTile + std::string(","))) << planned.many;
}

// As on a machine that stands still for a quarter of an hour whenever it is asked.
TEST(Search, TheClockDecidesNothing) {
  const Planned calm = plan(zen5());
  const ::strata::fixtures::WildClock wild;
  const Planned hurried = plan(zen5());
  EXPECT_EQ(calm.one, hurried.one);
  EXPECT_EQ(calm.many, hurried.many);
  EXPECT_EQ(calm.stats.stop_reason, hurried.stats.stop_reason);
  EXPECT_GT(*hurried.stats.extract_s, 100) << "the clocks did run wild";
}

TEST(Search, ASearchThatMetALimitSaysSo) {
  const plan::SearchStats all = plan(zen5()).stats;
  EXPECT_FALSE(all.is_limited);
  EXPECT_EQ(all.stop_reason, "saturated");
  EXPECT_FALSE(plan(zen5(), {"exact"}).stats.is_limited) << "what was asked for is no limit";
  const plan::SearchStats little = plan(zen5(), {}, 1e-6).stats;
  EXPECT_TRUE(little.is_limited);
  EXPECT_EQ(little.stop_reason, "node limit; extraction: work limit");
  EXPECT_EQ(little.method, "greedy");
}

TEST(Search, RulesCanBeSwitchedOff) {
  const Planned row_major = plan(zen5(), {"vectorize"});
  EXPECT_FALSE(contains(row_major.one, "pack(")) << row_major.one;
  EXPECT_TRUE(contains(row_major.many, "concat(")) << row_major.many;
  const Planned apart = plan(zen5(), {"algebra"});
  EXPECT_FALSE(contains(apart.one, "concat(")) << apart.one;
  EXPECT_TRUE(contains(apart.one, "bf16[256, 128]<16@0, 2@1>")) << apart.one;
  EXPECT_FALSE(contains(plan(zen5(), {"merge-matmuls"}).one, "concat("));
  EXPECT_FALSE(contains(plan(zen5(), {"vectorize-rms_norm"}).one, "f32[128]<16@0>"));
}

// Op by op there is code too, which takes longer. The layout of the caches is part of the choice.
TEST(Search, AttentionInPartsIsOneReductionWhereThatCostsLess) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  symbol seq in 2..64
  func @main(%q: f32[4, seq, 64], %x: f32[seq, 2, 64], %k: f32[2, 512, 64], %v: f32[2, 512, 64], %p: i32[seq]) {
    %0 = cache_append(%k, %x, %p) : f32[2, 512, 64]
    %1 = cache_append(%v, %x, %p) : f32[2, 512, 64]
    %2 = grouped_matmul_nt(%q, %0) : f32[4, seq, 512]
    %3 = scalar 0.125 : f32
    %4 = mul(%2, %3) : f32[4, seq, 512]
    %5 = causal_mask(%4, %p) : f32[4, seq, 512]
    %6 = softmax(%5) : f32[4, seq, 512]
    %7 = grouped_matmul(%6, %1) : f32[4, seq, 64]
    return %7, %0, %1
  }
}
)",
                                             "test");
  const auto planned = [&](const std::set<std::string>& without) {
    SearchOptions options;
    options.without = without;
    return search({{"many", &module, {"main"}, {{1, {{"seq", 64}}}}}}, zen5(), options);
  };
  const SearchResult one = planned({});
  const SearchResult apart = planned({"softmax-then-sum"});
  EXPECT_TRUE(contains(ir::to_text(one.modules[0]), "attention(")) << ir::to_text(one.modules[0]);
  EXPECT_FALSE(contains(ir::to_text(one.modules[0]), "softmax("));
  EXPECT_TRUE(contains(ir::to_text(apart.modules[0]), "softmax(")) << ir::to_text(apart.modules[0]);
  EXPECT_LT(one.stats.objective_s, apart.stats.objective_s);
}

// Lanes are entered once and left once, whatever moves the elements between.
TEST(Search, LanesAreKeptThroughMovement) {
  const auto planned = [](const std::string& movement) {
    ops::register_all();
    const ir::Module module = ir::parse_module(R"(module m {
  func @main(%x: f32[3, 4, 33]) {
    %0 = silu(%x) : f32[3, 4, 33]
    %1 = )" + movement + R"(
    %2 = silu(%1) : f32[4, 3, 33]
    return %2
  }
}
)",
                                               "test");
    return ir::to_text(search({{"all", &module, {"main"}, {{1}}}}, zen5(), {}).modules[0]);
  };
  for (const char* movement :
       {"transpose(%0) {perm = [1, 0, 2]} : f32[4, 3, 33]", "reshape(%0) {shape = [4, 3, 33]} : f32[4, 3, 33]"}) {
    const std::string text = planned(movement);
    EXPECT_TRUE(contains(text, "silu(")) << text;
    for (const std::string op : {" pack(", " unpack("}) {
      ASSERT_TRUE(contains(text, op)) << text;
      EXPECT_EQ(text.find(op), text.rfind(op)) << text;
    }
  }
}

// A dot-product unit leaves memory more of the core than widening does: worth the rounding of the row where there are
// many weights, not where there are few.
TEST(Search, OneRowMeetsManyWeightsInPairs) {
  const auto planned = [](int columns, const Machine& machine) {
    ops::register_all();
    const std::string n = std::to_string(columns);
    const ir::Module module = ir::parse_module(R"(module m {
  func @main(%x: f32[1, 1024]) {
    %0 = weight "w" : bf16[)" + n + R"(, 1024]
    %1 = matmul_nt(%x, %0) : f32[1, )" + n + R"(]
    return %1
  }
}
)",
                                               "test");
    return ir::to_text(search({{"all", &module, {"main"}, {{1}}}}, machine, {}).modules[0]);
  };
  const std::string rounded = "{layout = <2@1>} : bf16[1, 1024]<2@1>";
  EXPECT_TRUE(contains(planned(4096, zen5()), rounded));
  EXPECT_FALSE(contains(planned(16, zen5()), rounded));
  const Machine slow = changed([](Machine& m) {
    for (machine::Unit& unit : m.units) unit.ops_per_s = m.units[0].ops_per_s / (unit.k > 1 ? 2 : 1);
  });
  EXPECT_FALSE(contains(planned(4096, slow), rounded)) << "two multiply-adds take no longer than one dot product";
  const Machine apart = changed([](Machine& m) { m.contention = 0; });
  EXPECT_FALSE(contains(planned(4096, apart), rounded)) << "arithmetic that nothing is held up by saves nothing";
}

// The module's function `main`, planned alone.
std::string planned_main(const std::string& text, const Machine& machine = zen5()) {
  ops::register_all();
  const ir::Module module = ir::parse_module(text, "test");
  SearchResult result = search({{"all", &module, {"main"}, {{1}}}}, machine, {});
  ir::verify(result.modules[0]);
  return ir::to_text(result.modules[0]);
}

TEST(Search, ResultsThatBecomeEqualHaveMemoryOfTheirOwn) {
  const std::string text = planned_main(R"(module m {
  func @main(%x: f32[1, 8]) {
    %0 = exp(%x) : f32[1, 8]
    %1 = slice(%0) {axis = 0, begin = 0, end = 1} : f32[1, 8]
    return %0, %1
  }
}
)");
  EXPECT_TRUE(contains(text, "cast(")) << text;
}

TEST(Search, KeepsACallOfWhichOnlyTheStateIsWanted) {
  const std::string text = planned_main(R"(module m {
  func @layer(%x: f32[1, 2, 8], %p: i32[1], %k: bf16[2, 64, 8]) {
    %0 = cache_append(%k, %x, %p) : bf16[2, 64, 8]
    %1 = exp(%x) : f32[1, 2, 8]
    return %1, %0
  }
  func @main(%x: f32[1, 2, 8], %p: i32[1], %k: bf16[2, 64, 8], %l: bf16[2, 64, 8]) {
    %0 = call @layer(%x, %p, %k) : (f32[1, 2, 8], bf16[2, 64, 8])
    %1 = get(%0) {index = 0} : f32[1, 2, 8]
    %2 = get(%0) {index = 1} : bf16[2, 64, 8]
    %3 = call @layer(%1, %p, %l) : (f32[1, 2, 8], bf16[2, 64, 8])
    %4 = get(%3) {index = 1} : bf16[2, 64, 8]
    return %2, %4
  }
}
)");
  const std::size_t first = text.find("call @layer");
  EXPECT_NE(text.find("call @layer", first + 1), std::string::npos) << text;
}

// Fewer elements than lanes are worth a vector only where one step takes them all.
TEST(Search, ShortRowsRunInVectorsWhereThereAreMasks) {
  const std::string text = R"(module m {
  func @main(%x: f32[5, 7]) {
    %0 = softmax(%x) : f32[5, 7]
    return %0
  }
}
)";
  EXPECT_TRUE(contains(planned_main(text), "<16~@1>"));
  EXPECT_FALSE(contains(planned_main(text, changed([](Machine& m) { m.vector_registers.masks = false; })), "<16~@1>"));
}

// The operand beside a vector may have no axes.
TEST(Search, SlicesAProductOfANumberAndAVector) {
  const std::string text = planned_main(R"(module m {
  func @main(%x: f32[8]) {
    %0 = scalar 0.5 : f32
    %1 = mul(%0, %x) : f32[8]
    %2 = slice(%1) {axis = 0, begin = 7, end = 8} : f32[1]
    return %2
  }
}
)");
  EXPECT_TRUE(contains(text, "slice(")) << text;
}

// Both forms of %0 are in one class each: without an end, every iteration would double their packed forms.
TEST(Search, ValuesReshapedToOneAnotherHaveFewForms) {
  ops::register_all();
  const ir::Module module = ir::parse_module(R"(module m {
  symbol seq in 2..33
  func @main(%x: f32[seq, 4]) {
    %0 = exp(%x) : f32[seq, 4]
    %1 = reshape(%0) {shape = [-1, 2, 2]} : f32[seq, 2, 2]
    %2 = neg(%1) : f32[seq, 2, 2]
    %3 = reshape(%1) {shape = [-1, 4]} : f32[seq, 4]
    %4 = add(%3, %3) : f32[seq, 4]
    %5 = reshape(%4) {shape = [-1, 2, 2]} : f32[seq, 2, 2]
    return %2, %4, %5
  }
}
)",
                                             "test");
  const auto saturation = [&](const std::set<std::string>& without) {
    SearchOptions options;
    options.without = without;
    options.limits.nodes = 2000;
    return search({{"all", &module, {"main"}, {{1}}}}, zen5(), options).saturation;
  };
  EXPECT_EQ(saturation({}).stop_reason, egraph::StopReason::kSaturated);
  EXPECT_LT(saturation({}).nodes, 500U);
  EXPECT_EQ(saturation({"exact", "identity-packed-reshape", "packed-reshape-of-reshape"}).stop_reason,
            egraph::StopReason::kNodeLimit);
}

TEST(Search, KnowsTheNamesOfWhatCanBeSwitchedOff) {
  ops::register_all();
  const std::vector<std::string> names = search_names();
  for (const std::string name : {"vectorize", "algebra", "exact", "merge-matmuls", "vectorize-rms_norm"}) {
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  }
}

}  // namespace
}  // namespace strata::vectorize
