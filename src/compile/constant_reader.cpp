// SPDX-License-Identifier: Apache-2.0
#include "compile/constant_reader.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "compile/convert.h"
#include "compile/tensor_elements.h"
#include "ir/op.h"
#include "ir/scalar.h"
#include "schedule/strided_nest.h"

namespace strata::compile {
namespace {

using ir::Expr;
using ir::ScalarExpr;
using Source = std::unique_ptr<ElementSource>;

std::byte* as_bytes(float* p) { return reinterpret_cast<std::byte*>(p); }

std::int64_t elements_of(const Expr& value) { return ir::max_element_count(value.type().shape); }

class ScalarElement : public ElementSource {
 public:
  explicit ScalarElement(double value) : value_(value) {}

  void read(std::int64_t, std::int64_t count, DType to, std::byte* out) const override {
    const std::vector<double> values(static_cast<std::size_t>(count), value_);
    convert(values.data(), count, to, out);
  }
  double element(std::int64_t) const override { return value_; }
  bool needs_memory() const override { return false; }

 private:
  double value_;
};

// The operand's elements rounded to a narrower type on their way.
class RoundedElements : public ElementSource {
 public:
  RoundedElements(Source operand, DType dtype) : operand_(std::move(operand)), dtype_(dtype) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    if (to == dtype_) return operand_->read(first, count, to, out);
    std::vector<std::byte> rounded(static_cast<std::size_t>(count * dtype_size(dtype_)));
    operand_->read(first, count, dtype_, rounded.data());
    convert(dtype_, rounded.data(), count, to, out);
  }
  bool needs_memory() const override { return operand_->needs_memory(); }

 private:
  Source operand_;
  DType dtype_;
};

// Two tensors after one another along an axis: runs of both in turn.
class JoinedElements : public ElementSource {
 public:
  JoinedElements(Source a, Source b, std::int64_t run_a, std::int64_t run_b)
      : a_(std::move(a)), b_(std::move(b)), run_a_(run_a), run_b_(run_b) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    while (count > 0) {
      const std::int64_t outer = first / (run_a_ + run_b_);
      const std::int64_t inside = first % (run_a_ + run_b_);
      const bool in_a = inside < run_a_;
      const std::int64_t here = std::min(count, (in_a ? run_a_ : run_a_ + run_b_) - inside);
      const std::int64_t from = in_a ? outer * run_a_ + inside : outer * run_b_ + inside - run_a_;
      (in_a ? a_ : b_)->read(from, here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return a_->needs_memory() || b_->needs_memory(); }

 private:
  Source a_, b_;
  std::int64_t run_a_, run_b_;
};

// All elements in f32, made when they are first read.
class StoredElements : public ElementSource {
 public:
  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    convert(DType::kF32, as_bytes(values() + first), count, to, out);
  }
  double element(std::int64_t index) const override { return values()[index]; }
  bool needs_memory() const override { return true; }

 protected:
  virtual std::vector<float> make() const = 0;

 private:
  float* values() const {
    std::call_once(made_, [&] { values_ = make(); });
    return values_.data();
  }

  mutable std::once_flag made_;
  mutable std::vector<float> values_;
};

class WholeElements : public StoredElements {
 public:
  WholeElements(Source operand, std::int64_t count) : operand_(std::move(operand)), count_(count) {}

 protected:
  std::vector<float> make() const override {
    std::vector<float> values(static_cast<std::size_t>(count_));
    operand_->read(0, count_, DType::kF32, as_bytes(values.data()));
    return values;
  }

 private:
  Source operand_;
  std::int64_t count_;
};

// An op by its reference evaluation.
class EvaluatedElements : public StoredElements {
 public:
  EvaluatedElements(const Expr& value, std::vector<Source> operands) : value_(value), operands_(std::move(operands)) {}

 protected:
  std::vector<float> make() const override {
    std::vector<ir::Value> values;
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Expr& argument = *value_.arguments[i];
      ir::Value& value = values.emplace_back(ir::Value{argument.type(), {}});
      for (std::int64_t e = 0; e < elements_of(argument); ++e) value.data.push_back(operands_[i]->element(e));
    }
    const auto result = value_.op->evaluate(values, value_.attributes, value_.type());
    return {result.begin(), result.end()};
  }

 private:
  const Expr& value_;
  std::vector<Source> operands_;
};

// Loops that map each point to one element (elementwise, slice, transpose), a row of the innermost loop at a time.
class MappedElements : public ElementSource {
 public:
  MappedElements(const Expr& value, schedule::StridedNest nest, std::vector<Source> operands)
      : value_(value), nest_(std::move(nest)), operands_(std::move(operands)) {
    for (const int iterator : nest_.result().target) extents_.push_back(nest_.iterators[iterator].extent.factor());
    if (extents_.empty()) extents_.push_back(1);
  }

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    while (count > 0) {
      const std::int64_t column = first % extents_.back();
      const std::int64_t here = std::min(count, extents_.back() - column);
      read_row(first / extents_.back(), column, here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return std::ranges::any_of(operands_, &ElementSource::needs_memory, Deref{}); }

 private:
  struct Deref {
    const ElementSource& operator()(const Source& source) const { return *source; }
  };

  // Values of all iterators at the start of a piece of a row.
  std::vector<std::int64_t> point(std::int64_t row, std::int64_t column) const {
    const auto& target = nest_.result().target;
    std::vector<std::int64_t> values(nest_.iterators.size(), 0);
    if (target.empty()) return values;
    values[static_cast<std::size_t>(target.back())] = column;
    for (std::size_t i = target.size() - 1; i-- > 0; row /= extents_[i]) {
      values[static_cast<std::size_t>(target[i])] = row % extents_[i];
    }
    return values;
  }

  void read_row(std::int64_t row, std::int64_t column, std::int64_t count, DType to, std::byte* out) const {
    const std::vector<std::int64_t> at = point(row, column);
    const ScalarExpr& body = nest_.result().body;
    if (body.kind == ScalarExpr::Kind::kOperand && step(body.number) == 1) {
      return operand(body.number).read(address(body.number, at), count, to, out);
    }
    const std::vector<double> values = evaluate(body, at, count);
    convert(values.data(), count, to, out);
  }

  const ElementSource& operand(int access) const {
    return *operands_[static_cast<std::size_t>(nest_.accesses[static_cast<std::size_t>(access)].operand)];
  }

  // Distance of an access' elements along a row.
  std::int64_t step(int access) const {
    const auto& target = nest_.result().target;
    if (target.empty()) return 0;
    return nest_.accesses[static_cast<std::size_t>(access)].strides[static_cast<std::size_t>(target.back())].factor();
  }

  std::int64_t address(int access, const std::vector<std::int64_t>& at) const {
    const schedule::StridedAccess& a = nest_.accesses[static_cast<std::size_t>(access)];
    std::int64_t index = a.offset;
    for (std::size_t i = 0; i < at.size(); ++i) index += a.strides[i].factor() * at[i];
    for (const schedule::DividedStride& divided : a.divided) {
      const std::int64_t of = at[static_cast<std::size_t>(divided.iterator)];
      index += divided.stride.factor() * (divided.is_remainder ? of % divided.divisor : of / divided.divisor);
    }
    return index;
  }

  std::vector<double> evaluate(const ScalarExpr& body, const std::vector<std::int64_t>& at, std::int64_t count) const {
    std::vector<double> values(static_cast<std::size_t>(count));
    switch (body.kind) {
      case ScalarExpr::Kind::kConstant:
        std::ranges::fill(values, body.value);
        break;
      case ScalarExpr::Kind::kAttribute:
        std::ranges::fill(values, ir::float_attribute(*value_.op, value_.attributes, body.name));
        break;
      case ScalarExpr::Kind::kExtent:
        std::ranges::fill(values,
                          static_cast<double>(nest_.iterators[static_cast<std::size_t>(body.number)].extent.factor()));
        break;
      case ScalarExpr::Kind::kIterator: {
        const auto& target = nest_.result().target;
        const double slope = !target.empty() && target.back() == body.number ? 1 : 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = static_cast<double>(at[static_cast<std::size_t>(body.number)]) + slope * static_cast<double>(i);
        }
        break;
      }
      case ScalarExpr::Kind::kOperand:
        read_operand(body.number, at, values);
        break;
      case ScalarExpr::Kind::kCall:
        apply(body, at, values);
        break;
      case ScalarExpr::Kind::kStage:
      case ScalarExpr::Kind::kReduce:
        STRATA_CHECK(false, "a map has one stage, and sums nothing");
    }
    return values;
  }

  void read_operand(int access, const std::vector<std::int64_t>& at, std::vector<double>& values) const {
    const std::int64_t first = address(access, at);
    const std::int64_t distance = step(access);
    if (distance == 0) {
      std::ranges::fill(values, operand(access).element(first));
    } else if (distance == 1) {
      std::vector<float> run(values.size());
      operand(access).read(first, static_cast<std::int64_t>(run.size()), DType::kF32, as_bytes(run.data()));
      std::ranges::copy(run, values.begin());
    } else {
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = operand(access).element(first + distance * static_cast<std::int64_t>(i));
      }
    }
  }

  void apply(const ScalarExpr& body, const std::vector<std::int64_t>& at, std::vector<double>& values) const {
    const auto function = ir::find_scalar_function(body.name);
    STRATA_CHECK(function.has_value(), "no scalar function " + body.name);
    std::vector<std::vector<double>> arguments;
    for (const ScalarExpr& argument : body.arguments) {
      arguments.push_back(evaluate(argument, at, static_cast<std::int64_t>(values.size())));
    }
    const auto argument = [&](std::size_t n, std::size_t i) { return n < arguments.size() ? arguments[n][i] : 0.0; };
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = ir::evaluate_scalar(*function, argument(0, i), argument(1, i), argument(2, i));
    }
  }

  const Expr& value_;
  schedule::StridedNest nest_;
  std::vector<Source> operands_;
  std::vector<std::int64_t> extents_;  // of the result's iterators
};

class Builder {
 public:
  explicit Builder(const TensorSource& tensors) : tensors_(tensors) {}

  Source build(const Expr& value) const {
    if (value.kind == Expr::Kind::kWeight) return read_tensor(value, tensors_(value.name));
    if (value.kind == Expr::Kind::kScalar) return std::make_unique<ScalarElement>(value.value);
    STRATA_CHECK(value.kind == Expr::Kind::kOp, "a constant is made of weights and ops");
    const bool is_reshaped = value.op->aliased_operand() && !value.op->writes_alias();
    if (value.op->changes_layout() || is_reshaped) return converted(value);
    if (value.op->name() == "concat") return joined(value);
    if (auto mapped = try_map(value)) return mapped;
    return std::make_unique<EvaluatedElements>(value, operands(value));
  }

 private:
  std::vector<Source> operands(const Expr& value) const {
    std::vector<Source> sources;
    for (const Expr* argument : value.arguments) sources.push_back(build(*argument));
    return sources;
  }

  // The same elements, perhaps of another type. No weight is more precise than f32.
  Source converted(const Expr& value) const {
    Source operand = build(*value.arguments[0]);
    const DType dtype = value.type().dtype;
    if (dtype == value.arguments[0]->type().dtype || dtype == DType::kF32) return operand;
    return std::make_unique<RoundedElements>(std::move(operand), dtype);
  }

  Source joined(const Expr& value) const {
    const std::int64_t axis = ir::int_attribute(*value.op, value.attributes, "axis");
    const auto run = [&](std::size_t operand) {
      const ir::Shape& shape = value.arguments[operand]->type().shape;
      return ir::max_element_count({shape.begin() + axis, shape.end()});
    };
    return std::make_unique<JoinedElements>(build(*value.arguments[0]), build(*value.arguments[1]), run(0), run(1));
  }

  Source try_map(const Expr& value) const {
    std::vector<ir::TensorType> types;
    std::vector<schedule::Strides> strides;
    for (const Expr* argument : value.arguments) {
      types.push_back(argument->type());
      strides.push_back(schedule::row_major_strides(argument->type().shape));
    }
    const auto loops = value.op->loops(types, value.attributes);
    if (!loops || loops->stages.size() != 1 || loops->result().combiner != ir::Combiner::kNone) return nullptr;
    if (keeps_elements(*loops, value)) return converted(value);
    auto nest = schedule::strided_nest(*loops, strides);
    if (!nest || divides_rows(*nest)) return nullptr;
    std::vector<Source> sources = operands(value);
    for (const schedule::StridedAccess& access : nest->accesses) {
      const auto number = static_cast<std::size_t>(access.operand);
      if (!reads_across(*nest, access) || value.arguments[number]->kind == Expr::Kind::kWeight) continue;
      if (sources[number]->needs_memory() && dynamic_cast<StoredElements*>(sources[number].get()) != nullptr) continue;
      sources[number] =
          std::make_unique<WholeElements>(std::move(sources[number]), elements_of(*value.arguments[number]));
    }
    return std::make_unique<MappedElements>(value, std::move(*nest), std::move(sources));
  }

  // Whether every element is the first operand's in its place, perhaps of another type.
  static bool keeps_elements(const ir::LoopNest& nest, const Expr& value) {
    const ir::Stage& stage = nest.result();
    const bool is_copy = stage.body.kind == ir::ScalarExpr::Kind::kOperand && stage.body.number == 0;
    if (!is_copy || value.arguments[0]->type().shape != value.type().shape) return false;
    for (std::size_t axis = 0; axis < stage.target.size(); ++axis) {
      ir::IndexMap own{std::vector<std::int64_t>(nest.iterators.size(), 0), 0, {}};
      own.coefficients[static_cast<std::size_t>(stage.target[axis])] = 1;
      if (stage.body.index[axis] != own) return false;
    }
    return nest.iterators.size() == stage.target.size();
  }

  static bool divides_rows(const schedule::StridedNest& nest) {
    const auto& target = nest.result().target;
    return !target.empty() && std::ranges::any_of(nest.accesses, [&](const schedule::StridedAccess& access) {
      return schedule::divides(access, target.back());
    });
  }

  static bool reads_across(const schedule::StridedNest& nest, const schedule::StridedAccess& access) {
    const auto& target = nest.result().target;
    if (target.empty()) return false;
    const std::int64_t step = access.strides[static_cast<std::size_t>(target.back())].factor();
    return step != 0 && step != 1;
  }

  const TensorSource& tensors_;
};

}  // namespace

double ElementSource::element(std::int64_t index) const {
  float value = 0;
  read(index, 1, DType::kF32, as_bytes(&value));
  return value;
}

std::unique_ptr<ElementSource> read_constant(const Expr& constant, const TensorSource& tensors) {
  return Builder(tensors).build(constant);
}

std::unique_ptr<ElementSource> read_at_once(std::unique_ptr<ElementSource> elements, std::int64_t count) {
  return std::make_unique<WholeElements>(std::move(elements), count);
}

}  // namespace strata::compile
