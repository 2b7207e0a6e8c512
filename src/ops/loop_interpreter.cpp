// SPDX-License-Identifier: Apache-2.0
#include "ops/loop_interpreter.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "ir/scalar.h"

namespace strata::ops {
namespace {

using ir::Combiner;
using ir::ScalarExpr;
using ir::ScalarFunction;

// Points of the innermost loop that one instruction handles at a time: its dispatch costs nothing then.
constexpr std::int64_t kBlock = 256;
using Block = std::array<double, kBlock>;

// One step of a body in postfix order.
struct Instruction {
  enum class Kind { kConstant, kIterator, kLoad, kCall };
  Kind kind = Kind::kConstant;
  double value = 0;              // kConstant
  int iterator = 0;              // kIterator
  const double* data = nullptr;  // kLoad: element at offset + sum of stride x iterator
  std::int64_t offset = 0;
  std::vector<std::int64_t> strides;               // by iterator
  ScalarFunction function = ScalarFunction::kAdd;  // kCall
};

std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> strides(sizes.size(), 1);
  for (std::size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return count;
}

double identity(Combiner combiner) {
  switch (combiner) {
    case Combiner::kMax:
      return -std::numeric_limits<double>::infinity();
    case Combiner::kMin:
      return std::numeric_limits<double>::infinity();
    case Combiner::kProduct:
      return 1;
    default:
      return 0;
  }
}

double combine(Combiner combiner, double a, double b) {
  switch (combiner) {
    case Combiner::kSum:
      return a + b;
    case Combiner::kMax:
      return std::max(a, b);
    case Combiner::kMin:
      return std::min(a, b);
    case Combiner::kProduct:
      return a * b;
    case Combiner::kNone:
      break;
  }
  return b;
}

class LoopInterpreter {
 public:
  LoopInterpreter(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
                  const ir::Attributes& attributes)
      : op_(op), nest_(nest), operands_(operands), attributes_(attributes), at_(nest.iterators.size(), 0) {
    for (const ir::Iterator& iterator : nest.iterators) {
      STRATA_CHECK(iterator.extent.is_constant(), op.name() + " is evaluated with a symbolic size");
    }
  }

  std::vector<double> run() {
    stage_values_.reserve(nest_.stages.size());  // loads point into it
    for (const ir::Stage& stage : nest_.stages) run_stage(stage);
    return std::move(stage_values_.back());
  }

 private:
  std::int64_t extent(int iterator) const { return nest_.iterators[iterator].extent.factor(); }

  std::vector<std::int64_t> extents(const std::vector<int>& iterators) const {
    std::vector<std::int64_t> sizes;
    for (const int i : iterators) sizes.push_back(extent(i));
    return sizes;
  }

  void compile(const ScalarExpr& body) {
    for (const ScalarExpr& argument : body.arguments) compile(argument);
    Instruction instruction;
    switch (body.kind) {
      case ScalarExpr::Kind::kConstant:
        instruction.value = body.value;
        break;
      case ScalarExpr::Kind::kExtent:
        instruction.value = static_cast<double>(extent(body.number));
        break;
      case ScalarExpr::Kind::kAttribute:
        instruction.value = ir::float_attribute(op_, attributes_, body.name);
        break;
      case ScalarExpr::Kind::kIterator:
        instruction.kind = Instruction::Kind::kIterator;
        instruction.iterator = body.number;
        break;
      case ScalarExpr::Kind::kOperand:
        instruction = load_operand(body);
        break;
      case ScalarExpr::Kind::kStage:
        instruction = load_stage(body.number);
        break;
      case ScalarExpr::Kind::kCall:
        instruction.kind = Instruction::Kind::kCall;
        instruction.function = *ir::find_scalar_function(body.name);
        break;
    }
    program_.push_back(std::move(instruction));
  }

  Instruction load_operand(const ScalarExpr& access) const {
    const ir::Value& operand = operands_[access.number];
    std::vector<std::int64_t> sizes;
    for (const ir::Dim& dim : operand.type.shape) sizes.push_back(dim.factor());
    const std::vector<std::int64_t> axis_strides = row_major_strides(sizes);
    Instruction load;
    load.kind = Instruction::Kind::kLoad;
    load.data = operand.data.data();
    load.strides.assign(nest_.iterators.size(), 0);
    for (std::size_t axis = 0; axis < access.index.size(); ++axis) {
      load.offset += access.index[axis].constant * axis_strides[axis];
      for (std::size_t i = 0; i < load.strides.size(); ++i) {
        load.strides[i] += access.index[axis].coefficients[i] * axis_strides[axis];
      }
    }
    return load;
  }

  Instruction load_stage(int number) const {
    const std::vector<int>& target = nest_.stages[number].target;
    const std::vector<std::int64_t> axis_strides = row_major_strides(extents(target));
    Instruction load;
    load.kind = Instruction::Kind::kLoad;
    load.data = stage_values_[number].data();
    load.strides.assign(nest_.iterators.size(), 0);
    for (std::size_t axis = 0; axis < target.size(); ++axis) load.strides[target[axis]] = axis_strides[axis];
    return load;
  }

  // Calls visit() with at_ at each point of these iterators, the last one fastest.
  template <class Visit>
  void for_each_point(std::span<const int> iterators, Visit&& visit) {
    for (const int i : iterators) at_[i] = 0;
    while (true) {
      visit();
      std::size_t axis = iterators.size();
      while (axis-- > 0) {
        const int i = iterators[axis];
        if (++at_[i] < extent(i)) break;
        at_[i] = 0;
      }
      if (axis == static_cast<std::size_t>(-1)) return;
    }
  }

  void run_stage(const ir::Stage& stage) {
    program_.clear();
    compile(stage.body);
    stack_.resize(program_.size());
    std::vector<double> values(static_cast<std::size_t>(product(extents(stage.target))));
    if (stage.reduced.empty()) {
      run_map(stage, values);
    } else {
      run_reduction(stage, values);
    }
    stage_values_.push_back(std::move(values));
  }

  void run_map(const ir::Stage& stage, std::vector<double>& values) {
    std::span<const int> outer = stage.target;
    const int inner = outer.empty() ? -1 : outer.back();
    if (!outer.empty()) outer = outer.first(outer.size() - 1);
    double* out = values.data();
    for_each_point(outer, [&] {
      for_each_block(inner, [&](const double* block, std::int64_t count) { out = std::copy_n(block, count, out); });
    });
  }

  void run_reduction(const ir::Stage& stage, std::vector<double>& values) {
    const std::span<const int> reduced = stage.reduced;
    double* out = values.data();
    for_each_point(stage.target, [&] {
      double state = identity(stage.combiner);
      for_each_point(reduced.first(reduced.size() - 1), [&] {
        for_each_block(reduced.back(), [&](const double* block, std::int64_t count) {
          for (std::int64_t i = 0; i < count; ++i) state = combine(stage.combiner, state, block[i]);
        });
      });
      *out++ = state;
    });
  }

  // Runs the program along `inner` (-1: at one point) and hands over its values block by block.
  template <class Take>
  void for_each_block(int inner, Take&& take) {
    const std::int64_t size = inner < 0 ? 1 : extent(inner);
    for (std::int64_t begin = 0; begin < size; begin += kBlock) {
      const std::int64_t count = std::min(kBlock, size - begin);
      if (inner >= 0) at_[inner] = begin;
      take(run_block(inner, count), count);
    }
    if (inner >= 0) at_[inner] = 0;
  }

  const double* run_block(int inner, std::int64_t count) {
    std::size_t top = 0;
    for (const Instruction& instruction : program_) {
      if (instruction.kind == Instruction::Kind::kCall) {
        const auto arity = static_cast<std::size_t>(ir::arity_of(instruction.function));
        top -= arity;
        call(instruction.function, top, count);
      } else {
        push(instruction, inner, count, stack_[top].data());
      }
      ++top;
    }
    return stack_[0].data();
  }

  void push(const Instruction& instruction, int inner, std::int64_t count, double* out) const {
    if (instruction.kind == Instruction::Kind::kConstant) {
      std::fill_n(out, count, instruction.value);
    } else if (instruction.kind == Instruction::Kind::kIterator) {
      const auto start = static_cast<double>(at_[instruction.iterator]);
      const double step = instruction.iterator == inner ? 1 : 0;
      for (std::int64_t i = 0; i < count; ++i) out[i] = start + step * static_cast<double>(i);
    } else {
      std::int64_t offset = instruction.offset;
      for (std::size_t i = 0; i < at_.size(); ++i) offset += instruction.strides[i] * at_[i];
      const std::int64_t stride = inner < 0 ? 0 : instruction.strides[inner];
      for (std::int64_t i = 0; i < count; ++i) out[i] = instruction.data[offset + i * stride];
    }
  }

  void call(ScalarFunction function, std::size_t first, std::int64_t count) {
    double* const a = stack_[first].data();
    const double* const b = stack_[std::min(first + 1, stack_.size() - 1)].data();
    const double* const c = stack_[std::min(first + 2, stack_.size() - 1)].data();
    switch (function) {
      case ScalarFunction::kAdd:
        for (std::int64_t i = 0; i < count; ++i) a[i] += b[i];
        break;
      case ScalarFunction::kMul:
        for (std::int64_t i = 0; i < count; ++i) a[i] *= b[i];
        break;
      default:
        for (std::int64_t i = 0; i < count; ++i) a[i] = ir::evaluate_scalar(function, a[i], b[i], c[i]);
    }
  }

  const ir::Op& op_;
  const ir::LoopNest& nest_;
  std::span<const ir::Value> operands_;
  const ir::Attributes& attributes_;
  std::vector<std::int64_t> at_;  // the current point, by iterator
  std::vector<std::vector<double>> stage_values_;
  std::vector<Instruction> program_;
  std::vector<Block> stack_;
};

}  // namespace

std::vector<double> interpret_loops(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
                                    const ir::Attributes& attributes) {
  return LoopInterpreter(op, nest, operands, attributes).run();
}

}  // namespace strata::ops
