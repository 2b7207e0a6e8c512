// SPDX-License-Identifier: Apache-2.0
#include "ir/by_number.h"

namespace strata::ir {

const ByNumber* by_number(const Op& op) { return dynamic_cast<const ByNumber*>(&op); }

std::int64_t matrix_count(const Op& op, const Attributes& attributes) {
  return int_attribute(op, attributes, "matrices");
}

std::vector<TensorType> types_of_one(const ByNumber& of, std::span<const TensorType> operands, std::int64_t matrices,
                                     const Dim& rows) {
  std::vector<TensorType> types(operands.begin(), operands.end() - 1);
  for (int i = 0; i < static_cast<int>(types.size()); ++i) {
    Shape& shape = types[static_cast<std::size_t>(i)].shape;
    if (of.is_of_matrix(i)) {
      shape[0] = shape[0].factor() / matrices;
    } else {
      shape = {rows, shape.back()};
    }
  }
  return types;
}

}  // namespace strata::ir
