// SPDX-License-Identifier: Apache-2.0
#include "ir/interpreter.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace strata::ir {
namespace {

Value tensor(DType dtype, Shape shape, std::vector<double> data) {
  return {{dtype, std::move(shape), {}, {}}, std::move(data)};
}

// Deterministic values in [-1, 1).
Value filled(const TensorType& type, int seed) {
  Value value{type, {}};
  for (std::int64_t i = 0; i < max_element_count(type.shape); ++i) {
    const std::int64_t mixed = (i * 7919 + seed * 104729) % 2003;
    value.data.push_back(round_to(type.dtype, static_cast<double>(mixed) / 1001.5 - 1));
  }
  return value;
}

// One head, keys equal to values: normalise, append to the cache, attend, add; twice through one function.
constexpr const char* kDecoder = R"(module tiny {
  symbol seq in 1..4
  symbol ctx in 4..16 multiple 4

  func @layer(%x: f32[seq, 4], %w: bf16[4], %k: bf16[1, ctx, 4]<4@1>, %p: i32[seq]) {
    %0 = rms_norm(%x, %w) {eps = 1e-06} : f32[seq, 4]
    %1 = reshape(%0) {shape = [-1, 1, 4]} : f32[seq, 1, 4]
    %2 = cache_append(%k, %1, %p) : bf16[1, ctx, 4]<4@1>
    %3 = attention(%1, %2, %2, %p) {scale = 0.5} : f32[seq, 1, 4]
    %4 = reshape(%3) {shape = [-1, 4]} : f32[seq, 4]
    %5 = add(%x, %4) : f32[seq, 4]
    return %5, %2
  }
  func @forward(%ids: i32[seq], %p: i32[seq], %k0: bf16[1, ctx, 4]<4@1>, %k1: bf16[1, ctx, 4]<4@1>) {
    %0 = weight "embed" : bf16[5, 4]
    %1 = gather(%0, %ids) : f32[seq, 4]
    %2 = weight "norm.0" : bf16[4]
    %3 = call @layer(%1, %2, %k0, %p) : (f32[seq, 4], bf16[1, ctx, 4]<4@1>)
    %4 = get(%3) {index = 0} : f32[seq, 4]
    %5 = weight "norm.1" : bf16[4]
    %6 = call @layer(%4, %5, %k1, %p) : (f32[seq, 4], bf16[1, ctx, 4]<4@1>)
    %7 = get(%6) {index = 0} : f32[seq, 4]
    %8 = matmul_nt(%7, %0) : f32[seq, 5]
    %9 = get(%3) {index = 1} : bf16[1, ctx, 4]<4@1>
    %10 = get(%6) {index = 1} : bf16[1, ctx, 4]<4@1>
    return %8, %9, %10
  }
}
)";

Value weight(const Expr& expr) { return filled(expr.type(), static_cast<int>(expr.name.size() + expr.name.back())); }

std::vector<Value> run_decoder(const Module& module, std::vector<double> ids, std::vector<double> positions,
                               const Value& k0, const Value& k1) {
  const auto seq = static_cast<std::int64_t>(ids.size());
  return interpret(
      module, *module.find("forward"),
      {tensor(DType::kI32, {seq}, std::move(ids)), tensor(DType::kI32, {seq}, std::move(positions)), k0, k1},
      {{"seq", seq}, {"ctx", 8}}, weight);
}

Value empty_cache() { return {{DType::kBF16, {1, 8, 4}, {{{4, 1}}}, {}}, std::vector<double>(32)}; }

// The same model as kDecoder, by hand, for the tokens one after another.
std::vector<double> decode_by_hand(const std::vector<int>& ids) {
  const Value embed = filled({DType::kBF16, {5, 4}, {}, {}}, 5 + 'd');
  std::vector<std::vector<std::array<double, 4>>> caches(2);
  std::vector<double> logits;
  for (const int id : ids) {
    std::array<double, 4> x{};
    for (int i = 0; i < 4; ++i) x[i] = embed.data[id * 4 + i];
    for (int layer = 0; layer < 2; ++layer) {
      const Value w = filled({DType::kBF16, {4}, {}, {}}, 6 + '0' + layer);
      double squares = 0;
      for (const double v : x) squares += v * v;
      std::array<double, 4> query{}, row{}, sum{};
      for (int i = 0; i < 4; ++i) query[i] = x[i] / std::sqrt(squares / 4 + 1e-6) * w.data[i];
      for (int i = 0; i < 4; ++i) row[i] = round_to(DType::kBF16, query[i]);
      caches[layer].push_back(row);
      double total = 0;
      for (const auto& key : caches[layer]) {
        double score = 0;
        for (int i = 0; i < 4; ++i) score += query[i] * key[i];
        const double share = std::exp(0.5 * score);
        total += share;
        for (int i = 0; i < 4; ++i) sum[i] += share * key[i];
      }
      for (int i = 0; i < 4; ++i) x[i] += sum[i] / total;
    }
    for (int v = 0; v < 5; ++v) {
      double logit = 0;
      for (int i = 0; i < 4; ++i) logit += x[i] * embed.data[v * 4 + i];
      logits.push_back(logit);
    }
  }
  return logits;
}

TEST(Interpreter, RunsADecoder) {
  const Module module = parse_module(kDecoder, "decoder");
  verify(module);
  const std::vector<Value> results = run_decoder(module, {3, 1, 4}, {0, 1, 2}, empty_cache(), empty_cache());
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].type.text(), "f32[3, 5]");
  const std::vector<double> expected = decode_by_hand({3, 1, 4});
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(results[0].data[i], expected[i], 1e-12) << i;
}

TEST(Interpreter, StepwiseDecodingEqualsPrefill) {
  const Module module = parse_module(kDecoder, "decoder");
  const std::vector<Value> whole = run_decoder(module, {3, 1, 4}, {0, 1, 2}, empty_cache(), empty_cache());
  std::vector<Value> state = {{}, empty_cache(), empty_cache()};
  const std::vector<double> ids = {3, 1, 4};
  for (int t = 0; t < 3; ++t) {
    state = run_decoder(module, {ids[t]}, {static_cast<double>(t)}, state[1], state[2]);
    for (int v = 0; v < 5; ++v) EXPECT_NEAR(state[0].data[v], whole[0].data[t * 5 + v], 1e-12);
  }
  EXPECT_EQ(state[1].data, whole[1].data);
}

TEST(Interpreter, RefusesWhatDoesNotFit) {
  const Module module = parse_module(
      "module m { symbol s in 2..4 func @f(%x: f32[s]) { %0 = weight \"w\" : f32[s]\n"
      "%1 = add(%x, %0) : f32[s] return %1 } }",
      "t");
  const Function& f = *module.find("f");
  const auto good = [](const Expr&) { return tensor(DType::kF32, {2}, {1, 2}); };
  const auto bad = [](const Expr&) { return tensor(DType::kF32, {3}, {1, 2, 3}); };
  const Value x = tensor(DType::kF32, {2}, {3, 4});
  EXPECT_EQ(interpret(module, f, {x}, {{"s", 2}}, good)[0].data, (std::vector<double>{4, 6}));
  EXPECT_THROW(interpret(module, f, {x}, {{"s", 2}}, bad), Error);
  EXPECT_THROW(interpret(module, f, {}, {{"s", 2}}, good), Error);
  EXPECT_THROW(interpret(module, f, {x}, {{"s", 3}}, good), Error);
  EXPECT_THROW(interpret(module, f, {x}, {{"s", 5}}, good), Error);
  EXPECT_THROW(interpret(module, f, {x}, {}, good), Error);
}

TEST(Rounding, GoesToTheNearestValue) {
  EXPECT_EQ(round_to(DType::kF32, 0.1), 0.1);
  EXPECT_EQ(round_to(DType::kBF16, 1 + 1.0 / 256), 1);  // a tie goes to even
  EXPECT_EQ(round_to(DType::kBF16, 1 + 3.0 / 256), 1 + 4.0 / 256);
  EXPECT_EQ(round_to(DType::kBF16, -1.005859375), -1.0078125);
  EXPECT_EQ(round_to(DType::kF16, 65519), 65504);
  EXPECT_EQ(round_to(DType::kF16, 65520), std::numeric_limits<double>::infinity());
  EXPECT_EQ(round_to(DType::kF16, 0x1.8p-25), 0x1p-24);  // subnormal
  EXPECT_EQ(round_to(DType::kF16, 0x1p-25), 0);
  EXPECT_EQ(round_to(DType::kI8, -130), -128);
  EXPECT_EQ(round_to(DType::kI32, 2.9), 2);
  EXPECT_EQ(round_to(DType::kBool, 0.5), 1);
  EXPECT_TRUE(std::isnan(round_to(DType::kF16, std::nan(""))));
}

TEST(Specialise, ReplacesSymbolsEverywhere) {
  const Module module = parse_module(kDecoder, "decoder");
  const Module one = specialise(module, {{"seq", 1}, {"ctx", Symbol{"ctx", 4, 8, 4}}});
  verify(one);
  ASSERT_EQ(one.symbols().size(), 1U);
  EXPECT_EQ(one.symbols()[0]->max, 8);
  EXPECT_EQ(one.find("forward")->results[0]->type().text(), "f32[1, 5]");
  EXPECT_EQ(to_text(one).find("seq"), std::string::npos);
  const std::vector<Value> expected = run_decoder(module, {2}, {0}, empty_cache(), empty_cache());
  const std::vector<Value> actual = run_decoder(one, {2}, {0}, empty_cache(), empty_cache());
  EXPECT_EQ(actual[0].data, expected[0].data);
  EXPECT_EQ(to_text(specialise(module, {})), kDecoder);
}

TEST(Specialise, RefusesWhatASymbolCannotBe) {
  const Module module = parse_module(kDecoder, "decoder");
  EXPECT_THROW(specialise(module, {{"len", 1}}), Error);
  EXPECT_THROW(specialise(module, {{"seq", 5}}), Error);
  EXPECT_THROW(specialise(module, {{"ctx", 6}}), Error);
  EXPECT_THROW(specialise(module, {{"ctx", Symbol{"ctx", 4, 32, 4}}}), Error);
  EXPECT_THROW(specialise(module, {{"ctx", Symbol{"ctx", 4, 8, 2}}}), Error);
}

TEST(Rebuild, AppliesTheRewriteToEachExpression) {
  const Module module = parse_module(
      "module m { func @f(%x: f32[2]) { %0 = exp(%x) : f32[2] %1 = log(%0) : f32[2] %2 = neg(%1) : f32[2] return %2 } "
      "}",
      "t");
  const Module rewritten =
      rebuild_module(module, [](Module& into, const Expr& old, std::vector<const Expr*> arguments) {
        const bool is_log_of_exp = old.op != nullptr && old.op->name() == "log" && arguments[0]->op != nullptr &&
                                   arguments[0]->op->name() == "exp";
        return is_log_of_exp ? arguments[0]->arguments[0] : copy_expr(into, old, std::move(arguments));
      });
  verify(rewritten);
  EXPECT_EQ(to_text(rewritten),
            "module m {\n  func @f(%x: f32[2]) {\n    %0 = neg(%x) : f32[2]\n    return %0\n  }\n}\n");
}

}  // namespace
}  // namespace strata::ir
