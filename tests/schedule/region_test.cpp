// SPDX-License-Identifier: Apache-2.0
#include "schedule/region.h"

#include <gtest/gtest.h>

#include "tests/schedule/region_testing.h"

namespace strata::schedule {
namespace {

TEST(Region, AChainOfMapsIsOneLoop) {
  EXPECT_EQ(region("%x: f32[seq, 64]<16@1>, %y: f32[seq, 64]<16@1>",
                   "    %0 = silu(%x) : f32[seq, 64]<16@1>\n    %1 = mul(%0, %y) : f32[seq, 64]<16@1>\n"
                   "    %2 = neg(%1) : f32[seq, 64]<16@1>\n    return %2\n"),
            "parallel i0i1 by 4096 { vector i0i1 by 16 { stage 0 in lanes stage 1 in lanes stage 2 } }");
}

TEST(Region, AValueThatOthersReadIsKeptInMemory) {
  EXPECT_EQ(
      region("%x: f32[seq, 64]<16@1>",
             "    %0 = silu(%x) : f32[seq, 64]<16@1>\n    %1 = neg(%0) : f32[seq, 64]<16@1>\n    return %1, %0\n"),
      "parallel i0i1 by 4096 { vector i0i1 by 16 { stage 0 stage 1 } }");
}

// Its sum of squares and its result both read the sum: a row of it waits in a buffer.
constexpr const char* kAddAndNorm =
    "    %0 = add(%x, %y) : f32[seq, 64]<16@1>\n    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 64]<16@1>\n"
    "    return %1\n";
constexpr const char* kAddAndNormParameters = "%x: f32[seq, 64]<16@1>, %y: f32[seq, 64]<16@1>, %w: f32[64]<16@0>";

TEST(Region, ANormReadsARowThatWasJustMade) {
  EXPECT_EQ(region(kAddAndNormParameters, kAddAndNorm),
            "parallel i0 by 1 { serial i0 by 1 { buffer tile0: f32[64] in L1 vector k by 16 { stage 0 into tile0 stage "
            "1 } vector k by 16 { stage 2 } } }");
}

TEST(Region, WhatFollowsANormRunsInItsLoop) {
  EXPECT_EQ(
      region(kAddAndNormParameters,
             "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 64]<16@1>\n"
             "    %1 = add(%y, %0) : f32[seq, 64]<16@1>\n    return %1\n"),
      "parallel i0 by 1 { serial i0 by 1 { vector i1 by 16 { stage 0 } vector i1 by 16 { stage 1 in lanes stage 2 "
      "} } }");
}

TEST(Region, AReductionComputesWhatItReads) {
  EXPECT_EQ(region("%x: f32[seq, 64]",
                   "    %0 = exp(%x) : f32[seq, 64]\n    %1 = reduce_sum(%0) : f32[seq]\n    return %1\n"),
            "parallel i0 by 1 { serial i0 by 1 { vector k by 1 { stage 0 in lanes stage 1 } } }");
}

// A leaf takes the rows from a buffer as large as its tile, without a barrier between.
TEST(Region, ATileOfRowsIsMadeBeforeALeafReadsIt) {
  EXPECT_EQ(
      region("%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>",
             "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 64]<16@1>\n    %1 = unpack(%0) : f32[seq, 64]\n"
             "    %2 = pack(%1) {layout = <6@0>} : f32[seq, 64]<6@0>\n    return %2\n"),
      "parallel i0 by 6 { serial i0 by 6 { buffer tile1: f32[384] in L1 serial i0 by 1 { vector i1 by 16 { stage 0 } "
      "vector i1 by 16 { stage 1 into tile1 } } leaf pack-rows } }");
}

TEST(Region, ATileMayBeOneRow) {
  EXPECT_EQ(
      region("%x: f32[1, 63]<16~@1>, %w: f32[63]<16~@0>",
             "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[1, 63]<16~@1>\n"
             "    %1 = round(%0) {dtype = bf16} : bf16[1, 63]<16~@1>\n    %2 = unpack(%1) : bf16[1, 63]\n"
             "    %3 = pack(%2) {layout = <2@1>} : bf16[1, 63]<2@1>\n    return %3\n"),
      "parallel i0 by 1 { serial i0 by 1 { buffer tile2: bf16[63] in L1 vector i1 by 16 { stage 0 } vector i1 by 16 { "
      "stage 1 in lanes stage 2 into tile2 } leaf pack-pairs } }");
}

// Its elements are read in another order than they are made.
constexpr const char* kHalvesParameters = "%x: f32[seq, 4, 32]<16@2>, %w: f32[32]<16@0>, %c: f32[seq, 16]<16@1>";
constexpr const char* kHalves =
    "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 4, 32]<16@2>\n"
    "    %1 = reshape(%0) {shape = [-1, 4, 2, 16]} : f32[seq, 4, 2, 16]<16@3>\n"
    "    %2 = rope(%1, %c, %c) : f32[seq, 4, 2, 16]<16@3>\n    return %2\n";

TEST(Region, HalvesAreReadWhereBothAreMade) {
  EXPECT_EQ(region(kHalvesParameters, kHalves),
            "parallel s by 1 { serial s by 1 { serial h by 1 { buffer tile1: f32[32] in L1 vector k by 16 { stage 0 } "
            "vector k by 16 { stage 1 into tile1 } serial p by 1 { vector i by 16 { stage 2 } } } } }");
}

// In the type that they have.
TEST(Region, KeepsRoundedValues) {
  EXPECT_EQ(
      region("%x: bf16[seq, 64]<16@1>",
             "    %0 = exp(%x) : bf16[seq, 64]<16@1>\n    %1 = softmax(%0) : bf16[seq, 64]<16@1>\n    return %1\n")
          .find("buffer tile0: bf16[64] in L1"),
      std::string("parallel i0 by 1 { serial i0 by 1 { ").size());
}

// Not again for every row.
TEST(Region, OneThreadComputesWhatEveryRowReads) {
  EXPECT_EQ(
      region("%x: f32[64], %y: f32[seq, 64]",
             "    %0 = exp(%x) : f32[64]\n    %1 = add(%y, %0) : f32[seq, 64]\n    return %1\n"),
      "once { buffer tile0: f32[64] in L1 vector i1 by 1 { stage 0 into tile0 } serial i0 by 1 { vector i1 by 1 { "
      "stage 1 } } }");
}

TEST(Region, NoneOfOpsThatAreNoNest) {
  EXPECT_EQ(region("%x: f32[seq, 64]",
                   "    %0 = cast(%x) {dtype = i32} : i32[seq, 64]\n    %1 = neg(%0) : i32[seq, 64]\n    return %1\n"),
            "cast makes no floating numbers");
  EXPECT_EQ(region("%x: f32[seq, 64]<16@1>, %y: f32[seq, 64]",
                   "    %0 = exp(%x) : f32[seq, 64]<16@1>\n    %1 = unpack(%0) : f32[seq, 64]\n"
                   "    %2 = neg(%1) : f32[seq, 64]\n    return %2\n"),
            "their operands lie in different lanes");
  EXPECT_EQ(region("%x: f32[seq, 64], %i: i32[seq], %t: f32[9, 64]",
                   "    %0 = gather(%t, %i) : f32[seq, 64]\n    %1 = neg(%0) : f32[seq, 64]\n    return %1\n"),
            "an op has no loops of its own");
  EXPECT_EQ(region("%x: f32[64, 64]",
                   "    %0 = exp(%x) : f32[64, 64]\n    %1 = transpose(%0) {perm = [1, 0]} : f32[64, 64]\n"
                   "    %2 = neg(%1) : f32[64, 64]\n    return %2\n"),
            "what exp makes is not read element by element");
  EXPECT_EQ(region("%x: f32[64, 64]",
                   "    %0 = exp(%x) : f32[64, 64]\n    %1 = transpose(%0) {perm = [1, 0]} : f32[64, 64]\n"
                   "    %2 = add(%0, %1) : f32[64, 64]\n    return %2\n"),
            "what exp makes is not read element by element");
}

// Lanes along k would lie apart in what abs makes.
TEST(Region, NoneWhereLoopsRunInAnotherOrder) {
  EXPECT_EQ(region("%x: f32[seq, 64]<16@1>, %y: f32[seq, 3]",
                   "    %0 = abs(%x) : f32[seq, 64]<16@1>\n    %1 = unpack(%0) : f32[seq, 64]\n"
                   "    %2 = matmul_tn(%1, %y) : f32[64, 3]\n    return %2\n"),
            "their operands lie in different lanes");
  EXPECT_EQ(region("%x: f32[12, 16]<16@1>, %y: f32[12, 16]<16@1>",
                   "    %0 = abs(%x) : f32[12, 16]<16@1>\n    %1 = matmul_tn(%0, %y) : f32[16, 16]\n    return %1\n"),
            "tile tree of matmul_tn: vector k: neighbours along it do not lie side by side in what stage 0 makes");
}

// The cache is read before it is written.
TEST(Region, NoneWhereAnOperandIsOverwrittenFirst) {
  Region made("%c: f32[2, ctx, 8], %x: f32[1, 2, 8], %p: i32[1]",
              "    %0 = exp(%c) : f32[2, ctx, 8]\n    %1 = cache_append(%c, %x, %p) : f32[2, ctx, 8]\n"
              "    %2 = add(%0, %1) : f32[2, ctx, 8]\n    return %2, %1\n");
  const auto two = region_of(made.function(), {0, 2}, zen5());
  ASSERT_TRUE(std::holds_alternative<NoRegion>(two));
  EXPECT_EQ(std::get<NoRegion>(two).why, "what exp reads may be overwritten before");
}

TEST(Region, NoneWhereAnOpBetweenReadsWhatAPartMakes) {
  Region made("%x: f32[seq, 64]",
              "    %0 = exp(%x) : f32[seq, 64]\n    %1 = softmax(%0) : f32[seq, 64]\n    %2 = add(%0, %1) : f32[seq, "
              "64]\n    return %2\n");
  dissolve(made.function(), 2);
  const auto two = region_of(made.function(), {0, 2}, zen5());
  ASSERT_TRUE(std::holds_alternative<NoRegion>(two));
  EXPECT_EQ(std::get<NoRegion>(two).why, "what exp makes is read before the last op");
}

TEST(Region, PartsHaveTheirOwnCodeAgain) {
  Region made(kAddAndNormParameters, kAddAndNorm);
  EXPECT_FALSE(made.function().ops[0].has_code());
  EXPECT_EQ(members(made.function(), 0), (std::vector<std::size_t>{0, 1}));
  dissolve(made.function(), 0);
  EXPECT_EQ(one_line(to_text(made.function().ops[0].tree, zen5())),
            "parallel i0i1 by 4096 { vector i0i1 by 16 { stage 0 } }");
  EXPECT_TRUE(made.function().ops[1].parts.empty());
}

TEST(RegionVerifier, FindsWhatIsReadWhereItIsNot) {
  Region made(kAddAndNormParameters, kAddAndNorm);
  const auto expect = [&](const std::string& tree, const std::string& part) {
    const std::string verdict = made.verdict(tree);
    EXPECT_NE(verdict.find(part), std::string::npos) << tree << "\n" << verdict;
  };
  const std::string rows = "parallel i0 by 1 { serial i0 by 1 { ";
  EXPECT_EQ(made.verdict(rows + "vector k by 16 { stage 0 stage 1 } vector k by 16 { stage 2 } } }"), "");
  EXPECT_EQ(made.verdict("buffer b: f32[64] " + rows +
                         "vector k by 16 { stage 0 into b } vector k by 16 { stage 1 } vector k by 16 { stage 2 } } }"),
            "tile tree of rms_norm: the buffer b does not hold the f32[32768] that stage 0 makes in it");
  expect(rows + "vector k by 16 { stage 0 in lanes stage 1 } vector k by 16 { stage 2 } } }",
         "stage 0 is read outside of the loops that compute it");
  expect(rows + "buffer b: f32[63] vector k by 16 { stage 0 into b stage 1 } vector k by 16 { stage 2 } } }",
         "does not hold the f32[64]");
  expect(rows + "buffer b: f16[64] vector k by 16 { stage 0 into b stage 1 } vector k by 16 { stage 2 } } }",
         "does not hold the f32[64]");
  expect(rows + "vector k by 16 { stage 0 into b stage 1 } vector k by 16 { stage 2 } } }", "has no buffer b");
  expect(rows + "buffer b: f32[64] vector k by 16 { stage 0 stage 1 } vector k by 16 { stage 2 into b } } }",
         "stage 2 is no value that may be kept elsewhere");
  expect(rows + "buffer b: f32[64] vector k by 16 { stage 0 stage 1 in lanes } vector k by 16 { stage 2 } } }",
         "stage 1 is no value");
  expect(rows + "vector k by 16 { stage 1 stage 0 } vector k by 16 { stage 2 } } }", "goes on behind the sums of");
  expect(rows + "vector k by 16 { stage 0 stage 1 stage 2 } } }", "goes on behind the sums of");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 stage 1 } } } parallel i0 by 1 { serial i0 by 1 "
      "{ vector k by 16 { stage 2 } } }",
      "by threads that have not waited");
  expect(rows + "vector k by 16 { stage 0 stage 1 } } serial i0 by 1 { vector k by 16 { stage 2 } } }",
         "stage 1 is read outside of the loops that compute it");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } } once { serial i0 by 1 { vector k by 16 { "
      "stage 1 } vector k by 16 { stage 2 } } }",
      "by threads that have not waited");
  EXPECT_EQ(
      made.verdict("parallel i0 by 1 { serial i0 by 1 { vector k by 16 { stage 0 } } } barrier once { serial i0 by "
                   "1 { vector k by 16 { stage 1 } vector k by 16 { stage 2 } } }"),
      "");
  expect(
      "parallel i0 by 1 { serial i0 by 1 { buffer b: f32[64] vector k by 16 { stage 0 into b } } serial i0 by 1 { "
      "vector k by 16 { stage 1 } vector k by 16 { stage 2 } } }",
      "where its buffer is gone");
  const std::string sums = "stage 1 } vector k by 16 { stage 2 } ";
  const std::string in_b = "vector k by 16 { stage 0 into b " + sums, in_memory = "vector k by 16 { stage 0 " + sums;
  const auto either = [&](const std::string& then, const std::string& otherwise) {
    return rows + "buffer b: f32[64] when i0 <= 6 { " + then + "} else { " + otherwise + "} } }";
  };
  for (const std::string& both : {in_b, in_memory}) EXPECT_EQ(made.verdict(either(both, both)), "");
  expect(either(in_b, in_memory), "when i0: the two cases keep stage 0 in different places");
}

TEST(RegionVerifier, FindsOtherElementsThatAreNotThere) {
  Region made(kHalvesParameters, kHalves);
  const auto expect = [&](const std::string& tree, const std::string& part) {
    const std::string verdict = made.verdict(tree);
    EXPECT_NE(verdict.find(part), std::string::npos) << tree << "\n" << verdict;
  };
  const std::string row = "serial s by 1 { serial h by 1 { ", rows = "parallel s by 1 { " + row;
  const std::string sums = "vector k by 16 { stage 0 } ", halves = "serial p by 1 { vector i by 16 { stage 2 } } ";
  const std::string norm = "vector k by 16 { stage 1 into b } ", b = "buffer b: f32[32] ";
  EXPECT_EQ(made.verdict(rows + b + sums + norm + halves + "} } }"), "");
  EXPECT_EQ(made.verdict("parallel s by 1 { serial s by 1 { buffer b: f32[128] serial h by 1 { " + sums + norm +
                         "} serial h by 1 { " + halves + "} } }"),
            "");
  expect(rows + b + sums + halves + norm + "} } }", "stage 1 is read before it is computed");
  expect(rows + sums + "vector k by 16 { stage 1 in lanes } " + halves + "} } }", "outside of the loops");
  expect(rows + b + sums + "serial k by 1 { stage 1 into b " + halves + "} } } }", "is computed again for every k");
  expect(rows + sums + b + "} } }", "stage 1 is not computed");
  expect("buffer b: f32[65536] parallel s by 1 { " + row + sums + norm + "} } } once { " + row + halves + "} } }",
         "by threads that have not made what their buffer holds");
}

TEST(RegionVerifier, FindsWhatIsComputedAgain) {
  Region made("%x: f32[64], %y: f32[seq, 64]",
              "    %0 = exp(%x) : f32[64]\n    %1 = add(%y, %0) : f32[seq, 64]\n    return %1\n");
  EXPECT_EQ(made.verdict("once { serial i0 by 1 { vector i1 by 16 { stage 0 in lanes stage 1 } } }"),
            "tile tree of add: stage y_ is computed again for every i0");
}

TEST(RegionVerifier, FindsAValueThatOthersWouldMiss) {
  Region made("%x: f32[seq, 64]",
              "    %0 = exp(%x) : f32[seq, 64]\n    %1 = neg(%0) : f32[seq, 64]\n    return %1, %0\n");
  EXPECT_EQ(made.verdict("parallel i0i1 by 64 { vector i0i1 by 1 { stage 0 in lanes stage 1 } }"),
            "tile tree of neg: stage 0 is kept nowhere, and other ops read it");
}

TEST(RegionVerifier, FindsRowsThatALeafDoesNotGet) {
  Region made("%x: f32[seq, 64]<16@1>, %w: f32[64]<16@0>",
              "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 64]<16@1>\n    %1 = unpack(%0) : f32[seq, 64]\n"
              "    %2 = pack(%1) {layout = <6@0>} : f32[seq, 64]<6@0>\n    return %2\n");
  const auto expect = [&](const std::string& tree, const std::string& part) {
    const std::string verdict = made.verdict(tree);
    EXPECT_NE(verdict.find(part), std::string::npos) << tree << "\n" << verdict;
  };
  const std::string norm = "serial i0 by 1 { vector i1 by 16 { stage 0 } vector i1 by 16 { stage 1 into b } } ";
  EXPECT_EQ(made.verdict("parallel i0 by 6 { serial i0 by 12 { buffer b: f32[768] " + norm + "leaf pack-rows } }"), "");
  expect("parallel i0 by 6 { serial i0 by 6 { buffer b: f32[384] leaf pack-rows " + norm + "} }",
         "stage 1 is read before it is computed");
  expect("parallel i0 by 4 { serial i0 by 6 { buffer b: f32[384] " + norm + "leaf pack-rows } }", "no multiple of 6");
  expect("parallel i0 by 6 { serial i0 by 9 { buffer b: f32[576] " + norm + "leaf pack-rows } }", "no multiple of 6");
  expect("parallel i0 by 6 { serial i0 by 12 { buffer b: f32[768] " + norm + "serial i0 by 6 { leaf pack-rows } } }",
         "gets other rows than b holds");
  expect("parallel i0 by 6 { serial i0 by 6 { buffer b: f32[384] " + norm + "serial i1 by 16 { leaf pack-rows } } }",
         "takes no blocks of i1");
  expect(
      "parallel i0 by 6 { serial i0 by 6 { serial i0 by 1 { vector i1 by 16 { stage 0 } vector i1 by 16 { stage 1 in "
      "lanes } } leaf pack-rows } }",
      "which is kept nowhere");
  expect("parallel i0 by 6 { serial i0 by 6 { buffer b: f32[384] " + norm + "} }", "no leaf computes it");
}

// Of one op too.
TEST(RegionVerifier, FindsLanesThatDoNotLieSideBySide) {
  Region made("%x: f32[seq, 4, 64]<16@2>, %y: f32[4, 64]<16@1>",
              "    %0 = add(%x, %y) : f32[seq, 4, 64]<16@2>\n    return %0\n");
  EXPECT_EQ(made.verdict("parallel i0 by 16 { serial i1i2 by 1 { vector i0 by 16 { stage 0 } } }"),
            "tile tree of add: vector i0: neighbours along it do not lie side by side in what stage 0 makes");
}

}  // namespace
}  // namespace strata::schedule
