// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/type.h"

namespace strata::ir {

// A structured op's declaration is a text in tensor index notation, one statement per stage:
//
//   matmul        c[m, n] = sum(k) a[m, k] * b[n, k]
//   rms_norm      ss[...] = sum(k) x[..., k] * x[..., k];
//                 y[..., k] = x[..., k] * rsqrt(ss[...] / extent(k) + eps) * w[k]
//   gather        y[s, j] = table[ids[s], j]
//   cache_append  cache[h, positions[s], i] = x[s, h, i]
//   attention     score[s, h, t <= positions[s]] = scale * sum(k) q[s, h, k] * keys[h / group, t, k];
//                 y[s, h, d] = softmax_sum(t <= positions[s]) score[s, h, t], values[h / group, t, d]
//
// An iterator that a statement's target doesn't have is reduced by the combiner: sum, max, min, product, or one whose
// state is a tuple (TupleCombiner). A reduction may stand wherever a factor may, so also inside of another one; it
// takes all that follows it. `...` stands for the leading axes. A name that is neither operand, stage nor iterator is
// an attribute.
//
// An index is a sum of iterators with coefficients, of constants, and of
//   t / 16, t % 16   quotient and remainder; `h / group` by a size that the operands determine
//   extent(i)        the extent of an iterator
//   ids[s]           an element of an operand, which must hold integers; also divided, as in pages[positions[s] / 16]
//
// A limit on an iterator, `t <= positions[s]` (or <, >=, >), may depend on data; an upper one must lie below the
// extent, and below a lower one nothing is left out but what there is not. It stands in the statement's target or where
// the iterator is reduced.
//
// The last statement is the result. A target that is an operand is updated in place: the result is the operand, with
// what the statement writes. Several statements with the name of the result write a part of it each. Earlier ones are
// read with the indices with which they are written.

struct IndexTerm;

// An index: sum of coefficient x iterator, plus a constant, plus what no coefficient says.
struct IndexMap {
  std::vector<std::int64_t> coefficients;  // by iterator
  std::int64_t constant = 0;
  std::vector<IndexTerm> terms;

  bool operator==(const IndexMap& other) const;
};

struct IndexTerm {
  enum class Kind {
    kIterator,
    kExtent,   // of an iterator
    kOperand,  // an element of an operand
  };
  Kind kind = Kind::kIterator;
  std::int64_t coefficient = 1;
  int number = 0;  // of the iterator or operand
  std::int64_t divisor = 1;
  bool is_remainder = false;         // of the division, in place of the quotient (rounded down)
  std::vector<IndexMap> index = {};  // kOperand: one per axis

  bool operator==(const IndexTerm&) const = default;
};

struct Bound;
struct TupleCombiner;

// The scalar computation of a stage: a tree.
struct ScalarExpr {
  enum class Kind { kConstant, kOperand, kStage, kIterator, kExtent, kAttribute, kCall, kReduce };
  Kind kind = Kind::kConstant;
  double value = 0;                   // kConstant
  int number = 0;                     // kOperand, kStage, kIterator, kExtent: which
  std::string name;                   // kAttribute; kCall: one of the scalar functions
  std::vector<IndexMap> index;        // kOperand: one per axis of the operand
  std::vector<ScalarExpr> arguments;  // kCall; kReduce: what is combined, of a tuple one per input

  Combiner combiner = Combiner::kNone;   // kReduce
  const TupleCombiner* tuple = nullptr;  // kReduce with kTuple
  std::vector<int> reduced;              // kReduce: iterators
  std::vector<Bound> bounds;             // kReduce: of these

  bool operator==(const ScalarExpr& other) const;
};

// The iterator runs to `value` at most, or from it on.
struct Bound {
  int iterator = 0;
  bool is_upper = true;
  ScalarExpr value;

  bool operator==(const Bound&) const = default;
};

// Scalar functions: add sub mul div neg exp log sqrt rsqrt sin cos tanh sigmoid erf abs rint max min select lt
// (ir/scalar.h).
int scalar_arity(const std::string& function);  // -1: no such function

struct Iterator {
  std::string name;
  Dim extent;
};

struct Stage {
  std::string name;
  std::vector<int> target;  // iterators that index it, in order; of one with a place the loops that write it
  Combiner combiner = Combiner::kNone;
  std::vector<int> reduced;  // iterators
  ScalarExpr body;
  std::vector<Bound> bounds = {};    // of the target's iterators
  std::vector<IndexMap> place = {};  // where in the result it writes, one per axis; empty: where its target says
};

// A declaration applied to operand types: named loops with extents and one affine map per access. All that is derived
// from a structured op (evaluation, footprints, work, the emitted loops) is derived from this.
struct LoopNest {
  std::vector<Iterator> iterators;
  std::vector<Stage> stages;        // the last is the result, or writes a part of it
  Shape placed_shape = {};          // of a result whose stages have places
  std::optional<int> updated = {};  // the operand whose memory the result is

  const Stage& result() const { return stages.back(); }
  Shape result_shape() const;
};

// Whether the loops are rectangular, read by maps of iterators alone, and write in order what they compute, each stage
// but the last a scalar inside of loops that all later ones share. Code can be made of such loops as they are.
bool is_plain(const LoopNest& nest);

// Whether an index is affine.
bool is_affine(const IndexMap& index);

// Whether an index is made of iterators, their quotients and their remainders alone.
bool is_of_iterators(const IndexMap& index);

// Whether an index changes with an iterator.
bool depends_on(const IndexMap& index, int iterator);
bool depends_on(const IndexTerm& term, int iterator);

// An inclusive range of an index, and the extents that a tile touches.
struct IndexRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t extent() const { return max - min + 1; }
};

// The footprint of a tile: for an access, the box of indices that it touches when iterator i runs over tile[i]. An axis
// whose index is read from an operand may be touched anywhere: it must not be asked for.
std::vector<IndexRange> footprint(const std::vector<IndexMap>& access, const std::vector<IndexRange>& tile);

// Every operand access in a scalar expression, in order, those of nested reductions too; what only an index or a bound
// reads is not among them.
std::vector<const ScalarExpr*> operand_accesses(const ScalarExpr& body);

// Operands whose elements are indices or bounds.
std::set<int> index_operands(const LoopNest& nest);

// A parsed declaration, before it is applied to operands.
class StructuredDeclaration {
 public:
  // `operands` in order. Throws std::logic_error for a declaration that is not well formed: it is our own text.
  StructuredDeclaration(std::string text, std::vector<std::string> operands);
  ~StructuredDeclaration();
  StructuredDeclaration(StructuredDeclaration&&) noexcept;

  const std::string& text() const { return text_; }
  const std::vector<std::string>& operands() const { return operands_; }
  const std::vector<std::string>& attributes() const { return attributes_; }  // that bodies and bounds read
  std::optional<int> updated() const;                                         // the operand that is updated in place

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
