// SPDX-License-Identifier: Apache-2.0
#include "ir/contraction.h"

#include <gtest/gtest.h>

namespace strata::ir {
namespace {

// Classes by iterator, "m n k"; "" for loops that are no contraction.
std::string classes(const std::string& declaration, const std::vector<Shape>& shapes) {
  const auto found = contraction(StructuredDeclaration(declaration, {"a", "b"}).apply("test", shapes));
  if (!found) return "";
  std::string text = std::to_string(found->left);
  for (const IteratorClass of : found->classes) text += " " + std::string(1, "bmnk"[static_cast<int>(of)]);
  return text;
}

TEST(Contraction, IteratorsAreClassifiedByTheirAccesses) {
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, k] * b[n, k]", {{2, 4}, {3, 4}}), "0 m n k");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[k, m] * b[k, n]", {{4, 2}, {4, 3}}), "0 m n k");
  EXPECT_EQ(classes("c[h, m, n] = sum(k) a[h, m, k] * b[h, n, k]", {{5, 2, 4}, {5, 3, 4}}), "0 b m n k");
}

// The right operand is the one that the result's last axis runs along, in whatever order they are written.
TEST(Contraction, TheRightOperandHasTheLastAxis) {
  EXPECT_EQ(classes("c[m, n] = sum(k) b[n, k] * a[m, k]", {{2, 4}, {3, 4}}), "0 m n k");
  EXPECT_EQ(classes("c[n, m] = sum(k) a[m, k] * b[n, k]", {{2, 4}, {3, 4}}), "1 m n k");
}

TEST(Contraction, OtherLoopsAreNone) {
  EXPECT_EQ(classes("c[m, n] = a[m, n] * b[m, n]", {{2, 4}, {2, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = max(k) a[m, k] * b[n, k]", {{2, 4}, {3, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, k] + b[n, k]", {{2, 4}, {3, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, 2 * k] * b[n, k]", {{2, 8}, {3, 4}}), "");
  EXPECT_EQ(classes("c[m] = sum(k) a[m, k] * b[k, k]", {{2, 4}, {4, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, k] * a[n, k]", {{2, 4}, {3, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, k / 2] * b[n, k]", {{2, 2}, {3, 4}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k) a[m, k] * b[n, k / 2]", {{2, 4}, {3, 2}}), "");
  EXPECT_EQ(classes("c[m, n] = sum(k, j) a[m, k] * b[n, j]", {{2, 4}, {3, 4}}), "");
}

// A matrix of two row axes has none that is the only one.
TEST(Contraction, OnlyOneOfAClassIsTheOnlyOne) {
  const std::vector<Shape> shapes = {{2, 5, 4}, {3, 4}};
  const auto found =
      contraction(StructuredDeclaration("c[m, l, n] = sum(k) a[m, l, k] * b[n, k]", {"a", "b"}).apply("test", shapes));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->only(IteratorClass::kM), std::nullopt);
  EXPECT_EQ(found->only(IteratorClass::kBatch), std::nullopt);
  EXPECT_EQ(found->only(IteratorClass::kN), 2);
  EXPECT_EQ(found->only(IteratorClass::kK), 3);
}

// "left 3/8 [0 3]; right 2/4 [2 3]": whose each factor is, its operand, its block and its axes' iterators; "none".
std::string factors(const std::string& declaration, const std::vector<std::string>& operands,
                    const std::vector<Shape>& shapes) {
  const auto found = contraction(StructuredDeclaration(declaration, operands).apply("test", shapes));
  if (!found) return "none";
  std::string text;
  for (const BlockFactor& factor : found->factors) {
    text += std::string(text.empty() ? "" : "; ") + (factor.is_left ? "left " : "right ") +
            std::to_string(factor.operand) + "/" + std::to_string(factor.block) + " [";
    for (const int axis : factor.axes) text += (text.ends_with("[") ? "" : " ") + std::to_string(axis);
    text += "]";
  }
  return text;
}

TEST(Contraction, FactorsOfBlocksBelongToAnOperand) {
  const std::vector<std::string> names = {"a", "b", "s"};
  EXPECT_EQ(factors("c[m, n] = sum(k) a[m, k] * b[n, k]", {"a", "b"}, {{2, 8}, {3, 8}}), "");
  EXPECT_EQ(factors("c[m, n] = sum(k) a[m, k] * b[n, k] * s[n, k / 4]", names, {{2, 8}, {3, 8}, {3, 2}}),
            "right 2/4 [1 2]");
  EXPECT_EQ(factors("c[m, n] = sum(k) a[m, k] * b[n, k] * s[m, k / 4]", names, {{2, 8}, {3, 8}, {2, 2}}),
            "left 2/4 [0 2]");
  EXPECT_EQ(factors("c[m, n] = sum(k) s[n, k / 4] * b[n, k] * a[m, k]", names, {{2, 8}, {3, 8}, {3, 2}}),
            "right 2/4 [1 2]");
  EXPECT_EQ(factors("c[l, m, n] = sum(k) a[l, m, k] * b[n, k] * s[l, m, k / 4]", names, {{5, 2, 8}, {3, 8}, {5, 2, 2}}),
            "left 2/4 [0 1 3]");
  EXPECT_EQ(factors("c[n, m] = sum(k) a[m, k] * b[n, k] * s[m, k / 4]", names, {{2, 8}, {3, 8}, {2, 2}}),
            "right 2/4 [1 2]")
      << "the result's last axis is that of a";
}

// The smallest blocks first, in whatever order they are written.
TEST(Contraction, FactorsAreInTheOrderOfTheirBlocks) {
  const std::vector<std::string> names = {"a", "b", "t", "r", "s"};
  const std::vector<Shape> shapes = {{2, 24}, {3, 24}, {3, 2}, {2, 6}, {3, 6}};
  const char* const kInOrder = "left 3/4 [0 2]; right 4/4 [1 2]; right 2/12 [1 2]";
  EXPECT_EQ(factors("c[m, n] = sum(k) a[m, k] * b[n, k] * r[m, k / 4] * s[n, k / 4] * t[n, k / 12]", names, shapes),
            kInOrder);
  EXPECT_EQ(factors("c[m, n] = sum(k) t[n, k / 12] * a[m, k] * (s[n, k / 4] * (r[m, k / 4] * b[n, k]))", names, shapes),
            kInOrder);
}

TEST(Contraction, WhatIsCutAlongKIsMultipleOfAllBlocks) {
  const auto block = [](const std::string& body, const std::vector<Shape>& shapes) {
    const std::vector<std::string> names = {"a", "b", "s", "t"};
    const std::vector<std::string> used(names.begin(), names.begin() + std::ssize(shapes));
    return contraction(StructuredDeclaration("c[m, n] = sum(k) " + body, used).apply("test", shapes))->block();
  };
  EXPECT_EQ(block("a[m, k] * b[n, k]", {{2, 24}, {3, 24}}), 1);
  EXPECT_EQ(block("a[m, k] * b[n, k] * s[n, k / 8]", {{2, 24}, {3, 24}, {3, 3}}), 8);
  EXPECT_EQ(block("a[m, k] * b[n, k] * s[n, k / 8] * t[m, k / 12]", {{2, 24}, {3, 24}, {3, 3}, {2, 2}}), 24);
}

TEST(Contraction, OtherFactorsAreNone) {
  const auto found = [](const std::string& factor, const Shape& shape, const std::string& more = "") {
    return factors("c[m, n] = sum(k) a[m, k] * b[n, k] * " + factor + more, {"a", "b", "s"}, {{4, 8}, {6, 8}, shape});
  };
  EXPECT_EQ(found("s[n, k / 4]", {6, 2}), "right 2/4 [1 2]");
  EXPECT_EQ(found("s[k / 4, n / 2]", {2, 3}), "none") << "a quotient of n";
  EXPECT_EQ(found("s[m / 2, k / 4]", {2, 2}), "none");
  EXPECT_EQ(found("s[k / 4, n]", {2, 6}), "none") << "blocks that aren't the last axis";
  EXPECT_EQ(found("s[n, k % 4]", {6, 4}), "none") << "neighbours along k share nothing";
  EXPECT_EQ(found("s[m, n, k / 4]", {4, 6, 2}), "none") << "of both operands";
  EXPECT_EQ(found("s[k / 4]", {2}), "none") << "of none of them";
  EXPECT_EQ(found("s[n, n, k / 4]", {6, 6, 2}), "none");
  EXPECT_EQ(found("s[n, k]", {6, 8}), "none") << "three operands of all k";
  EXPECT_EQ(found("s[m, n]", {4, 6}), "none");
  EXPECT_EQ(found("s[n, k / 4]", {6, 2}, " * s[n, k / 4]"), "none") << "one operand twice";
  EXPECT_EQ(found("s[n, k / 4]", {6, 2}, " + 1"), "none");
  EXPECT_EQ(factors("c[m, n] = sum(k) a[m, k] * b[n, k] + s[n, k / 4]", {"a", "b", "s"}, {{4, 8}, {6, 8}, {6, 2}}),
            "none");
  EXPECT_EQ(factors("c[h, m, n] = sum(k) a[h, m, k] * b[h, n, k] * s[h, n, m / 2]", {"a", "b", "s"},
                    {{5, 4, 8}, {5, 6, 8}, {5, 6, 2}}),
            "none")
      << "m is not summed";
}

}  // namespace
}  // namespace strata::ir
