// SPDX-License-Identifier: Apache-2.0
#include "ir/structured.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ir/scalar.h"

namespace strata::ir {
namespace {

std::string error_of(const StructuredDeclaration& declaration, const std::vector<Shape>& shapes) {
  try {
    (void)declaration.apply("test_op", shapes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The footprint of the accesses to one operand of the last stage.
std::vector<IndexRange> tile_of(const LoopNest& nest, int operand, const std::vector<IndexRange>& tile, int which = 0) {
  for (const ScalarExpr* access : operand_accesses(nest.result().body)) {
    if (access->number == operand && which-- == 0) return footprint(access->index, tile);
  }
  ADD_FAILURE() << "no such access";
  return {};
}

void expect_range(const IndexRange& range, std::int64_t min, std::int64_t max) {
  EXPECT_EQ(range.min, min);
  EXPECT_EQ(range.max, max);
}

TEST(Declaration, MatmulSolvesItsExtents) {
  const StructuredDeclaration matmul("c[..., n] = sum(k) a[..., k] * b[k, n]", {"a", "b"});
  const LoopNest nest = matmul.apply("matmul", {{3, 5, 7}, {7, 11}});
  EXPECT_EQ(nest.result_shape(), (Shape{3, 5, 11}));
  ASSERT_EQ(nest.iterators.size(), 4U);
  EXPECT_EQ(nest.iterators[3].name, "k");
  EXPECT_EQ(nest.iterators[3].extent, Dim(7));
  EXPECT_EQ(nest.result().reduced, (std::vector<int>{3}));
  EXPECT_EQ(nest.result().combiner, Combiner::kSum);
}

TEST(Declaration, SymbolicExtentsPassThrough) {
  const auto seq = std::make_shared<const Symbol>(Symbol{"seq", 1, 512, 1});
  const StructuredDeclaration matmul("c[..., n] = sum(k) a[..., k] * b[n, k]", {"a", "b"});
  EXPECT_EQ(matmul.apply("m", {{Dim(1, seq), 8}, {4, 8}}).result_shape(), (Shape{Dim(1, seq), 4}));
  EXPECT_NE(
      error_of(matmul, {{8, Dim(1, seq)}, {4, 8}}).find("axis 1 of operand b is 8, but axis 1 of operand a is seq"),
      std::string::npos);
}

TEST(Declaration, BroadcastsAsNumPy) {
  const StructuredDeclaration add("y[...] = a[...] + b[...]", {"a", "b"});
  EXPECT_EQ(add.apply("add", {{4, 1, 3}, {5, 1}}).result_shape(), (Shape{4, 5, 3}));
  EXPECT_EQ(add.apply("add", {{}, {2, 3}}).result_shape(), (Shape{2, 3}));
  const LoopNest nest = add.apply("add", {{4, 1, 3}, {5, 1}});
  const std::vector<IndexRange> all = {{0, 3}, {0, 4}, {0, 2}};
  const std::vector<IndexRange> a = tile_of(nest, 0, all);
  expect_range(a[0], 0, 3);
  expect_range(a[1], 0, 0);
  expect_range(a[2], 0, 2);
  EXPECT_NE(error_of(add, {{4, 3}, {2, 3}}).find("axis 0 of operand b is 2, but axis 0 of operand a is 4"),
            std::string::npos);
}

TEST(Declaration, NamedAxesDoNotBroadcast) {
  const StructuredDeclaration scale("y[..., k] = x[..., k] * w[k]", {"x", "w"});
  EXPECT_NE(error_of(scale, {{2, 4}, {1}}).find("axis 0 of operand w is 1"), std::string::npos);
}

TEST(Declaration, NamesAnOperandOfTheWrongRank) {
  const StructuredDeclaration matmul("c[..., n] = sum(k) a[..., k] * b[k, n]", {"a", "b"});
  EXPECT_NE(error_of(matmul, {{}, {2, 3}}).find("operand a has 0 axes; it takes at least 1"), std::string::npos);
  EXPECT_NE(error_of(matmul, {{2}, {2, 3, 4}}).find("operand b has 3 axes; it takes 2"), std::string::npos);
}

TEST(Declaration, ChecksTheRangeOfAffineIndices) {
  const StructuredDeclaration swap("y[p] = x[p] + x[1 - p]", {"x"});
  EXPECT_EQ(swap.apply("swap", {{2}}).result_shape(), (Shape{2}));
  EXPECT_NE(error_of(swap, {{3}}).find("indices -1..1 of axis 0 of operand x (3)"), std::string::npos);
  EXPECT_EQ(error_of(swap, {{1}}).find("no error"), std::string::npos);
}

TEST(Declaration, SolvesIteratorsThatOccurInSumsOnly) {
  const StructuredDeclaration convolution("y[i] = sum(j) x[i + j] * w[j]", {"x", "w"});
  EXPECT_EQ(convolution.apply("conv", {{10}, {3}}).result_shape(), (Shape{8}));
  const StructuredDeclaration strided("y[i] = sum(j) x[2*i + j] * w[j]", {"x", "w"});
  EXPECT_EQ(strided.apply("conv", {{11}, {3}}).result_shape(), (Shape{5}));
  EXPECT_NE(error_of(convolution, {{2}, {3}}).find("too small"), std::string::npos);
}

TEST(Declaration, IsRefusedWhenItIsWrong) {
  const auto bad = [](const char* text) {
    EXPECT_THROW(StructuredDeclaration(text, {"a", "b"}), std::logic_error) << text;
  };
  bad("");
  bad("y[i] = a[i");
  bad("y[i] = a[i] +");
  bad("y[i] = c[i]");
  bad("y[i] = a[j]");                      // an index that is no iterator
  bad("y[i] = sum(i) a[i]");               // both reduced and kept
  bad("y[i] = a[...]");                    // `...` not in the target
  bad("y[i] = wobble(a[i])");              // no such function
  bad("y[i] = exp(a[i], b[i])");           // arity
  bad("s[i] = a[i]; y[j] = s[j] * b[j]");  // a stage indexed otherwise than defined
  bad("y[i] = a[i] * extent(z)");
  bad("a[i] = b[i]; y[i] = a[i]");  // only the result may be an operand
  bad("y[i] = a[i]; y[i] = b[i]");  // written twice
  bad("y[2*i] = a[i]; z[i] = b[i]");
  bad("y[i] = sum(j) sum(j) a[j] * b[i]");  // reduced twice
  bad("y[i] = softmax_sum(t) a[t]");        // two inputs
  bad("y[i] = c[b[i]]");
  bad("y[i] = a[w[i]]");  // an index read from what is no operand
  bad("y[i] = a[i / 0]");
  bad("y[i < b[j]] = a[i]");
  bad("y[i] = a[i] b[i]");
}

TEST(Declaration, DistinguishesCombinersFromCalls) {
  const StructuredDeclaration reduce("y[] = max(k) a[k]", {"a"});
  EXPECT_EQ(reduce.apply("r", {{4}}).result().combiner, Combiner::kMax);
  const StructuredDeclaration call("y[k] = max(a[k], limit)", {"a"});
  EXPECT_EQ(call.apply("c", {{4}}).result().combiner, Combiner::kNone);
  EXPECT_EQ(call.attributes(), (std::vector<std::string>{"limit"}));
}

TEST(Declaration, SizesDivideIterators) {
  const StructuredDeclaration grouped("y[h, k] = x[h, k] * w[h / group, k]", {"x", "w"});
  const LoopNest nest = grouped.apply("grouped", {{6, 4}, {3, 4}});
  const ScalarExpr* access = operand_accesses(nest.result().body)[1];
  ASSERT_EQ(access->index[0].terms.size(), 1U);
  EXPECT_EQ(access->index[0].terms[0].divisor, 2);
  EXPECT_TRUE(is_plain(nest));
  EXPECT_FALSE(is_affine(access->index[0]));
  EXPECT_TRUE(depends_on(access->index[0], 0));
  EXPECT_FALSE(depends_on(access->index[0], 1));
  EXPECT_NE(
      error_of(grouped, {{6, 4}, {4, 4}}).find("axis 0 of operand x is 6, which is no multiple of the 4 of axis 0"),
      std::string::npos);
  const StructuredDeclaration twice("y[h] = a[h] * b[h / g] * c[h / g]", {"a", "b", "c"});
  EXPECT_NE(error_of(twice, {{8}, {4}, {2}}).find("axis 0 of operand c is 2, but axis 0 of operand b is 4"),
            std::string::npos);
}

TEST(Declaration, QuotientsAndRemaindersHaveRanges) {
  const StructuredDeclaration blocks("y[t, j] = x[t / 16, t % 16] * w[t, j]", {"x", "w"});
  EXPECT_EQ(blocks.apply("blocks", {{2, 16}, {32, 3}}).result_shape(), (Shape{32, 3}));
  EXPECT_NE(error_of(blocks, {{2, 16}, {33, 3}}).find("indices 0..2 of axis 0 of operand x (2)"), std::string::npos);
  EXPECT_NE(error_of(blocks, {{2, 15}, {32, 3}}).find("indices 0..15 of axis 1 of operand x (15)"), std::string::npos);
}

TEST(Declaration, PlacesMakeTheResultsShape) {
  const StructuredDeclaration joined("y[i, j] = a[i, j]; y[extent(i) + k, j] = b[k, j]", {"a", "b"});
  EXPECT_EQ(joined.apply("joined", {{2, 3}, {4, 3}}).result_shape(), (Shape{6, 3}));
  const StructuredDeclaration update("cache[h, p[s], i] = x[s, h, i]", {"cache", "x", "p"});
  const LoopNest nest = update.apply("update", {{2, 9, 3}, {4, 2, 3}, {4}});
  EXPECT_EQ(nest.updated, 0);
  EXPECT_EQ(nest.result_shape(), (Shape{2, 9, 3}));
  EXPECT_EQ(index_operands(nest), (std::set<int>{2}));
  EXPECT_EQ(update.updated(), 0);
  EXPECT_NE(error_of(update, {{2, 9, 3}, {4, 3, 3}, {4}}).find("axis 1 of operand x is 3"), std::string::npos);
}

TEST(Declaration, OnlyPlainLoopsArePlain) {
  const auto plain = [](const char* text, const std::vector<Shape>& shapes) {
    return is_plain(StructuredDeclaration(text, {"a", "b"}).apply("test", shapes));
  };
  EXPECT_TRUE(plain("s[...] = sum(k) a[..., k]; y[..., k] = a[..., k] / s[...] + b[k]", {{2, 3}, {3}}));
  EXPECT_FALSE(plain("s[i] = a[i]; y[j] = sum(i) s[i] * b[j]", {{2}, {3}}));
  EXPECT_FALSE(plain("y[i] = a[b[i]]", {{2}, {3}}));
  EXPECT_FALSE(plain("y[i] = sum(k <= b[i]) a[k]", {{2}, {3}}));
  EXPECT_FALSE(plain("y[i] = 2 * sum(k) a[i, k] * b[k]", {{2, 3}, {3}}));
  EXPECT_FALSE(plain("a[b[i]] = b[i]", {{2}, {3}}));
}

TEST(Footprint, OfAMatmulTile) {
  const StructuredDeclaration matmul("c[m, n] = sum(k) a[m, k] * b[k, n]", {"a", "b"});
  const LoopNest nest = matmul.apply("matmul", {{64, 32}, {32, 48}});
  const std::vector<IndexRange> tile = {{8, 15}, {16, 31}, {0, 3}};  // m, n, k
  expect_range(tile_of(nest, 0, tile)[0], 8, 15);
  expect_range(tile_of(nest, 0, tile)[1], 0, 3);
  expect_range(tile_of(nest, 1, tile)[0], 0, 3);
  EXPECT_EQ(tile_of(nest, 1, tile)[1].extent(), 16);
}

TEST(Footprint, OfAReversedIndexAndAConvolution) {
  const StructuredDeclaration swap("y[p] = x[p] + x[1 - p]", {"x"});
  expect_range(tile_of(swap.apply("swap", {{2}}), 0, {{0, 0}}, 1)[0], 1, 1);
  const StructuredDeclaration convolution("y[i] = sum(j) x[i + j] * w[j]", {"x", "w"});
  const LoopNest nest = convolution.apply("conv", {{100}, {5}});
  expect_range(tile_of(nest, 0, {{10, 19}, {0, 4}})[0], 10, 23);
}

double evaluated(std::string_view function, double a, double b = 0, double c = 0) {
  return evaluate_scalar(*find_scalar_function(function), a, b, c);
}

TEST(Scalar, FunctionsAndArity) {
  EXPECT_EQ(evaluated("sub", 5, 3), 2);
  EXPECT_EQ(evaluated("rsqrt", 4), 0.5);
  EXPECT_EQ(evaluated("select", 1, 2, 3), 2);
  EXPECT_EQ(evaluated("lt", 1, 2), 1);
  EXPECT_DOUBLE_EQ(evaluated("sigmoid", 2), 1 / (1 + std::exp(-2.0)));
  EXPECT_EQ(scalar_arity("erf"), 1);
  EXPECT_EQ(scalar_arity("wobble"), -1);
}

}  // namespace
}  // namespace strata::ir
