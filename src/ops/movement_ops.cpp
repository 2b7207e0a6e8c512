// SPDX-License-Identifier: Apache-2.0
// Ops that compute nothing: each element of the result is one element of an operand.
#include <algorithm>

#include "base/error.h"
#include "ops/structured_op.h"

namespace strata::ops {
namespace {

using ir::Attributes;
using ir::Dim;
using ir::Shape;
using ir::TensorType;

// y[i0, i1, ...] = x[...] as a loop nest: over the result's shape, with one index of x per axis.
std::shared_ptr<const ir::LoopNest> copy_nest(const Shape& result, std::vector<ir::IndexMap> index) {
  ir::LoopNest nest;
  ir::Stage stage;
  stage.name = "y";
  for (std::size_t i = 0; i < result.size(); ++i) {
    nest.iterators.push_back({"i" + std::to_string(i), result[i]});
    stage.target.push_back(static_cast<int>(i));
  }
  stage.body.kind = ir::ScalarExpr::Kind::kOperand;
  stage.body.index = std::move(index);
  nest.stages.push_back(std::move(stage));
  return std::make_shared<const ir::LoopNest>(std::move(nest));
}

ir::IndexMap bare_index(std::size_t rank, std::size_t iterator, std::int64_t constant = 0) {
  ir::IndexMap index{std::vector<std::int64_t>(rank, 0), constant, {}};
  index.coefficients[iterator] = 1;
  return index;
}

std::string list_text(const std::vector<std::int64_t>& items) {
  std::string text;
  for (const std::int64_t item : items) text += (text.empty() ? "" : ", ") + std::to_string(item);
  return "[" + text + "]";
}

// Axis i of the result is axis perm[i] of x.
class TransposeOp : public LoopNestOp {
 public:
  TransposeOp() : LoopNestOp("transpose", {"x"}, {"perm"}, ResultDType::kFirstOperand) {}

  bool permutes_elements() const override { return true; }

 protected:
  std::shared_ptr<const ir::LoopNest> nest(const std::vector<Shape>& shapes,
                                           const Attributes& attributes) const override {
    const Shape& shape = shapes[0];
    const std::vector<std::int64_t>& perm = ir::ints_attribute(*this, attributes, "perm");
    std::vector<bool> used(shape.size());
    for (const std::int64_t axis : perm) {
      const bool valid = axis >= 0 && axis < static_cast<std::int64_t>(shape.size()) && !used[axis];
      if (!valid || perm.size() != shape.size()) {
        throw usage_error("transpose: perm = " + list_text(perm) + " is no permutation of the " +
                              std::to_string(shape.size()) + " axes of operand x",
                          "name each axis once");
      }
      used[axis] = true;
    }
    if (perm.size() != shape.size()) throw usage_error("transpose: perm is empty", "name each axis of operand x once");
    Shape result;
    std::vector<ir::IndexMap> index(shape.size());
    for (std::size_t i = 0; i < perm.size(); ++i) {
      result.push_back(shape[perm[i]]);
      index[perm[i]] = bare_index(perm.size(), i);
    }
    return copy_nest(result, std::move(index));
  }
};

// Elements begin..end-1 of one axis. Of a symbolic axis, what every value of the symbol has.
class SliceOp : public LoopNestOp {
 public:
  SliceOp() : LoopNestOp("slice", {"x"}, {"axis", "begin", "end"}, ResultDType::kFirstOperand) {}

 protected:
  std::shared_ptr<const ir::LoopNest> nest(const std::vector<Shape>& shapes,
                                           const Attributes& attributes) const override {
    Shape result = shapes[0];
    const std::int64_t axis = ir::int_attribute(*this, attributes, "axis");
    const std::int64_t begin = ir::int_attribute(*this, attributes, "begin");
    const std::int64_t end = ir::int_attribute(*this, attributes, "end");
    if (axis < 0 || axis >= static_cast<std::int64_t>(result.size())) {
      throw usage_error("slice: operand x has no axis " + std::to_string(axis), "axes count from 0");
    }
    if (begin < 0 || begin >= end || end > result[axis].min()) {
      throw usage_error("slice: " + std::to_string(begin) + ".." + std::to_string(end) + " is no range of axis " +
                            std::to_string(axis) + " of operand x (" + result[axis].text() + ")",
                        "give 0 <= begin < end <= the axis' smallest size");
    }
    result[axis] = end - begin;
    std::vector<ir::IndexMap> index;
    for (std::size_t i = 0; i < result.size(); ++i) {
      index.push_back(bare_index(result.size(), i, static_cast<std::int64_t>(i) == axis ? begin : 0));
    }
    return copy_nest(result, std::move(index));
  }
};

void require_row_major(const ir::Op& op, const TensorType& x) {
  if (!x.layout.is_row_major())
    throw usage_error(op.name() + ": operand x has the layout " + x.layout.text(), "unpack it");
}

// The size that -1 stands for.
Dim remaining_size(const Dim& count, std::int64_t known, const std::vector<std::int64_t>& wanted) {
  if (count.factor() % known != 0) {
    throw usage_error("reshape: " + count.text() + " elements don't fit shape = " + list_text(wanted),
                      "the known sizes must divide their number");
  }
  return {count.factor() / known, count.symbol()};
}

// The same elements in row-major order under another shape, in the same memory. One size may be -1: what is left, which
// is where a symbolic size goes. A row-major tensor read in groups of lanes is read so in its new shape too.
class ReshapeOp : public NamedOp {
 public:
  ReshapeOp() : NamedOp("reshape", {"x"}) {}

  std::vector<double> evaluate(std::span<const ir::Value> operands, const Attributes&,
                               const TensorType&) const override {
    return operands[0].data;
  }
  ir::Work work(std::span<const TensorType>, const Attributes&, const TensorType&) const override { return {}; }
  std::optional<int> aliased_operand() const override { return 0; }
  bool permutes_elements() const override { return true; }

  std::vector<ir::SbpSignature> sbp_signatures(std::span<const TensorType> operands, const Attributes&,
                                               const TensorType& result) const override {
    return ir::copy_signatures(operands[0], result,
                               [&](int axis) { return reshaped_axis(operands[0].shape, axis, result.shape); });
  }

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    static const std::vector<std::string> kKnown = {"shape"};
    ir::check_attribute_names(*this, attributes, kKnown);
    if (!ir::is_row_major_in_memory(operands[0])) require_row_major(*this, operands[0]);
    const auto symbolic = std::count_if(operands[0].shape.begin(), operands[0].shape.end(),
                                        [](const Dim& dim) { return !dim.is_constant(); });
    if (symbolic > 1) throw usage_error("reshape: operand x has more than one symbolic axis", "reshape it before");
    TensorType result{.dtype = operands[0].dtype};
    result.shape = solve(ir::element_count(operands[0].shape), ir::ints_attribute(*this, attributes, "shape"));
    const auto& packs = operands[0].layout.packs;
    if (!packs.empty() && !result.shape.empty()) result.layout = ir::vector_layout(result.shape, packs[0].lanes);
    return result;
  }

 private:
  // The axis of the result whose parts hold the elements of the parts of this axis: as many elements lie outside of
  // both.
  static std::optional<int> reshaped_axis(const Shape& shape, int axis, const Shape& result) {
    if (shape[axis] == Dim(1)) return std::nullopt;
    const Dim outer = ir::element_count(Shape(shape.begin(), shape.begin() + axis));
    Dim count = 1;
    for (std::size_t i = 0; i < result.size(); ++i) {
      if (count == outer && result[i] != Dim(1)) return static_cast<int>(i);
      count = count * result[i];
    }
    return std::nullopt;
  }

  static Shape solve(const Dim& count, const std::vector<std::int64_t>& wanted) {
    std::int64_t product = 1;
    bool has_rest = false;
    for (const std::int64_t size : wanted) {
      if (size < -1 || size == 0 || (size == -1 && has_rest)) {
        throw usage_error("reshape: shape = " + list_text(wanted) + " is no shape",
                          "sizes are positive, one may be -1");
      }
      if (size == -1) {
        has_rest = true;
      } else if (size > count.factor() / product) {
        throw usage_error("reshape: " + count.text() + " elements don't fit shape = " + list_text(wanted),
                          "keep the number of elements");
      } else {
        product *= size;
      }
    }
    const Dim rest = remaining_size(count, product, wanted);
    if (!has_rest && rest != Dim(1)) {
      throw usage_error("reshape: " + count.text() + " elements don't fit shape = " + list_text(wanted),
                        "keep the number of elements, or write -1 for one size");
    }
    Shape result;
    for (const std::int64_t size : wanted) result.push_back(size == -1 ? rest : Dim(size));
    return result;
  }
};

// Two tensors after one another along an axis:
//
//   y[i, ...] = a[i, ...]; y[extent(i) + j, ...] = b[j, ...]
class ConcatOp : public LoopNestOp {
 public:
  ConcatOp() : LoopNestOp("concat", {"a", "b"}, {"axis"}, ResultDType::kFirstOperand, ResultLayout::kRowMajor) {}

  bool permutes_elements() const override { return true; }

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    if (operands[0].dtype != operands[1].dtype) {
      throw usage_error("concat: operand b is of " + std::string(dtype_name(operands[1].dtype)) + " elements, a of " +
                            std::string(dtype_name(operands[0].dtype)),
                        "cast one of them");
    }
    return LoopNestOp::infer_unplaced(operands, attributes);
  }

  std::shared_ptr<const ir::LoopNest> nest(const std::vector<Shape>& shapes,
                                           const Attributes& attributes) const override {
    const std::int64_t axis = ir::int_attribute(*this, attributes, "axis");
    if (axis < 0 || axis >= static_cast<std::int64_t>(shapes[0].size())) {
      throw usage_error("concat: the operands have no axis " + std::to_string(axis), "axes count from 0");
    }
    const auto at = static_cast<std::size_t>(axis);
    if (shapes[0].size() <= kUsualRank) {
      return std::make_shared<const ir::LoopNest>(usual()[shapes[0].size() - 1][at].apply(name(), shapes));
    }
    const ir::StructuredDeclaration own(declaration(shapes[0].size(), at), operand_names());
    return std::make_shared<const ir::LoopNest>(own.apply(name(), shapes));
  }

 private:
  static constexpr std::size_t kUsualRank = 4;

  // By rank and axis, parsed once.
  static const std::vector<std::vector<ir::StructuredDeclaration>>& usual() {
    static const auto kDeclarations = [] {
      std::vector<std::vector<ir::StructuredDeclaration>> all(kUsualRank);
      for (std::size_t rank = 1; rank <= kUsualRank; ++rank) {
        for (std::size_t axis = 0; axis < rank; ++axis) {
          all[rank - 1].emplace_back(declaration(rank, axis), std::vector<std::string>{"a", "b"});
        }
      }
      return all;
    }();
    return kDeclarations;
  }

  static std::string declaration(std::size_t rank, std::size_t axis) {
    std::string first, place, second;
    for (std::size_t i = 0; i < rank; ++i) {
      const std::string comma = i == 0 ? "" : ", ", iterator = "i" + std::to_string(i);
      first += comma + iterator;
      second += comma + (i == axis ? "j" : iterator);
      place += comma + (i == axis ? "extent(" + iterator + ") + j" : iterator);
    }
    return "y[" + first + "] = a[" + first + "]; y[" + place + "] = b[" + second + "]";
  }
};

std::vector<ir::SbpSignature> same_axes(const TensorType& operand, const TensorType& result) {
  return ir::copy_signatures(operand, result, [](int axis) { return axis; });
}

// The same elements, lying otherwise.
class LayoutOp : public NamedOp {
 public:
  using NamedOp::NamedOp;

  std::vector<double> evaluate(std::span<const ir::Value> operands, const Attributes&,
                               const TensorType&) const override {
    return operands[0].data;
  }
  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    return copy_work(operands, result);
  }
  bool permutes_elements() const override { return true; }
  bool changes_layout() const override { return true; }

  std::vector<ir::SbpSignature> sbp_signatures(std::span<const TensorType> operands, const Attributes&,
                                               const TensorType& result) const override {
    return same_axes(operands[0], result);
  }
};

// From row-major to packed.
class PackOp : public LayoutOp {
 public:
  PackOp() : LayoutOp("pack", {"x"}) {}

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    static const std::vector<std::string> kKnown = {"layout"};
    ir::check_attribute_names(*this, attributes, kKnown);
    require_row_major(*this, operands[0]);
    TensorType result = operands[0];
    result.layout = ir::layout_attribute(*this, attributes, "layout");
    if (result.layout.is_row_major()) throw usage_error("pack: the layout has no packs", "give one such as <16@0>");
    ir::check_layout(result, "pack");
    return result;
  }
};

// Back to row-major.
class UnpackOp : public LayoutOp {
 public:
  UnpackOp() : LayoutOp("unpack", {"x"}) {}

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    ir::check_attribute_names(*this, attributes, {});
    if (operands[0].layout.is_row_major()) throw usage_error("unpack: operand x is not packed", "use it as it is");
    TensorType result = operands[0];
    result.layout = {};
    return result;
  }
};

}  // namespace

void register_movement_ops() {
  register_structured({
      // Rows of a table by number.
      {"gather", {"table", "ids"}, "y[s, j] = table[ids[s], j]", ResultDType::kAttributeOrF32, ResultLayout::kRowMajor},
  });
  register_op<TransposeOp>();
  register_op<SliceOp>();
  register_op<ReshapeOp>();
  register_op<ConcatOp>();
  register_op<PackOp>();
  register_op<UnpackOp>();
}

}  // namespace strata::ops
