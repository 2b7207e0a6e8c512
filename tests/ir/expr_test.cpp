// SPDX-License-Identifier: Apache-2.0
#include "ir/expr.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "ir/op.h"
#include "tests/ir/f32.h"

namespace strata::ir {
namespace {

TEST(ExprPool, EqualNodesAreOneObject) {
  ExprPool pool;
  const Expr* const x = pool.parameter("x", f32({4}));
  EXPECT_EQ(x, pool.parameter("x", f32({4})));
  EXPECT_EQ(pool.op(get_op("neg"), {x}), pool.op(get_op("neg"), {x}));
  EXPECT_EQ(pool.weight("w", f32({4})), pool.weight("w", f32({4})));
  EXPECT_EQ(pool.scalar(std::numeric_limits<double>::quiet_NaN(), DType::kF32),
            pool.scalar(std::numeric_limits<double>::quiet_NaN(), DType::kF32));
  EXPECT_EQ(pool.size(), 4U);
}

TEST(ExprPool, SymbolsAreComparedByTheirRange) {
  ExprPool pool;
  const auto symbol = [](std::int64_t max) { return std::make_shared<const Symbol>(Symbol{"seq", 1, max, 1}); };
  EXPECT_EQ(pool.parameter("x", f32({Dim(1, symbol(8))})), pool.parameter("x", f32({Dim(1, symbol(8))})));
  EXPECT_NE(pool.parameter("x", f32({Dim(1, symbol(8))})), pool.parameter("x", f32({Dim(1, symbol(9))})));
}

TEST(ExprPool, DifferentNodesAreDifferentObjects) {
  ExprPool pool;
  const Expr* const x = pool.parameter("x", f32({4, 4}));
  EXPECT_NE(x, pool.parameter("y", f32({4, 4})));
  EXPECT_NE(x, pool.parameter("x", f32({4, 5})));
  EXPECT_NE(x, pool.weight("x", f32({4, 4})));
  EXPECT_NE(pool.scalar(0.0, DType::kF32), pool.scalar(-0.0, DType::kF32));
  EXPECT_NE(pool.scalar(1, DType::kF32), pool.scalar(1, DType::kBF16));
  EXPECT_NE(pool.parameter("x", {DType::kF32, {4, 4}, {{{2, 0}}}, {}}), x);
}

TEST(ExprPool, AttributesAreIdentity) {
  ExprPool pool;
  const Expr* const x = pool.parameter("x", f32({2, 2}));
  const auto transpose = [&](std::vector<std::int64_t> perm) {
    return pool.op(get_op("transpose"), {x}, {{"perm", std::move(perm)}});
  };
  const auto pack = [&](std::int64_t lanes) {
    return pool.op(get_op("pack"), {x}, {{"layout", Layout{{{lanes, 0}}}}});
  };
  const auto cast = [&](DType dtype) { return pool.op(get_op("cast"), {x}, {{"dtype", dtype}}); };
  EXPECT_EQ(transpose({1, 0}), transpose({1, 0}));
  EXPECT_NE(transpose({1, 0}), transpose({0, 1}));
  EXPECT_EQ(pack(2), pack(2));
  EXPECT_NE(pack(2), pack(4));
  EXPECT_NE(cast(DType::kF16), cast(DType::kBF16));
}

TEST(ExprPool, CallsCarryTheCalleesResults) {
  Module module;
  ExprPool& pool = module.pool();
  const Expr* const x = pool.parameter("x", f32({4}));
  const Function* const f = module.add({"f", {x}, {x, pool.op(get_op("reduce_sum"), {x})}});
  const Expr* const call = pool.call(*f, {x});
  ASSERT_EQ(call->types.size(), 2U);
  EXPECT_EQ(pool.get(call, 1)->type(), f32({}));
  EXPECT_THROW((void)call->type(), std::logic_error);
  EXPECT_THROW(pool.get(call, 2), Error);
  EXPECT_THROW(pool.call(*f, {}), Error);
  EXPECT_THROW(pool.call(*f, {pool.parameter("y", f32({5}))}), Error);
  EXPECT_THROW(pool.op(get_op("neg"), {call}), Error);
}

TEST(ExprPool, GetOfASingleResultIsTheCall) {
  Module module;
  const Expr* const x = module.pool().parameter("x", f32({4}));
  const Function* const f = module.add({"f", {x}, {x}});
  const Expr* const call = module.pool().call(*f, {x});
  EXPECT_EQ(module.pool().get(call, 0), call);
}

TEST(ModuleTest, RefusesASecondRangeOrName) {
  Module module;
  const auto seq = module.symbol({"seq", 1, 8, 1});
  EXPECT_EQ(module.symbol({"seq", 1, 8, 1}), seq);
  EXPECT_THROW(module.symbol({"seq", 1, 9, 1}), Error);
  const Expr* const x = module.pool().parameter("x", f32({4}));
  module.add({"f", {x}, {x}});
  EXPECT_THROW(module.add({"f", {x}, {x}}), std::logic_error);
  EXPECT_THROW(module.add({"g", {x}, {}}), std::logic_error);
}

TEST(TopologicalOrder, ArgumentsComeFirstAndOnce) {
  Module module;
  ExprPool& pool = module.pool();
  const Expr* const x = pool.parameter("x", f32({4}));
  const Expr* last = x;
  for (int i = 0; i < 20000; ++i) last = pool.op(get_op("add"), {last, last});
  const Function* const f = module.add({"f", {x}, {last}});
  const std::vector<const Expr*> order = topological_order(*f);
  ASSERT_EQ(order.size(), 20001U);
  EXPECT_EQ(order.front(), x);
  EXPECT_EQ(order.back(), last);
}

TEST(TypeTest, TextAndSizes) {
  const auto seq = std::make_shared<const Symbol>(Symbol{"seq", 1, 100, 1});
  const TensorType packed{DType::kBF16, {100, 30}, {{{16, 0}, {2, 1}}}, {{{"core", Sbp::split(1)}}}};
  EXPECT_EQ(packed.text(), "bf16[100, 30]<16@0, 2@1> {core: S(1)}");
  EXPECT_EQ(max_physical_shape(packed), (std::vector<std::int64_t>{7, 15, 16, 2}));
  EXPECT_EQ(max_bytes(packed), 7 * 15 * 32 * 2);
  EXPECT_EQ(f32({Dim(3, seq), 2}).text(), "f32[3*seq, 2]");
  EXPECT_EQ(max_bytes(f32({Dim(3, seq), 2})), 3 * 100 * 2 * 4);
  EXPECT_EQ(f32({}).text(), "f32");
}

TEST(TypeTest, DistancesAreProductsOfSymbols) {
  const auto seq = std::make_shared<const Symbol>(Symbol{"seq", 2, 100, 2});
  const auto ctx = std::make_shared<const Symbol>(Symbol{"ctx", 64, 128, 64});
  const Dim distance = Dim(3, seq) * Dim(2, ctx);
  EXPECT_EQ(distance, Dim(2, ctx) * Dim(3, seq));
  EXPECT_FALSE(distance == Dim(6, ctx));
  EXPECT_FALSE(distance == Dim(6, seq) * Dim(1, seq));
  EXPECT_EQ(distance.text(), "6*ctx*seq");
  EXPECT_EQ(distance.min(), 6 * 2 * 64);
  EXPECT_EQ(distance.max(), 6 * 100 * 128);
  EXPECT_EQ(distance.multiple(), 6 * 2 * 64);
}

}  // namespace
}  // namespace strata::ir
