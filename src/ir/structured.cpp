// SPDX-License-Identifier: Apache-2.0
#include "ir/structured.h"

#include <algorithm>

#include "base/error.h"
#include "ir/declaration_parser.h"

namespace strata::ir {

bool IndexMap::operator==(const IndexMap& other) const {
  return coefficients == other.coefficients && constant == other.constant && terms == other.terms;
}

bool ScalarExpr::operator==(const ScalarExpr& other) const {
  return kind == other.kind && value == other.value && number == other.number && name == other.name &&
         index == other.index && arguments == other.arguments && combiner == other.combiner && tuple == other.tuple &&
         reduced == other.reduced && bounds == other.bounds;
}

Shape LoopNest::result_shape() const {
  if (!result().place.empty()) return placed_shape;
  Shape shape;
  for (const int i : result().target) shape.push_back(iterators[i].extent);
  return shape;
}

namespace {

void add_range(const IndexTerm& term, const std::vector<IndexRange>& tile, IndexRange& range) {
  STRATA_CHECK(term.kind != IndexTerm::Kind::kOperand, "an index that is read has no footprint");
  const IndexRange& of = tile[static_cast<std::size_t>(term.number)];
  IndexRange values{of.min / term.divisor, of.max / term.divisor};
  if (term.kind == IndexTerm::Kind::kExtent) values = {of.extent(), of.extent()};
  if (term.is_remainder) {
    const bool wraps = values.min != values.max;
    values = wraps ? IndexRange{0, term.divisor - 1} : IndexRange{of.min % term.divisor, of.max % term.divisor};
  }
  const std::int64_t c = term.coefficient;
  range.min += c * (c >= 0 ? values.min : values.max);
  range.max += c * (c >= 0 ? values.max : values.min);
}

}  // namespace

bool is_affine(const IndexMap& index) { return index.terms.empty(); }

bool is_of_iterators(const IndexMap& index) {
  return std::ranges::all_of(index.terms,
                             [](const IndexTerm& term) { return term.kind == IndexTerm::Kind::kIterator; });
}

bool depends_on(const IndexTerm& term, int iterator) {
  if (term.kind == IndexTerm::Kind::kIterator) return term.number == iterator;
  return std::ranges::any_of(term.index, [&](const IndexMap& index) { return depends_on(index, iterator); });
}

bool depends_on(const IndexMap& index, int iterator) {
  return index.coefficients[static_cast<std::size_t>(iterator)] != 0 ||
         std::ranges::any_of(index.terms, [&](const IndexTerm& term) { return depends_on(term, iterator); });
}

std::vector<IndexRange> footprint(const std::vector<IndexMap>& access, const std::vector<IndexRange>& tile) {
  std::vector<IndexRange> box;
  for (const IndexMap& index : access) {
    STRATA_CHECK(index.coefficients.size() <= tile.size(), "the tile has too few iterators");
    IndexRange range{index.constant, index.constant};
    for (const IndexTerm& term : index.terms) add_range(term, tile, range);
    for (std::size_t i = 0; i < index.coefficients.size(); ++i) {
      const std::int64_t c = index.coefficients[i];
      range.min += c * (c >= 0 ? tile[i].min : tile[i].max);
      range.max += c * (c >= 0 ? tile[i].max : tile[i].min);
    }
    box.push_back(range);
  }
  return box;
}

std::vector<const ScalarExpr*> operand_accesses(const ScalarExpr& body) {
  std::vector<const ScalarExpr*> accesses;
  if (body.kind == ScalarExpr::Kind::kOperand) accesses.push_back(&body);
  for (const ScalarExpr& argument : body.arguments) {
    for (const ScalarExpr* access : operand_accesses(argument)) accesses.push_back(access);
  }
  return accesses;
}

namespace {

void add_index_operands(const std::vector<IndexMap>& index, std::set<int>& found) {
  for (const IndexMap& map : index) {
    for (const IndexTerm& term : map.terms) {
      if (term.kind != IndexTerm::Kind::kOperand) continue;
      found.insert(term.number);
      add_index_operands(term.index, found);
    }
  }
}

void add_index_operands(const ScalarExpr& body, std::set<int>& found);

void add_index_operands(const std::vector<Bound>& bounds, std::set<int>& found) {
  for (const Bound& bound : bounds) {
    for (const ScalarExpr* access : operand_accesses(bound.value)) found.insert(access->number);
    add_index_operands(bound.value, found);
  }
}

void add_index_operands(const ScalarExpr& body, std::set<int>& found) {
  add_index_operands(body.index, found);
  add_index_operands(body.bounds, found);
  for (const ScalarExpr& argument : body.arguments) add_index_operands(argument, found);
}

bool is_plain(const ScalarExpr& body) {
  return body.kind != ScalarExpr::Kind::kReduce && std::ranges::all_of(body.index, is_of_iterators) &&
         std::ranges::all_of(body.arguments, [](const ScalarExpr& a) { return is_plain(a); });
}

bool has_all(const std::vector<int>& list, const std::vector<int>& items) {
  return std::ranges::all_of(items, [&](int item) { return std::ranges::find(list, item) != list.end(); });
}

void collect_attributes(const ParsedStage& stage, std::vector<std::string>& names) {
  for_each_part(stage, [&](const ParsedExpr& expr) {
    const bool is_new = std::find(names.begin(), names.end(), expr.name) == names.end();
    if (expr.kind == ScalarExpr::Kind::kAttribute && is_new) names.push_back(expr.name);
  });
}

}  // namespace

std::set<int> index_operands(const LoopNest& nest) {
  std::set<int> found;
  for (const Stage& stage : nest.stages) {
    add_index_operands(stage.place, found);
    add_index_operands(stage.bounds, found);
    add_index_operands(stage.body, found);
  }
  return found;
}

bool is_plain(const LoopNest& nest) {
  for (std::size_t s = 0; s < nest.stages.size(); ++s) {
    const Stage& stage = nest.stages[s];
    if (!stage.bounds.empty() || !stage.place.empty() || !is_plain(stage.body)) return false;
    for (std::size_t later = s + 1; later < nest.stages.size(); ++later) {
      if (!has_all(nest.stages[later].target, stage.target)) return false;
    }
  }
  return true;
}

struct StructuredDeclaration::Parsed {
  ParsedDeclaration declaration;
};

StructuredDeclaration::StructuredDeclaration(std::string text, std::vector<std::string> operands)
    : text_(std::move(text)), operands_(std::move(operands)) {
  parsed_ = std::make_unique<Parsed>(Parsed{parse_declaration(text_, operands_)});
  for (const ParsedStage& stage : parsed_->declaration.stages) collect_attributes(stage, attributes_);
}

StructuredDeclaration::~StructuredDeclaration() = default;
StructuredDeclaration::StructuredDeclaration(StructuredDeclaration&&) noexcept = default;

std::optional<int> StructuredDeclaration::updated() const {
  return parsed_->declaration.updated < 0 ? std::nullopt : std::optional(parsed_->declaration.updated);
}

LoopNest StructuredDeclaration::apply(const std::string& op_name, const std::vector<Shape>& operand_shapes) const {
  return solve_extents(parsed_->declaration, op_name, operands_, operand_shapes);
}

}  // namespace strata::ir
