// SPDX-License-Identifier: Apache-2.0
// Every op through the whole compiler, on awkward sizes, machines of different lanes and one or two threads, against
// the float64 interpreter.
#include "op_case.h"
#include "tests/replaced.h"

namespace strata::compile {
namespace {

// Attention of 4 heads of queries over 2 of keys and values; `masked` makes %6 of the scores %3.
std::string in_parts(const std::string& masked) {
  return "    %0 = transpose(%q) {perm = [1, 0, 2]} : f32[4, seq, 16]\n    %1 = scalar 0.25 : f32\n"
         "    %2 = grouped_matmul_nt(%0, %k) : f32[4, seq, 48]\n    %3 = mul(%2, %1) : f32[4, seq, 48]\n" +
         masked +
         "    %7 = softmax(%6) : f32[4, seq, 48]\n    %8 = grouped_matmul(%7, %v) : f32[4, seq, 16]\n"
         "    %9 = transpose(%8) {perm = [1, 0, 2]} : f32[seq, 4, 16]\n";
}

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> kCases = {
      {"elementwise", "%a: f32[seq, 33], %b: f32[33]",
       "    %0 = add(%a, %b) : f32[seq, 33]\n    %1 = mul(%0, %a) : f32[seq, 33]\n    %2 = silu(%1) : f32[seq, 33]\n"
       "    %3 = sub(%2, %b) : f32[seq, 33]\n",
       "%3"},
      {"mathematical", "%a: f32[7, 31]",
       "    %0 = sigmoid(%a) : f32[7, 31]\n    %1 = exp(%0) : f32[7, 31]\n    %2 = sqrt(%1) : f32[7, 31]\n"
       "    %3 = rsqrt(%1) : f32[7, 31]\n    %4 = tanh(%3) : f32[7, 31]\n    %5 = div(%2, %4) : f32[7, 31]\n"
       "    %6 = gelu(%5) : f32[7, 31]\n    %7 = log(%1) : f32[7, 31]\n    %8 = maximum(%6, %7) : f32[7, 31]\n",
       "%8", 1e-5},
      {"angles", "%a: i32[seq], %f: f32[17]",
       "    %0 = rope_angles(%a, %f) : f32[seq, 17]\n    %1 = cos(%0) : f32[seq, 17]\n    %2 = sin(%0) : f32[seq, 17]\n"
       "    %3 = minimum(%1, %2) : f32[seq, 17]\n",
       "%3", 1e-5},
      // Lanes fit into a block, and don't.
      {"blocks", "%a: f32[seq, 96], %s: f32[seq, 3], %t: f32[2], %w: f32[96]",
       "    %0 = scale_blocks(%a, %s) : f32[seq, 96]\n    %1 = scale_blocks(%0, %t) : f32[seq, 96]\n"
       "    %2 = rms_norm(%1, %w) {eps = 1e-06} : f32[seq, 96]\n",
       "%2"},
      {"odd_blocks", "%a: bf16[seq, 33], %s: f32[seq, 11]",
       "    %0 = scale_blocks(%a, %s) : f32[seq, 33]\n    %1 = exp(%0) : f32[seq, 33]\n", "%1"},
      {"grouped_products", "%a: f32[6, seq, 5], %b: f32[2, ctx, 5]",
       "    %0 = grouped_matmul_nt(%a, %b) : f32[6, seq, ctx]\n    %1 = grouped_matmul(%0, %b) : f32[6, seq, 5]\n",
       "%1"},
      {"scalar", "%a: f32[5, 9]", "    %0 = scalar 0.5 : f32\n    %1 = mul(%a, %0) : f32[5, 9]\n", "%1"},
      {"rms_norm", "%a: f32[seq, 3, 17], %w: f32[17]", "    %0 = rms_norm(%a, %w) {eps = 1e-06} : f32[seq, 3, 17]\n",
       "%0"},
      {"layer_norm", "%a: f32[seq, 33], %w: f32[33], %b: f32[33]",
       "    %0 = layer_norm(%a, %w, %b) {eps = 1e-05} : f32[seq, 33]\n", "%0", 1e-5},
      {"softmax", "%a: f32[seq, 100]", "    %0 = softmax(%a) : f32[seq, 100]\n", "%0"},
      {"reductions", "%a: f32[seq, 31]",
       "    %0 = reduce_sum(%a) : f32[seq]\n    %1 = reduce_max(%a) : f32[seq]\n    %2 = reduce_mean(%a) : f32[seq]\n"
       "    %3 = add(%0, %1) : f32[seq]\n    %4 = mul(%3, %2) : f32[seq]\n",
       "%4", 1e-5},
      // Op by op, which the search makes one reduction: with heads that share keys, a window, a soft cap.
      {"attention_in_parts", "%q: f32[seq, 4, 16], %k: f32[2, 48, 16], %v: f32[2, 48, 16], %p: i32[seq]",
       in_parts("    %6 = causal_mask(%3, %p) : f32[4, seq, 48]\n"), "%9"},
      {"windowed_attention_in_parts", "%q: f32[seq, 4, 16], %k: f32[2, 48, 16], %v: f32[2, 48, 16], %p: i32[seq]",
       in_parts("    %6 = window_mask(%3, %p) {window = 7} : f32[4, seq, 48]\n"), "%9"},
      {"capped_attention_in_parts", "%q: f32[seq, 4, 16], %k: f32[2, 48, 16], %v: f32[2, 48, 16], %p: i32[seq]",
       in_parts("    %c = scalar 0.75 : f32\n"
                "    %4 = div(%3, %c) : f32[4, seq, 48]\n    %5 = tanh(%4) : f32[4, seq, 48]\n"
                "    %t = mul(%5, %c) : f32[4, seq, 48]\n    %6 = causal_mask(%t, %p) : f32[4, seq, 48]\n"),
       "%9"},
      {"windowed_capped_attention_in_parts",
       "%q: f32[seq, 4, 16], %k: f32[2, 48, 16], %v: f32[2, 48, 16], %p: i32[seq]",
       in_parts(
           "    %c = scalar 0.75 : f32\n"
           "    %4 = div(%3, %c) : f32[4, seq, 48]\n    %5 = tanh(%4) : f32[4, seq, 48]\n"
           "    %t = mul(%5, %c) : f32[4, seq, 48]\n    %6 = window_mask(%t, %p) {window = 7} : f32[4, seq, 48]\n"),
       "%9"},
      {"matmul", "%a: f32[seq, 17], %b: f32[17, 7]", "    %0 = matmul(%a, %b) : f32[seq, 7]\n", "%0"},
      {"matmul_tn", "%a: f32[17, 5], %b: f32[17, 7]", "    %0 = matmul_tn(%a, %b) : f32[5, 7]\n", "%0"},
      {"matmul_nt_unpacked", "%a: f32[seq, 33], %b: f32[31, 33]", "    %0 = matmul_nt(%a, %b) : f32[seq, 31]\n", "%0"},
      {"matmul_nt_f32", "%a: f32[seq, 33]",
       "    %0 = weight \"w\" : f32[31, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 31]\n", "%1"},
      {"matmul_nt_one_row_f32", "%a: f32[1, 100]",
       "    %0 = weight \"w\" : f32[70, 100]\n    %1 = matmul_nt(%a, %0) : f32[1, 70]\n", "%1"},
      {"matmul_nt_f16", "%a: f32[seq, 7]",
       "    %0 = weight \"w\" : f16[100, 7]\n    %1 = matmul_nt(%a, %0) : f32[seq, 100]\n", "%1"},
      {"matmul_nt_one_row_f16", "%a: f32[1, 33]",
       "    %0 = weight \"w\" : f16[31, 33]\n    %1 = matmul_nt(%a, %0) : f32[1, 31]\n", "%1"},
      // Several rows are rounded to bf16 for the dot-product unit.
      {"matmul_nt_bf16", "%a: f32[seq, 33]",
       "    %0 = weight \"w\" : bf16[31, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 31]\n", "%1", 5e-3},
      {"matmul_nt_one_row_bf16", "%a: f32[1, 33]",
       "    %0 = weight \"w\" : bf16[17, 33]\n    %1 = matmul_nt(%a, %0) : f32[1, 17]\n", "%1"},
      // Bytes, four products at a time where a unit sums them.
      {"matmul_nt_i8", "%a: i8[seq, 70]",
       "    %0 = weight \"w\" : i8[100, 70]\n    %1 = matmul_nt(%a, %0) : f32[seq, 100]\n", "%1"},
      {"matmul_nt_of_longer_i8", "%a: i8[seq, 515]",
       "    %0 = weight \"w\" : i8[33, 515]\n    %1 = matmul_nt(%a, %0) : f32[seq, 33]\n", "%1"},
      {"matmul_nt_f32_by_i8", "%a: f32[seq, 33]",
       "    %0 = weight \"w\" : i8[31, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 31]\n", "%1"},
      {"gather", "%ids: i32[seq]", "    %0 = weight \"w\" : bf16[31, 33]\n    %1 = gather(%0, %ids) : f32[seq, 33]\n",
       "%1"},
      {"gather_of_packed_table", "%ids: i32[seq]",
       "    %0 = weight \"w\" : bf16[31, 33]\n    %1 = gather(%0, %ids) : f32[seq, 33]\n"
       "    %2 = matmul_nt(%1, %0) : f32[seq, 31]\n",
       "%2", 5e-3},
      {"gather_as_bf16", "%ids: i32[seq]",
       "    %0 = weight \"w\" : f32[31, 33]\n    %1 = gather(%0, %ids) {dtype = bf16} : bf16[seq, 33]\n", "%1"},
      // Read in groups of lanes along k, which they don't divide.
      {"matmul_nt_of_a_vector", "%a: f32[13]",
       "    %0 = weight \"w\" : f32[3, 13]\n    %1 = matmul_nt(%a, %0) : f32[3]\n", "%1"},
      {"matmul_nt_of_a_transpose_with_itself", "%a: f32[2, 8]",
       "    %0 = transpose(%a) {perm = [1, 0]} : f32[8, 2]\n    %1 = matmul_nt(%0, %0) : f32[8, 8]\n", "%1"},
      {"transpose_and_slice", "%a: f32[5, 7, 9]",
       "    %0 = transpose(%a) {perm = [2, 0, 1]} : f32[9, 5, 7]\n"
       "    %1 = slice(%0) {axis = 1, begin = 1, end = 4} : f32[9, 3, 7]\n    %2 = exp(%1) : f32[9, 3, 7]\n",
       "%2"},
      {"reshape_and_concat", "%a: f32[seq, 12], %b: f32[seq, 3, 4]",
       "    %0 = reshape(%a) {shape = [-1, 3, 4]} : f32[seq, 3, 4]\n    %1 = concat(%0, %b) {axis = 2} : f32[seq, 3, "
       "8]\n",
       "%1"},
      // Distances in memory that are products of two symbols.
      {"concat_of_squares", "%a: f32[seq, 5], %b: f32[seq, 5]",
       "    %0 = matmul_nt(%a, %b) : f32[seq, seq]\n    %1 = concat(%0, %0) {axis = 0} : f32[2*seq, seq]\n"
       "    %2 = concat(%0, %0) {axis = 1} : f32[seq, 2*seq]\n    %3 = transpose(%2) {perm = [1, 0]} : f32[2*seq, "
       "seq]\n"
       "    %4 = add(%1, %3) : f32[2*seq, seq]\n",
       "%4"},
      {"many_squares", "%a: f32[3, seq, 5], %b: f32[3, seq, 5], %c: f32[seq]",
       "    %0 = batch_matmul_nt(%a, %b) : f32[3, seq, seq]\n    %1 = softmax(%0) : f32[3, seq, seq]\n"
       "    %2 = slice(%1) {axis = 0, begin = 1, end = 3} : f32[2, seq, seq]\n"
       "    %3 = transpose(%2) {perm = [1, 0, 2]} : f32[seq, 2, seq]\n    %4 = mul(%3, %c) : f32[seq, 2, seq]\n"
       "    %5 = concat(%4, %4) {axis = 1} : f32[seq, 4, seq]\n",
       "%5"},
      {"two_symbols", "%a: f32[3, seq, 5], %b: f32[3, ctx, 5]",
       "    %0 = batch_matmul_nt(%a, %b) : f32[3, seq, ctx]\n    %1 = exp(%0) : f32[3, seq, ctx]\n"
       "    %2 = batch_matmul(%1, %b) : f32[3, seq, 5]\n    %3 = concat(%2, %a) {axis = 0} : f32[6, seq, 5]\n",
       "%3"},
      {"cast", "%a: f32[seq, 33]",
       "    %0 = cast(%a) {dtype = f16} : f16[seq, 33]\n    %1 = cast(%0) {dtype = f32} : f32[seq, 33]\n", "%1"},
      {"rope", "%x: f32[seq, 3, 2, 9], %c: f32[seq, 9], %s: f32[seq, 9]",
       "    %0 = rope(%x, %c, %s) : f32[seq, 3, 2, 9]\n", "%0"},
  };
  return kCases;
}

class OpDifferential : public testing::TestWithParam<std::string> {};

TEST_P(OpDifferential, EqualsTheInterpreter) {
  if (!can_run(GetParam())) GTEST_SKIP() << "this processor can't run the code";
  std::mt19937_64 random(17);
  for (const OpCase& c : cases_on(GetParam(), op_cases())) {
    CompiledFunction compiled(module_text(c), {GetParam(), {}}, random);
    expect_equal(compiled, c, random);
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, OpDifferential, kMachines, test_name);

// What two calls give for different weights: an input of one memory with a result, and products that may be joined.
TEST(CallDifferential, EqualsTheInterpreter) {
  const std::string text = R"(module test {
  symbol seq in 1..40
  func @layer(%x: f32[seq, 17], %v: f32[8, 17], %w: f32[5, 17], %u: f32[8, 17]) {
    %0 = matmul_nt(%x, %v) : f32[seq, 8]
    %1 = matmul_nt(%x, %w) : f32[seq, 5]
    %2 = concat(%0, %1) {axis = 1} : f32[seq, 13]
    %3 = matmul_nt(%x, %u) : f32[seq, 8]
    %4 = mul(%3, %0) : f32[seq, 8]
    %5 = reshape(%x) {shape = [-1, 1, 17]} : f32[seq, 1, 17]
    return %2, %4, %5
  }
  func @main(%x: f32[seq, 17]) {
    %0 = weight "v0" : f32[8, 17]
    %1 = weight "w0" : f32[5, 17]
    %2 = weight "u0" : f32[8, 17]
    %3 = call @layer(%x, %0, %1, %2) : (f32[seq, 13], f32[seq, 8], f32[seq, 1, 17])
    %4 = get(%3) {index = 2} : f32[seq, 1, 17]
    %5 = exp(%4) : f32[seq, 1, 17]
    %6 = reshape(%5) {shape = [-1, 17]} : f32[seq, 17]
    %7 = weight "v1" : f32[8, 17]
    %8 = weight "w1" : f32[5, 17]
    %9 = weight "u1" : f32[8, 17]
    %10 = call @layer(%6, %7, %8, %9) : (f32[seq, 13], f32[seq, 8], f32[seq, 1, 17])
    %11 = get(%10) {index = 0} : f32[seq, 13]
    %12 = get(%10) {index = 1} : f32[seq, 8]
    %13 = get(%3) {index = 0} : f32[seq, 13]
    return %11, %12, %13
  }
}
)";
  std::mt19937_64 random(5);
  CompiledFunction compiled(text, {}, random);
  expect_equal(compiled, {"two calls", "", "", "", 1e-5}, random);
}

// A cache that starts filled, appended to and read: the states' layout is the planner's choice.
std::string attention_text(const std::string& dtype, int heads, int kv_heads, int dim,
                           const std::string& name = "attention", const std::string& attributes = "") {
  const auto n = [](int value) { return std::to_string(value); };
  const std::string cache = dtype + "[" + n(kv_heads) + ", ctx, " + n(dim) + "]";
  const std::string q = "f32[seq, " + n(heads) + ", " + n(dim) + "]";
  const std::string kv = "f32[seq, " + n(kv_heads) + ", " + n(dim) + "]";
  return "module test {\n  symbol seq in 1..40\n  symbol ctx in 64..128 multiple 64\n  func @main(%q: " + q +
         ", %k: " + kv + ", %v: " + kv + ", %kc: " + cache + ", %vc: " + cache + ", %p: i32[seq]) {\n" +
         "    %0 = cache_append(%kc, %k, %p) : " + cache + "\n    %1 = cache_append(%vc, %v, %p) : " + cache + "\n" +
         "    %2 = " + name + "(%q, %0, %1, %p) {scale = 0.25" + attributes + "} : " + q +
         "\n    return %2, %0, %1\n  }\n}\n";
}

// Lanes don't divide the context.
TEST(AttentionDifferential, TakesAnyContext) {
  std::mt19937_64 random(29);
  const std::string text = replaced(attention_text("f32", 4, 2, 16), ", ctx,", ", 100,");
  CompiledFunction compiled(text, {}, random);
  const Symbols symbols = {{"seq", 40}, {"ctx", 64}};
  auto arguments = random_arguments(compiled.function(), symbols, random);
  for (int i = 0; i < 40; ++i) arguments[5].data[i] = 60 + i;
  const auto expected = compiled.reference(arguments, symbols);
  const auto got = compiled.run(arguments, symbols, 2);
  for (std::size_t r = 0; r < 3; ++r) EXPECT_LE(relative_error(got[r], expected[r]), 2e-6) << "result " << r;
}

TEST(AttentionDifferential, EqualsTheInterpreterAndFillsTheCache) {
  std::mt19937_64 random(23);
  const struct {
    std::string dtype;
    int heads, kv_heads, dim;
    double tolerance;
    std::string name = "attention", attributes = "";
  } kCases[] = {{"f32", 6, 2, 16, 2e-6},
                {"f16", 4, 4, 24, 2e-6},
                {"bf16", 3, 1, 7, 2e-6},
                {"f32", 6, 2, 16, 2e-6, "windowed_attention", ", window = 21"},
                {"f32", 2, 1, 8, 2e-6, "windowed_attention", ", window = 1"},
                {"f16", 4, 4, 24, 4e-6, "capped_attention", ", softcap = 0.75"},
                {"bf16", 4, 2, 7, 4e-6, "windowed_capped_attention", ", softcap = 1.5, window = 70"}};
  for (const auto& c : kCases) {
    CompiledFunction compiled(attention_text(c.dtype, c.heads, c.kv_heads, c.dim, c.name, c.attributes), {}, random);
    SCOPED_TRACE(c.name + " " + c.dtype);
    for (const auto& [seq, past] : {std::pair{1, 0}, {1, 63}, {5, 3}, {40, 0}, {17, 70}}) {
      expect_equal_behind(compiled, 5, seq, past, c.tolerance, random);
    }
  }
}

// What is computed together is rounded as it was: by one thread and several, with and without masks for the last lanes.
class Regions : public testing::TestWithParam<std::string> {};

const std::vector<OpCase>& region_cases() {
  static const std::vector<OpCase> kCases = {
      // A product that is added at once would be rounded once.
      {"maps", "%a: f32[seq, 33], %b: f32[seq, 33], %c: f32[seq, 33]",
       "    %0 = mul(%a, %b) : f32[seq, 33]\n    %1 = add(%0, %c) : f32[seq, 33]\n    %2 = silu(%1) : f32[seq, 33]\n"
       "    %3 = mul(%2, %0) : f32[seq, 33]\n    %4 = sub(%3, %a) : f32[seq, 33]\n",
       "%4, %1"},
      {"norm_of_a_sum", "%a: f32[seq, 48], %b: f32[seq, 48], %w: f32[48]",
       "    %0 = add(%a, %b) : f32[seq, 48]\n    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 48]\n"
       "    %2 = mul(%1, %1) : f32[seq, 48]\n    %3 = softmax(%2) : f32[seq, 48]\n",
       "%3"},
      {"reduced", "%a: f32[seq, 100]",
       "    %0 = mul(%a, %a) : f32[seq, 100]\n    %1 = exp(%0) : f32[seq, 100]\n    %2 = reduce_sum(%1) : f32[seq]\n"
       "    %3 = log(%2) : f32[seq]\n",
       "%3"},
      {"into_row_tiles", "%a: f32[seq, 40], %b: f32[seq, 40], %w: f32[40]",
       "    %0 = add(%a, %b) : f32[seq, 40]\n    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[seq, 40]\n"
       "    %2 = weight \"w\" : f32[64, 40]\n    %3 = matmul_nt(%1, %2) : f32[seq, 64]\n",
       "%3"},
      {"into_pairs", "%a: f32[seq, 80]",
       "    %0 = slice(%a) {axis = 1, begin = 0, end = 40} : f32[seq, 40]\n    %1 = slice(%a) {axis = 1, begin = 40, "
       "end "
       "= 80} : f32[seq, 40]\n    %2 = silu(%0) : f32[seq, 40]\n    %3 = mul(%2, %1) : f32[seq, 40]\n"
       "    %4 = weight \"w\" : bf16[64, 40]\n    %5 = matmul_nt(%3, %4) : f32[seq, 64]\n",
       "%5"},
      {"behind_a_product", "%a: f32[seq, 33], %r: f32[seq, 31]",
       "    %0 = weight \"w\" : f32[31, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 31]\n"
       "    %2 = add(%r, %1) : f32[seq, 31]\n    %3 = silu(%2) : f32[seq, 31]\n",
       "%3, %2"},
      {"behind_sums_in_blocks", "%a: f32[seq, 3000], %r: f32[seq, 80]",
       "    %0 = weight \"w\" : f32[80, 3000]\n    %1 = matmul_nt(%a, %0) : f32[seq, 80]\n"
       "    %2 = add(%r, %1) : f32[seq, 80]\n",
       "%2"},
      {"one_row_of_bf16", "%a: f32[1, 100], %r: f32[1, 70]",
       "    %0 = weight \"w\" : bf16[70, 100]\n    %1 = matmul_nt(%a, %0) : f32[1, 70]\n"
       "    %2 = add(%r, %1) : f32[1, 70]\n    %3 = tanh(%2) : f32[1, 70]\n",
       "%3"},
      {"gate_and_up", "%a: f32[seq, 50]",
       "    %0 = weight \"g\" : f32[96, 50]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = weight \"u\" : f32[96, 50]\n    %3 = matmul_nt(%a, %2) : f32[seq, 96]\n"
       "    %4 = silu(%1) : f32[seq, 96]\n    %5 = mul(%4, %3) : f32[seq, 96]\n"
       "    %6 = weight \"d\" : f32[40, 96]\n    %7 = matmul_nt(%5, %6) : f32[seq, 40]\n"
       "    %8 = exp(%7) : f32[seq, 40]\n",
       "%8"},
      {"gate_and_up_of_bf16", "%a: f32[seq, 50]",
       "    %0 = weight \"g\" : bf16[96, 50]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = weight \"u\" : bf16[96, 50]\n    %3 = matmul_nt(%a, %2) : f32[seq, 96]\n"
       "    %4 = silu(%1) : f32[seq, 96]\n    %5 = mul(%4, %3) : f32[seq, 96]\n"
       "    %6 = weight \"d\" : bf16[40, 96]\n    %7 = matmul_nt(%5, %6) : f32[seq, 40]\n"
       "    %8 = exp(%7) : f32[seq, 40]\n",
       "%8"},
      {"behind_blocks", "%a: f32[seq, 96], %r: f32[seq, 37]",
       "    %0 = weight \"w\" : i8[37, 96]\n    %1 = weight \"s\" : f16[37, 3]\n"
       "    %2 = scaled_matmul_nt(%a, %0, %1) : f32[seq, 37]\n    %3 = add(%r, %2) : f32[seq, 37]\n"
       "    %4 = exp(%3) : f32[seq, 37]\n",
       "%4, %3"},
      {"behind_blocks_of_codes", "%a: i8[seq, 96], %s: f32[seq, 3], %r: f32[seq, 37]",
       "    %0 = weight \"w\" : i8[37, 96]\n    %1 = weight \"s\" : f16[37, 3]\n"
       "    %2 = scaled_rows_matmul_nt(%a, %s, %0, %1) : f32[seq, 37]\n    %3 = add(%r, %2) : f32[seq, 37]\n"
       "    %4 = exp(%3) : f32[seq, 37]\n",
       "%4, %3"},
      {"gate_and_up_of_blocks", "%a: f32[seq, 96]",
       "    %0 = weight \"g\" : i8[48, 96]\n    %1 = weight \"s\" : f16[48, 3]\n"
       "    %2 = scaled_matmul_nt(%a, %0, %1) : f32[seq, 48]\n    %3 = weight \"u\" : i8[48, 96]\n"
       "    %4 = scaled_matmul_nt(%a, %3, %1) : f32[seq, 48]\n    %5 = silu(%2) : f32[seq, 48]\n"
       "    %6 = mul(%5, %4) : f32[seq, 48]\n    %7 = neg(%6) : f32[seq, 48]\n",
       "%7"},
      // The halves of a head are read in another order than they are made, in memory and behind a product.
      {"halves", "%x: f32[seq, 3, 20], %w: f32[20], %c: f32[seq, 10], %s: f32[seq, 10]",
       "    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 3, 20]\n"
       "    %1 = reshape(%0) {shape = [-1, 3, 2, 10]} : f32[seq, 3, 2, 10]\n"
       "    %2 = rope(%1, %c, %s) : f32[seq, 3, 2, 10]\n    %3 = neg(%2) : f32[seq, 3, 2, 10]\n",
       "%3, %0"},
      {"behind_heads", "%a: f32[seq, 33], %w: f32[32], %c: f32[seq, 16], %s: f32[seq, 16]",
       "    %0 = weight \"q\" : f32[96, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = reshape(%1) {shape = [-1, 3, 32]} : f32[seq, 3, 32]\n"
       "    %3 = rms_norm(%2, %w) {eps = 1e-06} : f32[seq, 3, 32]\n"
       "    %4 = reshape(%3) {shape = [-1, 3, 2, 16]} : f32[seq, 3, 2, 16]\n"
       "    %5 = rope(%4, %c, %s) : f32[seq, 3, 2, 16]\n    %6 = neg(%5) : f32[seq, 3, 2, 16]\n",
       "%6"},
      {"behind_halves_of_heads", "%a: f32[seq, 33], %c: f32[seq, 16], %s: f32[seq, 16]",
       "    %0 = weight \"q\" : bf16[96, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 96]\n"
       "    %2 = reshape(%1) {shape = [-1, 3, 2, 16]} : f32[seq, 3, 2, 16]\n"
       "    %3 = rope(%2, %c, %s) : f32[seq, 3, 2, 16]\n    %4 = neg(%3) : f32[seq, 3, 2, 16]\n",
       "%4, %3"},
      // The values are another op's.
      {"behind_keys", "%a: f32[seq, 33], %w: f32[32]",
       "    %0 = weight \"kv\" : f32[192, 33]\n    %1 = matmul_nt(%a, %0) : f32[seq, 192]\n"
       "    %2 = slice(%1) {axis = 1, begin = 0, end = 96} : f32[seq, 96]\n"
       "    %3 = reshape(%2) {shape = [-1, 3, 32]} : f32[seq, 3, 32]\n"
       "    %4 = rms_norm(%3, %w) {eps = 1e-06} : f32[seq, 3, 32]\n    %5 = neg(%4) : f32[seq, 3, 32]\n"
       "    %6 = slice(%1) {axis = 1, begin = 96, end = 192} : f32[seq, 96]\n"
       "    %7 = reshape(%6) {shape = [-1, 3, 32]} : f32[seq, 3, 32]\n"
       "    %8 = reduce_sum(%7) : f32[seq, 3]\n    %9 = exp(%8) : f32[seq, 3]\n",
       "%5, %9"},
      {"behind_heads_of_a_row", "%a: f32[1, 100], %w: f32[16], %c: f32[1, 8], %s: f32[1, 8]",
       "    %0 = weight \"q\" : bf16[80, 100]\n    %1 = matmul_nt(%a, %0) : f32[1, 80]\n"
       "    %2 = reshape(%1) {shape = [-1, 5, 16]} : f32[1, 5, 16]\n"
       "    %3 = rms_norm(%2, %w) {eps = 1e-06} : f32[1, 5, 16]\n"
       "    %4 = reshape(%3) {shape = [-1, 5, 2, 8]} : f32[1, 5, 2, 8]\n"
       "    %5 = rope(%4, %c, %s) : f32[1, 5, 2, 8]\n    %6 = neg(%5) : f32[1, 5, 2, 8]\n",
       "%6, %3"},
      // Each value is rounded, in registers, in a tile and in memory.
      {"of_bf16", "%a: bf16[seq, 33], %b: bf16[seq, 33]",
       "    %0 = mul(%a, %b) : bf16[seq, 33]\n    %1 = add(%0, %b) : bf16[seq, 33]\n    %2 = softmax(%1) : bf16[seq, "
       "33]\n"
       "    %3 = mul(%2, %0) : bf16[seq, 33]\n    %4 = reduce_sum(%3) : bf16[seq]\n",
       "%4, %1"},
      {"of_f16", "%a: f32[seq, 33]",
       "    %0 = cast(%a) {dtype = f16} : f16[seq, 33]\n    %1 = mul(%0, %0) : f16[seq, 33]\n"
       "    %2 = softmax(%1) : f16[seq, 33]\n    %3 = cast(%2) {dtype = bf16} : bf16[seq, 33]\n"
       "    %4 = add(%3, %3) : bf16[seq, 33]\n",
       "%4"},
      // Every row needs the second one of what is made before.
      {"of_a_part", "%a: f32[2, 5], %b: f32[2, 5]",
       "    %0 = add(%a, %b) : f32[2, 5]\n    %1 = exp(%0) : f32[2, 5]\n"
       "    %2 = slice(%1) {axis = 0, begin = 1, end = 2} : f32[1, 5]\n    %3 = mul(%1, %2) : f32[2, 5]\n",
       "%3"},
      {"one_row", "%a: f32[1, 64], %b: f32[1, 64], %w: f32[64]",
       "    %0 = add(%a, %b) : f32[1, 64]\n    %1 = rms_norm(%0, %w) {eps = 1e-06} : f32[1, 64]\n"
       "    %2 = weight \"w\" : bf16[64, 64]\n    %3 = matmul_nt(%1, %2) : f32[1, 64]\n"
       "    %4 = add(%0, %3) : f32[1, 64]\n    %5 = neg(%4) : f32[1, 64]\n",
       "%5"},
  };
  return kCases;
}

TEST_P(Regions, EqualTheirOpsToTheBit) {
  if (!can_run(GetParam())) GTEST_SKIP() << "this processor lacks its features";
  ops::register_all();
  for (const OpCase& c : cases_on(GetParam(), region_cases())) {
    std::mt19937_64 random(7);
    std::mt19937_64 same(7);
    CompiledFunction apart(module_text(c), {.machine = GetParam(), .without = {}, .fusion = Fusion::kNone}, random);
    CompiledFunction joined(module_text(c), {.machine = GetParam(), .without = {}, .fusion = Fusion::kWherePossible},
                            same);
    EXPECT_EQ(apart.regions(), 0);
    EXPECT_GT(joined.regions(), 0) << c.name << "\n" << joined.generated();
    const bool joins_products = machine::managed_level(joined.machine()) == nullptr;
    if (joins_products && (c.name.starts_with("behind_") || c.name.starts_with("gate_"))) {
      EXPECT_NE(joined.generated().find("tile_as_whole("), std::string::npos) << c.name << ": the product is alone";
    }
    for (const std::int64_t seq : {1, 2, 17, 40}) {
      const Symbols symbols = {{"seq", seq}, {"ctx", 64}};
      const auto arguments = random_arguments(apart.function(), symbols, random);
      const auto expected = apart.run(arguments, symbols, 1);
      for (const int threads : {1, 2, 3}) {
        const auto got = joined.run(arguments, symbols, threads);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_EQ(got[i].data, expected[i].data)
              << c.name << " result " << i << " seq=" << seq << " threads=" << threads << "\n"
              << joined.generated();
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, Regions, kMachines, test_name);

// One token reads the caches as a stream, in register tiles of its own; pairs are rounded to bf16.
TEST(AttentionDifferential, OneTokenStreamsTheCaches) {
  std::mt19937_64 random(31);
  const struct {
    std::string dtype;
    int heads, kv_heads, dim;
    double tolerance;
    std::string name = "attention", attributes = "";
  } kCases[] = {{"f32", 6, 2, 48, 2e-6},
                {"f16", 8, 1, 24, 2e-6},
                {"bf16", 4, 2, 128, 1e-2},
                {"bf16", 14, 2, 32, 1e-2, "windowed_capped_attention", ", softcap = 1.5, window = 70"}};
  for (const auto& c : kCases) {
    const std::string text =
        replaced(attention_text(c.dtype, c.heads, c.kv_heads, c.dim, c.name, c.attributes), "[seq", "[1");
    CompiledFunction compiled(text, {}, random);
    for (const int past : {0, 62, 63, 64, 127}) {
      const Symbols symbols = {{"seq", 1}, {"ctx", 128}};
      auto arguments = random_arguments(compiled.function(), symbols, random);
      arguments[5].data[0] = past;
      const auto expected = compiled.reference(arguments, symbols);
      for (const int threads : {1, 2, 3}) {
        const auto got = compiled.run(arguments, symbols, threads);
        EXPECT_LE(relative_error(got[0], expected[0]), c.tolerance)
            << c.name << " " << c.dtype << " past=" << past << " threads=" << threads;
      }
    }
  }
}

}  // namespace
}  // namespace strata::compile
