// SPDX-License-Identifier: Apache-2.0
// Applying a parsed declaration to operand shapes.
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "ir/declaration_parser.h"
#include "ir/tuple_combiner.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

// Where an operand is read, or updated.
struct Access {
  int operand = 0;
  const std::vector<ParsedIndex>* index = nullptr;
};

void collect_index_reads(const std::vector<ParsedIndex>& index, std::vector<Access>& accesses) {
  for (const ParsedIndex& part : index) {
    for (const ParsedTerm& term : part.terms) {
      if (term.kind != IndexTerm::Kind::kOperand) continue;
      accesses.push_back({term.number, &term.index});
      collect_index_reads(term.index, accesses);
    }
  }
}

std::vector<Access> collect_accesses(const ParsedDeclaration& declaration) {
  std::vector<Access> accesses;
  for (const ParsedStage& stage : declaration.stages) {
    if (declaration.updated >= 0 && !stage.place.empty()) accesses.push_back({declaration.updated, &stage.place});
    collect_index_reads(stage.place, accesses);
    for_each_part(stage, [&](const ParsedExpr& expr) {
      if (expr.kind == Kind::kOperand) accesses.push_back({expr.number, &expr.index});
      collect_index_reads(expr.index, accesses);
    });
  }
  return accesses;
}

class ExtentSolver {
 public:
  ExtentSolver(const ParsedDeclaration& declaration, const std::string& op_name,
               const std::vector<std::string>& operands, const std::vector<Shape>& shapes)
      : declaration_(declaration),
        op_name_(op_name),
        operands_(operands),
        shapes_(shapes),
        accesses_(collect_accesses(declaration)) {}

  LoopNest solve() {
    count_leading_axes();
    number_iterators();
    extents_.resize(declaration_.iterators.size() + leading_);
    for (const Access& access : accesses_) take_plain_extents(access);
    for (const Access& access : accesses_) take_affine_extents(access);
    for (const Access& access : accesses_) take_quotient_extents(access);
    sizes_.resize(declaration_.sizes.size());
    for (const Access& access : accesses_) take_sizes(access);
    LoopNest nest;
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      if (!extents_[i]) {
        throw usage_error(op_name_ + ": the operands don't determine the extent of " + names_[i],
                          "give operands with constant sizes");
      }
      nest.iterators.push_back({names_[i], extents_[i]->dim});
    }
    for (const Access& access : accesses_) (void)index_of(access);  // the ranges are checked
    for (const ParsedStage& stage : declaration_.stages) nest.stages.push_back(stage_of(stage));
    place_result(nest);
    return nest;
  }

 private:
  // An extent, and the operand axis that gave it.
  struct Extent {
    Dim dim;
    int operand = 0;
    int axis = 0;
  };

  std::string axis_text(int operand, int axis) const {
    return "axis " + std::to_string(axis) + " of operand " + operands_[operand];
  }

  // How many axes `...` stands for in this access.
  int ellipsis_rank(const Access& access) const {
    const int rank = static_cast<int>(shapes_[access.operand].size());
    const bool has_ellipsis =
        std::any_of(access.index->begin(), access.index->end(), [](const ParsedIndex& i) { return i.ellipsis; });
    const int named = static_cast<int>(access.index->size()) - (has_ellipsis ? 1 : 0);
    if (rank < named || (!has_ellipsis && rank != named)) {
      throw usage_error(op_name_ + ": operand " + operands_[access.operand] + " has " + std::to_string(rank) + " axes",
                        "it takes " + std::string(has_ellipsis ? "at least " : "") + std::to_string(named));
    }
    return rank - named;
  }

  void count_leading_axes() {
    for (const Access& access : accesses_) leading_ = std::max(leading_, ellipsis_rank(access));
  }

  // The result's iterators come first, in its order, then the reduced ones.
  void number_iterators() {
    position_.assign(declaration_.iterators.size(), -1);
    const auto place = [this](int declared) {
      if (declared == kEllipsis) {
        first_leading_ = static_cast<int>(names_.size());
        for (int i = 0; i < leading_; ++i) names_.push_back("i" + std::to_string(i));
      } else if (position_[declared] < 0) {
        position_[declared] = static_cast<int>(names_.size());
        names_.push_back(declaration_.iterators[declared]);
      }
    };
    for (const int declared : declaration_.stages.back().target) place(declared);
    for (std::size_t i = 0; i < declaration_.iterators.size(); ++i) place(static_cast<int>(i));
  }

  // Calls visit(axis, index, iterator) for each axis of the operand: with the iterator that alone is the index there,
  // or -1 and the index as written.
  template <class Visit>
  void for_each_axis(const Access& access, Visit&& visit) const {
    const int under_ellipsis = ellipsis_rank(access);
    int axis = 0;
    for (const ParsedIndex& index : *access.index) {
      if (index.ellipsis) {
        for (int i = 0; i < under_ellipsis; ++i) visit(axis++, index, first_leading_ + leading_ - under_ellipsis + i);
      } else {
        const int bare = index.bare_iterator();
        visit(axis++, index, bare < 0 ? -1 : position_[bare]);
      }
    }
  }

  void take_plain_extents(const Access& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      if (iterator < 0) return;
      const Dim& size = shapes_[access.operand][axis];
      std::optional<Extent>& known = extents_[iterator];
      if (!known || (index.ellipsis && known->dim == Dim(1))) {
        known = Extent{size, access.operand, axis};
      } else if (known->dim != size && !(index.ellipsis && size == Dim(1))) {
        throw usage_error(op_name_ + ": " + axis_text(access.operand, axis) + " is " + size.text() + ", but " +
                              axis_text(known->operand, known->axis) + " is " + known->dim.text(),
                          "the two must be equal");
      }
    });
  }

  // An iterator that occurs in sums only (i in x[i + j]) runs as far as the operand reaches.
  void take_affine_extents(const Access& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      if (iterator >= 0 || !index.terms.empty() || !shapes_[access.operand][axis].is_constant()) return;
      int unknown = -1;
      std::int64_t factor = 0;
      std::int64_t reached = index.affine.constant;
      for (std::size_t i = 0; i < index.affine.coefficients.size(); ++i) {
        const std::int64_t c = index.affine.coefficients[i];
        if (c == 0) continue;
        const std::optional<Extent>& extent = extents_[position_[i]];
        if (!extent) {
          if (unknown >= 0 || c < 0) return;
          unknown = position_[i];
          factor = c;
        } else if (!extent->dim.is_constant()) {
          return;
        } else if (c > 0) {
          reached += c * (extent->dim.factor() - 1);
        }
      }
      if (unknown < 0) return;
      const std::int64_t last = shapes_[access.operand][axis].factor() - 1 - reached;
      if (last < 0) {
        throw usage_error(op_name_ + ": " + axis_text(access.operand, axis) + " is too small",
                          "it must have at least " + std::to_string(reached + 1) + " elements");
      }
      extents_[unknown] = Extent{Dim(last / factor + 1), access.operand, axis};
    });
  }

  // An iterator that occurs divided only (t in pages[t / 16]) runs through as many as the axis has.
  void take_quotient_extents(const Access& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int) {
      if (index.terms.size() != 1 || !index.affine.coefficients.empty() || index.affine.constant != 0) return;
      const ParsedTerm& term = index.terms[0];
      const bool is_quotient = term.kind == IndexTerm::Kind::kIterator && !term.is_remainder && term.size < 0;
      if (!is_quotient || term.coefficient != 1 || extents_[position_[term.number]]) return;
      extents_[position_[term.number]] =
          Extent{shapes_[access.operand][axis] * Dim(term.divisor), access.operand, axis};
    });
  }

  // `h / group`, where a size is what divides the iterator so that it runs along the axis.
  void take_sizes(const Access& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int) {
      if (index.terms.size() != 1 || index.terms[0].size < 0) return;
      const ParsedTerm& term = index.terms[0];
      if (term.kind != IndexTerm::Kind::kIterator || term.is_remainder) return;
      const std::optional<Extent>& runs = extents_[position_[term.number]];
      const Dim& size = shapes_[access.operand][axis];
      std::optional<Extent>& known = sizes_[term.size];
      if (!runs) return;
      const bool divides = runs->dim.is_constant() && size.is_constant() && runs->dim.factor() % size.factor() == 0;
      if (!divides) {
        throw usage_error(op_name_ + ": " + axis_text(runs->operand, runs->axis) + " is " + runs->dim.text() +
                              ", which is no multiple of the " + size.text() + " of " + axis_text(access.operand, axis),
                          "the one must divide the other");
      }
      const Dim quotient(runs->dim.factor() / size.factor());
      if (known && known->dim != quotient) {
        throw usage_error(op_name_ + ": " + axis_text(access.operand, axis) + " is " + size.text() + ", but " +
                              axis_text(known->operand, known->axis) + " is " +
                              shapes_[known->operand][known->axis].text(),
                          "the two must be equal");
      }
      known = Extent{quotient, access.operand, axis};
    });
  }

  // The shape of a result that is an operand, or written in parts.
  void place_result(LoopNest& nest) const {
    if (nest.result().place.empty()) return;
    if (declaration_.updated >= 0) {
      nest.updated = declaration_.updated;
      nest.placed_shape = shapes_[declaration_.updated];
      return;
    }
    for (std::size_t axis = 0; axis < nest.result().place.size(); ++axis) {
      Dim size = 0;
      for (const Stage& stage : nest.stages) {
        if (stage.place.empty()) continue;
        const Dim end = end_of(stage.place[axis]);
        if (end.max() > size.max()) size = end;
      }
      nest.placed_shape.push_back(size);
    }
  }

  // One more than the largest index of a place, which is an iterator behind extents of others.
  Dim end_of(const IndexMap& index) const {
    std::optional<Dim> end = index.constant == 0 ? std::nullopt : std::optional(Dim(index.constant));
    const auto add = [&](std::int64_t coefficient, const Dim& extent) {
      if (coefficient == 0) return;
      if (end && !end->has_symbols_of(extent)) {
        throw usage_error(op_name_ + ": the sum of the sizes " + end->text() + " and " + extent.text() + " is no size",
                          "join axes that are both constant or multiples of one symbol");
      }
      end = end ? Dim(end->factor() + extent.factor(), extent.symbols()) : extent;
    };
    for (const IndexTerm& term : index.terms) add(term.coefficient, extents_[term.number]->dim);
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) add(index.coefficients[i], extents_[i]->dim);
    return end.value_or(Dim(1));
  }

  Stage stage_of(const ParsedStage& parsed) const {
    Stage stage;
    stage.name = parsed.name;
    stage.combiner = parsed.combiner;
    for (const int declared : parsed.target) {
      if (declared == kEllipsis) {
        for (int i = 0; i < leading_; ++i) stage.target.push_back(first_leading_ + i);
      } else {
        stage.target.push_back(position_[declared]);
      }
    }
    for (const int declared : parsed.reduced) stage.reduced.push_back(position_[declared]);
    stage.body = body_of(parsed.body);
    stage.bounds = bounds_of(parsed.bounds);
    if (!parsed.place.empty()) stage.place = place_of(parsed);
    return stage;
  }

  std::vector<Bound> bounds_of(const std::vector<ParsedBound>& parsed) const {
    std::vector<Bound> bounds;
    for (const ParsedBound& bound : parsed) {
      bounds.push_back({position_[bound.iterator], bound.is_upper, body_of(bound.value)});
    }
    return bounds;
  }

  std::vector<IndexMap> place_of(const ParsedStage& parsed) const {
    if (declaration_.updated >= 0) return index_of({declaration_.updated, &parsed.place});
    std::vector<IndexMap> place;
    for (const ParsedIndex& index : parsed.place) {
      for (int i = 0; i < (index.ellipsis ? leading_ : 1); ++i) {
        place.push_back(index.ellipsis ? bare(first_leading_ + i) : map_of(index));
      }
    }
    return place;
  }

  ScalarExpr body_of(const ParsedExpr& parsed) const {
    ScalarExpr body;
    body.kind = parsed.kind;
    body.value = parsed.value;
    body.number = parsed.number;
    body.name = parsed.name;
    if (parsed.kind == Kind::kIterator || parsed.kind == Kind::kExtent) body.number = position_[parsed.number];
    if (parsed.kind == Kind::kOperand) body.index = index_of({parsed.number, &parsed.index});
    for (const ParsedExpr& argument : parsed.arguments) body.arguments.push_back(body_of(argument));
    body.combiner = parsed.combiner;
    if (parsed.combiner == Combiner::kTuple) body.tuple = &tuple_combiner(parsed.name);
    for (const int declared : parsed.reduced) body.reduced.push_back(position_[declared]);
    body.bounds = bounds_of(parsed.bounds);
    return body;
  }

  IndexMap bare(int iterator) const {
    IndexMap map;
    map.coefficients.resize(extents_.size());
    map.coefficients[iterator] = 1;
    return map;
  }

  // Of an index that is no ellipsis.
  IndexMap map_of(const ParsedIndex& index) const {
    IndexMap map;
    map.coefficients.resize(extents_.size());
    map.constant = index.affine.constant;
    for (std::size_t i = 0; i < index.affine.coefficients.size(); ++i) {
      map.coefficients[position_[i]] = index.affine.coefficients[i];
    }
    for (const ParsedTerm& term : index.terms) map.terms.push_back(term_of(term));
    return map;
  }

  IndexTerm term_of(const ParsedTerm& parsed) const {
    IndexTerm term{parsed.kind, parsed.coefficient, parsed.number, parsed.divisor, parsed.is_remainder};
    if (parsed.kind == IndexTerm::Kind::kOperand) {
      term.index = index_of({parsed.number, &parsed.index});
    } else {
      term.number = position_[parsed.number];
    }
    if (parsed.size < 0) return term;
    const std::optional<Extent>& size = sizes_[parsed.size];
    if (!size) {
      throw usage_error(op_name_ + ": the operands don't determine the size " + declaration_.sizes[parsed.size],
                        "give operands with constant sizes");
    }
    term.divisor = size->dim.factor();
    return term;
  }

  std::vector<IndexMap> index_of(const Access& access) const {
    std::vector<IndexMap> all;
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      const Dim& size = shapes_[access.operand][axis];
      if (iterator >= 0) {
        all.push_back(bare(iterator));
        const bool stretched = index.ellipsis && size == Dim(1) && extents_[iterator]->dim != size;
        if (stretched) all.back().coefficients[iterator] = 0;
        return;
      }
      all.push_back(map_of(index));
      check_range(access.operand, axis, all.back());
    });
    return all;
  }

  void check_range(int operand, int axis, const IndexMap& index) const {
    std::vector<IndexRange> whole;
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      const Dim& extent = extents_[i]->dim;
      if (index.coefficients[i] != 0 && !extent.is_constant()) return;
      whole.push_back({0, extent.max() - 1});
    }
    for (const IndexTerm& term : index.terms) {
      // What is read is checked when it is read.
      if (term.kind == IndexTerm::Kind::kOperand) return;
      if (!extents_[term.number]->dim.is_constant() && !term.is_remainder) return;
    }
    const Dim& size = shapes_[operand][axis];
    const IndexRange range = footprint({index}, whole)[0];
    if (range.min >= 0 && range.max < size.min()) return;
    throw usage_error(op_name_ + ": indices " + std::to_string(range.min) + ".." + std::to_string(range.max) + " of " +
                          axis_text(operand, axis) + " (" + size.text() + ") are used",
                      "they must lie within the axis");
  }

  const ParsedDeclaration& declaration_;
  const std::string& op_name_;
  const std::vector<std::string>& operands_;
  const std::vector<Shape>& shapes_;
  std::vector<Access> accesses_;
  std::vector<std::string> names_;  // by number in the loop nest
  std::vector<int> position_;       // declared iterator -> number in the loop nest
  std::vector<std::optional<Extent>> extents_;
  std::vector<std::optional<Extent>> sizes_;  // of declaration_.sizes; the axis along which the quotient runs
  int leading_ = 0;                           // axes under `...`
  int first_leading_ = 0;
};

}  // namespace

LoopNest solve_extents(const ParsedDeclaration& declaration, const std::string& op_name,
                       const std::vector<std::string>& operands, const std::vector<Shape>& shapes) {
  STRATA_CHECK(operands.size() == shapes.size(), op_name + " is applied to the wrong number of operands");
  return ExtentSolver(declaration, op_name, operands, shapes).solve();
}

}  // namespace strata::ir
