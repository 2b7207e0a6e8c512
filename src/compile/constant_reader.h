// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "import/checkpoint.h"
#include "ir/expr.h"

namespace strata::compile {

// Where the weights' values come from, by name.
using TensorSource = std::function<importer::TensorView(const std::string& name)>;

// The elements of an expression of weights, by number in row-major order whatever its layout. Values flow from the
// checkpoint's own precision, whatever the weights' types in the expression, through elementwise arithmetic in f64 to
// the type that is asked for; only a cast or pack to a narrower type rounds on the way.
class ElementSource {
 public:
  ElementSource(const ElementSource&) = delete;
  ElementSource& operator=(const ElementSource&) = delete;
  virtual ~ElementSource() = default;

  // Elements [first, first + count) as `to`. From several threads at once.
  virtual void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const = 0;

  virtual double element(std::int64_t index) const;

  // Whether reading keeps a whole tensor in memory: one operand of the expression, until this is destroyed.
  virtual bool needs_memory() const = 0;

 protected:
  ElementSource() = default;
};

// Movement, concat, casts and elementwise ops are streamed: a range of the result is made of ranges of the operands. An
// operand that is read across its rows (transpose) and is no weight itself is evaluated as a whole in f32 first, and so
// are ops that the interpreter has to evaluate (reductions, norms). Throws model_error for a weight that has another
// number of elements in the source.
std::unique_ptr<ElementSource> read_constant(const ir::Expr& constant, const TensorSource& tensors);

// The same elements, all evaluated when the first is read.
std::unique_ptr<ElementSource> read_at_once(std::unique_ptr<ElementSource> elements, std::int64_t count);

}  // namespace strata::compile
