// SPDX-License-Identifier: Apache-2.0
// Ops that only this test declares. What they are follows from their loops: not from a name, nor from the order of the
// operands. Their names begin with own_. The kernels of attention, look-ups and updates compute them.
#include "op_case.h"
#include "ops/structured_op.h"

namespace strata::compile {
namespace {

void declare() {
  static const bool kOnce = [] {
    ops::register_all();
    ops::register_structured({
        {"own_attend",
         {"at", "v", "k", "q"},
         "score[s, h, t <= at[s]] = (sum(i) k[h / group, t, i] * q[s, h, i]) * factor;"
         "y[s, h, d] = softmax_sum(t <= at[s]) score[s, h, t], v[h / group, t, d]",
         ops::ResultDType::kF32,
         ops::ResultLayout::kRowMajor},
        {"own_look_up",
         {"ids", "table"},
         "y[s, j] = table[ids[s], j]",
         ops::ResultDType::kF32,
         ops::ResultLayout::kRowMajor},
        {"own_put", {"at", "x", "cache"}, "cache[h, at[s], i] = x[s, h, i]"},
        {"own_times",
         {"w", "x"},
         "c[m, n] = sum(k) w[n, k] * x[m, k]",
         ops::ResultDType::kF32,
         ops::ResultLayout::kRowMajor},
    });
    return true;
  }();
  (void)kOnce;
}

TEST(DeclaredOps, TakeTheirOperandsInAnyOrder) {
  declare();
  std::mt19937_64 random(41);
  const std::string text = R"(module test {
  symbol seq in 1..40
  symbol ctx in 64..128 multiple 64
  func @main(%at: i32[seq], %k: f32[seq, 2, 32], %v: f32[seq, 2, 32], %q: f32[seq, 6, 32], %kc: f32[2, ctx, 32],
             %vc: f32[2, ctx, 32]) {
    %0 = own_put(%at, %k, %kc) : f32[2, ctx, 32]
    %1 = own_put(%at, %v, %vc) : f32[2, ctx, 32]
    %2 = own_attend(%at, %1, %0, %q) {factor = 0.25} : f32[seq, 6, 32]
    return %2, %0, %1
  }
}
)";
  CompiledFunction compiled(text, {}, random);
  for (const char* kernel : {"tensor::score_block<16", "tensor::cache_append_k<16"}) {
    if (machine::vector_lanes(machine::load("native"), DType::kF32) != 16) break;
    EXPECT_NE(compiled.generated().find(kernel), std::string::npos) << compiled.generated();
  }
  for (const auto& [seq, past] : {std::pair{1, 0}, {1, 63}, {17, 5}, {40, 70}}) {
    expect_equal_behind(compiled, 0, seq, past, 2e-6, random);
  }
}

TEST(DeclaredOps, ReadPackedWeightsWhereverTheyStand) {
  declare();
  std::mt19937_64 random(43);
  const OpCase c = {"declared", "%ids: i32[seq]",
                    "    %0 = weight \"w\" : f32[31, 33]\n    %1 = own_look_up(%ids, %0) : f32[seq, 33]\n"
                    "    %2 = own_times(%0, %1) : f32[seq, 31]\n",
                    "%2"};
  CompiledFunction compiled(module_text(c), {}, random);
  EXPECT_NE(compiled.generated().find("tensor::gather_"), std::string::npos) << compiled.generated();
  EXPECT_NE(compiled.generated().find("tensor::gem"), std::string::npos) << compiled.generated();
  expect_equal(compiled, c, random);
}

}  // namespace
}  // namespace strata::compile
