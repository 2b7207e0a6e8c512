// SPDX-License-Identifier: Apache-2.0
#include "ops/loop_interpreter.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "ops/loop_program.h"

namespace strata::ops {
namespace {

using ir::Combiner;

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
    default:
      break;
  }
  return b;
}

// Values of an expression along the innermost loop: one for each point, or the same for all (`step` 0).
struct Values {
  const double* data = nullptr;
  std::int64_t step = 0;
};

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
    std::vector<double> result;
    if (nest_.updated) {
      result = operands_[static_cast<std::size_t>(*nest_.updated)].data;
    } else {
      result.resize(static_cast<std::size_t>(element_count(nest_.result_shape())));
    }
    stage_values_.resize(nest_.stages.size());
    for (std::size_t s = 0; s < nest_.stages.size(); ++s) {
      const ir::Stage& stage = nest_.stages[s];
      const bool is_result = s + 1 == nest_.stages.size() || !stage.place.empty();
      if (!is_result) stage_values_[s].resize(static_cast<std::size_t>(element_count(sizes_of(stage.target))));
      run_stage(stage, is_result ? result : stage_values_[s]);
    }
    return result;
  }

 private:
  static std::int64_t element_count(const ir::Shape& shape) { return ir::max_element_count(shape); }

  ir::Shape sizes_of(const std::vector<int>& iterators) const {
    ir::Shape sizes;
    for (const int i : iterators) sizes.push_back(nest_.iterators[static_cast<std::size_t>(i)].extent);
    return sizes;
  }

  // The loops of a stage: all of its target's iterators but the last, along which a block of points is computed at a
  // time. A reduction of its own runs along the reduced iterators' blocks instead.
  void run_stage(const ir::Stage& stage, std::vector<double>& out) {
    const LoopProgram program(op_, nest_, operands_, attributes_, stage_values_, stage);
    const bool is_map = stage.combiner == Combiner::kNone && !stage.target.empty();
    std::span<const int> outer = stage.target;
    if (is_map) outer = outer.first(outer.size() - 1);
    for_each_point(outer, program.bounds, [&] {
      if (!is_map) return store(program, -1, 1, out);
      const int inner = stage.target.back();
      for_each_block(inner, range_of(inner, program.bounds),
                     [&](std::int64_t count) { store(program, inner, count, out); });
    });
  }

  struct Range {
    std::int64_t begin, end;
  };

  // The points of an iterator within its bounds here.
  Range range_of(int iterator, const std::vector<BoundProgram>& bounds) {
    const ir::Iterator& of = nest_.iterators[static_cast<std::size_t>(iterator)];
    Range range{0, of.extent.factor()};
    for (const BoundProgram& bound : bounds) {
      if (bound.iterator != iterator) continue;
      const double value = *evaluate(bound.value, -1, 1).data;
      if (bound.is_upper && value >= static_cast<double>(range.end) && range.end == of.extent.factor()) {
        throw usage_error(op_.name() + ": " + of.name + " runs to " + std::to_string(static_cast<std::int64_t>(value)),
                          "it is less than " + of.extent.text());
      }
      if (bound.is_upper) {
        range.end = std::min(range.end, static_cast<std::int64_t>(std::max(value, -1.0)) + 1);
      } else if (value > 0) {
        range.begin = std::max(range.begin, static_cast<std::int64_t>(std::min(value, 1e18)));
      }
    }
    return range;
  }

  // Calls visit() with at_ at each point of these iterators, the last one fastest.
  template <class Visit>
  void for_each_point(std::span<const int> iterators, const std::vector<BoundProgram>& bounds, Visit&& visit) {
    if (iterators.empty()) return visit();
    std::int64_t& at = at_[static_cast<std::size_t>(iterators.front())];
    const Range range = range_of(iterators.front(), bounds);
    for (at = range.begin; at < range.end; ++at) for_each_point(iterators.subspan(1), bounds, visit);
    at = 0;
  }

  template <class Visit>
  void for_each_block(int inner, Range range, Visit&& visit) {
    std::int64_t& at = at_[static_cast<std::size_t>(inner)];
    for (std::int64_t begin = range.begin; begin < range.end; begin += kBlock) {
      at = begin;
      visit(std::min(kBlock, range.end - begin));
    }
    at = 0;
  }

  void store(const LoopProgram& program, int inner, std::int64_t count, std::vector<double>& out) {
    const Values values = evaluate(program.body, inner, count);
    std::array<std::int64_t, kBlock> offsets;
    find_offsets(program.place, inner, count, offsets);
    for (std::int64_t i = 0; i < count; ++i) out[static_cast<std::size_t>(offsets[i])] = values.data[i * values.step];
  }

  // Where an access is, at each point of the block.
  void find_offsets(const Address& address, int inner, std::int64_t count, std::array<std::int64_t, kBlock>& offsets) {
    std::int64_t first = address.offset;
    for (std::size_t i = 0; i < at_.size(); ++i) first += address.strides[i] * at_[i];
    const std::int64_t step = inner < 0 ? 0 : address.strides[static_cast<std::size_t>(inner)];
    for (std::int64_t i = 0; i < count; ++i) offsets[i] = first + i * step;
    if (address.axes.empty()) return;
    for (std::int64_t i = 0; i < count; ++i) {
      for (const ReadAxis& axis : address.axes) offsets[i] += index_along(axis, inner, i) * axis.stride;
    }
  }

  // An index that is more than affine, `ahead` points further along the inner loop.
  std::int64_t index_along(const ReadAxis& axis, int inner, std::int64_t ahead) {
    if (inner >= 0) at_[static_cast<std::size_t>(inner)] += ahead;
    std::int64_t index = axis.constant;
    for (std::size_t i = 0; i < at_.size(); ++i) index += axis.coefficients[i] * at_[i];
    for (const TermProgram& term : axis.terms) index += term.coefficient * value_of(term);
    if (inner >= 0) at_[static_cast<std::size_t>(inner)] -= ahead;
    if (index >= 0 && index < axis.size) return index;
    throw usage_error(op_.name() + ": index " + std::to_string(index) + " of axis " + std::to_string(axis.axis) +
                          " of operand " + op_.operand_names()[static_cast<std::size_t>(axis.operand)],
                      "it is at least 0 and less than " + std::to_string(axis.size));
  }

  std::int64_t value_of(const TermProgram& term) {
    const std::int64_t whole = undivided(term);
    const std::int64_t quotient = whole / term.divisor - (whole % term.divisor < 0 ? 1 : 0);
    return term.is_remainder ? whole - quotient * term.divisor : quotient;
  }

  std::int64_t undivided(const TermProgram& term) {
    const auto number = static_cast<std::size_t>(term.number);
    if (term.kind == ir::IndexTerm::Kind::kIterator) return at_[number];
    if (term.kind == ir::IndexTerm::Kind::kExtent) return nest_.iterators[number].extent.factor();
    std::array<std::int64_t, kBlock> offset;
    find_offsets(*term.read, -1, 1, offset);
    return static_cast<std::int64_t>(
        std::clamp(operands_[number].data[static_cast<std::size_t>(offset[0])], -1e18, 1e18));
  }

  Values evaluate(const Node& node, int inner, std::int64_t count) {
    const bool varies = inner >= 0 && node.varies[static_cast<std::size_t>(inner)];
    const std::int64_t points = varies ? count : 1;
    double* const out = node.block.get();
    switch (node.kind) {
      case Node::Kind::kConstant:
        return {&node.value, 0};
      case Node::Kind::kSlot:
        return {slots_[static_cast<std::size_t>(node.number)].data, slots_[static_cast<std::size_t>(node.number)].step};
      case Node::Kind::kIterator:
        for (std::int64_t i = 0; i < points; ++i) {
          out[i] = static_cast<double>(at_[static_cast<std::size_t>(node.number)] + i);
        }
        break;
      case Node::Kind::kLoad:
        load(node, varies ? inner : -1, points, out);
        break;
      case Node::Kind::kCall:
        call(node, inner, count, points, out);
        break;
      case Node::Kind::kReduce:
        reduce(node, varies ? inner : -1, points, out);
        break;
      case Node::Kind::kTuple:
        return tuple(node, inner, count);
    }
    return {out, varies ? 1 : 0};
  }

  void load(const Node& node, int inner, std::int64_t count, double* out) {
    const Address& address = node.address;
    if (!address.axes.empty()) {
      std::array<std::int64_t, kBlock> offsets;
      find_offsets(address, inner, count, offsets);
      for (std::int64_t i = 0; i < count; ++i) out[i] = node.data[offsets[i]];
      return;
    }
    std::int64_t offset = address.offset;
    for (std::size_t i = 0; i < at_.size(); ++i) offset += address.strides[i] * at_[i];
    const std::int64_t step = inner < 0 ? 0 : address.strides[static_cast<std::size_t>(inner)];
    for (std::int64_t i = 0; i < count; ++i) out[i] = node.data[offset + i * step];
  }

  void call(const Node& node, int inner, std::int64_t count, std::int64_t points, double* out) {
    Values arguments[3];
    for (std::size_t i = 0; i < node.children.size(); ++i) arguments[i] = evaluate(node.children[i], inner, count);
    const auto [a, b, c] = arguments;
    switch (node.function) {
      case ir::ScalarFunction::kAdd:
        for (std::int64_t i = 0; i < points; ++i) out[i] = a.data[i * a.step] + b.data[i * b.step];
        break;
      case ir::ScalarFunction::kMul:
        for (std::int64_t i = 0; i < points; ++i) out[i] = a.data[i * a.step] * b.data[i * b.step];
        break;
      default:
        for (std::int64_t i = 0; i < points; ++i) {
          out[i] = ir::evaluate_scalar(node.function, a.data[i * a.step], b.data == nullptr ? 0 : b.data[i * b.step],
                                       c.data == nullptr ? 0 : c.data[i * c.step]);
        }
    }
  }

  // A single value along blocks of the innermost reduced iterator; values along an outer loop's block side by side.
  void reduce(const Node& node, int inner, std::int64_t count, double* out) {
    const bool bounds_vary = inner >= 0 && std::ranges::any_of(node.bounds, [&](const BoundProgram& bound) {
                               return bound.value.varies[static_cast<std::size_t>(inner)];
                             });
    if (bounds_vary) return reduce_each(node, inner, count, out);
    std::fill_n(out, count, identity(node.combiner));
    std::int64_t terms = 0;
    if (inner < 0) {
      const std::span<const int> reduced = node.reduced;
      for_each_point(reduced.first(reduced.size() - 1), node.bounds, [&] {
        for_each_block(reduced.back(), range_of(reduced.back(), node.bounds), [&](std::int64_t length) {
          const Values values = evaluate(node.children[0], reduced.back(), length);
          for (std::int64_t i = 0; i < length; ++i) *out = combine(node.combiner, *out, values.data[i * values.step]);
          terms += length;
        });
      });
    } else {
      for_each_point(node.reduced, node.bounds, [&] {
        const Values values = evaluate(node.children[0], inner, count);
        for (std::int64_t i = 0; i < count; ++i) out[i] = combine(node.combiner, out[i], values.data[i * values.step]);
        ++terms;
      });
    }
    require_terms(node, terms);
  }

  void reduce_each(const Node& node, int inner, std::int64_t count, double* out) {
    std::int64_t& at = at_[static_cast<std::size_t>(inner)];
    const std::int64_t begin = at;
    std::vector<double> values(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      at = begin + i;
      reduce(node, -1, 1, out);
      values[static_cast<std::size_t>(i)] = *out;
    }
    at = begin;
    std::ranges::copy(values, out);
  }

  // The maximum of nothing is no number.
  void require_terms(const Node& node, std::int64_t terms) const {
    const bool is_extreme = node.combiner == Combiner::kMax || node.combiner == Combiner::kMin;
    if (terms > 0 || !is_extreme) return;
    const std::string& name = nest_.iterators[static_cast<std::size_t>(node.reduced.back())].name;
    throw usage_error(op_.name() + ": no " + name + " lies within its bounds", "there must be one to reduce");
  }

  // The states one after another, each of which may read the ones before it.
  Values tuple(const Node& node, int inner, std::int64_t count) {
    for (std::size_t i = 0; i + 1 < node.children.size(); ++i) {
      slots_.resize(std::max(slots_.size(), i + 1));
      slots_[i] = evaluate(node.children[i], inner, count);
    }
    return evaluate(node.children.back(), inner, count);
  }

  const ir::Op& op_;
  const ir::LoopNest& nest_;
  std::span<const ir::Value> operands_;
  const ir::Attributes& attributes_;
  std::vector<std::int64_t> at_;                   // the current point, by iterator
  std::vector<std::vector<double>> stage_values_;  // of stages before the result
  std::vector<Values> slots_;                      // states of the tuple that is reduced
};

}  // namespace

std::vector<double> interpret_loops(const ir::Op& op, const ir::LoopNest& nest, std::span<const ir::Value> operands,
                                    const ir::Attributes& attributes) {
  return LoopInterpreter(op, nest, operands, attributes).run();
}

}  // namespace strata::ops
