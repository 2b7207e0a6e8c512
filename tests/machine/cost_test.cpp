// SPDX-License-Identifier: Apache-2.0
#include "machine/cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace strata::machine {
namespace {

// L1 of 1 KiB per core at 100 B/s each, DRAM at 10 B/s for one thread and 16 for four.
Machine toy() {
  Machine machine;
  machine.cores = 4;
  machine.vector_registers = {32, 64};
  machine.memory = {{"L1", 1024, 64, 1, {{1, 100}, {2, 200}}, 0}, {"DRAM", 1 << 30, 64, 4, {{1, 10}, {4, 16}}, 0}};
  machine.units = {{"f32-fma", DType::kF32, DType::kF32, 16, 1, 50},
                   {"bf16-dot2", DType::kBF16, DType::kF32, 16, 2, 100}};
  machine.barrier_s = 0.5;
  machine.contention = 0.25;
  return machine;
}

TEST(Bandwidth, IsInterpolatedAndExtrapolated) {
  const Machine machine = toy();
  EXPECT_DOUBLE_EQ(bandwidth(machine.memory[1], 1), 10);
  EXPECT_DOUBLE_EQ(bandwidth(machine.memory[1], 2), 12);
  EXPECT_DOUBLE_EQ(bandwidth(machine.memory[1], 4), 16);
  EXPECT_DOUBLE_EQ(bandwidth(machine.memory[1], 8), 16);
  EXPECT_DOUBLE_EQ(bandwidth(machine.memory[0], 4), 400);
}

TEST(Seconds, IsTheSlowestOfUnitsAndLevelsAndAPartOfTheOthers) {
  const Machine machine = toy();
  const Unit* fma = fma_unit(machine, DType::kF32);
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 100, .unit = fma, .bytes = {100, 10}}), 2 + 0.25 * (1 + 1));
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 100, .unit = fma, .bytes = {100, 40}}), 4 + 0.25 * (2 + 1));
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 100, .unit = fma, .bytes = {1000, 40}}), 10 + 0.25 * (2 + 4));
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 100, .unit = fma, .threads = 4}), 0.5);
  EXPECT_DOUBLE_EQ(seconds(machine, {}), 0);
}

TEST(Seconds, BarriersComeOnTopWhenThereAreSeveralThreads) {
  const Machine machine = toy();
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 10}, .threads = 1, .barriers = 2}), 1);
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 16}, .threads = 4, .barriers = 2}), 2);
}

TEST(Seconds, NeverCountsMoreThreadsThanCores) {
  const Machine machine = toy();
  const Unit* fma = fma_unit(machine, DType::kF32);
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 200, .unit = fma, .threads = 64}), 1);
}

TEST(Seconds, ArithmeticOfAllUnitsAddsUp) {
  const Machine machine = toy();
  const Unit* fma = fma_unit(machine, DType::kF32);
  const Unit* dot = dot_unit(machine, DType::kBF16);
  EXPECT_DOUBLE_EQ(seconds(machine, {.ops = 100, .unit = dot, .more = {{fma, 100}}}), 3);
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 25}, .more = {{fma, 100}}}), 2.5 + 0.25 * 2);
  EXPECT_DOUBLE_EQ(seconds(machine, {.threads = 4, .more = {{fma, 100}, {dot, 0}}}), 0.5);
}

TEST(Seconds, WritingHasItsOwnRate) {
  Machine machine = toy();
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 10}, .written = {0, 20}}), 3);
  machine.memory[1].write_bytes_per_s = {{1, 5}, {4, 8}};
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 10}, .written = {0, 20}}), 5);
  EXPECT_DOUBLE_EQ(seconds(machine, {.threads = 4, .written = {0, 20}}), 2.5);
  EXPECT_DOUBLE_EQ(seconds(machine, {.written = {100}}), 1);
}

TEST(Seconds, StartingComesOnTop) {
  Machine machine = toy();
  machine.op_overhead_s = 0.25;
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 10}, .starts = 2}), 1.5);
  EXPECT_DOUBLE_EQ(seconds(machine, {.bytes = {0, 16}, .threads = 4, .starts = 2}), 1.5);
}

TEST(ScalarOperations, KnowsEveryFunctionOfADeclaration) {
  for (const char* name : {"add", "sub", "mul", "div", "neg", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh",
                           "sigmoid", "erf", "abs", "max", "min", "select", "lt"}) {
    EXPECT_GE(scalar_operations(toy(), name), 2) << name;
    EXPECT_GE(scalar_operations(toy(), name, 4), 2) << name;
  }
  EXPECT_THROW(scalar_operations(toy(), "gamma"), std::logic_error);
}

TEST(ScalarOperations, ALibraryCallPerLaneCostsMoreTheWiderTheVectors) {
  EXPECT_EQ(scalar_operations(toy(), "add"), 2);
  EXPECT_EQ(scalar_operations(toy(), "exp", 4), scalar_operations(toy(), "exp", 16));
  EXPECT_EQ(4 * scalar_operations(toy(), "sin", 4), scalar_operations(toy(), "sin", 16));
  EXPECT_GT(scalar_operations(toy(), "tanh"), scalar_operations(toy(), "div"));
}

TEST(ScalarOperations, AreTheMachinesOwn) {
  Machine machine = toy();
  const double before = scalar_operations(machine, "div");
  machine.core.scalar_slots["div"] *= 3;
  EXPECT_DOUBLE_EQ(scalar_operations(machine, "div"), 3 * before);
  EXPECT_DOUBLE_EQ(decode_slots(machine, "some", 5), 5) << "as many as the decoder has instructions";
  machine.core.decode_slots["some"] = 2.5;
  EXPECT_DOUBLE_EQ(decode_slots(machine, "some", 5), 2.5);
}

TEST(Seconds, RefusesOperationsWithoutAUnit) {
  EXPECT_THROW(seconds(toy(), {.ops = 1}), std::logic_error);
  EXPECT_THROW(seconds(toy(), {.more = {{nullptr, 1}}}), std::logic_error);
  EXPECT_THROW(seconds(toy(), {.bytes = {1, 1, 1}}), std::logic_error);
  EXPECT_THROW(seconds(toy(), {.written = {1, 1, 1}}), std::logic_error);
}

TEST(LevelHolding, IsTheInnermostThatFits) {
  const Machine machine = toy();
  EXPECT_EQ(level_holding(machine, 1024), 0);
  EXPECT_EQ(level_holding(machine, 1025), 1);
  EXPECT_EQ(level_holding(machine, 4096, 4), 0);
  EXPECT_EQ(level_holding(machine, 1e12), 1);
}

TEST(Units, AreFoundByOperandType) {
  const Machine machine = toy();
  EXPECT_EQ(vector_lanes(machine, DType::kF32), 16);
  EXPECT_EQ(vector_lanes(machine, DType::kBF16), 32);
  EXPECT_EQ(dot_unit(machine, DType::kBF16)->k, 2);
  EXPECT_EQ(dot_unit(machine, DType::kF32), nullptr);
  EXPECT_EQ(fma_unit(machine, DType::kBF16), nullptr);
}

TEST(RegisterTile, FollowsTheRegisterFile) {
  for (const auto& [count, bytes, rows, panels] :
       {std::tuple{32, 64, 6, 4}, {16, 32, 6, 2}, {16, 16, 6, 2}, {32, 16, 6, 4}, {8, 16, 2, 2}}) {
    Machine machine;
    machine.vector_registers = {count, bytes};
    const RegisterTile tile = register_tile(machine);
    EXPECT_EQ(tile.rows, rows) << count << " registers of " << bytes;
    EXPECT_EQ(tile.panels, panels) << count << " registers of " << bytes;
  }
}

TEST(RegisterTile, AlwaysFits) {
  for (int count = 4; count <= 64; ++count) {
    for (int bytes : {4, 16, 64, 256}) {
      Machine machine;
      machine.vector_registers = {count, bytes};
      const RegisterTile tile = register_tile(machine);
      EXPECT_GE(tile.rows, 1);
      EXPECT_GE(tile.panels, 1);
      EXPECT_LE(tile.rows * tile.panels + tile.panels + 1, count) << count << " registers of " << bytes;
    }
  }
}

// Of any number of rows, as a group of heads may be.
TEST(AttentionBlock, FillsTheInnermostCacheWithScores) {
  const Machine machine = load("avx512-zen4");
  for (const auto& [rows, keys] : {std::pair{1024, 256}, {7, 1024}, {3, 2048}, {2, 4096}}) {
    const AttentionBlock block = attention_block(machine, rows);
    EXPECT_EQ(block.keys, keys) << rows;
    EXPECT_EQ(block.rows, std::min(rows, 32));
    EXPECT_LE(block.rows * block.keys * 4, machine.memory[0].capacity_bytes) << rows;
  }
}

}  // namespace
}  // namespace strata::machine
