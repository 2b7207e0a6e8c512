// SPDX-License-Identifier: Apache-2.0
#include "vectorize/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "machine/machine.h"
#include "ops/register.h"

namespace strata::vectorize {
namespace {

ir::TensorType type(DType dtype, ir::Shape shape) { return {dtype, std::move(shape), {}, {}}; }

std::vector<std::string> texts(const std::string& op, const std::vector<ir::TensorType>& operands,
                               const std::string& machine) {
  ops::register_all();
  std::vector<std::string> all;
  for (const Candidate& candidate : candidates(ir::get_op(op), operands, {}, machine::load(machine))) {
    std::string text;
    for (const OperandForm& form : candidate.operands) {
      text += (text.empty() ? "" : " ") + std::string(dtype_name(form.dtype)) + form.layout.text();
    }
    all.push_back(text);
  }
  return all;
}

TEST(Candidates, OfAMatmulComeFromItsIndexMapsAndTheUnits) {
  const std::vector<ir::TensorType> many = {type(DType::kF32, {48, 64}), type(DType::kBF16, {96, 64})};
  EXPECT_EQ(
      texts("matmul_nt", many, "avx512-zen5"),
      (std::vector<std::string>{"f32<6@0> bf16<16@0>", "f32<16@1> bf16<16@1>", "bf16<6@0, 2@1> bf16<16@0, 2@1>"}));
}

TEST(Candidates, OfOneRowNeedNoTile) {
  const std::vector<ir::TensorType> one = {type(DType::kF32, {1, 64}), type(DType::kBF16, {96, 64})};
  const std::vector<std::string> found = texts("matmul_nt", one, "avx512-zen5");
  for (const char* form : {"f32 bf16<16@0>", "f32 bf16<16@0, 2@1>", "bf16<2@1> bf16<16@0, 2@1>"}) {
    EXPECT_NE(std::ranges::find(found, form), found.end()) << form;
  }
  const std::vector<ir::TensorType> halves = {type(DType::kF32, {1, 64}), type(DType::kF16, {96, 64})};
  EXPECT_EQ(texts("matmul_nt", halves, "avx512-zen5"),
            (std::vector<std::string>{"f32 f16<16@0>", "f32<6@0> f16<16@0>", "f32<16@1> f16<16@1>"}));
}

TEST(Candidates, FollowTheMachine) {
  const std::vector<ir::TensorType> many = {type(DType::kF32, {48, 64}), type(DType::kBF16, {96, 64})};
  EXPECT_EQ(texts("matmul_nt", many, "avx2-generic"),
            (std::vector<std::string>{"f32<6@0> bf16<8@0>", "f32<8@1> bf16<8@1>"}));
}

TEST(Candidates, OfAnElementwiseOpReadTheLastAxisInGroups) {
  EXPECT_EQ(texts("silu", {type(DType::kF32, {5, 33})}, "avx512-zen5"), (std::vector<std::string>{"f32<16~@1>"}));
}

// Lanes run along what is divided where a block has a scale for all of them.
TEST(Candidates, ABlocksScaleStaysAsItLies) {
  const auto of_blocks = [](std::int64_t count) {
    return texts("scale_blocks", {type(DType::kF32, {5, 96}), type(DType::kF32, {5, count})}, "avx512-zen5");
  };
  EXPECT_EQ(of_blocks(3), (std::vector<std::string>{"f32<16@1> f32"}));
  EXPECT_EQ(of_blocks(4), (std::vector<std::string>{}));
  // Heads that share keys: lanes along the keys, not along the heads.
  const std::vector<ir::TensorType> heads = {type(DType::kF32, {6, 5, 7}), type(DType::kF32, {2, 7, 48})};
  EXPECT_EQ(texts("grouped_matmul", heads, "avx512-zen5"), (std::vector<std::string>{"f32 f32<16@2>"}));
}

// Loops run in vectors, of a power of two of lanes: a row tile of six that lies in memory order is none.
TEST(Candidates, RowTilesAreForKernelsOnly) {
  EXPECT_EQ(texts("matmul_tn", {type(DType::kF32, {29, 18}), type(DType::kF32, {29, 4})}, "x86-64-baseline"),
            (std::vector<std::string>{"f32<4~@1> f32", "f32 f32<4@1>"}));
}

}  // namespace
}  // namespace strata::vectorize
