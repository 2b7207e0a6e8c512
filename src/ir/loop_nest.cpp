// SPDX-License-Identifier: Apache-2.0
// Applying a parsed declaration to operand shapes.
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "ir/declaration_parser.h"

namespace strata::ir {
namespace {

using Kind = ScalarExpr::Kind;

void collect_accesses(const ParsedExpr& expr, std::vector<const ParsedExpr*>& accesses) {
  if (expr.kind == Kind::kOperand) accesses.push_back(&expr);
  for (const ParsedExpr& argument : expr.arguments) collect_accesses(argument, accesses);
}

class ExtentSolver {
 public:
  ExtentSolver(const ParsedDeclaration& declaration, const std::string& op_name,
               const std::vector<std::string>& operands, const std::vector<Shape>& shapes)
      : declaration_(declaration), op_name_(op_name), operands_(operands), shapes_(shapes) {
    for (const ParsedStage& stage : declaration.stages) collect_accesses(stage.body, accesses_);
  }

  LoopNest solve() {
    count_leading_axes();
    number_iterators();
    extents_.resize(declaration_.iterators.size() + leading_);
    for (const ParsedExpr* access : accesses_) take_plain_extents(*access);
    for (const ParsedExpr* access : accesses_) take_affine_extents(*access);
    LoopNest nest;
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      if (!extents_[i]) {
        throw usage_error(op_name_ + ": the operands don't determine the extent of " + names_[i],
                          "give operands with constant sizes");
      }
      nest.iterators.push_back({names_[i], extents_[i]->dim});
    }
    for (const ParsedStage& stage : declaration_.stages) nest.stages.push_back(stage_of(stage));
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
  int ellipsis_rank(const ParsedExpr& access) const {
    const int rank = static_cast<int>(shapes_[access.number].size());
    const bool has_ellipsis =
        std::any_of(access.index.begin(), access.index.end(), [](const ParsedIndex& i) { return i.ellipsis; });
    const int named = static_cast<int>(access.index.size()) - (has_ellipsis ? 1 : 0);
    if (rank < named || (!has_ellipsis && rank != named)) {
      throw usage_error(op_name_ + ": operand " + operands_[access.number] + " has " + std::to_string(rank) + " axes",
                        "it takes " + std::string(has_ellipsis ? "at least " : "") + std::to_string(named));
    }
    return rank - named;
  }

  void count_leading_axes() {
    for (const ParsedExpr* access : accesses_) leading_ = std::max(leading_, ellipsis_rank(*access));
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
  void for_each_axis(const ParsedExpr& access, Visit&& visit) const {
    const int under_ellipsis = ellipsis_rank(access);
    int axis = 0;
    for (const ParsedIndex& index : access.index) {
      if (index.ellipsis) {
        for (int i = 0; i < under_ellipsis; ++i) visit(axis++, index, first_leading_ + leading_ - under_ellipsis + i);
      } else {
        const int bare = index.bare_iterator();
        visit(axis++, index, bare < 0 ? -1 : position_[bare]);
      }
    }
  }

  void take_plain_extents(const ParsedExpr& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      if (iterator < 0) return;
      const Dim& size = shapes_[access.number][axis];
      std::optional<Extent>& known = extents_[iterator];
      if (!known || (index.ellipsis && known->dim == Dim(1))) {
        known = Extent{size, access.number, axis};
      } else if (known->dim != size && !(index.ellipsis && size == Dim(1))) {
        throw usage_error(op_name_ + ": " + axis_text(access.number, axis) + " is " + size.text() + ", but " +
                              axis_text(known->operand, known->axis) + " is " + known->dim.text(),
                          "the two must be equal");
      }
    });
  }

  // An iterator that occurs in sums only (i in x[i + j]) runs as far as the operand reaches.
  void take_affine_extents(const ParsedExpr& access) {
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      if (iterator >= 0 || !shapes_[access.number][axis].is_constant()) return;
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
      const std::int64_t last = shapes_[access.number][axis].factor() - 1 - reached;
      if (last < 0) {
        throw usage_error(op_name_ + ": " + axis_text(access.number, axis) + " is too small",
                          "it must have at least " + std::to_string(reached + 1) + " elements");
      }
      extents_[unknown] = Extent{Dim(last / factor + 1), access.number, axis};
    });
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
    return stage;
  }

  ScalarExpr body_of(const ParsedExpr& parsed) const {
    ScalarExpr body;
    body.kind = parsed.kind;
    body.value = parsed.value;
    body.number = parsed.number;
    body.name = parsed.name;
    if (parsed.kind == Kind::kIterator || parsed.kind == Kind::kExtent) body.number = position_[parsed.number];
    if (parsed.kind == Kind::kOperand) body.index = index_of(parsed);
    for (const ParsedExpr& argument : parsed.arguments) body.arguments.push_back(body_of(argument));
    return body;
  }

  std::vector<AffineIndex> index_of(const ParsedExpr& access) const {
    std::vector<AffineIndex> all;
    for_each_axis(access, [&](int axis, const ParsedIndex& index, int iterator) {
      AffineIndex affine;
      affine.coefficients.resize(extents_.size());
      const Dim& size = shapes_[access.number][axis];
      if (iterator >= 0) {
        const bool stretched = index.ellipsis && size == Dim(1) && extents_[iterator]->dim != size;
        affine.coefficients[iterator] = stretched ? 0 : 1;
      } else {
        affine.constant = index.affine.constant;
        for (std::size_t i = 0; i < index.affine.coefficients.size(); ++i) {
          affine.coefficients[position_[i]] = index.affine.coefficients[i];
        }
        check_range(access.number, axis, affine);
      }
      all.push_back(std::move(affine));
    });
    return all;
  }

  void check_range(int operand, int axis, const AffineIndex& index) const {
    std::vector<IndexRange> whole;
    for (std::size_t i = 0; i < extents_.size(); ++i) {
      const Dim& extent = extents_[i]->dim;
      if (index.coefficients[i] != 0 && !extent.is_constant()) return;
      whole.push_back({0, extent.max() - 1});
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
  std::vector<const ParsedExpr*> accesses_;
  std::vector<std::string> names_;  // by number in the loop nest
  std::vector<int> position_;       // declared iterator -> number in the loop nest
  std::vector<std::optional<Extent>> extents_;
  int leading_ = 0;  // axes under `...`
  int first_leading_ = 0;
};

}  // namespace

LoopNest solve_extents(const ParsedDeclaration& declaration, const std::string& op_name,
                       const std::vector<std::string>& operands, const std::vector<Shape>& shapes) {
  STRATA_CHECK(operands.size() == shapes.size(), op_name + " is applied to the wrong number of operands");
  return ExtentSolver(declaration, op_name, operands, shapes).solve();
}

}  // namespace strata::ir
