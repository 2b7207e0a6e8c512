// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts: the numbers of each row's experts, and products with the matrices of these.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "ir/by_number.h"
#include "ops/structured_op.h"

namespace strata::ops {
namespace {

using ir::Attributes;
using ir::Dim;
using ir::Shape;
using ir::TensorType;

// The numbers of the k largest elements of each row, the largest first; of equal ones the first comes first, and what
// is no number comes last.
class TopKOp : public NamedOp {
 public:
  TopKOp() : NamedOp("largest_k", {"x"}) {}

  std::vector<double> evaluate(std::span<const ir::Value> operands, const Attributes&,
                               const TensorType& result) const override {
    const std::int64_t count = result.shape.back().factor();
    const std::int64_t size = operands[0].type.shape.back().factor();
    std::vector<double> numbers;
    std::vector<std::int64_t> order(static_cast<std::size_t>(size));
    for (auto row = operands[0].data.begin(); row != operands[0].data.end(); row += size) {
      std::iota(order.begin(), order.end(), 0);
      std::ranges::sort(order, [&](std::int64_t a, std::int64_t b) {
        const bool is_a = !std::isnan(row[a]), is_b = !std::isnan(row[b]);
        if (is_a != is_b) return is_a;
        return is_a && row[a] != row[b] ? row[a] > row[b] : a < b;
      });
      numbers.insert(numbers.end(), order.begin(), order.begin() + count);
    }
    return numbers;
  }

  // Each of the k looks at all elements.
  ir::Work work(std::span<const TensorType> operands, const Attributes&, const TensorType& result) const override {
    ir::Work work = copy_work(operands, result);
    const auto elements = static_cast<double>(ir::max_element_count(operands[0].shape));
    work.flops = elements * static_cast<double>(result.shape.back().factor());
    return work;
  }

  // Rows by themselves.
  std::vector<ir::SbpSignature> sbp_signatures(std::span<const TensorType> operands, const Attributes&,
                                               const TensorType& result) const override {
    (void)result;
    std::vector<ir::SbpSignature> found;
    for (int axis = 0; axis + 1 < operands[0].rank(); ++axis)
      found.push_back({{ir::Sbp::split(axis)}, ir::Sbp::split(axis)});
    return found;
  }

 protected:
  TensorType infer_unplaced(std::span<const TensorType> operands, const Attributes& attributes) const override {
    static const std::vector<std::string> kKnown = {"k"};
    ir::check_attribute_names(*this, attributes, kKnown);
    const std::int64_t k = ir::int_attribute(*this, attributes, "k");
    const TensorType& x = operands[0];
    if (!x.layout.is_row_major()) {
      throw usage_error("largest_k: operand x has the layout " + x.layout.text(), "unpack it");
    }
    if (x.rank() == 0 || !x.shape.back().is_constant() || k < 1 || k > x.shape.back().factor()) {
      throw usage_error("largest_k: operand x (" + x.text() + ") has no " + std::to_string(k) + " elements in each row",
                        "give 1 <= k <= the last axis' size, which is constant");
    }
    TensorType result{.dtype = DType::kI32, .shape = x.shape};
    result.shape.back() = k;
    return result;
  }
};

// The product of an op by the matrix that each row's number says:
//
//   c[s, j, n] = sum(k) a[s, k] * b[extent(n) * numbers[s, j] + n, k]
//
// and the same of rows a[s, j, k], and with the factors that the op has.
class ByNumberOp : public LoopNestOp, public ir::ByNumber {
 public:
  ByNumberOp(const ir::Op& of_one, std::vector<bool> is_of_matrix)
      : LoopNestOp(of_one.name() + "_by_number", names(of_one), {"matrices"}, ResultDType::kF32,
                   ResultLayout::kRowMajor),
        of_one_(of_one),
        is_of_matrix_(std::move(is_of_matrix)) {}

  const ir::Op& of_one() const override { return of_one_; }
  bool is_of_matrix(int operand) const override { return is_of_matrix_[static_cast<std::size_t>(operand)]; }
  bool permits_rounding() const override { return of_one_.permits_rounding(); }

 protected:
  std::shared_ptr<const ir::LoopNest> nest(const std::vector<Shape>& shapes,
                                           const Attributes& attributes) const override {
    const std::int64_t matrices = ir::matrix_count(*this, attributes);
    const Shape& numbers = shapes.back();
    if (numbers.size() != 2) refuse(arity() - 1, "has no axes [s, j]");
    std::vector<TensorType> types;
    for (int i = 0; i + 1 < arity(); ++i) types.push_back({.shape = shape_of_one(i, shapes, matrices)});
    ir::LoopNest nest = *of_one_.loops(types, {});
    add_numbers(nest, shapes);
    return std::make_shared<const ir::LoopNest>(std::move(nest));
  }

 private:
  static std::vector<std::string> names(const ir::Op& of_one) {
    std::vector<std::string> all = of_one.operand_names();
    all.emplace_back("numbers");
    return all;
  }

  [[noreturn]] void refuse(int operand, const std::string& what) const {
    throw usage_error(name() + ": operand " + operand_names()[static_cast<std::size_t>(operand)] + " " + what,
                      "rows are [s, k] or [s, j, k], numbers [s, j], and matrices lie one behind the other");
  }

  // Of rows [s, j, k], of which j is repeated where the operand doesn't have it.
  Shape shape_of_one(int operand, const std::vector<Shape>& shapes, std::int64_t matrices) const {
    Shape shape = shapes[static_cast<std::size_t>(operand)];
    const Shape& numbers = shapes.back();
    if (is_of_matrix(operand)) {
      const bool fits =
          shape.size() == 2 && shape[0].is_constant() && matrices > 0 && shape[0].factor() % matrices == 0;
      if (!fits) refuse(operand, "is not " + std::to_string(matrices) + " matrices");
      shape[0] = shape[0].factor() / matrices;
      return shape;
    }
    if (shape.size() == 2) shape.insert(shape.begin() + 1, numbers[1]);
    if (shape.size() != 3 || !(shape[0] == numbers[0]) || !(shape[1] == numbers[1])) refuse(operand, "has other rows");
    return shape;
  }

  // From the loops over [s, j, n, k] of one matrix.
  void add_numbers(ir::LoopNest& nest, const std::vector<Shape>& shapes) const {
    ir::Stage& stage = nest.stages.back();
    const std::size_t iterators = nest.iterators.size();
    const auto bare = [&](int iterator) {
      ir::IndexMap map{std::vector<std::int64_t>(iterators, 0), 0, {}};
      map.coefficients[static_cast<std::size_t>(iterator)] = 1;
      return map;
    };
    const std::int64_t rows = nest.iterators[static_cast<std::size_t>(stage.target.back())].extent.factor();
    const ir::IndexTerm number{
        ir::IndexTerm::Kind::kOperand, rows, arity() - 1, 1, false, {bare(stage.target[0]), bare(stage.target[1])}};
    each_access(stage.body, [&](ir::ScalarExpr& access) {
      if (is_of_matrix(access.number)) {
        access.index[0].terms.push_back(number);
      } else if (shapes[static_cast<std::size_t>(access.number)].size() == 2) {
        access.index.erase(access.index.begin() + 1);
      }
    });
  }

  template <class F>
  static void each_access(ir::ScalarExpr& expr, const F& f) {
    if (expr.kind == ir::ScalarExpr::Kind::kOperand) f(expr);
    for (ir::ScalarExpr& argument : expr.arguments) each_access(argument, f);
  }

  const ir::Op& of_one_;
  const std::vector<bool> is_of_matrix_;
};

// Products, and which of their operands have a part for each matrix.
const std::vector<std::pair<const char*, std::vector<bool>>> kProducts = {
    {"matmul_nt", {false, true}},
    {"scaled_matmul_nt", {false, true, true}},
    {"nested_matmul_nt", {false, true, true, true}},
    {"scaled_rows_matmul_nt", {false, false, true, true}},
    {"nested_rows_matmul_nt", {false, false, true, true, true}},
};

}  // namespace

// Each row s has chosen experts j, whose numbers are ids[s, j]. Behind the products that these ops make by number.
void register_expert_ops() {
  register_op<TopKOp>();
  register_structured({
      // The chosen elements of each row.
      {"take", {"x", "ids"}, "y[s, j] = x[s, ids[s, j]]"},
      {"routed_matmul_nt",
       {"a", "b", "ids"},
       "c[s, j, n] = sum(k) a[s, k] * b[ids[s, j], n, k]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"routed_rows_matmul_nt",
       {"a", "b", "ids"},
       "c[s, j, n] = sum(k) a[s, j, k] * b[ids[s, j], n, k]",
       ResultDType::kF32,
       ResultLayout::kRowMajor},
      {"weighted_sum", {"w", "x"}, "y[s, n] = sum(j) w[s, j] * x[s, j, n]", ResultDType::kF32},
  });
  for (const auto& [product, is_of_matrix] : kProducts) register_op<ByNumberOp>(ir::get_op(product), is_of_matrix);
}

}  // namespace strata::ops
