// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/expr.h"
#include "schedule/strided_nest.h"

namespace strata::schedule {

// How a value lies in memory: its first element relative to its operand's first one, and the distance of neighbours
// along each axis. In elements.
struct View {
  std::int64_t offset = 0;
  Strides strides;  // by axis; empty where the tensor is packed
  bool whole =
      true;  // all of the memory that it lies in, as its owner or by reshapes alone: the same tensor to ir::verify
};

// A tensor with memory of its own.
View own_memory(const ir::TensorType& type);

// Where the op only names elements of its first operand, which lies like this, another way: how its result lies there.
// That is so for an op whose loops copy one element each by an affine map (slice, transpose), and for one that shares
// its operand's row-major order (reshape), which splits axes, and merges axes that run through memory as one. Nothing
// for other ops, and for results that strides don't describe.
std::optional<View> view_of(const ir::Expr& value, const View& operand);

// The value's elements follow one another in row-major order from this axis inwards.
bool is_contiguous(const View& view, const ir::TensorType& type, std::size_t first_axis = 0);

// Bytes from the first element to the end of the last, at the symbols' upper bounds.
std::int64_t span_bytes(const View& view, const ir::TensorType& type);

// "[4096, 64, 1] at 1024".
std::string to_text(const View& view);

}  // namespace strata::schedule
