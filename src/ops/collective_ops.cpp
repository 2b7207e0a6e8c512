// SPDX-License-Identifier: Apache-2.0
// What the ranks along an axis of a mesh exchange. The types are those of one rank.
#include <algorithm>

#include "base/error.h"
#include "ir/group_op.h"
#include "ops/named_op.h"

namespace strata::ops {
namespace {

using ir::Attributes;
using ir::TensorType;
using ir::Value;

constexpr std::int64_t kMostRanks = 1 << 20;

using Parts = std::vector<std::vector<double>>;  // by rank
using Operands = std::vector<Value>;             // of a rank

// A tensor as runs of one axis: outer x axis x inner.
struct Runs {
  std::int64_t outer = 1, size = 1, inner = 1;

  Runs(const TensorType& type, std::int64_t axis) {
    for (std::int64_t i = 0; i < type.rank(); ++i) {
      const std::int64_t extent = type.shape[static_cast<std::size_t>(i)].factor();
      (i < axis ? outer : i == axis ? size : inner) *= extent;
    }
  }
};

// Part `part` of `parts` equal ones along the axis.
std::vector<double> part_of(const std::vector<double>& data, const Runs& runs, std::int64_t part, std::int64_t parts) {
  const std::int64_t run = runs.size / parts * runs.inner;
  std::vector<double> taken;
  for (std::int64_t i = 0; i < runs.outer; ++i) {
    const auto begin = data.begin() + i * runs.size * runs.inner + part * run;
    taken.insert(taken.end(), begin, begin + run);
  }
  return taken;
}

// The parts beside each other along the axis; `runs` are those of a part.
std::vector<double> joined(const Parts& parts, const Runs& runs) {
  std::vector<double> whole;
  for (std::int64_t i = 0; i < runs.outer; ++i) {
    for (const std::vector<double>& part : parts) {
      const auto begin = part.begin() + i * runs.size * runs.inner;
      whole.insert(whole.end(), begin, begin + runs.size * runs.inner);
    }
  }
  return whole;
}

std::vector<double> sum_of(std::span<const Operands> operands) {
  std::vector<double> sum = operands[0][0].data;
  for (const Operands& own : operands.subspan(1)) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += own[0].data[i];
  }
  return sum;
}

// The number of ranks along the op's axis of the mesh.
std::int64_t require_mesh(const ir::Op& op, const Attributes& attributes) {
  const std::int64_t ranks = ir::int_attribute(op, attributes, "ranks");
  const std::int64_t mesh = ir::int_attribute(op, attributes, "mesh");
  if (ranks >= 1 && ranks <= kMostRanks && mesh >= 0) return ranks;
  throw usage_error(
      op.name() + ": mesh = " + std::to_string(mesh) + ", ranks = " + std::to_string(ranks) + " is no axis of a mesh",
      "give its number, from 0, and its extent");
}

class CollectiveOp : public NamedOp, public ir::GroupOp {
 public:
  // `axes`: attributes that name an axis of the operand; `others`: that it may have beside them.
  CollectiveOp(std::string name, std::vector<std::string> axes, std::vector<std::string> others = {})
      : NamedOp(std::move(name), {"x"}), axes_(std::move(axes)), others_(std::move(others)) {}

  std::vector<double> evaluate(std::span<const Value>, const Attributes&, const TensorType&) const override {
    throw usage_error(name() + ": its result depends on the rank", "interpret the ranks of the mesh together");
  }
  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    return copy_work(operands, result);
  }

  // Along the axes that it leaves alone each part is made by itself.
  std::vector<ir::SbpSignature> sbp_signatures(std::span<const TensorType> operands, const Attributes& attributes,
                                               const TensorType&) const override {
    std::vector<ir::SbpSignature> found;
    for (int axis = 0; axis < operands[0].rank(); ++axis) {
      const auto is_own = [&](const std::string& own) { return ir::int_attribute(*this, attributes, own) == axis; };
      if (std::ranges::any_of(axes_, is_own)) continue;
      found.push_back({{ir::Sbp::split(axis)}, ir::Sbp::split(axis)});
    }
    return found;
  }

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    std::vector<std::string> known = {"mesh", "ranks"};
    known.insert(known.end(), axes_.begin(), axes_.end());
    known.insert(known.end(), others_.begin(), others_.end());
    ir::check_attribute_names(*this, attributes, known);
    const std::int64_t ranks = require_mesh(*this, attributes);
    TensorType result = operands[0];
    if (!result.layout.is_row_major())
      throw usage_error(name() + ": operand x has the layout " + result.layout.text(), "unpack it");
    if (sums() && result.dtype != DType::kF32) throw usage_error(name() + ": operand x is not of f32", "cast it");
    for (const std::string& own : axes_) {
      const std::int64_t axis = ir::int_attribute(*this, attributes, own);
      if (axis < 0 || axis >= result.rank() || !result.shape[static_cast<std::size_t>(axis)].is_constant()) {
        throw usage_error(name() + ": operand x has no axis " + std::to_string(axis) + " of constant size",
                          "axes count from 0");
      }
    }
    set_shape(result, attributes, ranks);
    return result;
  }

  virtual bool sums() const { return false; }
  virtual void set_shape(TensorType& type, const Attributes& attributes, std::int64_t ranks) const {
    (void)type, (void)attributes, (void)ranks;
  }

  std::int64_t axis_of(const Attributes& attributes, const std::string& own = "axis") const {
    return ir::int_attribute(*this, attributes, own);
  }
  void divide(TensorType& type, std::int64_t axis, std::int64_t ranks) const {
    ir::Dim& size = type.shape[static_cast<std::size_t>(axis)];
    if (size.factor() % ranks != 0) {
      throw usage_error(name() + ": axis " + std::to_string(axis) + " of operand x (" + size.text() +
                            ") has no equal parts for " + std::to_string(ranks) + " ranks",
                        "divide an axis whose size they divide");
    }
    size = size.factor() / ranks;
  }
  void multiply(TensorType& type, std::int64_t axis, std::int64_t ranks) const {
    ir::Dim& size = type.shape[static_cast<std::size_t>(axis)];
    size = size * ir::Dim(ranks);
  }

 private:
  std::vector<std::string> axes_, others_;
};

// P -> B: the sum of what the ranks have. Up to `whole_bytes` bytes each rank sends all that it has at once.
class AllReduceOp : public CollectiveOp {
 public:
  AllReduceOp() : CollectiveOp("all_reduce", {}, {"whole_bytes"}) {}

  Parts evaluate_group(std::span<const Operands> operands, const Attributes&, const TensorType&) const override {
    return Parts(operands.size(), sum_of(operands));
  }

 protected:
  bool sums() const override { return true; }
};

// P -> S: of the sum each rank has a part.
class ReduceScatterOp : public CollectiveOp {
 public:
  ReduceScatterOp() : CollectiveOp("reduce_scatter", {"axis"}) {}

  Parts evaluate_group(std::span<const Operands> operands, const Attributes& attributes,
                       const TensorType&) const override {
    const std::vector<double> sum = sum_of(operands);
    const auto ranks = static_cast<std::int64_t>(operands.size());
    Parts parts;
    for (std::int64_t rank = 0; rank < ranks; ++rank)
      parts.push_back(part_of(sum, Runs(operands[0][0].type, axis_of(attributes)), rank, ranks));
    return parts;
  }

 protected:
  bool sums() const override { return true; }
  void set_shape(TensorType& type, const Attributes& attributes, std::int64_t ranks) const override {
    divide(type, axis_of(attributes), ranks);
  }
};

// S -> B: the ranks' parts beside each other.
class AllGatherOp : public CollectiveOp {
 public:
  AllGatherOp() : CollectiveOp("all_gather", {"axis"}) {}

  Parts evaluate_group(std::span<const Operands> operands, const Attributes& attributes,
                       const TensorType&) const override {
    Parts parts;
    for (const Operands& own : operands) parts.push_back(own[0].data);
    return Parts(operands.size(), joined(parts, Runs(operands[0][0].type, axis_of(attributes))));
  }

 protected:
  void set_shape(TensorType& type, const Attributes& attributes, std::int64_t ranks) const override {
    multiply(type, axis_of(attributes), ranks);
  }
};

// S -> S: of parts along `from`, parts along `axis`.
class AllToAllOp : public CollectiveOp {
 public:
  AllToAllOp() : CollectiveOp("all_to_all", {"axis", "from"}) {}

  Parts evaluate_group(std::span<const Operands> operands, const Attributes& attributes,
                       const TensorType&) const override {
    const auto ranks = static_cast<std::int64_t>(operands.size());
    const Runs cut(operands[0][0].type, axis_of(attributes));
    TensorType part = operands[0][0].type;
    divide(part, axis_of(attributes), ranks);
    Parts results;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      Parts parts;
      for (const Operands& own : operands) parts.push_back(part_of(own[0].data, cut, rank, ranks));
      results.push_back(joined(parts, Runs(part, axis_of(attributes, "from"))));
    }
    return results;
  }

 protected:
  void set_shape(TensorType& type, const Attributes& attributes, std::int64_t ranks) const override {
    if (axis_of(attributes) == axis_of(attributes, "from"))
      throw usage_error("all_to_all: axis and from are the same", "name two axes");
    divide(type, axis_of(attributes), ranks);
    multiply(type, axis_of(attributes, "from"), ranks);
  }
};

// B -> S: the rank's part of what it has.
class RankSliceOp : public CollectiveOp {
 public:
  RankSliceOp() : CollectiveOp("rank_slice", {"axis"}) {}

  Parts evaluate_group(std::span<const Operands> operands, const Attributes& attributes,
                       const TensorType&) const override {
    const auto ranks = static_cast<std::int64_t>(operands.size());
    Parts parts;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const Value& own = operands[static_cast<std::size_t>(rank)][0];
      parts.push_back(part_of(own.data, Runs(own.type, axis_of(attributes)), rank, ranks));
    }
    return parts;
  }

 protected:
  void set_shape(TensorType& type, const Attributes& attributes, std::int64_t ranks) const override {
    divide(type, axis_of(attributes), ranks);
  }
};

// The rows of a table by number, of which the rank has equal parts: zeros where another rank has the row.
//
//   y[s, j] = table[ids[s] - rank * extent(table), j], or 0
class RankGatherOp : public NamedOp, public ir::GroupOp {
 public:
  RankGatherOp() : NamedOp("rank_gather", {"table", "ids"}) {}

  std::vector<double> evaluate(std::span<const Value>, const Attributes&, const TensorType&) const override {
    throw usage_error(name() + ": its result depends on the rank", "interpret the ranks of the mesh together");
  }
  Parts evaluate_group(std::span<const Operands> operands, const Attributes&, const TensorType&) const override {
    Parts results;
    for (std::size_t rank = 0; rank < operands.size(); ++rank) {
      const Value& table = operands[rank][0];
      const auto rows = static_cast<double>(table.type.shape[0].factor());
      const std::int64_t columns = table.type.shape[1].factor();
      std::vector<double>& result = results.emplace_back();
      for (const double id : operands[rank][1].data) {
        const double row = id - static_cast<double>(rank) * rows;
        const bool is_own = row >= 0 && row < rows;
        const auto begin = table.data.begin() + (is_own ? static_cast<std::int64_t>(row) * columns : 0);
        for (std::int64_t j = 0; j < columns; ++j) result.push_back(is_own ? begin[j] : 0);
      }
    }
    return results;
  }
  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    const auto bytes = static_cast<double>(ir::max_bytes(result));
    return {0, static_cast<double>(ir::max_bytes(operands[1])) + bytes, bytes};
  }
  std::vector<ir::SbpSignature> sbp_signatures(std::span<const TensorType>, const Attributes&,
                                               const TensorType&) const override {
    return {{{ir::Sbp{}, ir::Sbp::split(0)}, ir::Sbp::split(0)}, {{ir::Sbp::split(1), ir::Sbp{}}, ir::Sbp::split(1)}};
  }

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    static const std::vector<std::string> kKnown = {"mesh", "ranks"};
    ir::check_attribute_names(*this, attributes, kKnown);
    require_mesh(*this, attributes);
    require_rank(operands, 0, 2);
    require_rank(operands, 1, 1);
    require_integers(operands, 1);
    for (const TensorType& operand : operands) {
      if (!operand.layout.is_row_major())
        throw usage_error("rank_gather: an operand has the layout " + operand.layout.text(), "unpack it");
    }
    if (!is_floating(operands[0].dtype)) throw usage_error("rank_gather: operand table holds no numbers", "cast it");
    return {DType::kF32, {operands[1].shape[0], operands[0].shape[1]}};
  }
};

}  // namespace

void register_collective_ops() {
  register_op<AllReduceOp>();
  register_op<ReduceScatterOp>();
  register_op<AllGatherOp>();
  register_op<AllToAllOp>();
  register_op<RankSliceOp>();
  register_op<RankGatherOp>();
}

}  // namespace strata::ops
