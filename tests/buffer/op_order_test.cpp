// SPDX-License-Identifier: Apache-2.0
#include "buffer/op_order.h"

#include <gtest/gtest.h>

#include "buffer/barriers.h"
#include "ir/text.h"
#include "machine/machine.h"
#include "ops/register.h"

namespace strata::buffer {
namespace {

struct Reordered {
  ir::Module module;
  machine::Machine machine = machine::load("avx512-zen5");
  std::vector<schedule::ScheduledFunction> functions;
  std::map<const ir::Function*, FunctionPlan> apart;

  explicit Reordered(const std::string& text)
      : module((ops::register_all(), ir::parse_module("module m {\n  symbol ctx in 1..512\n" + text + "}\n", "test"))),
        functions(schedule::default_schedule(module, machine)) {
    for (const auto& function : functions) apart[function.function] = plan_apart(function, apart);
  }

  schedule::ScheduledFunction& last() { return functions.back(); }

  int barriers() { return barriers_of(last(), plan_apart(last(), apart)); }

  void reorder() {
    const auto order = order_of_few_barriers(last(), apart.at(last().function));
    cost::FunctionTraffic traffic;
    for (const auto& function : functions) {
      traffic[function.function] = cost::ProgramOrder(*function.function, traffic).total();
    }
    schedule::reorder(last(), order, traffic, machine, 1);
  }

  // The last function's values that are no views.
  std::string order() {
    const auto names = ir::value_names(*last().function);
    std::string text;
    for (const auto& op : last().ops) {
      if (!op.is_view()) text += (text.empty() ? "" : " ") + names.at(op.value);
    }
    return text;
  }
};

// Two products of one operand, each followed by a norm of its rows.
constexpr const char* kBothProducts = R"(  func @f(%x: f32[1, 1024], %v: f32[64]) {
    %0 = weight "a" : f32[2048, 1024]<16@0>
    %1 = matmul_nt(%x, %0) : f32[1, 2048]
    %2 = reshape(%1) {shape = [32, 64]} : f32[32, 64]
    %3 = rms_norm(%2, %v) {eps = 1e-06} : f32[32, 64]
    %4 = weight "b" : f32[2048, 1024]<16@0>
    %5 = matmul_nt(%x, %4) : f32[1, 2048]
    %6 = reshape(%5) {shape = [32, 64]} : f32[32, 64]
    %7 = rms_norm(%6, %v) {eps = 1e-06} : f32[32, 64]
    return %3, %7
  }
)";

TEST(OpOrder, PutsWhatWaitsForNothingBetweenTheSameBarriers) {
  Reordered planned(kBothProducts);
  EXPECT_EQ(planned.order(), "%1 %3 %5 %7");
  EXPECT_EQ(planned.barriers(), 3) << "before %3, before %7, at the end";
  planned.reorder();
  EXPECT_EQ(planned.order(), "%1 %5 %3 %7");
  EXPECT_EQ(planned.barriers(), 2);
  EXPECT_NO_THROW(verify_barriers(
      [&] {
        auto placed = planned.last();
        place_barriers(placed, planned.apart.at(placed.function));
        return placed;
      }(),
      planned.apart.at(planned.last().function)));
}

// exp reads what the update writes, and nothing else keeps them in order.
TEST(OpOrder, KeepsAReaderBeforeWhatOverwritesItsOperand) {
  Reordered planned(R"(  func @f(%x: f32[1, 1024], %cache: f32[8, 512, 64], %new: f32[1, 8, 64], %positions: i32[1]) {
    %0 = weight "a" : f32[512, 1024]<16@0>
    %1 = matmul_nt(%x, %0) : f32[1, 512]
    %2 = reshape(%1) {shape = [8, 1, 64]} : f32[8, 1, 64]
    %3 = slice(%cache) {axis = 1, begin = 0, end = 1} : f32[8, 1, 64]
    %4 = add(%2, %3) : f32[8, 1, 64]
    %5 = cache_append(%cache, %new, %positions) : f32[8, 512, 64]
    return %4, %5
  }
)");
  const std::string before = planned.order();
  planned.reorder();
  const std::string order = planned.order();
  EXPECT_LT(order.find("%4"), order.find("%5")) << before << " became " << order;
}

TEST(OpOrder, LeavesCallsWhereTheyAre) {
  Reordered planned(R"(  func @g(%x: f32[1, 64]) {
    %0 = exp(%x) : f32[1, 64]
    return %0
  }
  func @f(%x: f32[1, 1024]) {
    %0 = weight "a" : f32[64, 1024]<16@0>
    %1 = matmul_nt(%x, %0) : f32[1, 64]
    %2 = call @g(%1) : f32[1, 64]
    %3 = weight "b" : f32[64, 1024]<16@0>
    %4 = matmul_nt(%x, %3) : f32[1, 64]
    %5 = add(%2, %4) : f32[1, 64]
    return %5
  }
)");
  planned.reorder();
  EXPECT_EQ(planned.order(), "%1 %2 %4 %5");
}

}  // namespace
}  // namespace strata::buffer
