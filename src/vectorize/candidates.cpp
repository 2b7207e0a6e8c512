// SPDX-License-Identifier: Apache-2.0
#include "vectorize/candidates.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "cost/leaf.h"
#include "cost/operand_layouts.h"
#include "cost/product_tiles.h"
#include "ir/by_number.h"
#include "ir/contraction.h"
#include "machine/cost.h"

namespace strata::vectorize {
namespace {

using ir::TensorType;

// The axis of each operand that an iterator alone runs along; -1: the operand doesn't use it. Nothing where an operand
// uses it otherwise: with a coefficient, beside another iterator, or along two axes.
using Axes = std::vector<int>;

// A quotient that no group of lanes lies across is one for all of them.
bool uses(const ir::IndexMap& index, int iterator, std::int64_t lanes) {
  return index.coefficients[iterator] != 0 || std::ranges::any_of(index.terms, [&](const ir::IndexTerm& term) {
           return ir::depends_on(term, iterator) && (term.is_remainder || term.divisor % lanes != 0);
         });
}

bool runs_alone(const ir::IndexMap& index, int iterator) {
  if (!index.terms.empty()) return false;
  const auto used = std::ranges::count_if(index.coefficients, [](std::int64_t c) { return c != 0; });
  return used == 1 && index.coefficients[iterator] == 1 && index.constant == 0;
}

std::optional<Axes> axes_of(const ir::LoopNest& nest, int iterator, std::int64_t lanes, std::size_t operands) {
  Axes axes(operands, -1);
  for (const ir::Stage& stage : nest.stages) {
    for (const ir::ScalarExpr* access : ir::operand_accesses(stage.body)) {
      for (std::size_t axis = 0; axis < access->index.size(); ++axis) {
        if (!uses(access->index[axis], iterator, lanes)) continue;
        int& known = axes[access->number];
        const bool is_new = known == -1 || known == static_cast<int>(axis);
        if (!is_new || !runs_alone(access->index[axis], iterator)) return std::nullopt;
        known = static_cast<int>(axis);
      }
    }
  }
  return axes;
}

class Generator {
 public:
  Generator(const ir::Op& op, std::span<const TensorType> operands, const ir::Attributes& attributes,
            const machine::Machine& machine)
      : op_(op), operands_(operands), attributes_(attributes), machine_(machine) {}

  std::vector<Candidate> run() {
    if (ir::by_number(op_) != nullptr) {
      from_one_matrix();
    } else if (const auto nest = op_.loops(operands_, attributes_); nest && ir::is_plain(*nest)) {
      for (const machine::Unit& unit : machine_.units) from_index_maps(*nest, unit);
    } else {
      from_axes();
    }
    return std::move(found_);
  }

 private:
  Candidate row_major() const {
    Candidate candidate;
    for (const TensorType& type : operands_) candidate.operands.push_back({{}, type.dtype});
    return candidate;
  }

  void from_index_maps(const ir::LoopNest& nest, const machine::Unit& unit) {
    for (int iterator = 0; iterator < static_cast<int>(nest.iterators.size()); ++iterator) {
      const auto axes = axes_of(nest, iterator, unit.lanes, operands_.size());
      if (!axes) continue;
      if (unit.k == 1) {
        if (unit.dtype != DType::kF32) continue;
        along(nest, unit, *axes, row_major());
        for (const int reduced : nest.result().reduced) along_words(nest, unit, *axes, iterator, reduced);
        continue;
      }
      for (const int reduced : nest.result().reduced) {
        const auto inner = axes_of(nest, reduced, unit.k, operands_.size());
        if (inner && reduced != iterator) along_pairs(nest, unit, *axes, *inner);
      }
    }
  }

  void along(const ir::LoopNest& nest, const machine::Unit& unit, const Axes& axes, Candidate candidate) {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] >= 0) candidate.operands[i].layout = packed(operands_[i], axes[i], unit.lanes);
    }
    add(candidate);
    if (nest.result().combiner != ir::Combiner::kNone) with_row_tiles(nest, axes, candidate);
  }

  // As along(), with bytes in the words that their kernels take, whatever the unit.
  void along_words(const ir::LoopNest& nest, const machine::Unit& unit, const Axes& axes, int iterator, int reduced) {
    const int word = cost::dot_products(DType::kI8);
    const auto inner = axes_of(nest, reduced, word, operands_.size());
    if (!inner || reduced == iterator) return;
    Candidate candidate = row_major();
    bool has_words = false;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] < 0) continue;
      candidate.operands[i].layout = packed(operands_[i], axes[i], unit.lanes);
      if (operands_[i].dtype != DType::kI8 || (*inner)[i] < 0) continue;
      candidate.operands[i].layout.packs.push_back({word, (*inner)[i]});
      has_words = true;
    }
    if (!has_words) return;
    add(candidate);
    if (nest.result().combiner != ir::Combiner::kNone) with_row_tiles(nest, axes, candidate);
  }

  // A dot-product unit: `k` neighbours along the reduced iterator stay together. Operands that lanes don't run along
  // stay as they are, or become what the unit multiplies where the op permits it, in row tiles or, where there is one
  // row, as it lies.
  void along_pairs(const ir::LoopNest& nest, const machine::Unit& unit, const Axes& axes, const Axes& inner) {
    Candidate candidate = row_major();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] < 0) continue;
      // What groups of neighbours share lies in lanes.
      if (inner[i] < 0) {
        candidate.operands[i].layout = packed(operands_[i], axes[i], unit.lanes);
        continue;
      }
      if (operands_[i].dtype != unit.dtype) return;
      candidate.operands[i].layout = {{{unit.lanes, axes[i]}, {unit.k, inner[i]}}};
    }
    add(candidate);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] >= 0 || inner[i] < 0) continue;
      const bool may_round = op_.permits_rounding() && is_floating(unit.dtype) && is_floating(operands_[i].dtype);
      if (operands_[i].dtype != unit.dtype && !may_round) return;
      candidate.operands[i] = {{{{unit.k, inner[i]}}}, unit.dtype};
    }
    add(candidate);
    with_row_tiles(nest, axes, candidate);
  }

  void with_row_tiles(const ir::LoopNest& nest, const Axes& axes, const Candidate& candidate) {
    const std::int64_t usual = machine::register_tile(machine_).rows;
    for (const int iterator : nest.result().target) {
      const auto tiled = with_row_tile(nest, axes, candidate, iterator, usual);
      if (!tiled || !add(*tiled)) continue;
      for (const std::int64_t rows : row_tiles(nest, *tiled)) {
        if (const auto other = with_row_tile(nest, axes, candidate, iterator, rows)) add(*other);
      }
    }
  }

  // The operands that lanes don't run along, in tiles along an iterator of their own.
  std::optional<Candidate> with_row_tile(const ir::LoopNest& nest, const Axes& axes, const Candidate& candidate,
                                         int iterator, std::int64_t rows) const {
    const auto own = axes_of(nest, iterator, rows, operands_.size());
    if (!own) return std::nullopt;
    Candidate tiled = candidate;
    for (std::size_t i = 0; i < own->size(); ++i) {
      if ((*own)[i] < 0 || axes[i] >= 0) continue;
      auto& packs = tiled.operands[i].layout.packs;
      packs.insert(packs.begin(), {rows, (*own)[i]});
    }
    return tiled != candidate ? std::optional(tiled) : std::nullopt;
  }

  // Of a contraction in register tiles, those that the cost model finds best.
  std::vector<std::int64_t> row_tiles(const ir::LoopNest& nest, const Candidate& tiled) const {
    const auto contraction = ir::contraction(nest);
    if (!contraction) return {};
    const std::vector<TensorType> types = types_of(tiled);
    const cost::Leaf* const leaf = cost::find_leaf(op_, types, attributes_, op_.infer(types, attributes_));
    if (!leaf->takes_blocks) return {};
    return cost::row_tiles(machine_, cost::tiled_product(machine_, types, *contraction));
  }

  // Of a product by number: those of one row by one matrix, and of several in tiles, of which rows stay as they lie,
  // and are packed where they are multiplied.
  void from_one_matrix() {
    const ir::ByNumber& of = *ir::by_number(op_);
    constexpr std::int64_t kSeveral = 64;
    for (const std::int64_t rows : {std::int64_t{1}, kSeveral}) {
      const auto types = ir::types_of_one(of, operands_, ir::matrix_count(op_, attributes_), rows);
      for (const Candidate& one : Generator(of.of_one(), types, {}, machine_).run()) {
        Candidate candidate = row_major();
        for (int i = 0; i < of.of_one().arity(); ++i) {
          const auto operand = static_cast<std::size_t>(i);
          candidate.operands[operand].dtype = one.operands[operand].dtype;
          if (of.is_of_matrix(i)) candidate.operands[operand].layout = one.operands[operand].layout;
        }
        add(candidate);
      }
    }
  }

  // Forms of one operand by itself.
  std::vector<OperandForm> forms(const TensorType& type) const {
    std::vector<OperandForm> result;
    for (const machine::Unit& unit : machine_.units) {
      for (int axis = 0; axis < type.rank(); ++axis) {
        const bool is_plain = unit.k == 1 && unit.dtype == DType::kF32;
        if (is_plain) result.push_back({{{{unit.lanes, axis}}}, type.dtype});
        // Bytes lie in words whatever the unit.
        const bool are_words = is_plain && type.dtype == DType::kI8;
        const std::int64_t together = are_words ? cost::dot_products(DType::kI8) : unit.k;
        if (together == 1 || (!are_words && type.dtype != unit.dtype)) continue;
        for (int inner = 0; inner < type.rank(); ++inner) {
          if (inner != axis) result.push_back({{{{unit.lanes, axis}, {together, inner}}}, type.dtype});
        }
      }
    }
    return result;
  }

  // One operand packed, or two.
  void from_axes() {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      for (const OperandForm& form : forms(operands_[i])) {
        Candidate candidate = row_major();
        candidate.operands[i] = form;
        add(candidate);
        for (std::size_t j = i + 1; j < operands_.size(); ++j) {
          for (const OperandForm& other : forms(operands_[j])) {
            candidate.operands[j] = other;
            add(candidate);
          }
          candidate.operands[j] = {{}, operands_[j].dtype};
        }
      }
    }
  }

  // In groups of lanes along the last axis a tensor is read as it lies; along another one it is rearranged.
  static ir::Layout packed(const TensorType& type, int axis, std::int64_t lanes) {
    return axis + 1 == type.rank() ? ir::vector_layout(type.shape, lanes) : ir::Layout{{{lanes, axis}}};
  }

  std::vector<TensorType> types_of(const Candidate& candidate) const {
    std::vector<TensorType> types(operands_.begin(), operands_.end());
    for (std::size_t i = 0; i < types.size(); ++i) {
      types[i].layout = candidate.operands[i].layout;
      types[i].dtype = candidate.operands[i].dtype;
    }
    return types;
  }

  // Keeps it if the operands may lie so and there is code for it; says whether it is kept.
  bool add(const Candidate& candidate) {
    if (std::ranges::find(found_, candidate) != found_.end()) return true;
    const std::vector<TensorType> types = types_of(candidate);
    try {
      for (const TensorType& type : types) ir::check_layout(type, op_.name());
      const TensorType result = op_.infer(types, attributes_);
      if (cost::find_leaf(op_, types, attributes_, result) == nullptr) return false;
    } catch (const Error&) {
      return false;
    }
    found_.push_back(candidate);
    return true;
  }

  const ir::Op& op_;
  std::span<const TensorType> operands_;
  const ir::Attributes& attributes_;
  const machine::Machine& machine_;
  std::vector<Candidate> found_;
};

}  // namespace

std::vector<Candidate> candidates(const ir::Op& op, std::span<const TensorType> operands,
                                  const ir::Attributes& attributes, const machine::Machine& machine) {
  const bool is_row_major =
      std::ranges::all_of(operands, [](const TensorType& type) { return type.layout.is_row_major(); });
  return is_row_major ? Generator(op, operands, attributes, machine).run() : std::vector<Candidate>{};
}

}  // namespace strata::vectorize
