// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ir/expr.h"

namespace strata::ir {

// The text form, printed and parsed:
//
//   module tiny {
//     symbol seq in 1..512
//     symbol ctx in 64..4096 multiple 64
//
//     func @norm(%x: f32[seq, 1024], %w: bf16[1024]) {
//       %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 1024]
//       %1 = weight "lm_head.weight" : bf16[4096, 1024]<16@0>
//       %2 = matmul_nt(%0, %1) : f32[seq, 4096]
//       %3 = scalar 0.5 : f32
//       return %2, %3
//     }
//     func @main(%x: f32[seq, 1024], %w: bf16[1024]) {
//       %0 = call @norm(%x, %w) : (f32[seq, 4096], f32)
//       %1 = get(%0) {index = 0} : f32[seq, 4096]
//       return %1
//     }
//   }
//
// Attributes are integers, floats (with a point or exponent, inf, nan), "strings", lists of integers, dtypes and
// layouts <16@0, 2@1>. A version of a function names it behind its parameters: func @norm_one(...) of @norm {. A
// comment runs from // to the end of its line. Values are printed in topological order and numbered; what no result
// needs is not printed. Parsing what was printed and printing it again gives the same text.
std::string to_text(const Module& module);
std::string to_text(const Function& function);
std::string to_text(const Attributes& attributes);  // "{axis = 0, eps = 1e-06}"

// A value's name in the text of its function, "%x" or "%3", by expression.
std::unordered_map<const Expr*, std::string> value_names(const Function& function);

// Throws Error (model) with origin:line:column for text that is not well formed, an unknown op, arguments that don't
// fit it, or a written type that isn't the inferred one. All ops must have been registered.
Module parse_module(std::string_view text, const std::string& origin);

// Limits of what is parsed; text beyond them is refused by name.
struct TextLimits {
  static constexpr std::size_t kBytes = std::size_t{64} << 20;
  static constexpr std::size_t kSymbols = 64;
  static constexpr std::size_t kFunctions = 1024;
  static constexpr std::size_t kValues = 1'000'000;
  static constexpr std::size_t kRank = 8;
  static constexpr std::size_t kListItems = 4096;  // arguments, parameters, results, attributes, integers
  static constexpr std::int64_t kSize = std::int64_t{1} << 31;
};

}  // namespace strata::ir
