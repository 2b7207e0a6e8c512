// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ir/structured.h"
#include "ops/named_op.h"

namespace strata::ops {

// Where a result's element type comes from.
enum class ResultDType {
  kFirstOperand,
  kF32,
  kAttribute,       // the attribute "dtype"
  kAttributeOrF32,  // the same, where it is given
  kI8,
};

// How a result lies in memory.
enum class ResultLayout {
  kFollows,  // lanes follow their iterator: where an operand's axis is packed, so is the result's axis of that iterator
  kRowMajor,  // whatever the operands' layouts: the op's kernels write so
};

// An op that is a loop nest. Type inference, evaluation and work are derived from the loops.
class LoopNestOp : public NamedOp {
 public:
  LoopNestOp(std::string name, std::vector<std::string> operand_names, std::vector<std::string> attribute_names,
             ResultDType result_dtype, ResultLayout result_layout = ResultLayout::kFollows);

  std::vector<double> evaluate(std::span<const ir::Value> operands, const ir::Attributes& attributes,
                               const ir::TensorType& result) const override;
  ir::Work work(std::span<const ir::TensorType> operands, const ir::Attributes& attributes,
                const ir::TensorType& result) const override;
  std::shared_ptr<const ir::LoopNest> loops(std::span<const ir::TensorType> operands,
                                            const ir::Attributes& attributes) const override;

 protected:
  ir::TensorType infer_unplaced(std::span<const ir::TensorType> operands,
                                const ir::Attributes& attributes) const override;

  // The loops on operands of these shapes. Throws Error (usage) naming the operand that doesn't fit.
  virtual std::shared_ptr<const ir::LoopNest> nest(const std::vector<ir::Shape>& shapes,
                                                   const ir::Attributes& attributes) const = 0;

 private:
  std::vector<std::string> attribute_names_;
  ResultDType result_dtype_;
  ResultLayout result_layout_;
};

// An op declared in the notation of ir/structured.h: its whole definition is one row.
class StructuredOp : public LoopNestOp {
 public:
  StructuredOp(std::string name, const std::vector<std::string>& operand_names, const std::string& declaration,
               ResultDType result_dtype = ResultDType::kFirstOperand,
               ResultLayout result_layout = ResultLayout::kFollows, bool permits_rounding = false);

  const ir::StructuredDeclaration& declaration() const { return declaration_; }

  std::optional<int> aliased_operand() const override { return declaration_.updated(); }
  bool writes_alias() const override { return declaration_.updated().has_value(); }
  bool permits_rounding() const override { return permits_rounding_; }

 protected:
  // Checks that the attributes which the body reads are there.
  ir::TensorType infer_unplaced(std::span<const ir::TensorType> operands,
                                const ir::Attributes& attributes) const override;
  std::shared_ptr<const ir::LoopNest> nest(const std::vector<ir::Shape>& shapes,
                                           const ir::Attributes& attributes) const override;

 private:
  StructuredOp(std::string name, const std::vector<std::string>& operand_names, ir::StructuredDeclaration declaration,
               ResultDType result_dtype, ResultLayout result_layout, bool permits_rounding);

  // Loops that were asked for lately, by the operands' shapes: a search asks for the same ones many times.
  struct Known {
    std::mutex mutex;
    std::vector<std::pair<std::vector<ir::Shape>, std::shared_ptr<const ir::LoopNest>>> nests;
    std::size_t next = 0;  // to be replaced
  };

  ir::StructuredDeclaration declaration_;
  bool permits_rounding_;
  std::unique_ptr<Known> known_ = std::make_unique<Known>();
};

// A row of a family's table.
struct StructuredRow {
  const char* name;
  std::vector<std::string> operands;
  std::string declaration;
  ResultDType result_dtype = ResultDType::kFirstOperand;
  ResultLayout result_layout = ResultLayout::kFollows;
  bool permits_rounding = false;
};

void register_structured(const std::vector<StructuredRow>& rows);

}  // namespace strata::ops
