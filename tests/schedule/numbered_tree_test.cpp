// SPDX-License-Identifier: Apache-2.0
// Products by number: their trees, and what the verifier says of others.
#include "schedule/numbered_tree.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "ir/text.h"
#include "ops/register.h"
#include "schedule/verify.h"
#include "tests/schedule/schedule_testing.h"

namespace strata::schedule {
namespace {

// 8 matrices of 96 x 256, of which each of the tokens chooses 2.
struct Product {
  ir::Module module;
  ScheduledOp op;

  explicit Product(const std::string& tokens, const std::string& type = "f32")
      : module(ir::parse_module("module m {\n  symbol seq in 1..512\n  func @f(%x: f32[" + tokens + ", 256], %i: i32[" +
                                    tokens + ", 2]) {\n    %0 = weight \"w\" : " + type +
                                    "[768, 256]<16@0>\n    %1 = matmul_nt_by_number(%x, %0, %i) {matrices = 8} : f32[" +
                                    tokens + ", 2, 96]\n    return %1\n  }\n}\n",
                                "test")) {
    auto scheduled = default_schedule(module, zen5());
    op = std::move(scheduled[0].ops.back());
  }

  std::string text() const { return to_text(op.tree, zen5()); }

  std::string verdict(const std::string& tree) {
    op.tree.body = parse_tile_tree(tree, "test", op.tree, zen5());
    try {
      verify(op, zen5());
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " in " << text;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

class NumberedTree : public testing::Test {
 protected:
  static void SetUpTestSuite() { ops::register_all(); }
};

TEST_F(NumberedTree, AFewRowsAreMultipliedOneByOne) {
  const std::string text = one_line(Product("1").text());
  EXPECT_TRUE(text.starts_with("parallel n by ")) << text;
  EXPECT_NE(
      text.find("buffer order: i32[10] in L1 buffer tile: f32[112] in L1 numbered i0 by 1 with order, tile { leaf "
                "stream panels "),
      std::string::npos)
      << text;
}

TEST_F(NumberedTree, RowsOfAMatrixComeTogetherInTiles) {
  const std::string text = one_line(Product("seq").text());
  EXPECT_NE(text.find("buffer order: i32[1032] in L1"), std::string::npos) << text;
  EXPECT_NE(text.find("numbered i0 by 96 with order, tile, taken, rows0 { serial i0 by "), std::string::npos) << text;
  EXPECT_NE(text.find("leaf tile panels "), std::string::npos) << text;
}

TEST_F(NumberedTree, TextIsReadBack) {
  for (const char* tokens : {"1", "seq"}) {
    for (const char* type : {"f32", "bf16"}) {
      Product product(tokens, type);
      const std::string text = product.text();
      EXPECT_EQ(product.verdict(text), "") << text;
      EXPECT_EQ(product.text(), text);
    }
  }
}

TEST_F(NumberedTree, WrongTreesAreRefused) {
  Product many("seq");
  const std::string text = many.text();
  const auto expect = [&](const std::string& what, const std::string& tree) {
    const std::string verdict = many.verdict(tree);
    EXPECT_NE(verdict.find(what), std::string::npos) << verdict << "\n" << tree;
  };
  expect("no buffer to work in", replaced(text, " with order, tile, taken, rows0", ""));
  expect("does not hold", replaced(text, "i32[1032]", "i32[1031]"));
  expect("does not hold", replaced(text, "order: i32", "order: f32"));
  expect("another number of rows", replaced(text, "numbered i0 by 96", "numbered i0 by 48"));
  expect("are no rows", replaced(text, "numbered i0 by 96", "numbered k by 96"));
  expect("no leaf computes it", "parallel n by 16 { }");
  expect("all threads would multiply", "numbered i0 by 96 { }");
}

}  // namespace
}  // namespace strata::schedule
