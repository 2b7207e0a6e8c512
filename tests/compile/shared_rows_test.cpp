// SPDX-License-Identifier: Apache-2.0
// Products whose rows threads share too: the code against the interpreter, and where a plan does so.
#include <gtest/gtest.h>

#include "op_case.h"
#include "schedule/contraction_tree.h"
#include "schedule/schedule_text.h"

namespace strata::compile {
namespace {

// Sizes that neither tiles nor units divide.
const std::vector<OpCase>& product_cases() {
  static const std::vector<OpCase> kCases = {
      {"f32", "%a: f32[seq, 70]", "    %0 = weight \"w\" : f32[150, 70]\n    %1 = matmul_nt(%a, %0) : f32[seq, 150]\n",
       "%1", 1e-6},
      {"bf16", "%a: f32[seq, 70]",
       "    %0 = weight \"w\" : bf16[150, 70]\n    %1 = matmul_nt(%a, %0) : f32[seq, 150]\n", "%1", 5e-3},
      {"narrow", "%a: f32[seq, 70]", "    %0 = weight \"w\" : f32[40, 70]\n    %1 = matmul_nt(%a, %0) : f32[seq, 40]\n",
       "%1", 1e-6},
      {"sums_in_blocks", "%a: f32[seq, 3000]",
       "    %0 = weight \"w\" : f32[80, 3000]\n    %1 = matmul_nt(%a, %0) : f32[seq, 80]\n", "%1", 1e-6},
      {"with_a_sum_behind", "%a: f32[seq, 33], %r: f32[seq, 131]",
       "    %0 = weight \"w\" : f32[131, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 131]\n"
       "    %2 = add(%r, %1) : f32[seq, 131]\n    %3 = silu(%2) : f32[seq, 131]\n",
       "%3, %2", 1e-6},
      {"with_rows_packed_behind", "%a: f32[seq, 50]",
       "    %0 = weight \"g\" : bf16[96, 50]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = weight \"u\" : bf16[96, 50]\n    %3 = matmul_nt(%a, %2) : f32[seq, 96]\n"
       "    %4 = silu(%1) : f32[seq, 96]\n    %5 = mul(%4, %3) : f32[seq, 96]\n"
       "    %6 = weight \"d\" : bf16[40, 96]\n    %7 = matmul_nt(%5, %6) : f32[seq, 40]\n"
       "    %8 = silu(%7) : f32[seq, 40]\n",
       "%8", 2e-2},
      // A group of panels is two heads, one, a part of one.
      {"with_heads_behind", "%a: f32[seq, 33], %w: f32[16]",
       "    %0 = weight \"q\" : f32[96, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = reshape(%1) {shape = [-1, 6, 16]} : f32[seq, 6, 16]\n"
       "    %3 = rms_norm(%2, %w) {eps = 1e-06} : f32[seq, 6, 16]\n    %4 = neg(%3) : f32[seq, 6, 16]\n",
       "%4", 1e-5},
      {"with_a_head_behind", "%a: f32[seq, 33], %w: f32[32]",
       "    %0 = weight \"q\" : f32[96, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = reshape(%1) {shape = [-1, 3, 32]} : f32[seq, 3, 32]\n"
       "    %3 = rms_norm(%2, %w) {eps = 1e-06} : f32[seq, 3, 32]\n    %4 = neg(%3) : f32[seq, 3, 32]\n",
       "%4", 1e-5},
      {"with_large_heads_behind", "%a: f32[seq, 33], %c: f32[seq, 64], %s: f32[seq, 64]",
       "    %0 = weight \"q\" : f32[384, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 384]\n"
       "    %2 = reshape(%1) {shape = [-1, 3, 2, 64]} : f32[seq, 3, 2, 64]\n"
       "    %3 = rope(%2, %c, %s) : f32[seq, 3, 2, 64]\n    %4 = neg(%3) : f32[seq, 3, 2, 64]\n",
       "%4, %3", 1e-5},
  };
  return kCases;
}

class SharedRows : public testing::TestWithParam<std::string> {};

// Whatever the team, the result is the one of the tree without units, to the bit.
TEST_P(SharedRows, EqualTheInterpreterWithAnyTeam) {
  if (!can_run(GetParam())) GTEST_SKIP() << "this processor lacks its features";
  ops::register_all();
  for (const OpCase& c : cases_on(GetParam(), product_cases())) {
    SCOPED_TRACE(c.name);
    std::mt19937_64 random(53), same(53);
    const bool is_joined = c.name.starts_with("with_");
    const std::optional<Fusion> fusion = is_joined ? Fusion::kWherePossible : Fusion::kNone;
    CompiledFunction whole(module_text(c), {.machine = GetParam(), .fusion = fusion}, random);
    CompiledFunction shared(module_text(c), {.machine = GetParam(), .fusion = fusion, .row_tiles = 4}, same);
    EXPECT_EQ(shared.regions() > 0, is_joined);
    ASSERT_NE(shared.generated().find("team.split(n_"), std::string::npos) << shared.generated();
    for (const std::int64_t seq : {1, 2, 17, 24, 25, 40}) {
      const Symbols symbols = {{"seq", seq}, {"ctx", 64}};
      const auto arguments = random_arguments(shared.function(), symbols, random);
      const auto expected = shared.reference(arguments, symbols);
      const auto alone = whole.run(arguments, symbols, 1);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LE(relative_error(alone[i], expected[i]), c.tolerance) << "result " << i << " seq=" << seq;
      }
      for (const int threads : {1, 2, 3, 5, 64}) {
        const auto got = shared.run(arguments, symbols, threads);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_EQ(got[i].data, alone[i].data) << "result " << i << " seq=" << seq << " threads=" << threads << "\n"
                                                << shared.generated();
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, SharedRows, testing::Values("native", "avx2-generic", "x86-64-baseline"), test_name);

// A decoder's output projection on a machine of so many cores.
class SharedRowPlans : public testing::Test {
 protected:
  SharedRowPlans() : machine_((ops::register_all(), machine::load("avx512-zen4"))) {
    machine_.cores = 64;
    machine_.memory[2].shared_by = 8;
    machine_.memory.back().shared_by = 64;
    machine_.memory.back().read_bytes_per_s = {{1, 30e9}, {8, 200e9}, {64, 400e9}};
    machine_.barrier_s = 2e-6;
  }

  // The rows of its units in the plan for runs of `run` rows, and its predicted time.
  std::int64_t unit(int threads, std::int64_t rows, int columns = 1024, std::int64_t run = 0) {
    const std::string n = std::to_string(columns);
    const ir::Module module = ir::parse_module(
        "module test {\n  symbol seq in 1..512\n  func @main(%a: f32[seq, 2048], %r: f32[seq, " + n +
            "]) {\n    %0 = weight \"w\" : bf16[" + n + ", 2048]\n    %1 = matmul_nt(%a, %0) : f32[seq, " + n +
            "]\n    %2 = add(%r, %1) : f32[seq, " + n + "]\n    return %2\n  }\n}\n",
        "test");
    vectorize::Version version{"test", nullptr, {"main"}};
    version.symbols = {{"seq", ir::Symbol{"seq", std::min<std::int64_t>(rows, 2), rows, 1}}};
    version.steps = {{1, {{"seq", run == 0 ? rows : run}}}};
    PassContext context{machine_, {}, {}};
    context.threads = threads;
    const auto planned = std::move(plan_versions(module, {version}, context)[0]);
    for (const schedule::ScheduledOp& op : planned.schedule.back().ops) {
      if (!op.has_code() || (!op.contraction && op.products.empty())) continue;
      seconds_ = op.predicted_s;
      return schedule::unit_rows(op);
    }
    ADD_FAILURE() << "there is no product";
    return 0;
  }

  machine::Machine machine_;
  double seconds_ = 0;
};

TEST_F(SharedRowPlans, MoreCoresThanGroupsOfColumnsShareRows) {
  EXPECT_EQ(unit(1, 512), 0);
  EXPECT_EQ(unit(2, 512), 0);
  EXPECT_EQ(unit(16, 512), 0) << "a group for each thread";
  const std::int64_t rows = unit(64, 512);
  EXPECT_GT(rows, 0);
  EXPECT_LE(rows, 512 / 3);
  const double shared = seconds_;
  machine_.has_whole_rows = true;
  EXPECT_EQ(unit(64, 512), 0);
  EXPECT_LT(shared, 0.4 * seconds_);
}

// Of 128 rows in a version for 512.
TEST_F(SharedRowPlans, RowsAreThoseOfTheWorkload) {
  const std::int64_t rows = unit(64, 512, 1024, 128);
  EXPECT_GT(rows, 0);
  EXPECT_LE(rows, 128 / 3);
}

TEST_F(SharedRowPlans, FewRowsStayWhole) {
  EXPECT_EQ(unit(64, 1), 0);
  EXPECT_EQ(unit(64, 16), 0);
}

TEST_F(SharedRowPlans, ManyColumnsAreEnough) { EXPECT_EQ(unit(64, 512, 64 * 64), 0); }

}  // namespace
}  // namespace strata::compile
