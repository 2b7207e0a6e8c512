// SPDX-License-Identifier: Apache-2.0
#include "ir/form_operands.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::ir {
namespace {

// "table 1, numbers 0"; "": the loops have no form that names operands.
std::string form(const std::string& declaration, const std::vector<std::string>& operands,
                 const std::vector<Shape>& shapes) {
  std::string text;
  for (const FormOperand& operand : form_operands(StructuredDeclaration(declaration, operands).apply("op", shapes))) {
    text += (text.empty() ? "" : ", ") + std::string(operand.name) + " " + std::to_string(operand.number);
  }
  return text;
}

TEST(FormOperands, AreFoundWhereverTheyStand) {
  EXPECT_EQ(form("y[m, n] = sum(k) w[n, k] * x[m, k]", {"w", "x"}, {{3, 4}, {5, 4}}), "left 1, right 0");
  EXPECT_EQ(form("y[s, j] = t[i[s], j]", {"i", "t"}, {{3}, {5, 4}}), "table 1, numbers 0");
  EXPECT_EQ(form("y[s, j] = x[s, i[s, j]]", {"i", "x"}, {{3, 2}, {3, 5}}), "row 1, numbers 0");
  EXPECT_EQ(form("c[h, p[s], i] = x[s, h, i]", {"p", "x", "c"}, {{3}, {3, 2, 4}, {2, 7, 4}}),
            "target 2, source 1, numbers 0");
  EXPECT_EQ(form("y[s, h, d] = softmax_sum(t <= p[s]) (sum(i) q[s, h, i] * k[h / g, t, i]), v[h / g, t, d]",
                 {"p", "v", "q", "k"}, {{3}, {2, 7, 4}, {3, 6, 4}, {2, 7, 4}}),
            "query 2, keys 3, values 1");
}

// Rows in pages of eight, whose numbers are read for all tokens or for each: an attention if keys and values lie alike.
TEST(FormOperands, OfAttentionsNameThePages) {
  const auto attention = [](const std::string& keys, const std::string& values, const Shape& pages) {
    return form("y[s, h, d] = softmax_sum(t <= p[s]) (sum(i) q[s, h, i] * k[h / g, " + keys + ", i]), v[h / g, " +
                    values + ", d]",
                {"g1", "p", "v", "q", "k"}, {pages, {3}, {2, 32, 4}, {3, 6, 4}, {2, 32, 4}});
  };
  const std::string shared = "8 * g1[t / 8] + t % 8", own = "8 * g1[s, t / 8] + t % 8";
  EXPECT_EQ(attention(shared, shared, {2}), "query 3, keys 4, values 2, pages 0");
  EXPECT_EQ(attention("t % 8 + 8 * g1[t / 8]", shared, {2}), "query 3, keys 4, values 2, pages 0");
  EXPECT_EQ(attention(own, own, {3, 2}), "query 3, keys 4, values 2, pages 0");
  EXPECT_EQ(attention(shared, "8 * g1[t / 8] + t % 4", {2}), "");
  EXPECT_EQ(attention("4 * g1[t / 8] + t % 8", "4 * g1[t / 8] + t % 8", {2}), "") << "pages that overlap";
  EXPECT_EQ(attention("8 * g1[t / 8] + t % 8 + 1", shared, {2}), "");
  EXPECT_EQ(attention("8 * g1[h, t / 8] + t % 8", "8 * g1[h, t / 8] + t % 8", {6, 2}), "") << "each head has its own";
}

// The right operand's smaller blocks have the scales, the larger ones what these are multiplied by.
TEST(FormOperands, OfBlocksAreNamedByTheirSize) {
  const Shape rows = {3, 16}, columns = {5, 16};
  EXPECT_EQ(form("y[m, n] = sum(k) s[n, k / 4] * w[n, k] * x[m, k]", {"s", "w", "x"}, {{5, 4}, columns, rows}),
            "left 2, right 1, scales 0");
  EXPECT_EQ(form("y[m, n] = sum(k) x[m, k] * w[n, k] * o[n, k / 8] * s[n, k / 4]", {"x", "w", "o", "s"},
                 {rows, columns, {5, 2}, {5, 4}}),
            "left 0, right 1, scales 3, outer 2");
  EXPECT_EQ(form("y[m, n] = sum(k) x[m, k] * w[n, k] * r[m, k / 4]", {"x", "w", "r"}, {rows, columns, {3, 4}}),
            "left 0, right 1, row_scales 2");
  EXPECT_EQ(form("y[m, n] = sum(k) x[m, k] * r[m, k / 4] * w[n, k] * s[n, k / 4] * o[n, k / 8]",
                 {"x", "r", "w", "s", "o"}, {rows, {3, 4}, columns, {5, 4}, {5, 2}}),
            "left 0, right 2, row_scales 1, scales 3, outer 4");
}

TEST(FormOperands, AreNoneOfLoopsThatLookLikeIt) {
  EXPECT_EQ(form("y[s, j] = t[j, i[s]]", {"i", "t"}, {{3}, {5, 4}}), "");
  EXPECT_EQ(form("y[s, j] = t[i[j], s]", {"i", "t"}, {{4}, {5, 3}}), "");
  EXPECT_EQ(form("y[s, j] = x[s, i[j, s]]", {"i", "x"}, {{2, 3}, {3, 5}}), "");
  EXPECT_EQ(form("y[s, j] = x[j, i[s, j]]", {"i", "x"}, {{3, 2}, {2, 5}}), "");
  EXPECT_EQ(form("y[s, j] = t[i[s] + 1, j]", {"i", "t"}, {{3}, {5, 4}}), "");
  EXPECT_EQ(form("y[s, j] = 2 * t[i[s], j]", {"i", "t"}, {{3}, {5, 4}}), "");
  EXPECT_EQ(form("c[h, p[s], i] = x[h, s, i]", {"p", "x", "c"}, {{3}, {2, 3, 4}, {2, 7, 4}}), "");
  EXPECT_EQ(form("c[h, p[h], i] = x[h, i]", {"p", "x", "c"}, {{2}, {2, 4}, {2, 7, 4}}), "");
  EXPECT_EQ(form("y[s, j] = a[s, j] + b[j]", {"a", "b"}, {{3, 4}, {4}}), "");
}

}  // namespace
}  // namespace strata::ir
