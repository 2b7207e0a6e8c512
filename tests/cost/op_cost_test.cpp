// SPDX-License-Identifier: Apache-2.0
#include "cost/op_cost.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/register.h"

namespace strata::cost {
namespace {

const machine::Machine& zen4() {
  static const machine::Machine kMachine = machine::load("avx512-zen4");
  return kMachine;
}

// The last op of @f, its second operand being weights that stream from memory.
struct OneOp {
  OneOp(const std::string& parameters, const std::string& op) {
    ops::register_all();
    module = ir::parse_module("module m {\n  symbol seq in 1..512\n  func @f(" + parameters + ") {\n    %0 = " + op +
                                  "\n    return %0\n  }\n}\n",
                              "test");
    value = module.functions()[0]->results[0];
    for (const ir::Expr* argument : value->arguments) {
      operands.push_back({argument->type(), operands.size() == 1 ? Residence::kStream : Residence::kActivation});
    }
  }

  ir::Module module;
  const ir::Expr* value = nullptr;
  std::vector<Operand> operands;
};

OpCost cost_of(const std::string& parameters, const std::string& op, const machine::Machine& machine = zen4(),
               int threads = 1, const Sizes& sizes = {}) {
  const OneOp one(parameters, op);
  return op_cost(*one.value->op, one.operands, one.value->attributes, one.value->type(), machine, {sizes, threads});
}

OpWork work_of(const std::string& parameters, const std::string& op, const Sizes& sizes = {}) {
  const OneOp one(parameters, op);
  return op_work(*one.value->op, one.operands, one.value->attributes, one.value->type(), sizes);
}

OpCost row(const std::string& weights, const machine::Machine& machine = zen4(), int threads = 1) {
  return cost_of("%a: f32[1, 4096], %b: " + weights, "matmul_nt(%a, %b) : f32[1, 4096]", machine, threads);
}

// Floor: the bytes of the weights over the bandwidth.
TEST(OpCost, OneRowWaitsForTheWeights) {
  const double bandwidth = zen4().memory.back().read_bytes_per_s.at(1);
  for (const auto& [type, bytes] : {std::pair{"f32[4096, 4096]<16@0>", 4.0}, {"f16[4096, 4096]<16@0>", 2.0}}) {
    const OpCost cost = row(type);
    const double floor = 4096.0 * 4096.0 * bytes / bandwidth;
    EXPECT_EQ(cost.bound, zen4().memory.back().name);
    EXPECT_GE(cost.seconds, floor);
    EXPECT_LE(cost.seconds, 1.2 * floor);
  }
}

TEST(OpCost, ThreadsShareTheOutermostLevelAsItWasMeasured) {
  machine::Machine machine = zen4();
  const double alone = row("f32[4096, 4096]<16@0>", machine, 1).seconds;
  const auto& rates = machine.memory.back().read_bytes_per_s;
  EXPECT_NEAR(alone / row("f32[4096, 4096]<16@0>", machine, 2).seconds, rates.at(2) / rates.at(1), 0.02);
}

OpCost tile(const machine::Machine& machine, const Sizes& sizes = {}) {
  return cost_of("%a: f32[seq, 4096]<6@0>, %b: f32[4096, 4096]<16@0>", "matmul_nt(%a, %b) : f32[seq, 4096]", machine, 1,
                 sizes);
}

TEST(OpCost, ManyRowsWaitForTheUnit) {
  machine::Machine machine = zen4();
  const OpCost before = tile(machine);
  EXPECT_EQ(before.bound, "f32-fma");
  for (machine::Unit& unit : machine.units) unit.ops_per_s *= 0.5;
  EXPECT_NEAR(tile(machine).seconds / before.seconds, 2, 0.2);
}

TEST(OpCost, RunTimeSizesReplaceSymbols) {
  EXPECT_NEAR(tile(zen4(), {{"seq", 252}}).seconds / tile(zen4(), {{"seq", 504}}).seconds, 0.5, 0.01);
}

TEST(OpWork, IsWhatIsWrittenDownAtRunTimeSizes) {
  const auto product = [](const Sizes& sizes) {
    return work_of("%a: f32[seq, 4096]<6@0>, %b: bf16[4096, 4096]<16@0>", "matmul_nt(%a, %b) : f32[seq, 4096]", sizes);
  };
  EXPECT_DOUBLE_EQ(product({{"seq", 12}}).flops, 2.0 * 12 * 4096 * 4096);
  EXPECT_DOUBLE_EQ(product({{"seq", 7}}).flops, 2.0 * 7 * 4096 * 4096);
  EXPECT_DOUBLE_EQ(product({{"seq", 12}}).bytes, 2.0 * 4096 * 4096 + 2 * 4.0 * 12 * 4096);
  EXPECT_DOUBLE_EQ(copy_work(ir::TensorType{DType::kF32, {ir::Dim(3), ir::Dim(5)}, {}, {}}, {}).bytes, 120);
}

TEST(OpCost, ViewsAreFreeAndWhatHasNoCodeIsInfinite) {
  EXPECT_EQ(cost_of("%a: f32[seq, 64]", "reshape(%a) {shape = [-1, 8, 8]} : f32[seq, 8, 8]").seconds, 0);
  EXPECT_TRUE(
      std::isinf(cost_of("%a: f32[seq, 64], %b: f32[32, 64]<16@0>", "matmul_nt(%a, %b) : f32[seq, 32]").seconds));
}

// As they come in layers: the input is added after weights have streamed past.
constexpr const char* kResidual = R"(module m {
  symbol seq in 1..512
  func @f(%x: f32[seq, 1024]) {
    %0 = weight "w" : f32[1024, 1024]
    %1 = exp(%x) : f32[seq, 1024]
    %2 = reshape(%1) {shape = [-1, 2, 512]} : f32[seq, 2, 512]
    %3 = reshape(%2) {shape = [-1, 1024]} : f32[seq, 1024]
    %4 = matmul_nt(%3, %0) : f32[seq, 1024]
    %5 = add(%x, %4) : f32[seq, 1024]
    return %5
  }
}
)";

TEST(ProgramOrder, KnowsWhatIsTouchedBetweenMakingAndUse) {
  ops::register_all();
  const ir::Module module = ir::parse_module(kResidual, "test");
  const ir::Function& function = *module.functions()[0];
  const ProgramOrder order(function, {});
  const ir::Expr& sum = *function.results[0];
  const ir::Expr& product = *sum.arguments[1];
  const double row = 4 * 1024, weights = 4 * 1024 * 1024;
  for (const std::int64_t rows : {1, 100, 512}) {
    const Sizes sizes = {{"seq", rows}};
    const auto between = [&](const ir::Expr& made, const ir::Expr& used) {
      return order.between(order.place(made), order.place(used)).bytes(sizes);
    };
    const double activation = row * static_cast<double>(rows);
    EXPECT_NEAR(between(*sum.arguments[0], sum), 4 * activation + weights, 1);
    EXPECT_EQ(between(product, sum), 0);
    EXPECT_EQ(between(*product.arguments[0], product), 0) << "a view is made with what it is a view of";
  }
}

TEST(OpCost, WhatWasMadeLongAgoIsFar) {
  ops::register_all();
  const ir::Module module = ir::parse_module(kResidual, "test");
  const ir::Expr& sum = *module.functions()[0]->results[0];
  const ProgramOrder order(*module.functions()[0], {});
  const auto seconds = [&](const Traffic& since, const machine::Machine& machine) {
    const std::vector<Operand> operands = {{sum.arguments[0]->type(), Residence::kActivation, since},
                                           {sum.arguments[1]->type()}};
    return op_cost(*sum.op, operands, {}, sum.type(), machine, {{{"seq", 16}}}).seconds;
  };
  Traffic since = order.between(-1, order.place(sum));
  for (int doublings = 0; doublings < 4; ++doublings) since += since;
  EXPECT_GT(seconds(since, zen4()), 1.03 * seconds({}, zen4()));
  machine::Machine large = zen4();
  large.memory[1].capacity_bytes *= 1000;
  EXPECT_DOUBLE_EQ(seconds(since, large), seconds({}, large)) << "a cache that holds all that has gone past";
}

// Of the panels that a block of rows has read, those after it find what the outer cache holds.
TEST(OpCost, EveryBlockOfRowsReadsThePanelsAgain) {
  machine::Machine slow = zen4();
  for (auto& [threads, rate] : slow.memory.back().read_bytes_per_s) rate *= 0.01;
  const double best = tile(slow, {{"seq", 512}}).seconds;
  slow.has_fixed_tiles = true;
  EXPECT_LT(best, tile(slow, {{"seq", 512}}).seconds) << "one block, of fewer values of k";
  const double one_block = tile(slow, {{"seq", 288}}).seconds;
  EXPECT_GT(tile(slow, {{"seq", 512}}).seconds, 1.8 * one_block);
  slow.memory[2].capacity_bytes *= 4;
  EXPECT_LT(tile(slow, {{"seq", 512}}).seconds, 1.3 * one_block);
}

// A tile of a row computes less than one of six.
TEST(OpCost, TheLastRowsAreATileOfTheirOwn) {
  EXPECT_LT(tile(zen4(), {{"seq", 1}}).seconds, tile(zen4(), {{"seq", 6}}).seconds);
}

// Lanes are worth what they are wide.
TEST(OpCost, LanesDivideTheWorkOfAnElementwiseOp) {
  const double scalar = cost_of("%a: f32[512, 4096]", "exp(%a) : f32[512, 4096]").seconds;
  const double vector = cost_of("%a: f32[512, 4096]<16@1>", "exp(%a) : f32[512, 4096]<16@1>").seconds;
  EXPECT_GT(scalar / vector, 8);
}

// So many rows times 16 groups of columns, by 64 threads that share them in units of `unit_rows`; none: as a plan does.
double product_seconds(std::optional<std::int64_t> unit_rows, std::int64_t rows, const machine::Machine& machine) {
  const OneOp one("%a: bf16[seq, 2048]<6@0, 2@1>, %b: bf16[1024, 2048]<16@0, 2@1>",
                  "matmul_nt(%a, %b) : f32[seq, 1024]");
  Run run{.sizes = {{"seq", rows}}, .threads = 64};
  if (unit_rows) run.tiles = {4, 78, 2048, 1, 0, *unit_rows};
  return op_cost(*one.value->op, one.operands, one.value->attributes, one.value->type(), machine, run).seconds;
}

TEST(OpCost, UnitsOfRowsKeepMoreThreadsBusy) {
  machine::Machine machine = zen4();
  machine.cores = 64;
  machine.memory[2].shared_by = 8;
  machine.memory.back().shared_by = 64;
  machine.memory.back().read_bytes_per_s = {{1, 30e9}, {8, 200e9}, {64, 400e9}};
  const double whole = product_seconds(0, 512, machine);
  const double shared = product_seconds(132, 512, machine);
  EXPECT_LT(shared, 0.35 * whole);
  EXPECT_GT(shared, 0.25 * whole);
  EXPECT_LE(product_seconds(std::nullopt, 512, machine), shared);
  EXPECT_NEAR(product_seconds(132, 132, machine) / product_seconds(0, 132, machine), 1, 0.1) << "all rows are one unit";
  // Several threads that wait for one group get it no sooner than one.
  machine::Machine slow = machine;
  for (auto& [threads, rate] : slow.memory.back().read_bytes_per_s) rate *= 0.01;
  EXPECT_GT(product_seconds(6, 24, slow), 0.99 * product_seconds(0, 24, slow));
  EXPECT_NEAR(product_seconds(std::nullopt, 24, slow) / product_seconds(0, 24, slow), 1, 0.01);
  machine.has_whole_rows = true;
  EXPECT_GT(product_seconds(std::nullopt, 512, machine), 0.9 * whole);
}

// How keys and values lie.
struct CacheForm {
  std::string dtype = "bf16", keys = "<16@1, 2@2>", values = "<16@2, 2@1>";
};

// Of a token behind `past` others, its eight heads of keys divided into so many parts; none: the fastest number.
double attention_seconds(std::optional<std::int64_t> parts, std::int64_t past, int threads,
                         const machine::Machine& machine, const CacheForm& cache = {}) {
  ops::register_all();
  const std::string type = cache.dtype + "[8, ctx, 128]";
  const ir::Module module =
      ir::parse_module("module m {\n  symbol ctx in 16..8192 multiple 16\n  func @f(%q: f32[1, 16, 128], %k: " + type +
                           cache.keys + ", %v: " + type + cache.values +
                           ", %p: i32[1]) {\n    %0 = attention(%q, %k, %v, %p) {scale = 0.25} : f32[1, 16, 128]\n"
                           "    return %0\n  }\n}\n",
                       "test");
  const ir::Expr& value = *module.functions()[0]->results[0];
  std::vector<Operand> operands;
  for (const ir::Expr* argument : value.arguments) {
    const bool is_cache = argument->type().rank() == 3 && operands.size() > 0;
    operands.push_back({argument->type(), is_cache ? Residence::kStream : Residence::kActivation});
  }
  Run run{.sizes = {{"ctx", past}}, .threads = threads};
  run.parts = parts;
  return op_cost(*value.op, operands, value.attributes, value.type(), machine, run).seconds;
}

// A row waits for memory: for half of the bytes half of the time.
TEST(OpCost, NarrowCachesAreReadFaster) {
  machine::Machine machine = zen4();
  machine.memory.back().read_bytes_per_s = {{1, 10e9}};
  const double wide = attention_seconds(1, 4096, 1, machine, {"f32", "<16@1>", ""});
  const CacheForm narrow[] = {{"f16", "<16@1>", ""}, {"bf16", "<16@1>", ""}, {}};
  for (const CacheForm& form : narrow) {
    const double seconds = attention_seconds(1, 4096, 1, machine, form);
    EXPECT_GT(seconds / wide, 0.45) << form.dtype << form.keys;
    EXPECT_LT(seconds / wide, 0.6) << form.dtype << form.keys;
  }
}

TEST(OpCost, PartsOfAContextKeepMoreThreadsBusy) {
  machine::Machine machine = zen4();
  machine.cores = 64;
  machine.memory.back().shared_by = 64;
  machine.memory.back().read_bytes_per_s = {{1, 30e9}, {8, 200e9}, {64, 400e9}};
  const double whole = attention_seconds(1, 4096, 64, machine);
  const double split = attention_seconds(8, 4096, 64, machine);
  EXPECT_LT(split, 0.6 * whole) << "twice the bandwidth";
  EXPECT_GT(split, 0.5 * whole);
  EXPECT_EQ(attention_seconds(1, 4096, 8, machine), attention_seconds(std::nullopt, 4096, 8, machine));
  EXPECT_LE(attention_seconds(std::nullopt, 4096, 64, machine), split + machine.barrier_s);
  // A part more is work more, which one thread alone sees; and lanes of keys aren't divided.
  EXPECT_GT(attention_seconds(8, 4096, 1, machine), attention_seconds(1, 4096, 1, machine));
  EXPECT_GT(attention_seconds(8, 16, 64, machine), attention_seconds(1, 16, 64, machine));
  EXPECT_EQ(attention_seconds(std::nullopt, 16, 64, machine), attention_seconds(1, 16, 64, machine));
  // The barrier inside is one more.
  machine.barrier_s = 1;
  EXPECT_EQ(attention_seconds(std::nullopt, 4096, 64, machine), whole);
}

// Of matrices by number as many are read as rows meet, and none twice.
TEST(OpCost, RowsByNumberTakeTheMatricesThatTheyMeet) {
  const auto routed = [](int tokens) {
    const std::string rows = std::to_string(tokens);
    return cost_of("%a: f32[" + rows + ", 1024], %b: bf16[32768, 1024]<16@0, 2@1>, %i: i32[" + rows + ", 8]",
                   "matmul_nt_by_number(%a, %b, %i) {matrices = 64} : f32[" + rows + ", 8, 512]")
        .seconds;
  };
  const double one =
      cost_of("%a: f32[1, 1024], %b: bf16[512, 1024]<16@0, 2@1>", "matmul_nt(%a, %b) : f32[1, 512]").seconds;
  EXPECT_NEAR(routed(1) / (8 * one), 1, 0.1);
  EXPECT_NEAR(routed(4) / routed(1), 4, 0.2);
  EXPECT_LT(routed(9), 1.5 * routed(8)) << "all are met";
  EXPECT_LT(routed(32), 4 * routed(9)) << "and read once";
  EXPECT_GT(routed(512), 4 * routed(64)) << "the rest is arithmetic";
}

TEST(OpCost, PartsAreTriedWhereThreadsWouldBeIdle) {
  using Parts = std::vector<std::int64_t>;
  EXPECT_EQ(split_candidates(8, 64), (Parts{1, 8, 16, 24, 32}));
  EXPECT_EQ(split_candidates(1, 2), (Parts{1, 2, 4, 6, 8}));
  EXPECT_EQ(split_candidates(8, 12), (Parts{1, 3, 4, 6}));
  for (const int threads : {1, 2, 4, 8}) EXPECT_EQ(split_candidates(8, threads), Parts{1});
  EXPECT_EQ(split_candidates(256, 64), Parts{1});
}

}  // namespace
}  // namespace strata::cost
