// SPDX-License-Identifier: Apache-2.0
// Slices, transposes and reshapes through the whole compiler, against the interpreter: which of them are views, and
// that all who read them read the right elements.
#include <set>

#include "op_case.h"
#include "schedule/schedule_text.h"

namespace strata::compile {
namespace {

struct ViewCase {
  OpCase op;
  int views = 0;   // movement ops that cost nothing
  int copies = 0;  // the others
};

// Counts the movement ops of a plan for one machine, so that the search's choice of layouts is the same everywhere.
// Packs and unpacks that it adds are views too where nothing moves; one that copies counts as a copy.
void expect_views(const ViewCase& c, const std::string& functions = "") {
  static const std::set<std::string> kMovements = {"slice", "transpose", "reshape"};
  ops::register_all();
  const machine::Machine machine = machine::load("avx512-zen5");
  const ir::Module source = ir::parse_module(module_text(c.op, functions), "test");
  const auto planned = plan_versions(source, {{"test", nullptr, {"main"}}}, {machine, {}, {}});
  int views = 0;
  int copies = 0;
  const std::string text = schedule::to_text(planned[0].schedule, machine);
  for (const auto& function : planned[0].schedule) {
    for (const schedule::ScheduledOp& op : function.ops) {
      if (op.value->kind != ir::Expr::Kind::kOp) continue;
      const std::string& name = op.value->op->name();
      const bool moves = kMovements.contains(name) || name == "pack" || name == "unpack";
      if (op.is_view() && kMovements.contains(name)) ++views;
      if (op.leaf != nullptr && op.leaf->domain == cost::Leaf::Domain::kOwn && moves) ++copies;
    }
  }
  EXPECT_EQ(views, c.views) << c.op.name << "\n" << text;
  EXPECT_EQ(copies, c.copies) << c.op.name << "\n" << text;
}

const std::vector<ViewCase>& view_cases() {
  static const std::vector<ViewCase> kCases = {
      {{"slice_of_the_last_axis", "%a: f32[seq, 33]",
        "    %0 = slice(%a) {axis = 1, begin = 3, end = 30} : f32[seq, 27]\n    %1 = silu(%0) : f32[seq, 27]\n", "%1"},
       1},
      {{"slice_of_a_middle_axis", "%a: f32[5, 7, 9], %b: f32[9]",
        "    %0 = slice(%a) {axis = 1, begin = 1, end = 6} : f32[5, 5, 9]\n    %1 = add(%0, %b) : f32[5, 5, 9]\n",
        "%1"},
       1},
      {{"slice_of_the_first_axis", "%a: f32[7, 33]",
        "    %0 = slice(%a) {axis = 0, begin = 2, end = 5} : f32[3, 33]\n    %1 = reduce_sum(%0) : f32[3]\n", "%1",
        1e-5},
       1},
      {{"gate_and_up", "%a: f32[seq, 70]",
        "    %0 = slice(%a) {axis = 1, begin = 0, end = 35} : f32[seq, 35]\n    %1 = slice(%a) {axis = 1, begin = 35, "
        "end = 70} : f32[seq, 35]\n    %2 = silu(%0) : f32[seq, 35]\n    %3 = mul(%2, %1) : f32[seq, 35]\n",
        "%3"},
       2},
      {{"norm_of_heads_of_a_slice", "%a: f32[seq, 100], %w: f32[17]",
        "    %0 = slice(%a) {axis = 1, begin = 11, end = 62} : f32[seq, 51]\n    %1 = reshape(%0) {shape = [-1, 3, "
        "17]} : f32[seq, 3, 17]\n    %2 = rms_norm(%1, %w) {eps = 1e-06} : f32[seq, 3, 17]\n",
        "%2"},
       2},
      {{"rope_of_heads_of_a_slice", "%a: f32[seq, 100], %c: f32[seq, 9], %s: f32[seq, 9]",
        "    %0 = slice(%a) {axis = 1, begin = 7, end = 61} : f32[seq, 54]\n    %1 = reshape(%0) {shape = [-1, 3, 2, "
        "9]} : f32[seq, 3, 2, 9]\n    %2 = rope(%1, %c, %s) : f32[seq, 3, 2, 9]\n    %3 = reshape(%2) {shape = [-1, 3, "
        "18]} : f32[seq, 3, 18]\n    %4 = exp(%3) : f32[seq, 3, 18]\n",
        "%4"},
       3},
      {{"softmax_of_a_slice", "%a: f32[seq, 3, 50]",
        "    %0 = slice(%a) {axis = 2, begin = 1, end = 42} : f32[seq, 3, 41]\n    %1 = softmax(%0) : f32[seq, 3, "
        "41]\n",
        "%1"},
       1},
      {{"transpose_into_a_map", "%a: f32[seq, 33], %b: f32[33, seq]",
        "    %0 = transpose(%a) {perm = [1, 0]} : f32[33, seq]\n    %1 = mul(%0, %b) : f32[33, seq]\n", "%1"},
       1},
      {{"transpose_into_reductions", "%a: f32[33, seq]",
        "    %0 = transpose(%a) {perm = [1, 0]} : f32[seq, 33]\n    %1 = softmax(%0) : f32[seq, 33]\n    %2 = "
        "reduce_max(%0) : f32[seq]\n    %3 = reduce_sum(%1) : f32[seq]\n    %4 = add(%2, %3) : f32[seq]\n",
        "%4", 1e-5},
       1},
      {{"transpose_into_a_norm", "%a: f32[17, 5, 7], %w: f32[17]",
        "    %0 = transpose(%a) {perm = [2, 1, 0]} : f32[7, 5, 17]\n    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[7, "
        "5, 17]\n",
        "%1"},
       1},
      {{"transpose_into_rope", "%x: f32[3, seq, 2, 9], %c: f32[seq, 9], %s: f32[seq, 9]",
        "    %0 = transpose(%x) {perm = [1, 0, 2, 3]} : f32[seq, 3, 2, 9]\n    %1 = rope(%0, %c, %s) : f32[seq, 3, 2, "
        "9]\n",
        "%1"},
       1},
      {{"view_of_a_view_of_a_view", "%a: f32[9, 8, 10]",
        "    %0 = slice(%a) {axis = 2, begin = 1, end = 9} : f32[9, 8, 8]\n    %1 = transpose(%0) {perm = [2, 0, 1]} : "
        "f32[8, 9, 8]\n    %2 = slice(%1) {axis = 1, begin = 3, end = 8} : f32[8, 5, 8]\n    %3 = reshape(%2) {shape = "
        "[2, 4, 5, 2, 4]} : f32[2, 4, 5, 2, 4]\n    %4 = exp(%3) : f32[2, 4, 5, 2, 4]\n",
        "%4"},
       3,
       1},
      {{"axes_of_one_element", "%a: f32[seq, 1, 40]",
        "    %0 = slice(%a) {axis = 2, begin = 4, end = 5} : f32[seq, 1, 1]\n    %1 = reshape(%0) {shape = [1, -1, 1]} "
        ": f32[1, seq, 1]\n    %2 = exp(%1) : f32[1, seq, 1]\n",
        "%2"},
       2},
      {{"reshape_that_merges_what_is_apart", "%a: f32[seq, 6, 10]",
        "    %0 = slice(%a) {axis = 2, begin = 1, end = 8} : f32[seq, 6, 7]\n    %1 = reshape(%0) {shape = [-1, 42]} : "
        "f32[seq, 42]\n    %2 = exp(%1) : f32[seq, 42]\n",
        "%2"},
       1,
       1},
      {{"result_is_a_slice", "%a: f32[seq, 33]", "    %0 = slice(%a) {axis = 1, begin = 3, end = 30} : f32[seq, 27]\n",
        "%0"},
       0,
       1},
      {{"result_and_operand", "%a: f32[seq, 33]",
        "    %0 = exp(%a) : f32[seq, 33]\n    %1 = slice(%0) {axis = 1, begin = 3, end = 30} : f32[seq, 27]\n    %2 = "
        "reshape(%1) {shape = [-1, 3, 9]} : f32[seq, 3, 9]\n    %3 = softmax(%2) : f32[seq, 3, 9]\n",
        "%3, %1"},
       2},
      {{"two_results_of_one_memory", "%a: f32[seq, 12]",
        "    %0 = exp(%a) : f32[seq, 12]\n    %1 = reshape(%0) {shape = [-1, 3, 4]} : f32[seq, 3, 4]\n", "%0, %1"},
       0,
       1},
      {{"concat_of_slices", "%a: f32[seq, 33], %b: f32[5, 4]",
        "    %0 = slice(%a) {axis = 1, begin = 3, end = 30} : f32[seq, 27]\n    %1 = slice(%a) {axis = 1, begin = 1, "
        "end = 7} : f32[seq, 6]\n    %2 = concat(%0, %1) {axis = 1} : f32[seq, 33]\n    %3 = slice(%b) {axis = 0, "
        "begin "
        "= 1, end = 4} : f32[3, 4]\n    %4 = concat(%3, %b) {axis = 0} : f32[8, 4]\n",
        "%2, %4"},
       1,
       2},
      // The transpose goes into the product.
      {{"matmul_of_views", "%a: f32[seq, 40], %b: f32[7, 33]",
        "    %0 = slice(%a) {axis = 1, begin = 5, end = 38} : f32[seq, 33]\n    %1 = transpose(%b) {perm = [1, 0]} : "
        "f32[33, 7]\n    %2 = matmul(%0, %1) : f32[seq, 7]\n",
        "%2"},
       1},
      {{"packed_matmul_of_a_slice", "%a: f32[seq, 40]",
        "    %0 = slice(%a) {axis = 1, begin = 5, end = 38} : f32[seq, 33]\n    %1 = weight \"w\" : f32[31, 33]\n    "
        "%2 = matmul_nt(%0, %1) : f32[seq, 31]\n",
        "%2"},
       1},
      {{"packed_matmul_of_a_slice_bf16", "%a: f32[seq, 40]",
        "    %0 = slice(%a) {axis = 1, begin = 5, end = 38} : f32[seq, 33]\n    %1 = weight \"w\" : bf16[31, 33]\n    "
        "%2 = matmul_nt(%0, %1) : f32[seq, 31]\n",
        "%2", 5e-3},
       1},
      {{"packed_matmul_of_one_row", "%a: f32[3, 40]",
        "    %0 = slice(%a) {axis = 0, begin = 1, end = 2} : f32[1, 40]\n    %1 = slice(%0) {axis = 1, begin = 5, end "
        "= 38} : f32[1, 33]\n    %2 = weight \"w\" : f32[31, 33]\n    %3 = matmul_nt(%1, %2) : f32[1, 31]\n",
        "%3"},
       2},
      {{"packed_matmul_of_a_transpose", "%a: f32[33, seq]",
        "    %0 = transpose(%a) {perm = [1, 0]} : f32[seq, 33]\n    %1 = weight \"w\" : f32[31, 33]\n    %2 = "
        "matmul_nt(%0, %1) : f32[seq, 31]\n",
        "%2"},
       0,
       1},
      {{"gather_of_sliced_ids", "%ids: i32[40]",
        "    %0 = slice(%ids) {axis = 0, begin = 3, end = 20} : i32[17]\n    %1 = weight \"w\" : bf16[31, 33]\n    %2 "
        "= "
        "gather(%1, %0) : f32[17, 33]\n",
        "%2"},
       1},
      {{"slice_of_f16", "%a: f32[seq, 33]",
        "    %0 = cast(%a) {dtype = f16} : f16[seq, 33]\n    %1 = slice(%0) {axis = 1, begin = 7, end = 32} : f16[seq, "
        "25]\n    %2 = cast(%1) {dtype = f32} : f32[seq, 25]\n",
        "%2"},
       1},
      // The cache is overwritten between the slice and its use.
      {{"slice_of_an_overwritten_cache", "%c: f32[2, ctx, 8], %x: f32[17, 2, 8], %p: i32[17]",
        "    %0 = slice(%c) {axis = 0, begin = 1, end = 2} : f32[1, ctx, 8]\n    %1 = cache_append(%c, %x, %p) : "
        "f32[2, "
        "ctx, 8]\n    %2 = slice(%1) {axis = 0, begin = 0, end = 1} : f32[1, ctx, 8]\n    %3 = add(%0, %2) : f32[1, "
        "ctx, 8]\n",
        "%3, %1"},
       1,
       1},
      {{"slice_of_a_cache_into_itself", "%c: f32[2, 64, 8], %p: i32[3]",
        "    %0 = slice(%c) {axis = 1, begin = 1, end = 4} : f32[2, 3, 8]\n    %1 = transpose(%0) {perm = [1, 0, 2]} : "
        "f32[3, 2, 8]\n    %2 = cache_append(%c, %1, %p) : f32[2, 64, 8]\n",
        "%2"},
       1,
       1},
      // An update of a slice is no update of the whole.
      {{"append_to_a_slice", "%c: f32[3, ctx, 8], %x: f32[17, 2, 8], %p: i32[17]",
        "    %0 = slice(%c) {axis = 0, begin = 0, end = 2} : f32[2, ctx, 8]\n    %1 = cache_append(%0, %x, %p) : "
        "f32[2, "
        "ctx, 8]\n    %2 = exp(%c) : f32[3, ctx, 8]\n",
        "%1, %2"},
       0,
       1},
  };
  return kCases;
}

class Views : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "this processor can't run the code";
  }
};

TEST(ViewCounts, OfMovementOps) {
  for (const ViewCase& c : view_cases()) expect_views(c);
}

TEST_P(Views, EqualTheInterpreter) {
  std::mt19937_64 random(17);
  for (const ViewCase& c : cases_on(GetParam(), view_cases())) {
    CompiledFunction compiled(module_text(c.op), {GetParam(), {}}, random);
    expect_equal(compiled, c.op, random);
  }
}

// What a decoder layer makes of one product with the joined weights of its projections.
TEST_P(Views, OfTheJoinedProjectionsOfALayer) {
  const ViewCase c = {
      {"joined_projections",
       "%x: f32[seq, 24], %cos: f32[seq, 4], %sin: f32[seq, 4], %p: i32[seq], %kc: f16[2, ctx, 8], %vc: f16[2, ctx, 8]",
       R"(    %w = weight "w" : f32[64, 24]
    %y = matmul_nt(%x, %w) : f32[seq, 64]
    %q = slice(%y) {axis = 1, begin = 0, end = 32} : f32[seq, 32]
    %k = slice(%y) {axis = 1, begin = 32, end = 48} : f32[seq, 16]
    %v = slice(%y) {axis = 1, begin = 48, end = 64} : f32[seq, 16]
    %kh = reshape(%k) {shape = [-1, 2, 2, 4]} : f32[seq, 2, 2, 4]
    %kr = rope(%kh, %cos, %sin) : f32[seq, 2, 2, 4]
    %kk = reshape(%kr) {shape = [-1, 2, 8]} : f32[seq, 2, 8]
    %vv = reshape(%v) {shape = [-1, 2, 8]} : f32[seq, 2, 8]
    %qq = reshape(%q) {shape = [-1, 4, 8]} : f32[seq, 4, 8]
    %k1 = cache_append(%kc, %kk, %p) : f16[2, ctx, 8]
    %v1 = cache_append(%vc, %vv, %p) : f16[2, ctx, 8]
    %a = attention(%qq, %k1, %v1, %p) {scale = 0.25} : f32[seq, 4, 8]
    %o = reshape(%a) {shape = [-1, 32]} : f32[seq, 32]
)",
       "%o, %k1, %v1", 1e-3},
      8};
  std::mt19937_64 random(29);
  CompiledFunction compiled(module_text(c.op), {GetParam(), {}}, random);
  expect_views(c);
  for (const std::int64_t seq : {1, 17, 40}) {
    const Symbols symbols = {{"seq", seq}, {"ctx", 64}};
    auto arguments = random_arguments(compiled.function(), symbols, random);
    for (std::int64_t i = 0; i < seq; ++i) arguments[3].data[static_cast<std::size_t>(i)] = static_cast<double>(7 + i);
    const auto expected = compiled.reference(arguments, symbols);
    for (const int threads : {1, 2}) {
      const auto got = compiled.run(arguments, symbols, threads);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_LE(relative_error(got[i], expected[i]), c.op.tolerance) << "result " << i << " seq " << seq;
      }
    }
  }
}

// A call takes what lies contiguously, and what it returns may be viewed.
TEST_P(Views, AsArgumentsAndOfResultsOfCalls) {
  const std::string callee = R"(  func @f(%x: f32[seq, 12], %y: f32[2, 12]) {
    %0 = exp(%x) : f32[seq, 12]
    %1 = exp(%y) : f32[2, 12]
    return %0, %1
  }
)";
  const ViewCase c = {{"calls", "%a: f32[seq, 33], %b: f32[5, 12]",
                       R"(    %0 = slice(%a) {axis = 1, begin = 9, end = 21} : f32[seq, 12]
    %1 = slice(%b) {axis = 0, begin = 2, end = 4} : f32[2, 12]
    %2 = call @f(%0, %1) : (f32[seq, 12], f32[2, 12])
    %3 = get(%2) {index = 0} : f32[seq, 12]
    %4 = get(%2) {index = 1} : f32[2, 12]
    %5 = slice(%3) {axis = 1, begin = 1, end = 6} : f32[seq, 5]
    %6 = transpose(%4) {perm = [1, 0]} : f32[12, 2]
    %7 = silu(%5) : f32[seq, 5]
    %8 = silu(%6) : f32[12, 2]
)",
                       "%7, %8"},
                      2,
                      2};
  std::mt19937_64 random(31);
  CompiledFunction compiled(module_text(c.op, callee), {GetParam(), {}}, random);
  expect_views(c, callee);
  expect_equal(compiled, c.op, random);
}

// The callee overwrites the memory that a slice of it is read from afterwards.
TEST_P(Views, OfWhatACallOverwrites) {
  const std::string callee = R"(  func @f(%c: f32[2, ctx, 8], %x: f32[17, 2, 8], %p: i32[17]) {
    %0 = cache_append(%c, %x, %p) : f32[2, ctx, 8]
    return %0
  }
)";
  const ViewCase c = {{"calls", "%c: f32[2, ctx, 8], %x: f32[17, 2, 8], %p: i32[17]",
                       R"(    %0 = slice(%c) {axis = 2, begin = 1, end = 4} : f32[2, ctx, 3]
    %1 = call @f(%c, %x, %p) : (f32[2, ctx, 8])
    %2 = slice(%1) {axis = 2, begin = 2, end = 5} : f32[2, ctx, 3]
    %3 = sub(%0, %2) : f32[2, ctx, 3]
)",
                       "%3, %1"},
                      2,
                      1};
  std::mt19937_64 random(37);
  CompiledFunction compiled(module_text(c.op, callee), {GetParam(), {}}, random);
  expect_views(c, callee);
  expect_equal(compiled, c.op, random);
}

// The callee returns what it is given, or a view of it, and both are results.
TEST_P(Views, OfWhatACallReturnsAgain) {
  const std::string callee = R"(  func @f(%x: f32[seq, 12], %y: f32[seq, 12]) {
    %0 = transpose(%x) {perm = [0, 1]} : f32[seq, 12]
    %1 = reshape(%y) {shape = [-1, 3, 4]} : f32[seq, 3, 4]
    %2 = exp(%y) : f32[seq, 12]
    return %0, %1, %2
  }
)";
  const OpCase c = {"calls", "%a: f32[seq, 12]",
                    R"(    %0 = exp(%a) : f32[seq, 12]
    %1 = neg(%a) : f32[seq, 12]
    %2 = call @f(%0, %1) : (f32[seq, 12], f32[seq, 3, 4], f32[seq, 12])
    %3 = get(%2) {index = 0} : f32[seq, 12]
    %4 = get(%2) {index = 1} : f32[seq, 3, 4]
    %5 = get(%2) {index = 2} : f32[seq, 12]
    %6 = call @f(%5, %5) : (f32[seq, 12], f32[seq, 3, 4], f32[seq, 12])
    %7 = get(%6) {index = 0} : f32[seq, 12]
    %8 = get(%6) {index = 1} : f32[seq, 3, 4]
)",
                    "%0, %3, %4, %1, %7, %8, %5"};
  std::mt19937_64 random(41);
  for (const std::vector<std::string>& without : {std::vector<std::string>{}, {"egraph"}}) {
    CompiledFunction compiled(module_text(c, callee), {GetParam(), without}, random);
    expect_equal(compiled, c, random);
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, Views, kMachines, test_name);

// Seven columns are one panel, the first thread's: what lies behind an empty share is not computed again.
TEST(Shares, AnEmptyOneComputesNothing) {
  std::mt19937_64 random(1);
  const CompiledFunction compiled(
      "module m {\n  func @main(%x: f32[8, 64]<6@0>) {\n    %0 = weight \"w\" : f32[7, 64]<16@0>\n    %1 = "
      "matmul_nt(%x, %0) : f32[8, 7]\n    return %1\n  }\n}\n",
      {.machine = "native", .without = {"egraph"}}, random);
  std::vector<float> rows(12 * 64, 1);
  std::vector<float> result(8 * 7, -1);
  compiled.run_rank(1, 2, {rows.data(), result.data()});
  EXPECT_EQ(result, std::vector<float>(8 * 7, -1));
  compiled.run_rank(0, 2, {rows.data(), result.data()});
  EXPECT_NE(result, std::vector<float>(8 * 7, -1));
}

}  // namespace
}  // namespace strata::compile
