// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace strata::rules {

// A term that looks like the left side of a rule and isn't. In the row of a family, OP stands for each of its ops with
// its attributes, and for sums of products %A and %B for operands of the type TYPE.
struct NearMiss {
  std::string rule;
  std::string statements;  // "%0 = ...; %1 = ...": the last is the result, and what `results` names besides
  std::string results = {};
};

// What the statements may use: activations x, y, ..., and below constants.
inline constexpr const char* kActivations =
    "%x: f32[4, 6], %y: f32[4, 6], %q: f32[6, 6], %p: f32[6, 6], %xt: f32[6, 4], %t: f32[2, 3, 3], %u: f32[2, 3, 3], "
    "%h: f16[4, 6], %i: i32[4, 6], %j: i32[4, 6], %z: f32[6], %e: f32[1], %cx: i8[4, 6], %x2: f32[4, 2], %ids: i32[2], "
    "%at: i32[3], %nums: i32[4, 2], %b: f32[5], %l: "
    "f32[8, 6]<4@0>";
inline constexpr const char* kConstants =
    "    %m = weight \"m\" : f32[5, 6]\n"
    "    %n = weight \"n\" : f32[5, 6]\n"
    "    %hm = weight \"hm\" : f16[5, 6]\n"
    "    %bm = weight \"bm\" : bf16[5, 6]\n"
    "    %cm = weight \"cm\" : i8[5, 6]\n"
    "    %cs = weight \"cs\" : i8[5, 2]\n"
    "    %s2 = weight \"s2\" : f32[5, 2]\n"
    "    %s3 = weight \"s3\" : f32[5, 3]\n"
    "    %s1 = weight \"s1\" : f32[5, 1]\n"
    "    %two_m = weight \"two_m\" : f32[4, 6]\n"
    "    %two_b = weight \"two_b\" : bf16[4, 6]\n"
    "    %two_h = weight \"two_h\" : f16[4, 6]\n"
    "    %two_c = weight \"two_c\" : i8[4, 6]\n"
    "    %two_i = weight \"two_i\" : i8[4, 2]\n"
    "    %two_s = weight \"two_s\" : f32[4, 2]\n"
    "    %two_t = weight \"two_t\" : f32[4, 3]\n"
    "    %two_o = weight \"two_o\" : f32[4, 1]\n"
    "    %w = weight \"w\" : f32[6, 5]\n"
    "    %v = weight \"v\" : f32[6]\n"
    "    %v2 = weight \"v2\" : f32[2]\n"
    "    %v3 = weight \"v3\" : f32[3]\n"
    "    %zero = scalar 0.0 : f32\n"
    "    %one = scalar 1.0 : f32\n"
    "    %two = scalar 2.0 : f32\n"
    "    %three = scalar 3.0 : f32\n"
    "    %tiny = scalar 1e-30 : f32\n";

// And of each encoding of codes: nobody knows the elements.
inline std::vector<NearMiss> with_encodings_of_codes(std::vector<NearMiss> misses) {
  const std::string packed = "%0 = pack(%cm) {layout = <4@0, 4@1>} : i8[5, 6]<4@0, 4@1>; %1 = ";
  for (const std::string encoding : {"i8_4", "i8_small_4", "i8_5", "i8_6"}) {
    for (const auto& [op, operands] : {std::pair("scaled_", "(%x, %0, %s2)"),
                                       {"nested_", "(%x, %0, %cs, %s1)"},
                                       {"scaled_rows_", "(%cx, %x2, %0, %s2)"},
                                       {"nested_rows_", "(%cx, %x2, %0, %cs, %s1)"}}) {
      const std::string name = std::string(op) + "matmul_nt";
      misses.push_back({"encode-" + name + "-" + encoding, packed + name + operands + " : f32[4, 5]"});
    }
    for (const auto& [op, operands] : {std::pair("scaled_", "(%x, %0, %two_s, "),
                                       {"nested_", "(%x, %0, %two_i, %two_o, "},
                                       {"scaled_rows_", "(%cx, %x2, %0, %two_s, "},
                                       {"nested_rows_", "(%cx, %x2, %0, %two_i, %two_o, "}}) {
      const std::string name = std::string(op) + "matmul_nt_by_number";
      misses.push_back({"encode-" + name + "-" + encoding,
                        "%0 = pack(%two_c) {layout = <4@0, 4@1>} : i8[4, 6]<4@0, 4@1>; %1 = " + name + operands +
                            "%nums) {matrices = 2} : f32[4, 2, 2]"});
    }
    misses.push_back({"encode-gather-" + encoding, packed + "gather(%0, %ids) : f32[2, 6]"});
  }
  return misses;
}

inline const std::vector<NearMiss>& near_misses() {
  static const std::vector<NearMiss> kNearMisses = {
      {"identity-transpose", "%0 = transpose(%q) {perm = [1, 0]} : f32[6, 6]"},
      {"identity-reshape", "%0 = reshape(%x) {shape = [6, 4]} : f32[6, 4]"},
      {"whole-slice", "%0 = slice(%x) {axis = 1, begin = 0, end = 5} : f32[4, 5]"},
      {"identity-cast", "%0 = cast(%x) {dtype = bf16} : bf16[4, 6]"},

      // Something in between, or operands that are broadcast.
      {"transpose-of-transpose",
       "%0 = transpose(%x) {perm = [1, 0]} : f32[6, 4]; %1 = reshape(%0) {shape = [4, 6]} : f32[4, 6]; "
       "%2 = transpose(%1) {perm = [1, 0]} : f32[6, 4]"},
      {"transpose-of-UNARY",
       "%0 = OP(%x) : f32[4, 6]; %1 = softmax(%0) : f32[4, 6]; %2 = transpose(%1) {perm = [1, 0]} : f32[6, 4]"},
      {"UNARY-of-transpose",
       "%0 = transpose(%x) {perm = [1, 0]} : f32[6, 4]; %1 = softmax(%0) : f32[6, 4]; %2 = OP(%1) : f32[6, 4]"},
      {"transpose-of-BINARY", "%0 = OP(%x, %z) : f32[4, 6]; %1 = transpose(%0) {perm = [1, 0]} : f32[6, 4]"},
      {"transpose-of-BINARY-scalar", "%0 = OP(%x, %e) : f32[4, 6]; %1 = transpose(%0) {perm = [1, 0]} : f32[6, 4]"},
      {"BINARY-of-transposes",
       "%0 = transpose(%t) {perm = [0, 2, 1]} : f32[2, 3, 3]; %1 = transpose(%u) {perm = [0, 1, 2]} : f32[2, 3, 3]; "
       "%2 = OP(%0, %1) : f32[2, 3, 3]"},
      {"reshape-of-reshape",
       "%0 = reshape(%x) {shape = [6, 4]} : f32[6, 4]; %1 = transpose(%0) {perm = [1, 0]} : f32[4, 6]; "
       "%2 = reshape(%1) {shape = [24]} : f32[24]"},
      {"reshape-of-UNARY",
       "%0 = OP(%x) : f32[4, 6]; %1 = softmax(%0) : f32[4, 6]; %2 = reshape(%1) {shape = [24]} : f32[24]"},
      {"UNARY-of-reshape",
       "%0 = reshape(%x) {shape = [24]} : f32[24]; %1 = softmax(%0) : f32[24]; %2 = OP(%1) : f32[24]"},
      {"reshape-of-BINARY", "%0 = OP(%x, %z) : f32[4, 6]; %1 = reshape(%0) {shape = [24]} : f32[24]"},
      {"reshape-of-BINARY-scalar", "%0 = OP(%x, %e) : f32[4, 6]; %1 = reshape(%0) {shape = [24]} : f32[24]"},
      {"BINARY-of-reshapes",
       "%0 = reshape(%x) {shape = [24]} : f32[24]; %1 = reshape(%xt) {shape = [24]} : f32[24]; "
       "%2 = OP(%0, %1) : f32[24]"},

      {"slice-of-slice",
       "%0 = slice(%x) {axis = 1, begin = 1, end = 5} : f32[4, 4]; "
       "%1 = slice(%0) {axis = 0, begin = 1, end = 3} : f32[2, 4]"},
      {"slice-of-left-part",
       "%0 = concat(%x, %y) {axis = 1} : f32[4, 12]; %1 = slice(%0) {axis = 1, begin = 4, end = 7} : f32[4, 3]"},
      {"slice-of-right-part",
       "%0 = concat(%x, %y) {axis = 1} : f32[4, 12]; %1 = slice(%0) {axis = 1, begin = 5, end = 9} : f32[4, 4]"},
      {"slice-across-concat",
       "%0 = concat(%x, %y) {axis = 1} : f32[4, 12]; %1 = slice(%0) {axis = 1, begin = 0, end = 6} : f32[4, 6]"},
      {"slice-of-UNARY",
       "%0 = OP(%x) : f32[4, 6]; %1 = softmax(%0) : f32[4, 6]; "
       "%2 = slice(%1) {axis = 1, begin = 0, end = 3} : f32[4, 3]"},
      {"slice-of-BINARY", "%0 = OP(%x, %z) : f32[4, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 3} : f32[4, 3]"},
      {"slice-of-BINARY-broadcast",
       "%0 = OP(%x, %z) : f32[4, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 3} : f32[4, 3]"},
      {"slice-of-BINARY-vector",
       "%0 = OP(%x, %e) : f32[4, 6]; %1 = slice(%0) {axis = 1, begin = 0, end = 1} : f32[4, 1]"},

      {"concat-of-slices",
       "%0 = slice(%x) {axis = 1, begin = 0, end = 2} : f32[4, 2]; "
       "%1 = slice(%x) {axis = 1, begin = 3, end = 6} : f32[4, 3]; %2 = concat(%0, %1) {axis = 1} : f32[4, 5]"},
      {"concat-of-UNARY",
       "%0 = OP(%x) : f32[4, 6]; %1 = softmax(%y) : f32[4, 6]; %2 = concat(%0, %1) {axis = 0} : f32[8, 6]"},
      {"concat-of-BINARY",
       "%0 = OP(%x, %z) : f32[4, 6]; %1 = OP(%y, %z) : f32[4, 6]; %2 = concat(%0, %1) {axis = 0} : f32[8, 6]"},

      {"cast-of-exact-cast", "%0 = cast(%x) {dtype = bf16} : bf16[4, 6]; %1 = cast(%0) {dtype = f32} : f32[4, 6]"},

      {"add-zero", "%0 = add(%x, %one) : f32[4, 6]"},
      {"sub-zero", "%0 = sub(%zero, %x) : f32[4, 6]"},
      {"mul-one", "%0 = mul(%x, %zero) : f32[4, 6]"},
      {"div-one", "%0 = div(%one, %x) : f32[4, 6]"},
      {"neg-of-neg", "%0 = neg(%i) : i32[4, 6]; %1 = neg(%0) : i32[4, 6]"},
      {"mul-minus-one", "%0 = mul(%x, %one) : f32[4, 6]"},
      {"sub-constant", "%0 = sub(%x, %y) : f32[4, 6]"},
      {"add-negated", "%0 = neg(%j) : i32[4, 6]; %1 = add(%i, %0) : i32[4, 6]"},
      {"div-by-power-of-two", "%0 = div(%x, %three) : f32[4, 6]"},
      {"add-constant-last", "%0 = add(%x, %y) : f32[4, 6]"},
      {"mul-constant-last", "%0 = mul(%x, %y) : f32[4, 6]"},
      {"add-of-add", "%0 = add(%x, %y) : f32[4, 6]; %1 = add(%0, %one) : f32[4, 6]"},
      {"mul-of-mul", "%0 = mul(%x, %two) : f32[4, 6]; %1 = mul(%0, %tiny) : f32[4, 6]"},
      {"fold-neg", "%0 = neg(%e) : f32[1]"},
      {"fold-add", "%0 = add(%e, %one) : f32[1]"},
      {"fold-sub", "%0 = sub(%e, %one) : f32[1]"},
      {"fold-mul", "%0 = mul(%e, %two) : f32[1]"},
      {"fold-div", "%0 = div(%one, %zero) : f32"},
      {"silu-as-product", "%0 = silu(%h) : f16[4, 6]"},
      {"product-as-silu", "%0 = sigmoid(%x) : f32[4, 6]; %1 = mul(%y, %0) : f32[4, 6]"},
      {"div-by-sqrt", "%0 = sqrt(%h) : f16[4, 6]; %1 = div(%h, %0) : f16[4, 6]"},
      {"mul-by-rsqrt", "%0 = rsqrt(%h) : f16[4, 6]; %1 = mul(%h, %0) : f16[4, 6]"},
      {"reciprocal-of-sqrt", "%0 = sqrt(%z) : f32[6]; %1 = div(%two, %0) : f32[6]"},

      {"matmul-as-nt", "%0 = matmul_nt(%x, %m) : f32[4, 5]"},
      {"nt-as-matmul", "%0 = reshape(%w) {shape = [5, 6]} : f32[5, 6]; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"tn-as-matmul", "%0 = matmul(%x, %w) : f32[4, 5]"},
      {"matmul-as-tn", "%0 = reshape(%xt) {shape = [4, 6]} : f32[4, 6]; %1 = matmul(%0, %w) : f32[4, 5]"},
      {"batch-matmul-as-nt", "%0 = batch_matmul_nt(%t, %u) : f32[2, 3, 3]"},
      {"batch-nt-as-matmul",
       "%0 = transpose(%u) {perm = [0, 1, 2]} : f32[2, 3, 3]; %1 = batch_matmul_nt(%t, %0) : f32[2, 3, 3]"},
      {"transpose-of-product", "%0 = matmul_nt(%q, %p) : f32[6, 6]; %1 = transpose(%0) {perm = [0, 1]} : f32[6, 6]"},
      {"slice-of-columns",
       "%0 = matmul_nt(%q, %m) : f32[6, 5]; %1 = slice(%0) {axis = 0, begin = 0, end = 5} : f32[5, 5]"},
      {"scale-before-MATMUL", "%0 = mul(%A, %tiny) : TYPE; %1 = OP(%0, %B) : TYPE"},
      {"scale-of-matrix-MATMUL", "%0 = mul(%B, %tiny) : TYPE; %1 = OP(%A, %0) : TYPE"},
      {"scale-into-MATMUL", "%0 = OP(%A, %B) : TYPE; %1 = mul(%0, %two) : TYPE"},
      {"column-scale-into-matrix", "%0 = matmul_nt(%x, %m) : f32[4, 5]; %1 = mul(%0, %b) : f32[4, 5]"},
      {"merge-matmuls", "%0 = matmul_nt(%x, %m) : f32[4, 5]; %1 = matmul_nt(%y, %n) : f32[4, 5]", "%0, %1"},
      {"merge-biases",
       "%0 = slice(%x) {axis = 1, begin = 0, end = 2} : f32[4, 2]; %1 = add(%0, %v2) : f32[4, 2]; "
       "%2 = slice(%x) {axis = 1, begin = 3, end = 6} : f32[4, 3]; %3 = add(%2, %v3) : f32[4, 3]",
       "%1, %3"},

      {"batch-matmul-as-grouped", "%0 = batch_matmul_nt(%t, %u) : f32[2, 3, 3]"},
      {"batch-nt-as-grouped", "%0 = batch_matmul(%t, %u) : f32[2, 3, 3]"},
      // Products of batches already, and the other product.
      {"grouped-matmul-as-batch",
       "%0 = batch_matmul(%t, %u) : f32[2, 3, 3]; %1 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]", "%0, %1"},
      {"grouped-nt-as-batch", "%0 = batch_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = grouped_matmul(%t, %u) : f32[2, 3, 3]",
       "%0, %1"},
      {"scale-before-grouped-nt",
       "%0 = mul(%t, %u) : f32[2, 3, 3]; %1 = grouped_matmul_nt(%0, %u) : f32[2, 3, 3]; "
       "%2 = mul(%t, %zero) : f32[2, 3, 3]; %3 = grouped_matmul_nt(%2, %u) : f32[2, 3, 3]",
       "%1, %3"},
      // The weights of another softmax's scores; sums along another axis; a factor that is no number; no factor.
      {"softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %v3) : f32[2, 3, 3]; "
       "%2 = causal_mask(%1, %at) : f32[2, 3, 3]; %3 = softmax(%2) : f32[2, 3, 3]; "
       "%4 = grouped_matmul(%3, %t) : f32[2, 3, 3]; "
       "%5 = mul(%0, %two) : f32[2, 3, 3]; %6 = causal_mask(%5, %at) : f32[2, 3, 3]; %7 = softmax(%6) : f32[2, 3, 3]; "
       "%8 = grouped_matmul_nt(%7, %t) : f32[2, 3, 3]; %9 = softmax(%5) : f32[2, 3, 3]; "
       "%10 = grouped_matmul(%9, %t) : f32[2, 3, 3]; %11 = window_mask(%5, %at) {window = 2} : f32[2, 3, 3]; "
       "%12 = softmax(%11) : f32[2, 3, 3]; %13 = grouped_matmul(%12, %t) : f32[2, 3, 3]",
       "%4, %8, %10, %13"},
      {"windowed-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %two) : f32[2, 3, 3]; "
       "%2 = causal_mask(%1, %at) : f32[2, 3, 3]; %3 = softmax(%2) : f32[2, 3, 3]; "
       "%4 = grouped_matmul(%3, %t) : f32[2, 3, 3]"},
      {"capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %two) : f32[2, 3, 3]; "
       "%2 = sigmoid(%1) : f32[2, 3, 3]; %3 = mul(%2, %three) : f32[2, 3, 3]; "
       "%4 = causal_mask(%3, %at) : f32[2, 3, 3]; %5 = softmax(%4) : f32[2, 3, 3]; "
       "%6 = grouped_matmul(%5, %t) : f32[2, 3, 3]"},
      {"windowed-capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %two) : f32[2, 3, 3]; "
       "%2 = tanh(%1) : f32[2, 3, 3]; %3 = mul(%2, %tiny) : f32[2, 3, 3]; "
       "%4 = window_mask(%3, %at) {window = 2} : f32[2, 3, 3]; %5 = softmax(%4) : f32[2, 3, 3]; "
       "%6 = grouped_matmul(%5, %t) : f32[2, 3, 3]"},

      // Divided by one number, multiplied by another.
      {"divided-capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %two) : f32[2, 3, 3]; "
       "%2 = div(%1, %two) : f32[2, 3, 3]; %3 = tanh(%2) : f32[2, 3, 3]; %4 = mul(%3, %three) : f32[2, 3, 3]; "
       "%5 = causal_mask(%4, %at) : f32[2, 3, 3]; %6 = softmax(%5) : f32[2, 3, 3]; "
       "%7 = grouped_matmul(%6, %t) : f32[2, 3, 3]"},
      {"divided-windowed-capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %two) : f32[2, 3, 3]; "
       "%2 = div(%1, %two) : f32[2, 3, 3]; %3 = tanh(%2) : f32[2, 3, 3]; %4 = mul(%3, %three) : f32[2, 3, 3]; "
       "%5 = window_mask(%4, %at) {window = 2} : f32[2, 3, 3]; %6 = softmax(%5) : f32[2, 3, 3]; "
       "%7 = grouped_matmul(%6, %t) : f32[2, 3, 3]"},
      // A factor that is no number, and another mask; no mask; another function than the tangent's, and no f32.
      {"unscaled-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = mul(%0, %v3) : f32[2, 3, 3]; "
       "%2 = causal_mask(%1, %at) : f32[2, 3, 3]; %3 = softmax(%2) : f32[2, 3, 3]; "
       "%4 = grouped_matmul(%3, %t) : f32[2, 3, 3]; %5 = window_mask(%0, %at) {window = 2} : f32[2, 3, 3]; "
       "%6 = softmax(%5) : f32[2, 3, 3]; %7 = grouped_matmul(%6, %t) : f32[2, 3, 3]; %8 = softmax(%0) : f32[2, 3, 3]; "
       "%9 = grouped_matmul(%8, %t) : f32[2, 3, 3]",
       "%4, %7, %9"},
      {"unscaled-windowed-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = causal_mask(%0, %at) : f32[2, 3, 3]; "
       "%2 = softmax(%1) : f32[2, 3, 3]; %3 = grouped_matmul(%2, %t) : f32[2, 3, 3]"},
      {"unscaled-capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = sigmoid(%0) : f32[2, 3, 3]; "
       "%2 = mul(%1, %three) : f32[2, 3, 3]; %3 = causal_mask(%2, %at) : f32[2, 3, 3]; "
       "%4 = softmax(%3) : f32[2, 3, 3]; %5 = grouped_matmul(%4, %t) : f32[2, 3, 3]"},
      {"unscaled-windowed-capped-softmax-then-sum",
       "%0 = grouped_matmul_nt(%t, %u) : f32[2, 3, 3]; %1 = tanh(%0) : f32[2, 3, 3]; "
       "%2 = mul(%1, %tiny) : f32[2, 3, 3]; %3 = window_mask(%2, %at) {window = 2} : f32[2, 3, 3]; "
       "%4 = softmax(%3) : f32[2, 3, 3]; %5 = grouped_matmul(%4, %t) : f32[2, 3, 3]"},
      {"pack-of-unpack", "%0 = unpack(%l) : f32[8, 6]; %1 = pack(%0) {layout = <8@0>} : f32[8, 6]<8@0>"},
      {"unpack-of-pack",
       "%2 = round(%x) {dtype = bf16} : bf16[4, 6]; %0 = pack(%2) {layout = <4@0>} : bf16[4, 6]<4@0>; "
       "%1 = cast(%0) {dtype = f32} : f32[4, 6]<4@0>; %3 = unpack(%1) : f32[4, 6]"},
      // Weights that are no narrower, and an op that does not permit it.
      {"round-matmul_nt",
       "%0 = matmul_nt(%x, %m) : f32[4, 5]; %1 = transpose(%bm) {perm = [1, 0]} : bf16[6, 5]; %2 = matmul(%x, %1) : "
       "f32[4, 5]",
       "%0, %2"},
      {"round-matmul_nt_by_number", "%0 = matmul_nt_by_number(%x, %two_m, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"identity-packed-reshape",
       "%0 = pack(%x) {layout = <2@1>} : f32[4, 6]<2@1>; %1 = reshape(%0) {shape = [6, 4]} : f32[6, 4]<2@1>"},
      // A number of no axes has no lanes.
      {"packed-reshape-of-reshape",
       "%0 = pack(%e) {layout = <4~@0>} : f32[1]<4~@0>; %1 = reshape(%0) {shape = []} : f32; "
       "%2 = reshape(%1) {shape = [1]} : f32[1]"},
      {"reshape-of-unpack", "%0 = unpack(%l) : f32[8, 6]; %1 = reshape(%0) {shape = [48]} : f32[48]"},
      {"transpose-of-unpack",
       "%0 = pack(%x) {layout = <4~@1>} : f32[4, 6]<4~@1>; %1 = unpack(%0) : f32[4, 6]; "
       "%2 = transpose(%1) {perm = [1, 0]} : f32[6, 4]"},
      {"slice-of-unpack", "%0 = unpack(%l) : f32[8, 6]; %1 = slice(%0) {axis = 0, begin = 1, end = 5} : f32[4, 6]"},

      // Of these weights nobody knows the elements.
      {"encode-matmul_nt-bf16_12",
       "%0 = pack(%bm) {layout = <4@0, 2@1>} : bf16[5, 6]<4@0, 2@1>; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"scale-behind-matmul_nt", "%0 = scale_blocks(%m, %v2) : f32[5, 6]; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"scale-unshifted-behind-matmul_nt",
       "%0 = scale_unshifted(%m, %v2) : f32[5, 6]; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"shift-behind-matmul_nt", "%0 = affine_blocks(%m, %s2, %s2) : f32[5, 6]; %1 = matmul_nt(%h, %0) : f32[4, 5]"},
      {"scale-of-scales", "%0 = scale_blocks(%s2, %v2) : f32[5, 2]; %1 = scaled_matmul_nt(%x, %m, %0) : f32[4, 5]"},
      {"scale-of-rows", "%0 = scale_blocks(%x, %v2) : f32[4, 6]; %1 = scaled_matmul_nt(%0, %m, %s3) : f32[4, 5]"},
      {"scale-of-rows-nested",
       "%0 = scale_blocks(%x, %v2) : f32[4, 6]; %1 = nested_matmul_nt(%0, %m, %s3, %s1) : f32[4, 5]"},
      {"scale-behind-matmul_nt_by_number",
       "%0 = scale_blocks(%two_m, %v2) : f32[4, 6]; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"scale-unshifted-behind-matmul_nt_by_number",
       "%0 = scale_unshifted(%two_m, %v2) : f32[4, 6]; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"shift-behind-matmul_nt_by_number",
       "%0 = affine_blocks(%two_m, %two_s, %two_s) : f32[4, 6]; "
       "%1 = matmul_nt_by_number(%h, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"scale-of-scales-by_number",
       "%0 = scale_blocks(%two_s, %v2) : f32[4, 2]; "
       "%1 = scaled_matmul_nt_by_number(%x, %two_m, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"scale-of-rows-by_number",
       "%0 = scale_blocks(%x, %v2) : f32[4, 6]; "
       "%1 = scaled_matmul_nt_by_number(%0, %two_m, %two_t, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"scale-of-rows-nested-by_number",
       "%0 = scale_blocks(%x, %v2) : f32[4, 6]; "
       "%1 = nested_matmul_nt_by_number(%0, %two_m, %two_t, %two_o, %nums) {matrices = 2} : f32[4, 2, 2]"},
      // Matrices that are no rows of what is reshaped.
      {"routed-by-number",
       "%0 = reshape(%two_t) {shape = [2, 3, 2]} : f32[2, 3, 2]; %1 = routed_matmul_nt(%x2, %0, %nums) : f32[4, 2, 3]"},
      {"routed-rows-by-number",
       "%0 = reshape(%two_m) {shape = [2, 4, 3]} : f32[2, 4, 3]; %1 = reshape(%x) {shape = [4, 2, 3]} : f32[4, 2, 3]; "
       "%2 = routed_rows_matmul_nt(%1, %0, %nums) : f32[4, 2, 4]"},
      {"round-rows-of-scale_blocks-by_number",
       "%0 = scale_blocks(%two_m, %two_s) : f32[4, 6]; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"round-rows-of-affine_blocks-by_number",
       "%0 = affine_blocks(%two_m, %two_s, %two_s) : f32[4, 6]; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"encode-matmul_nt_by_number-bf16_12",
       "%0 = pack(%two_b) {layout = <4@0, 2@1>} : bf16[4, 6]<4@0, 2@1>; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"encode-matmul_nt_by_number-f16_15",
       "%0 = pack(%two_h) {layout = <4@0>} : f16[4, 6]<4@0>; "
       "%1 = matmul_nt_by_number(%x, %0, %nums) {matrices = 2} : f32[4, 2, 2]"},
      {"concat-of-scale_blocks",
       "%0 = scale_blocks(%m, %s2) : f32[5, 6]; %1 = scale_blocks(%n, %s2) : f32[5, 6]; "
       "%2 = concat(%0, %1) {axis = 1} : f32[5, 12]"},
      {"gather-of-scale_blocks",
       "%0 = scale_blocks(%m, %s2) : f32[5, 6]; %1 = gather(%0, %ids) {dtype = bf16} : bf16[2, 6]"},
      {"gather-of-affine_blocks",
       "%0 = affine_blocks(%m, %s2, %s2) : f32[5, 6]; %1 = gather(%0, %ids) {dtype = bf16} : bf16[2, 6]"},
      {"round-rows-of-scale_blocks", "%0 = scale_blocks(%m, %s2) : f32[5, 6]; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"round-rows-of-affine_blocks",
       "%0 = affine_blocks(%m, %s2, %s2) : f32[5, 6]; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"encode-gather-bf16_12",
       "%0 = pack(%bm) {layout = <4@0, 2@1>} : bf16[5, 6]<4@0, 2@1>; %1 = gather(%0, %ids) : f32[2, 6]"},
      {"encode-matmul_nt-f16_15",
       "%0 = pack(%hm) {layout = <4@0>} : f16[5, 6]<4@0>; %1 = matmul_nt(%x, %0) : f32[4, 5]"},
      {"encode-gather-f16_15", "%0 = pack(%hm) {layout = <4@0>} : f16[5, 6]<4@0>; %1 = gather(%0, %ids) : f32[2, 6]"},
  };
  static const std::vector<NearMiss> kAll = with_encodings_of_codes(kNearMisses);
  return kAll;
}

}  // namespace strata::rules
