// SPDX-License-Identifier: Apache-2.0
#include "shrink.h"

#include <gtest/gtest.h>

#include <set>

#include "ir/by_number.h"
#include "ir/group_op.h"
#include "random_graph.h"

namespace strata::compile {
namespace {

// Fails for modules whose text has this part.
FailureTest contains(const std::string& part) {
  return [part](const std::vector<std::string>& texts) {
    std::vector<bool> failing;
    for (const std::string& text : texts) failing.push_back(text.find(part) != std::string::npos);
    return failing;
  };
}

// Values that ops compute, in all functions.
std::size_t op_count(const std::string& text) {
  const ir::Module module = ir::parse_module(text, "test");
  std::size_t ops = 0;
  for (const auto& function : module.functions()) {
    for (const ir::Expr* value : ir::topological_order(*function)) ops += value->kind == ir::Expr::Kind::kOp;
  }
  return ops;
}

TEST(Shrink, LeavesTheOneOpThatFails) {
  ops::register_all();
  for (const std::string op : {"softmax(", "concat(", "attention(", "batch_matmul(", "rope("}) {
    int shrunk = 0;
    for (std::uint64_t seed = 1; seed < 2000 && shrunk < 3; ++seed) {
      const std::string text = RandomGraph(seed).write();
      const bool has_dead_code =
          text.find("func @layer") != std::string::npos && text.find("call @layer") == std::string::npos;
      if (text.find(op) == std::string::npos || op_count(text) < 4 || has_dead_code) continue;
      const std::string smallest = shrink(text, contains(op));
      EXPECT_EQ(op_count(smallest), 1u) << op << " seed " << seed << "\n" << text << smallest;
      EXPECT_NE(smallest.find(op), std::string::npos);
      EXPECT_EQ(smallest.find("call"), std::string::npos) << smallest;
      ++shrunk;
    }
    EXPECT_EQ(shrunk, 3) << "no graphs with " << op;
  }
}

TEST(Shrink, MakesSizesAndRangesSmall) {
  ops::register_all();
  const std::string text =
      "module test {\n  symbol seq in 1..33\n  func @main(%x: f32[seq, 31]) {\n    %0 = softmax(%x) : f32[seq, 31]\n"
      "    return %0\n  }\n}\n";
  EXPECT_NE(shrink(text, contains("softmax")).find("(%x: f32[1, 1])"), std::string::npos);
}

// A failure that needs two ops keeps both.
TEST(Shrink, KeepsWhatTheFailureNeeds) {
  ops::register_all();
  const FailureTest fails = [](const std::vector<std::string>& texts) {
    std::vector<bool> failing;
    for (const std::string& text : texts) {
      failing.push_back(text.find("softmax(") != std::string::npos && text.find("tanh(") != std::string::npos);
    }
    return failing;
  };
  for (std::uint64_t seed = 1; seed < 500; ++seed) {
    const std::string text = RandomGraph(seed).write();
    if (!fails({text})[0]) continue;
    const std::string smallest = shrink(text, fails);
    EXPECT_TRUE(fails({smallest})[0]);
    EXPECT_LE(op_count(smallest), 4u) << smallest;
    return;
  }
  FAIL() << "no graph has both ops";
}

TEST(Shrink, GraphsReachEveryOp) {
  ops::register_all();
  // Of experts end-to-end tests compare whole models.
  const std::set<std::string> of_experts = {"largest_k", "take", "weighted_sum", "routed_matmul_nt",
                                            "routed_rows_matmul_nt"};
  std::string all;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) all += RandomGraph(seed).write();
  for (const ir::Op* op : ir::all_ops()) {
    if (op->name().starts_with("own_") || ir::group_op(*op) != nullptr) continue;  // of other tests
    if (of_experts.contains(op->name()) || ir::by_number(*op) != nullptr) continue;
    if (op->name().find("paged_") != std::string::npos) continue;  // paged_attention_test.cpp
    // Where a last place of a row changes a code differs: of rows in codes another test.
    if (op->roundoff() > 0 || op->name().find("_rows_") != std::string::npos) continue;
    EXPECT_NE(all.find("= " + op->name() + "("), std::string::npos) << op->name() << " is never generated";
  }
}

}  // namespace
}  // namespace strata::compile
