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

}  // namespace
}  // namespace strata::ir
