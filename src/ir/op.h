// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/expr.h"
#include "ir/sbp_signature.h"
#include "ir/structured.h"

namespace strata::ir {

// A tensor of the reference interpreter: logical values in row-major order, whatever the type's layout.
struct Value {
  TensorType type;  // shape entries are constants here
  std::vector<double> data;
};

// What an op costs where nothing is known of its schedule: arithmetic operations, and bytes that must be read and
// written at least once. At the symbols' upper bounds.
struct Work {
  double flops = 0;
  double read_bytes = 0;
  double written_bytes = 0;
};

// An operation on tensors. Structured ops are declared by text and derive all of this (ops/structured_op.h); others
// implement it by hand. Ops are singletons that live as long as the program.
class Op {
 public:
  virtual ~Op() = default;

  virtual const std::string& name() const = 0;
  virtual int arity() const = 0;
  virtual std::vector<std::string> operand_names() const = 0;

  // The result's type; its placement is the one that the operands' placements imply. Throws Error (usage) that names
  // the op and the operand which doesn't fit.
  TensorType infer(std::span<const TensorType> operands, const Attributes& attributes) const;

  // How the op can be divided among the devices of a mesh. Of an op with loops this follows from them; any other says
  // it, and cannot be divided unless it does.
  virtual std::vector<SbpSignature> sbp_signatures(std::span<const TensorType> operands, const Attributes& attributes,
                                                   const TensorType& result) const;

  // Reference evaluation in float64; `result` is the inferred type with constant sizes. The interpreter rounds the
  // result to its dtype.
  virtual std::vector<double> evaluate(std::span<const Value> operands, const Attributes& attributes,
                                       const TensorType& result) const = 0;

  virtual Work work(std::span<const TensorType> operands, const Attributes& attributes,
                    const TensorType& result) const = 0;

  // The loops of this op on these operands; null for an op that is not structured.
  virtual std::shared_ptr<const LoopNest> loops(std::span<const TensorType> operands,
                                                const Attributes& attributes) const {
    (void)operands, (void)attributes;
    return nullptr;
  }

  // The operand whose memory the result is: a view (reshape) or an update in place (cache append).
  virtual std::optional<int> aliased_operand() const { return std::nullopt; }

  // Whether the result holds every element of the operands once, and nothing else, if its element type is theirs.
  virtual bool permutes_elements() const { return false; }

  // Whether the result is the operand, lying otherwise in memory: from row-major to packed, or back.
  virtual bool changes_layout() const { return false; }

  // Whether an operand may be rounded to the element type of what it is multiplied by, which changes the result by as
  // much as one rounding of its elements.
  virtual bool permits_rounding() const { return false; }

  // The largest error of an element that it is said to be, by those that it shares a scale with; 0: it is exact but for
  // the rounding to its element type.
  virtual double roundoff() const { return 0; }

  // Whether it is there because the op that reads it permits it: rules leave it where it stands.
  virtual bool is_permitted_by_reader() const { return false; }

  // For an aliased result: whether the operand's content changes.
  virtual bool writes_alias() const { return false; }

 protected:
  // The result's type; what it says of the placement is not looked at.
  virtual TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const = 0;
};

// Attribute access; a missing or mistyped attribute throws Error (usage) naming the op.
std::int64_t int_attribute(const Op& op, const Attributes& attributes, const std::string& name);
double float_attribute(const Op& op, const Attributes& attributes, const std::string& name);
std::optional<DType> dtype_attribute(const Attributes& attributes, const std::string& name);
const std::vector<std::int64_t>& ints_attribute(const Op& op, const Attributes& attributes, const std::string& name);
const Layout& layout_attribute(const Op& op, const Attributes& attributes, const std::string& name);

// Throws Error (usage) naming an attribute that is not among those the op knows.
void check_attribute_names(const Op& op, const Attributes& attributes, std::span<const std::string> known);

// All ops by name. The set is fixed when the program starts.
const Op* find_op(std::string_view name);
const Op& get_op(std::string_view name);   // must exist
std::vector<const Op*> all_ops();          // sorted by name
void register_op(std::unique_ptr<Op> op);  // a duplicate name is an internal error

}  // namespace strata::ir
