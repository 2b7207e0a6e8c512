// SPDX-License-Identifier: Apache-2.0
// Regions with products.
#include <algorithm>

#include "schedule/products_tree.h"
#include "tests/schedule/region_testing.h"

namespace strata::schedule {
namespace {

constexpr const char* kParameters =
    "%a: f32[seq, 1024]<6@0>, %b: f32[512, 1024]<16@0>, %c: f32[512, 4096]<16@0>, %x: f32[seq, 512]<16@1>, "
    "%d: f32[seq, 4096]<6@0>, %e: f32[8192, 1024]<16@0>, %y: f32[seq, 8192]<16@1>, %p: f32[1, 1024], %q: f32[1, "
    "512]<16@1>";

std::string with_products(const std::string& body) { return region(kParameters, body); }

constexpr const char* kAdd =
    "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = pack(%0) {layout = <16@1>} : f32[seq, 512]<16@1>\n"
    "    %2 = add(%x, %1) : f32[seq, 512]<16@1>\n    return %2\n";

TEST(Products, WhatFollowsReadsATileOfColumns) {
  EXPECT_EQ(with_products(kAdd),
            "parallel i1 by 64 { serial i0 by 78 { serial i1 by 512 { buffer tile0: f32[39936] in L2 serial k by 1024 "
            "in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial i0 by 1 { vector i1 by "
            "16 { stage 1 } } } } }");
}

// As many as a cache holds beside the block of rows and the panels.
TEST(Products, ManyColumnsComeInParts) {
  EXPECT_EQ(with_products("    %0 = matmul_nt(%a, %e) : f32[seq, 8192]\n"
                          "    %1 = pack(%0) {layout = <16@1>} : f32[seq, 8192]<16@1>\n"
                          "    %2 = add(%y, %1) : f32[seq, 8192]<16@1>\n    return %2\n"),
            "parallel i1 by 64 { serial i0 by 78 { serial i1 by 640 { buffer tile0: f32[49920] in L2 serial k by 1024 "
            "in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial i0 by 1 { vector i1 by "
            "16 { stage 1 } } } } }");
}

// In parts of the columns every block of the rows would be read again.
TEST(Products, SumsInBlocksTakeAllColumns) {
  EXPECT_EQ(with_products("    %0 = matmul_nt(%d, %c) : f32[seq, 512]\n"
                          "    %1 = pack(%0) {layout = <16@1>} : f32[seq, 512]<16@1>\n"
                          "    %2 = add(%x, %1) : f32[seq, 512]<16@1>\n    return %2\n"),
            "parallel i1 by 64 { serial i0 by 78 { serial i1 by 512 { buffer tile0: f32[39936] in L2 serial k by 1024 "
            "in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial i0 by 1 { vector i1 by "
            "16 { stage 1 } } } } }");
}

TEST(Products, ARowIsStreamed) {
  EXPECT_EQ(with_products("    %0 = matmul_nt(%p, %b) : f32[1, 512]\n"
                          "    %1 = pack(%0) {layout = <16@1>} : f32[1, 512]<16@1>\n"
                          "    %2 = add(%q, %1) : f32[1, 512]<16@1>\n    return %2\n"),
            "parallel i1 by 64 { serial i1 by 512 { buffer tile0: f32[512] in L1 leaf stream panels 4 ahead 0 locality "
            "0 for stage 0 into tile0 serial i0 by 1 { vector i1 by 16 { stage 1 } } } }");
}

// Of a product of both, the gate and the up projection are stages of their own; tiles of rows are packed behind them.
constexpr const char* kGate =
    "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
    "    %1 = slice(%0) {axis = 1, begin = 0, end = 256} : f32[seq, 256]\n"
    "    %2 = pack(%1) {layout = <16@1>} : f32[seq, 256]<16@1>\n"
    "    %3 = slice(%0) {axis = 1, begin = 256, end = 512} : f32[seq, 256]\n"
    "    %4 = pack(%3) {layout = <16@1>} : f32[seq, 256]<16@1>\n"
    "    %5 = silu(%2) : f32[seq, 256]<16@1>\n    %6 = mul(%5, %4) : f32[seq, 256]<16@1>\n"
    "    %7 = unpack(%6) : f32[seq, 256]\n    %8 = pack(%7) {layout = <6@0>} : f32[seq, 256]<6@0>\n    return %8\n";

TEST(Products, ColumnsOfOneAreStagesOfTheirOwn) {
  EXPECT_EQ(with_products(kGate),
            "parallel i1 by 64 { serial i0 by 78 { serial i1 by 256 { buffer tile0: f32[19968] in L2 buffer tile1: "
            "f32[19968] in L2 serial k by 1024 in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 "
            "} serial k by 1024 in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 1 into tile1 } serial i0 by "
            "6 { buffer tile3: f32[1536] in L1 serial i0 by 1 { vector i1 by 16 { stage 2 in lanes stage 3 into tile3 "
            "} } leaf pack-rows } } } }");
}

// Two products sum along iterators of their own.
TEST(Products, TwoOfThemShareRowsAndColumns) {
  Region made(kParameters,
              "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = pack(%0) {layout = <16@1>} : f32[seq, 512]<16@1>\n"
              "    %2 = matmul_nt(%d, %c) : f32[seq, 512]\n    %3 = pack(%2) {layout = <16@1>} : f32[seq, 512]<16@1>\n"
              "    %4 = mul(%1, %3) : f32[seq, 512]<16@1>\n    return %4\n");
  ASSERT_EQ(made.why_not, "");
  EXPECT_EQ(made.verdict(), "");
  ASSERT_EQ(made.op().products.size(), 2U);
  for (const ProductStage& product : made.op().products) {
    EXPECT_EQ(product.of.classes.size(), made.op().tree.iterators.size());
    EXPECT_EQ(std::ranges::count(product.of.classes, ir::IteratorClass::kK), 1);
  }
  EXPECT_NE(*made.op().products[0].of.only(ir::IteratorClass::kK),
            *made.op().products[1].of.only(ir::IteratorClass::kK));
}

TEST(Products, AProductThatOthersReadIsKeptInMemory) {
  EXPECT_EQ(with_products("    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
                          "    %1 = pack(%0) {layout = <16@1>} : f32[seq, 512]<16@1>\n"
                          "    %2 = add(%x, %1) : f32[seq, 512]<16@1>\n    return %2, %0\n"),
            "parallel i1 by 64 { serial i0 by 78 { serial i1 by 512 { serial k by 1024 in L2 { leaf tile panels 4 "
            "ahead 4096 locality 2 for stage 0 } serial i0 by 1 { vector i1 by 16 { stage 1 } } } } }");
}

// A norm of each head, and then its halves beside one another: in loops of their own, for the rows and heads of a part.
constexpr const char* kHeadParameters =
    "%a: f32[seq, 1024]<6@0>, %b: f32[512, 1024]<16@0>, %w: f32[128]<16@0>, %c: f32[seq, 64]<16@1>, %s: f32[seq, "
    "64]<16@1>";
constexpr const char* kHeads =
    "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = reshape(%0) {shape = [-1, 4, 128]} : f32[seq, 4, 128]\n"
    "    %2 = pack(%1) {layout = <16@2>} : f32[seq, 4, 128]<16@2>\n"
    "    %3 = rms_norm(%2, %w) {eps = 1e-06} : f32[seq, 4, 128]<16@2>\n"
    "    %4 = reshape(%3) {shape = [-1, 4, 2, 64]} : f32[seq, 4, 2, 64]<16@3>\n"
    "    %5 = rope(%4, %c, %s) : f32[seq, 4, 2, 64]<16@3>\n    return %5\n";

TEST(Products, WhatReadsWholeHeadsRunsThroughEach) {
  EXPECT_EQ(region(kHeadParameters, kHeads),
            "parallel h by 1 { serial s by 78 { serial h by 4 { buffer tile0: f32[39936] in L2 serial k_ by 1024 in L2 "
            "{ leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial s by 1 { serial h by 1 { "
            "buffer tile2: f32[128] in L1 vector k by 16 { stage 1 } vector k by 16 { stage 2 into tile2 } serial p by "
            "1 { vector i by 16 { stage 3 } } } } } } }");
}

// A norm of the keys; the values are another op's.
std::string keys(const std::string& values, const std::string& result = "%4, %7") {
  return "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
         "    %1 = slice(%0) {axis = 1, begin = 0, end = 256} : f32[seq, 256]\n"
         "    %2 = reshape(%1) {shape = [-1, 2, 128]} : f32[seq, 2, 128]\n"
         "    %3 = pack(%2) {layout = <16@2>} : f32[seq, 2, 128]<16@2>\n"
         "    %4 = rms_norm(%3, %w) {eps = 1e-06} : f32[seq, 2, 128]<16@2>\n" +
         values + "    return " + result + "\n";
}

// The product and the norm.
struct Keys : Region {
  explicit Keys(const std::string& values) : Region(kHeadParameters, keys(values)) {
    ops = {0, 4};
    auto made = region_of(function(), ops, zen5());
    why_not = std::holds_alternative<NoRegion>(made) ? std::get<NoRegion>(made).why : "";
    if (why_not.empty()) enter(function(), std::get<ScheduledOp>(std::move(made)));
  }
};

TEST(Products, OtherColumnsAreAStageInMemory) {
  Keys made(
      "    %5 = slice(%0) {axis = 1, begin = 256, end = 512} : f32[seq, 256]\n"
      "    %6 = reshape(%5) {shape = [-1, 2, 128]} : f32[seq, 2, 128]\n    %7 = exp(%6) : f32[seq, 2, 128]\n");
  EXPECT_EQ(made.text(),
            "parallel i1 by 1 { serial i0 by 78 { serial i1 by 2 { buffer tile1: f32[19968] in L2 serial k_ by 1024 in "
            "L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 } serial k_ by 1024 in L2 { leaf tile panels 4 "
            "ahead 4096 locality 2 for stage 1 into tile1 } serial i0 by 1 { serial i1 by 1 { vector k by 16 { stage 2 "
            "} vector k by 16 { stage 3 } } } } } }");
  EXPECT_EQ(made.verdict(), "");
  const auto verdict = [&](const std::string& into) {
    return made.verdict(
        "parallel i1 by 1 { serial i0 by 144 { serial i1 by 2 { buffer t: f32[36864] buffer u: f32[36864] leaf tile "
        "panels 4 for stage 0 " +
        into +
        "leaf tile panels 4 for stage 1 into t serial i0 by 1 { serial i1 by 1 { vector k by 16 { stage 2 } vector k "
        "by 16 { stage 3 } } } } } }");
  };
  EXPECT_EQ(verdict(""), "");
  EXPECT_EQ(verdict("into u "), "tile tree of rms_norm: stage 0 is kept nowhere, and other ops read it");
}

TEST(Products, OtherColumnsAreApartAndInTheSameUnits) {
  const std::string why = "other columns of a product are read elsewhere";
  EXPECT_EQ(Keys("    %5 = slice(%0) {axis = 1, begin = 256, end = 512} : f32[seq, 256]\n"
                 "    %7 = exp(%5) : f32[seq, 256]\n")
                .why_not,
            why);
  EXPECT_EQ(
      Keys("    %5 = slice(%0) {axis = 1, begin = 128, end = 384} : f32[seq, 256]\n"
           "    %6 = reshape(%5) {shape = [-1, 2, 128]} : f32[seq, 2, 128]\n    %7 = exp(%6) : f32[seq, 2, 128]\n")
          .why_not,
      why);
}

// Its halves are read right from the product's tile.
TEST(Products, HeadsAreReadInAnotherOrder) {
  EXPECT_EQ(region(kHeadParameters,
                   "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
                   "    %1 = reshape(%0) {shape = [-1, 4, 2, 64]} : f32[seq, 4, 2, 64]\n"
                   "    %2 = pack(%1) {layout = <16@3>} : f32[seq, 4, 2, 64]<16@3>\n"
                   "    %3 = rope(%2, %c, %s) : f32[seq, 4, 2, 64]<16@3>\n    return %3\n"),
            "parallel h by 1 { serial s by 78 { serial h by 4 { buffer tile0: f32[39936] in L2 serial k by 1024 in L2 "
            "{ leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial s by 1 { serial h by 1 { "
            "serial p by 1 { vector i by 16 { stage 1 } } } } } } }");
}

TEST(Products, AreInNoRegionWith) {
  const auto expect = [](const std::string& body, const std::string& why) { EXPECT_EQ(with_products(body), why); };
  const std::string product =
      "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = pack(%0) {layout = <16@1>} : f32[seq, 512]<16@1>\n";
  expect(product + "    %2 = softmax(%1) : f32[seq, 512]<16@1>\n    return %2\n",
         "beside a product stand only loops inside of its rows and columns");
  // Heads that are no whole panels.
  const std::string heads =
      "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = reshape(%0) {shape = [-1, 64, 8]} : f32[seq, 64, 8]\n";
  expect(heads + "    %2 = softmax(%1) : f32[seq, 64, 8]\n    return %2\n",
         "what matmul_nt makes is not read element by element");
  // No whole panels.
  const auto halves = [](int at) {
    const std::string middle = std::to_string(at), rest = "[seq, " + std::to_string(512 - at) + "]";
    return "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
           "    %1 = slice(%0) {axis = 1, begin = " +
           middle + ", end = 512} : f32" + rest +
           "\n"
           "    %2 = neg(%1) : f32" +
           rest + "\n    return %2\n";
  };
  expect(halves(8), "what matmul_nt makes is not read element by element");
  EXPECT_NE(with_products(halves(16)).find("for stage 0 into tile0"), std::string::npos);
  // The other columns are another op's.
  expect(
      "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n"
      "    %1 = slice(%0) {axis = 1, begin = 0, end = 256} : f32[seq, 256]\n    %2 = neg(%1) : f32[seq, 256]\n"
      "    return %2, %0\n",
      "other columns of a product are read elsewhere");
  // Rows in another order.
  expect(
      "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = transpose(%0) {perm = [1, 0]} : f32[512, seq]\n"
      "    %2 = neg(%1) : f32[512, seq]\n    return %2\n",
      "what matmul_nt makes is not read element by element");
}

TEST(ProductsVerifier, FindsWhatAProductDoesNotGet) {
  Region made(kParameters, kAdd);
  const auto expect = [&](const std::string& tree, const std::string& part) {
    const std::string verdict = made.verdict(tree);
    EXPECT_NE(verdict.find(part), std::string::npos) << tree << "\n" << verdict;
  };
  const auto tree = [](const std::string& buffer, const std::string& product, const std::string& behind = "",
                       const std::string& m = "serial i0 by 144", const std::string& n = "serial i1 by 64") {
    return "parallel i1 by 64 { " + m + " { " + n + " { " + buffer + product + " " + behind +
           "serial i0 by 1 { vector i1 by 16 { stage 1 } } } } }";
  };
  const std::string tile = "buffer t: f32[9216] ", leaf = "leaf tile panels 4 for stage 0 into t ";
  EXPECT_EQ(made.verdict(tree(tile, "serial k by 512 { " + leaf + "}")), "");
  EXPECT_EQ(made.verdict(tree("", "leaf tile panels 4 for stage 0 ")), "");
  expect(tree("", leaf), "has no buffer t");
  expect(tree("buffer t: f32[9215] ", leaf), "does not hold the f32[9216]");
  expect(tree("", "serial k by 512 { " + tile + leaf + "}"), "has its sums in a buffer of one block of k");
  expect(tree(tile, "serial i0 by 72 { " + leaf + "}"), "is for another part of i0 than t holds");
  expect(tree(tile, "serial k by 48 { " + leaf + "}"), "no multiple of");
  expect(tree(tile, leaf, "", "serial i0 by 143"), "no multiple of 6");
  expect(tree(tile, leaf, "", "serial i0 by 144", "serial i1 by 60"), "no multiple of 16");
  expect(tree(tile, leaf, leaf), "stage 0 is computed twice");
  expect(tree(tile, "leaf stream panels 4 for stage 0 into t"), "does not make stage 0");
  expect(tree(tile, "leaf tile panels 4 for stage 1 into t"), "computes no stage 1");
  expect(tree(tile, ""), "stage 0 is read before it is computed");
  expect("parallel k by 64 { " + tile + leaf + "}", "threads would share the sums along k");
  expect("parallel i1 by 64 { serial i0 by 144 { serial i1 by 64 { " + tile + leaf +
             "} } serial i0 by 1 { vector i1 by 16 { stage 1 } } }",
         "stage 0 is read where its buffer is gone");
}

TEST(ProductsVerifier, FindsHeadsThatALoopDoesNotGet) {
  Region made(kHeadParameters, kHeads);
  const auto verdict = [&](const std::string& behind, const std::string& n = "serial h by 2",
                           const std::string& tile = "buffer t: f32[36864] ") {
    return made.verdict("parallel h by 1 { serial s by 144 { " + n + " { " + tile +
                        "leaf tile panels 4 for stage 0 into t serial s by 1 { " + behind + " } } } }");
  };
  const auto expect = [&](const std::string& found, const std::string& part) {
    EXPECT_NE(found.find(part), std::string::npos) << found;
  };
  const std::string sums = "vector k by 16 { stage 1 } ", norm = "vector k by 16 { stage 2 into b } ",
                    halves = "serial p by 1 { vector i by 16 { stage 3 } } ", b = "buffer b: f32[128] ";
  EXPECT_EQ(verdict("serial h by 1 { " + b + sums + norm + halves + "}"), "");
  EXPECT_EQ(verdict(b + sums + norm + halves, "serial h by 1", "buffer t: f32[18432] "), "");
  expect(verdict("serial h by 1 { " + b + sums + norm + halves + "}", "serial h by 2", "buffer t: f32[36863] "),
         "does not hold the f32[36864]");
  expect(verdict("serial h by 1 { buffer b: f32[127] " + sums + norm + halves + "}"), "does not hold the f32[128]");
  expect(verdict("serial h by 1 { " + b + sums + halves + norm + "}"), "stage 2 is read before it is computed");
  expect(verdict("serial h by 1 { " + b + norm + sums + halves + "}"), "stage 1 is read before it is computed");
  expect(verdict("serial h by 1 { " + sums + b + "vector k by 16 { stage 2 in lanes } " + halves + "}"),
         "stage 2 is read outside of the loops that compute it");
  expect(verdict("serial h by 1 { " + sums + b + "serial k by 1 { stage 2 into b " + halves + "} }"),
         "is computed again for every k");
  expect(verdict(b + sums + norm + halves), "meets tiles of h");
  expect(made.verdict("parallel h by 1 { serial s by 144 { serial h by 2 { buffer t: f32[36864] serial k by 32 { leaf "
                      "tile panels 4 for stage 0 into t } } } }"),
         "the product of stage 0 is computed again for every k");
  Region maps(
      kHeadParameters,
      "    %0 = matmul_nt(%a, %b) : f32[seq, 512]\n    %1 = reshape(%0) {shape = [-1, 4, 128]} : f32[seq, 4, 128]\n"
      "    %2 = pack(%1) {layout = <16@2>} : f32[seq, 4, 128]<16@2>\n    %3 = neg(%2) : f32[seq, 4, "
      "128]<16@2>\n    return %3\n");
  expect(
      maps.verdict("parallel i2 by 16 { buffer t: f32[262144] leaf tile panels 4 for stage 0 into t serial i0 by 1 { "
                   "serial i1 by 1 { vector i2 by 16 { stage 1 } } } }"),
      "the product of stage 0 is computed again for every i2");
}

TEST(ProductsVerifier, FindsColumnsThatALeafDoesNotGet) {
  Region made(kParameters, kGate);
  const auto expect = [&](const std::string& behind, const std::string& part) {
    const std::string verdict = made.verdict(
        "parallel i1 by 64 { serial i0 by 144 { serial i1 by 64 { buffer g: f32[9216] buffer u: f32[9216] leaf tile "
        "panels 4 for stage 0 into g leaf tile panels 4 for stage 1 into u " +
        behind + " } } }");
    if (part.empty()) EXPECT_EQ(verdict, "") << behind;
    EXPECT_NE(verdict.find(part), std::string::npos) << behind << "\n" << verdict;
  };
  const std::string maps = "serial i0 by 1 { vector i1 by 16 { stage 2 in lanes stage 3 into h } } ";
  expect("serial i0 by 6 { buffer h: f32[384] " + maps + "leaf pack-rows }", "");
  expect("buffer h: f32[9216] " + maps + "leaf pack-rows ", "");
  expect("buffer h: f32[9216] " + maps + "serial i1 by 32 { leaf pack-rows }", "gets other columns than h holds");
  expect("buffer h: f32[9216] " + maps + "serial k by 32 { leaf pack-rows }", "takes no blocks of k");
  expect("serial i0 by 6 { buffer h: f32[384] leaf pack-rows " + maps + "}", "is read before it is computed");
}

}  // namespace
}  // namespace strata::schedule
