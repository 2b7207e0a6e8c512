// SPDX-License-Identifier: Apache-2.0
// Versions of a program that make only the rows that are asked for.
#include "import/wanted_rows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/interpreter.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"

namespace strata::importer {
namespace {

// Two layers with a state each, and a norm behind them.
constexpr const char* kProgram = R"(module m {
  symbol seq in 1..8

  func @layer(%x: f32[seq, 4], %at: i32[seq], %cache: f32[1, 16, 4], %w: f32[4, 4]) {
    %0 = matmul_nt(%x, %w) : f32[seq, 4]
    %1 = add(%x, %0) : f32[seq, 4]
    %2 = reshape(%0) {shape = [-1, 1, 4]} : f32[seq, 1, 4]
    %3 = cache_append(%cache, %2, %at) : f32[1, 16, 4]
    return %1, %3
  }
  func @forward(%x: f32[seq, 4], %at: i32[seq], %c0: f32[1, 16, 4], %c1: f32[1, 16, 4]) {
    %0 = weight "a" : f32[4, 4]
    %1 = call @layer(%x, %at, %c0, %0) : (f32[seq, 4], f32[1, 16, 4])
    %2 = get(%1) {index = 0} : f32[seq, 4]
    %3 = weight "b" : f32[4, 4]
    %4 = call @layer(%2, %at, %c1, %3) : (f32[seq, 4], f32[1, 16, 4])
    %5 = get(%4) {index = 0} : f32[seq, 4]
    %6 = weight "n" : f32[4]
    %7 = rms_norm(%5, %6) {eps = 1e-06} : f32[seq, 4]
    %8 = get(%1) {index = 1} : f32[1, 16, 4]
    %9 = get(%4) {index = 1} : f32[1, 16, 4]
    return %7, %8, %9
  }
}
)";

ir::Module with_wanted_rows(const std::string& text) {
  ops::register_all();
  ir::Module module = ir::parse_module(text, "test");
  add_wanted_rows(module);
  ir::verify(module);
  return module;
}

std::string text_of(const ir::Module& module, const std::string& function) {
  const ir::Function* const found = module.find(function);
  return found == nullptr ? "" : ir::to_text(*found);
}

// The first layer's rows are all read by the second one. Of the last layer the sum is made for one row; the product
// that the state needs whole is made once, and the row is a slice of it.
TEST(WantedRows, OfOneTheLastCallIsAVersionOfItsOwn) {
  const ir::Module module = with_wanted_rows(kProgram);
  EXPECT_EQ(text_of(module, "forward_one"),
            R"(  func @forward_one(%x: f32[seq, 4], %at: i32[seq], %c0: f32[1, 16, 4], %c1: f32[1, 16, 4]) of @forward {
    %0 = weight "a" : f32[4, 4]
    %1 = call @layer(%x, %at, %c0, %0) : (f32[seq, 4], f32[1, 16, 4])
    %2 = get(%1) {index = 0} : f32[seq, 4]
    %3 = weight "b" : f32[4, 4]
    %4 = call @layer_one(%2, %at, %c1, %3) : (f32[1, 4], f32[1, 16, 4])
    %5 = get(%4) {index = 0} : f32[1, 4]
    %6 = weight "n" : f32[4]
    %7 = rms_norm(%5, %6) {eps = 1e-06} : f32[1, 4]
    %8 = get(%1) {index = 1} : f32[1, 16, 4]
    %9 = get(%4) {index = 1} : f32[1, 16, 4]
    return %7, %8, %9
  }
)");
  EXPECT_EQ(text_of(module, "layer_one"),
            R"(  func @layer_one(%x: f32[seq, 4], %at: i32[seq], %cache: f32[1, 16, 4], %w: f32[4, 4]) of @layer {
    %0 = slice(%x) {axis = 0, begin = 0, end = 1} : f32[1, 4]
    %1 = matmul_nt(%x, %w) : f32[seq, 4]
    %2 = slice(%1) {axis = 0, begin = 0, end = 1} : f32[1, 4]
    %3 = add(%0, %2) : f32[1, 4]
    %4 = reshape(%1) {shape = [-1, 1, 4]} : f32[seq, 1, 4]
    %5 = cache_append(%cache, %4, %at) : f32[1, 16, 4]
    return %3, %5
  }
)");
}

TEST(WantedRows, OfNoneWhatTheStatesNeedIsLeft) {
  const ir::Module module = with_wanted_rows(kProgram);
  EXPECT_EQ(text_of(module, "layer_none"),
            R"(  func @layer_none(%x: f32[seq, 4], %at: i32[seq], %cache: f32[1, 16, 4], %w: f32[4, 4]) of @layer {
    %0 = matmul_nt(%x, %w) : f32[seq, 4]
    %1 = reshape(%0) {shape = [-1, 1, 4]} : f32[seq, 1, 4]
    %2 = cache_append(%cache, %1, %at) : f32[1, 16, 4]
    return %2
  }
)");
  const std::string none = text_of(module, "forward_none");
  EXPECT_NE(none.find("call @layer_none(%3, %at, %c1, %4) : f32[1, 16, 4]"), std::string::npos) << none;
  EXPECT_EQ(none.find("rms_norm"), std::string::npos) << none;
}

TEST(WantedRows, TheTextOfVersionsIsReadBack) {
  const ir::Module module = with_wanted_rows(kProgram);
  const std::string text = ir::to_text(module);
  EXPECT_EQ(ir::to_text(ir::parse_module(text, "again")), text);
}

ir::Value some_value(std::vector<std::int64_t> shape, double first) {
  ir::Value made{{DType::kF32, {}}, {}};
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    made.type.shape.emplace_back(size);
    count *= size;
  }
  for (std::int64_t i = 0; i < count; ++i) made.data.push_back(std::sin(first + 0.37 * static_cast<double>(i)));
  return made;
}

TEST(WantedRows, AreTheRowsOfTheWhole) {
  const ir::Module module = with_wanted_rows(kProgram);
  const auto weights = [](const ir::Expr& weight) {
    return weight.type().rank() == 1 ? some_value({4}, 3) : some_value({4, 4}, weight.name[0]);
  };
  const auto run = [&](const std::string& function) {
    const ir::Value at{{DType::kI32, {3}}, {7, 6, 5}};
    return ir::interpret(module, *module.find(function),
                         {some_value({3, 4}, 1), at, some_value({1, 16, 4}, 5), some_value({1, 16, 4}, 6)},
                         {{"seq", 3}}, weights);
  };
  const auto all = run("forward"), one = run("forward_one"), none = run("forward_none");
  EXPECT_EQ(one[0].data, std::vector<double>(all[0].data.begin(), all[0].data.begin() + 4));
  for (std::size_t state = 0; state < 2; ++state) {
    EXPECT_EQ(one[1 + state].data, all[1 + state].data);
    EXPECT_EQ(none[state].data, all[1 + state].data);
  }
}

// A first result that is read whole elsewhere stays whole, and is sliced.
TEST(WantedRows, OfWhatIsReadWholeNoVersionIsMade) {
  const ir::Module module = with_wanted_rows(R"(module m {
  symbol seq in 1..8

  func @f(%x: f32[seq, 4]) {
    %0 = exp(%x) : f32[seq, 4]
    return %0
  }
  func @forward(%x: f32[seq, 4]) {
    %0 = call @f(%x) : f32[seq, 4]
    %1 = reduce_sum(%0) : f32[seq]
    return %0, %1
  }
}
)");
  EXPECT_EQ(module.find("f_one"), nullptr);
  EXPECT_NE(text_of(module, "forward_one").find("slice(%0) {axis = 0, begin = 0, end = 1}"), std::string::npos);
  EXPECT_EQ(module.find("f_none"), nullptr);
}

TEST(WantedRows, AreNoneWhereRowsAreNoSymbol) {
  const std::string text = R"(module m {
  func @forward(%x: f32[3, 4]) {
    %0 = exp(%x) : f32[3, 4]
    %1 = neg(%0) : f32[3, 4]
    return %0, %1
  }
}
)";
  EXPECT_EQ(ir::to_text(with_wanted_rows(text)), text);
}

}  // namespace
}  // namespace strata::importer
