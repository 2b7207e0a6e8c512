// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/op.h"

namespace strata::ops {

// The part of the op interface that is plain data.
class NamedOp : public ir::Op {
 public:
  NamedOp(std::string name, std::vector<std::string> operand_names)
      : name_(std::move(name)), operand_names_(std::move(operand_names)) {}

  const std::string& name() const override { return name_; }
  int arity() const override { return static_cast<int>(operand_names_.size()); }
  std::vector<std::string> operand_names() const override { return operand_names_; }

 protected:
  // Throws Error (usage) unless the operand has this many axes.
  void require_rank(std::span<const ir::TensorType> operands, int operand, int rank) const;

  // Throws Error (usage) unless the sizes agree. An axis is given as {operand, axis}.
  void require_equal(std::span<const ir::TensorType> operands, std::pair<int, int> a, std::pair<int, int> b) const;

  // Throws Error (usage) unless the operand holds integers.
  void require_integers(std::span<const ir::TensorType> operands, int operand) const;

 private:
  std::string name_;
  std::vector<std::string> operand_names_;
};

template <class T, class... Arguments>
void register_op(Arguments&&... arguments) {
  ir::register_op(std::make_unique<T>(std::forward<Arguments>(arguments)...));
}

// Bytes that an op reads and writes which touches every element once and computes nothing.
ir::Work copy_work(std::span<const ir::TensorType> operands, const ir::TensorType& result);

}  // namespace strata::ops
