// SPDX-License-Identifier: Apache-2.0
// Products whose threads share rows too.
#include "schedule/shared_rows.h"

#include "schedule/contraction_tree.h"
#include "schedule/op_cost.h"
#include "schedule/tile_choice.h"
#include "tests/schedule/region_testing.h"

namespace strata::schedule {
namespace {

constexpr int kTeam = 64;

machine::Machine many_cores() {
  machine::Machine machine = zen5();
  machine.cores = kTeam;
  for (machine::MemoryLevel& level : machine.memory) {
    if (level.shared_by == 1) continue;
    level.shared_by = kTeam;
    level.read_bytes_per_s = {{1, 30e9}, {8, 200e9}, {kTeam, 400e9}};
  }
  return machine;
}

constexpr const char* kSharedParameters =
    "%a: f32[seq, 2048]<6@0>, %b: f32[1024, 2048]<16@0>, %h: f16[1024, 2048]<16@0>, %x: f32[seq, 1024]<16@1>, "
    "%e: f32[2048, 2048]<16@0>";

constexpr const char* kSharedProduct = "    %0 = matmul_nt(%a, %b) : f32[seq, 1024]\n    return %0\n";
constexpr const char* kSharedWidened = "    %0 = matmul_nt(%a, %h) : f32[seq, 1024]\n    return %0\n";
constexpr const char* kSharedSum =
    "    %0 = matmul_nt(%a, %b) : f32[seq, 1024]\n    %1 = pack(%0) {layout = <16@1>} : f32[seq, 1024]<16@1>\n"
    "    %2 = add(%x, %1) : f32[seq, 1024]<16@1>\n    return %2\n";
constexpr const char* kSharedGate =
    "    %0 = matmul_nt(%a, %e) : f32[seq, 2048]\n"
    "    %1 = slice(%0) {axis = 1, begin = 0, end = 1024} : f32[seq, 1024]\n"
    "    %2 = pack(%1) {layout = <16@1>} : f32[seq, 1024]<16@1>\n"
    "    %3 = slice(%0) {axis = 1, begin = 1024, end = 2048} : f32[seq, 1024]\n"
    "    %4 = pack(%3) {layout = <16@1>} : f32[seq, 1024]<16@1>\n"
    "    %5 = silu(%2) : f32[seq, 1024]<16@1>\n    %6 = mul(%5, %4) : f32[seq, 1024]<16@1>\n"
    "    %7 = unpack(%6) : f32[seq, 1024]\n    %8 = pack(%7) {layout = <4@0>} : f32[seq, 1024]<4@0>\n    return %8\n";

// The tree of the only op with code; the text is read back to the same, and holds.
std::string shared(const std::string& body, int threads = kTeam, const machine::Machine& machine = many_cores(),
                   const std::vector<SizedRuns>& runs = {}) {
  Region made(kSharedParameters, body);
  EXPECT_EQ(made.why_not.empty(), made.ops.size() > 1) << made.why_not;
  share_rows(made.op(), machine, {}, runs, threads);
  const std::string text = to_text(made.op().tree, zen5());
  EXPECT_EQ(made.verdict(text), "");
  EXPECT_EQ(to_text(made.op().tree, zen5()), text);
  return one_line(text);
}

// 1,024 columns are 16 groups of 4 panels, 64 units with 4 parts of the rows.
TEST(SharedRows, UnitsKeepAsManyThreadsBusyAsThereAre) {
  EXPECT_EQ(
      shared(kSharedProduct),
      "parallel n by 64 { parallel i0 by 132 { serial k by 704 in L2 { leaf tile panels 4 ahead 4096 locality 2 } } }");
}

TEST(SharedRows, FewRowsAreOneUnit) {
  EXPECT_EQ(shared(kSharedWidened),
            "parallel n by 64 { parallel i0 by 132 { when i0 <= 24 { serial k by 704 in L2 { leaf tile panels 4 ahead "
            "4096 locality 2 } } else { serial k by 704 in L2 { buffer widened: f32[45056] in L2 leaf tile-widened "
            "panels 4 with widened } } } }");
}

TEST(SharedRows, MapsReadTheTileOfTheirUnit) {
  EXPECT_EQ(shared(kSharedSum),
            "parallel i1 by 64 { parallel i0 by 132 { buffer tile0: f32[8448] in L2 serial k by 704 in L2 { leaf tile "
            "panels 4 "
            "ahead 4096 locality 2 for stage 0 into tile0 } serial i0 by 1 { vector i1 by 16 { stage 1 } } } }");
}

// Units are whole tiles of the rows that are read, 6, and of those that are packed, 4.
TEST(SharedRows, RowsArePackedInWholeTiles) {
  EXPECT_EQ(
      shared(kSharedGate),
      "parallel i1 by 64 { parallel i0 by 132 { buffer tile0: f32[8448] in L2 buffer tile1: f32[8448] in L2 serial k "
      "by 704 in L2 { leaf tile panels 4 ahead 4096 locality 2 for stage 0 into tile0 } serial k by 704 in L2 { leaf "
      "tile panels 4 ahead 4096 locality 2 for stage 1 into tile1 } serial i0 by 4 { buffer tile3: f32[256] in L1 "
      "serial i0 by 1 { vector i1 by 16 { stage 2 in lanes stage 3 into tile3 } } leaf pack-rows } } }");
}

TEST(SharedRows, ColumnsAreEnoughForFewThreads) {
  Region alone(kSharedParameters, kSharedProduct), sum(kSharedParameters, kSharedSum);
  for (const int threads : {1, 2, 4, 8, 16}) {
    EXPECT_EQ(shared(kSharedProduct, threads), one_line(to_text(alone.op().tree, zen5()))) << threads;
    EXPECT_EQ(shared(kSharedSum, threads), one_line(to_text(sum.op().tree, zen5()))) << threads;
  }
  machine::Machine whole = many_cores();
  whole.has_whole_rows = true;
  EXPECT_EQ(shared(kSharedProduct, kTeam, whole), one_line(to_text(alone.op().tree, zen5())));
}

// Of 128 rows, 22 tiles, a unit of 132 would be all.
TEST(SharedRows, RowsAreThoseOfTheWorkload) {
  EXPECT_NE(shared(kSharedProduct, kTeam, many_cores(), {{1, {{"seq", 128}}}}).find("parallel i0 by 36 "),
            std::string::npos);
  EXPECT_EQ(shared(kSharedProduct, kTeam, many_cores(), {{1, {{"seq", 512}}}}), shared(kSharedProduct));
  const std::vector<SizedRuns> mostly_few = {{1000, {{"seq", 6}}}, {1, {{"seq", 12}}}};
  EXPECT_EQ(shared(kSharedProduct, kTeam, many_cores(), mostly_few), shared(kSharedProduct, 1));
}

TEST(SharedRows, NoMachineWithCopiesSharesThem) {
  machine::Machine copies = machine::load("scratchpad-generic");
  copies.cores = kTeam;
  Region made(kSharedParameters, kSharedProduct);
  const std::string before = to_text(made.op().tree, zen5());
  share_rows(made.op(), copies, {}, {}, kTeam);
  EXPECT_EQ(to_text(made.op().tree, zen5()), before);
}

// A region of such products has trees of its own parts' tiles; tiles that are tuned keep the units.
TEST(SharedRows, OtherTilesKeepTheUnits) {
  for (const char* const body : {kSharedProduct, kSharedSum}) {
    Region made(kSharedParameters, body);
    share_rows(made.op(), many_cores(), {}, {}, kTeam);
    const std::int64_t rows = unit_rows(made.op());
    ASSERT_GT(rows, 0);
    const TileChoice choice = predicted_choice(made.op(), many_cores());
    EXPECT_EQ(choice.rows, rows);
    EXPECT_TRUE(to_text(choice).ends_with("/" + std::to_string(rows))) << to_text(choice);
    const auto choices = best_choices(made.op(), many_cores(), {}, {}, kTeam, 4);
    EXPECT_EQ(choices[0], choice);
    EXPECT_GT(choices.size(), 1U);
    for (const TileChoice& other : choices) EXPECT_EQ(unit_rows(with_tiles(made.op(), zen5(), {}, other)), rows);
  }
}

TEST(SharedRows, ARegionIsMadeOfProductsThatShareTheirRows) {
  Region made(kSharedParameters, kSharedSum);
  const std::string text = to_text(made.op().tree, zen5());
  dissolve(made.function(), made.ops.back());
  ScheduledOp& product = made.function().ops[made.ops[0]];
  share_rows(product, many_cores(), {}, {}, kTeam);
  ASSERT_GT(unit_rows(product), 0);
  const auto again = region_of(made.function(), made.ops, zen5());
  ASSERT_TRUE(std::holds_alternative<ScheduledOp>(again));
  EXPECT_EQ(to_text(std::get<ScheduledOp>(again).tree, zen5()), text);
}

// Of 512 rows 4 parts: threads have a unit each, whose last one is shorter.
TEST(SharedRows, AreCostedByTheirUnits) {
  for (const char* const body : {kSharedProduct, kSharedSum}) {
    Region made(kSharedParameters, body);
    const double whole = op_cost(made.op(), many_cores(), {}, kTeam).seconds;
    share_rows(made.op(), many_cores(), {}, {}, kTeam);
    const double shared = op_cost(made.op(), many_cores(), {}, kTeam).seconds;
    EXPECT_LT(shared, 0.4 * whole) << "a quarter";
    EXPECT_GT(shared, 0.25 * whole) << "and more: panels are read by several threads";
    // Of no more rows than a unit has the threads of one part are busy.
    const cost::Sizes few = {{"seq", 60}};
    Region columns(kSharedParameters, body);
    const double by_columns = op_cost(columns.op(), many_cores(), few, kTeam).seconds;
    EXPECT_NEAR(op_cost(made.op(), many_cores(), few, kTeam).seconds, by_columns, 0.1 * by_columns);
  }
}

TEST(SharedRowsVerifier, FindsUnitsThatThreadsCanNotHave) {
  Region made(kSharedParameters, kSharedProduct);
  const auto expect = [&](const std::string& tree, const std::string& part) {
    const std::string verdict = made.verdict(tree);
    if (part.empty()) EXPECT_EQ(verdict, "") << tree;
    EXPECT_NE(verdict.find(part), std::string::npos) << tree << "\n" << verdict;
  };
  const std::string leaf = "leaf tile panels 4 ";
  expect("parallel n by 64 { parallel i0 by 132 { " + leaf + "} }", "");
  expect("parallel i0 by 132 { parallel n by 64 { " + leaf + "} }", "");
  expect("parallel n by 64 { parallel i0 by 132 { serial i0 by 66 { serial k by 512 in L2 { " + leaf + "} } } }", "");
  expect("parallel n by 64 { parallel i0 by 130 { " + leaf + "} }", "no multiple of 6");
  expect("parallel n by 60 { parallel i0 by 132 { " + leaf + "} }", "no multiple of 16");
  expect("parallel n by 64 { parallel k by 512 { " + leaf + "} }", "threads would share the sums along k");
  expect("parallel n by 64 { parallel n by 64 { " + leaf + "} }", "inside of a loop that cuts it");
  expect("parallel n by 64 { parallel i0 by 132 { serial i0 by 132 { " + leaf + "} } }", "no finer");
  expect("parallel n by 64 { parallel i0 by 132 { serial n by 64 { " + leaf + "} } }", "no finer");
  expect("parallel n by 64 { serial k by 512 in L2 { parallel i0 by 132 { " + leaf + "} } }",
         "divided among the threads twice");
  expect("parallel n by 64 { parallel i0 by 132 { " + leaf + "} parallel i0 by 132 { " + leaf + "} }", "twice");
  expect("parallel n by 64 { parallel i0 by 132 { barrier " + leaf + "} }", "not all threads come to the barrier");
}

// A leaf that takes no blocks of rows has all of the few in one unit.
TEST(SharedRowsVerifier, FindsLeavesOfFewRowsInUnits) {
  Region made("%a: bf16[seq, 64]<6@0, 2@1>, %b: bf16[128, 64]<16@0, 2@1, bf16_12>",
              "    %0 = matmul_nt(%a, %b) : f32[seq, 128]\n    return %0\n");
  const auto verdict = [&](const std::string& few, const std::string& unit) {
    return made.verdict("parallel n by 64 { parallel i0 by " + unit + " { when i0 <= " + few +
                        " { leaf stream-tile-encoded panels 4 } else { buffer d: bf16[8192] leaf tile-encoded panels 4 "
                        "with d } } }");
  };
  EXPECT_EQ(verdict("6", "6"), "");
  EXPECT_EQ(verdict("6", "132"), "");
  EXPECT_NE(verdict("12", "6").find("takes no blocks of i0"), std::string::npos) << verdict("12", "6");
  EXPECT_NE(verdict("6", "9").find("no multiple of 6"), std::string::npos) << verdict("6", "9");
}

TEST(SharedRowsVerifier, FindsTilesOfOtherRows) {
  Region made(kSharedParameters, kSharedSum);
  const auto expect = [&](const std::string& inside, const std::string& part) {
    const std::string verdict = made.verdict("parallel i1 by 64 { parallel i0 by 132 { " + inside + " } }");
    if (part.empty()) EXPECT_EQ(verdict, "") << inside;
    EXPECT_NE(verdict.find(part), std::string::npos) << inside << "\n" << verdict;
  };
  const std::string leaf = "leaf tile panels 4 for stage 0 into t ",
                    maps = "serial i0 by 1 { vector i1 by 16 { stage 1 } }";
  expect("buffer t: f32[8448] " + leaf + maps, "");
  expect("buffer t: f32[8447] " + leaf + maps, "does not hold the f32[8448]");
  expect("buffer t: f32[8448] serial i0 by 66 { " + leaf + "} " + maps, "is for another part of i0 than t holds");
  expect("serial i0 by 66 { buffer t: f32[4224] " + leaf + "} " + maps, "is read where its buffer is gone");
  expect("buffer t: f32[8448] " + maps + leaf, "is read before it is computed");
}

}  // namespace
}  // namespace strata::schedule
