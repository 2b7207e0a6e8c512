// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/type.h"

namespace strata::ir {

// A structured op's declaration is a text in tensor index notation, one statement per stage:
//
//   matmul     c[m, n] = sum(k) a[m, k] * b[n, k]
//   rms_norm   ss[...] = sum(k) x[..., k] * x[..., k];
//              y[..., k] = x[..., k] * rsqrt(ss[...] / extent(k) + eps) * w[k]
//
// An index is an affine expression of iterators. An iterator that a statement's target doesn't have is reduced by the
// combiner. `...` stands for the leading axes. The last statement is the result; earlier ones may be indexed only by
// iterators of the result that every later statement has too, so that they are scalars inside a common outer loop.
// A name that is neither operand, stage nor iterator is an attribute.

// Sum of coefficient x iterator, plus a constant.
struct AffineIndex {
  std::vector<std::int64_t> coefficients;  // by iterator
  std::int64_t constant = 0;
  bool operator==(const AffineIndex&) const = default;
};

enum class Combiner { kNone, kSum, kMax, kMin, kProduct };

// The scalar computation of a stage: a tree.
struct ScalarExpr {
  enum class Kind { kConstant, kOperand, kStage, kIterator, kExtent, kAttribute, kCall };
  Kind kind = Kind::kConstant;
  double value = 0;                   // kConstant
  int number = 0;                     // kOperand, kStage, kIterator, kExtent: which
  std::string name;                   // kAttribute; kCall: one of the scalar functions
  std::vector<AffineIndex> index;     // kOperand: one per axis of the operand
  std::vector<ScalarExpr> arguments;  // kCall
};

// Scalar functions: add sub mul div neg exp log sqrt rsqrt sin cos tanh sigmoid erf abs max min select lt
// (ir/scalar.h).
int scalar_arity(const std::string& function);  // -1: no such function

struct Iterator {
  std::string name;
  Dim extent;
};

struct Stage {
  std::string name;
  std::vector<int> target;  // iterators that index it, in order
  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;  // iterators
  ScalarExpr body;
};

// A declaration applied to operand types: named loops with extents and one affine map per access. All that is derived
// from a structured op (evaluation, footprints, work, the emitted loops) is derived from this.
struct LoopNest {
  std::vector<Iterator> iterators;
  std::vector<Stage> stages;  // the last is the result

  const Stage& result() const { return stages.back(); }
  Shape result_shape() const;
};

// An inclusive range of an index, and the extents that a tile touches.
struct IndexRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t extent() const { return max - min + 1; }
};

// The footprint of a tile: for an access, the box of indices that it touches when iterator i runs over tile[i].
std::vector<IndexRange> footprint(const std::vector<AffineIndex>& access, const std::vector<IndexRange>& tile);

// Every operand access in a scalar expression, in order.
std::vector<const ScalarExpr*> operand_accesses(const ScalarExpr& body);

// Scalar operations in one evaluation of the body (its calls), the combiner's included.
std::int64_t operations_per_point(const Stage& stage);

// A parsed declaration, before it is applied to operands.
class StructuredDeclaration {
 public:
  // `operands` in order. Throws std::logic_error for a declaration that is not well formed: it is our own text.
  StructuredDeclaration(std::string text, std::vector<std::string> operands);
  ~StructuredDeclaration();
  StructuredDeclaration(StructuredDeclaration&&) noexcept;

  const std::string& text() const { return text_; }
  const std::vector<std::string>& operands() const { return operands_; }
  const std::vector<std::string>& attributes() const { return attributes_; }  // that the bodies read

  // Solves the maps for the iterators' extents. Operand axes under `...` broadcast as in NumPy (aligned at the right, 1
  // stretches). Throws Error (usage) naming the operand and axis whose size contradicts another's.
  LoopNest apply(const std::string& op_name, const std::vector<Shape>& operand_shapes) const;

 private:
  struct Parsed;
  std::string text_;
  std::vector<std::string> operands_;
  std::vector<std::string> attributes_;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace strata::ir
