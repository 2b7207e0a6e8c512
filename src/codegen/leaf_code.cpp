// SPDX-License-Identifier: Apache-2.0
#include "codegen/leaf_code.h"

#include <algorithm>

#include "base/error.h"
#include "base/words.h"
#include "codegen/code_writer.h"
#include "codegen/score_code.h"
#include "ir/op.h"
#include "machine/cost.h"

namespace strata::codegen {
namespace {

using ir::TensorType;

std::string number(std::int64_t value) { return std::to_string(value); }

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
  });
}

// "0.dim.1": the parts before and behind the first dot.
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::pair{name, std::string_view{}}
                                       : std::pair{name.substr(0, dot), name.substr(dot + 1)};
}

int integer(std::string_view text) { return number_of<int>(text).value_or(-1); }

std::string layout_text(const TensorType& type) {
  const std::int64_t group = type.layout.group();
  if (group == 1) return "tensor::BLayout::kLanes";
  return group == 2 ? "tensor::BLayout::kPairs" : "tensor::BLayout::kQuads";
}

std::string stream_text(const schedule::TileNode& node) {
  return "tensor::Stream{" + number(node.panels) + ", " + number(node.stream.ahead_bytes) + ", " +
         number(node.stream.locality) + "}";
}

std::string register_tile_text(const schedule::TileNode& node) {
  return "tensor::CacheTile{" + number(node.rows) + ", " + stream_text(node) + "}";
}

}  // namespace

std::string buffer_name(const std::string& buffer) { return "b_" + cpp_name(buffer); }

LeafCode::LeafCode(const schedule::ScheduledOp& op, std::vector<std::string> operands, std::string destination,
                   const machine::Machine& machine)
    : op_(op), operands_(std::move(operands)), destination_(std::move(destination)), machine_(machine) {}

std::string LeafCode::expand(std::string_view text, const LeafPlace& place) const {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t end = text[i] == '{' ? text.find('}', i) : std::string_view::npos;
    const std::string_view name = end == std::string_view::npos ? "" : text.substr(i + 1, end - i - 1);
    if (!is_name(name)) {
      out += text[i];
      continue;
    }
    out += value(name, place);
    i = end;
  }
  return out;
}

std::string LeafCode::value(std::string_view name, const LeafPlace& place) const {
  const auto [first, rest] = split(name);
  if (first == "out" && rest.empty()) return destination_;
  if (first == "out" && rest == "row") return row_.empty() ? cpp_size(op_.value->type().shape.back()) : row_;
  if (first == "out") return tensor_property(destination_, op_.value->type(), -1, rest);
  if (first == "attribute") return number(ir::int_attribute(*op_.value->op, op_.value->attributes, std::string(rest)));
  if (first == "lanes") return number(machine::vector_lanes(machine_, DType::kF32));
  if (first == "rows") return number((op_.contraction ? type("left") : op_.value->type()).layout.lanes(0));
  if (first == "panels") return number(place.node->panels);
  if (first == "stream") return stream_text(*place.node);
  if (first == "with") return buffer_name(place.node->with.at(static_cast<std::size_t>(integer(rest))));
  const RangeCode own =
      op_.rows < std::ssize(place.ranges) ? place.ranges[static_cast<std::size_t>(op_.rows)] : RangeCode{};
  if (first == "begin") return own.begin;
  if (first == "end") return own.end;
  if (first == "count") return own.end + " - " + own.begin;
  if (first == "columns") {
    const bool is_begin = rest == "begin";
    if (op_.columns < 0) return is_begin ? "0" : cpp_size(op_.value->arguments[0]->type().shape.back());
    const RangeCode& columns = place.ranges[static_cast<std::size_t>(op_.columns)];
    return is_begin ? columns.begin : columns.end + " - " + columns.begin;
  }
  if (first == "tile") {
    return "tensor::QueryTile{" + range(op_.attention->token, place) + ", " + range(op_.attention->head, place) + "}";
  }
  if (first == "kv_head") {
    return place.ranges[static_cast<std::size_t>(op_.attention->head)].begin + " / " + number(op_.attention->group);
  }
  if (first == "register_tile") return register_tile_text(*place.node);
  if (first == "key") return key_property(rest, place);
  if (first == "token") return range(op_.attention->token, place);
  if (first == "column") return range(op_.attention->column, place);
  if (first == "parts") return number(schedule::find_split(op_.tree.body)->parts);
  if (first == "slot") return number(schedule::find_buffer(op_.tree.body, place.node->with.at(0))->holds.elements);
  if (first == "score") return score_property(rest);
  if (first == "block") return block_property(rest);
  if (first == "m" || first == "n" || first == "k") return range_property(std::string(first), rest, place);
  const int named = ir::find_operand(op_.form, first);
  const int operand = named < 0 ? integer(first) : named;
  STRATA_CHECK(operand >= 0 && operand < static_cast<int>(operands_.size()),
               "leaf " + std::string(place.node->leaf->name) + " has no {" + std::string(name) + "}");
  if (rest.empty()) return pointer(operand);
  if (rest == "block") return cache_block(operand, place);
  if (rest == "rows") return rows(op_.value->arguments[static_cast<std::size_t>(operand)]->type(), operand, place);
  return tensor_property(pointer(operand), op_.value->arguments[static_cast<std::size_t>(operand)]->type(), operand,
                         rest);
}

const TensorType& LeafCode::type(std::string_view operand) const {
  return op_.value->arguments[static_cast<std::size_t>(ir::find_operand(op_.form, operand))]->type();
}

std::string LeafCode::pointer(int operand) const {
  const auto placed = placed_.find(operand);
  return placed == placed_.end() ? operands_[static_cast<std::size_t>(operand)] : placed->second.pointer;
}

std::vector<std::string> LeafCode::pointers() const {
  std::vector<std::string> all;
  for (int i = 0; i < static_cast<int>(operands_.size()); ++i) all.push_back(pointer(i));
  return all;
}

std::string LeafCode::dim(const TensorType& type, int operand, int axis) const {
  const auto placed = placed_.find(operand);
  return cpp_size((placed == placed_.end() ? type.shape : placed->second.sizes).at(static_cast<std::size_t>(axis)));
}

std::string LeafCode::tensor_property(const std::string& pointer, const TensorType& type, int operand,
                                      std::string_view property) const {
  const auto [kind, axis] = split(property);
  const auto& packs = type.layout.packs;
  if (kind == "dim") return dim(type, operand, integer(axis));
  if (kind == "max") return number(type.shape.at(static_cast<std::size_t>(integer(axis))).max());
  if (kind == "stride") return stride(type, operand);
  if (kind == "type") return cpp_type(type.dtype);
  if (kind == "encoding") return cpp_encoding(*type.layout.encoding);
  if (kind == "lanes") return number(packs.empty() ? machine::vector_lanes(machine_, DType::kF32) : packs[0].lanes);
  if (kind == "own_lanes") return number(packs.empty() ? 1 : packs[0].lanes);
  if (kind == "layout") return layout_text(type);
  const std::string along = axis.empty() ? "axis" : std::string(axis);
  if (kind == "outer") return run(type, along, false);
  if (kind == "inner") return run(type, along, true);
  if (kind == "count") return cpp_size(ir::element_count(type.shape));
  STRATA_CHECK(false, "a leaf asks for " + pointer + "." + std::string(property));
  return "";
}

std::string LeafCode::score_property(std::string_view property) const {
  const ScoreCode score(*op_.value, pointers());
  if (property == "factor") return score.factor();
  if (property == "map") return score.map();
  STRATA_CHECK(property == "seen", "a leaf asks for score." + std::string(property));
  return score.seen();
}

std::string LeafCode::block_property(std::string_view property) const {
  const std::vector<ir::BlockFactor>& factors = op_.contraction->factors;
  if (property.empty()) return number(factors.at(0).block);
  STRATA_CHECK(property == "scales", "a leaf asks for block." + std::string(property));
  const int scales = ir::find_operand(op_.form, "scales"), outer = ir::find_operand(op_.form, "outer");
  if (outer < 0) return "tensor::BlockScales{" + pointer(scales) + "}";
  return "tensor::NestedScales<" + cpp_type(type("scales").dtype) + ", " + cpp_type(type("outer").dtype) + ", " +
         number(factors.back().block / factors.front().block) + ">{" + pointer(scales) + ", " + pointer(outer) + "}";
}

// Of a row in pairs, which has no strides: its elements.
std::string LeafCode::stride(const TensorType& type, int operand) const {
  if (operand == 0 && !tile_.first.empty()) return number(tile_.second);
  if (const auto placed = placed_.find(operand); placed != placed_.end()) return cpp_size(placed->second.strides[0]);
  const auto& strides = op_.operands[static_cast<std::size_t>(operand)].strides;
  return cpp_size(strides.empty() ? type.shape.back() : strides[0]);
}

std::string LeafCode::rows(const TensorType& type, int operand, const LeafPlace& place) const {
  if (operand == 0 && !tile_.first.empty()) return tile_.first;
  const std::string& begin = place.ranges[static_cast<std::size_t>(op_.rows)].begin;
  const std::string row = pointer(operand) + " + " + begin + " * " + stride(type, operand);
  return op_.columns < 0 ? row : row + " + " + place.ranges[static_cast<std::size_t>(op_.columns)].begin;
}

std::string LeafCode::run(const TensorType& type, const std::string& along, bool is_inner) const {
  const auto axis = static_cast<std::ptrdiff_t>(ir::int_attribute(*op_.value->op, op_.value->attributes, along));
  const auto at = type.shape.begin() + axis;
  return cpp_size(ir::element_count(is_inner ? ir::Shape(at, type.shape.end()) : ir::Shape(type.shape.begin(), at)));
}

std::string LeafCode::range(int iterator, const LeafPlace& place) const {
  const RangeCode& range = place.ranges[static_cast<std::size_t>(iterator)];
  return range.name.empty() ? "{" + range.begin + ", " + range.end + "}" : range.name;
}

std::string LeafCode::key_property(std::string_view property, const LeafPlace& place) const {
  const RangeCode& keys = place.ranges[static_cast<std::size_t>(op_.attention->key)];
  if (property == "most") return number(keys.most);
  if (property == "end") return keys.whole_end.empty() ? keys.end : keys.whole_end;
  STRATA_CHECK(property == "range", "a leaf asks for key." + std::string(property));
  return range(op_.attention->key, place);
}

// Elements from a cache's first one to where its rows are counted from: of pages each block has its own.
std::string LeafCode::cache_block(int cache, const LeafPlace& place) const {
  const TensorType& held = op_.value->arguments[static_cast<std::size_t>(cache)]->type();
  const std::string rows = dim(held, cache, 1), columns = dim(held, cache, 2);
  const std::string head = value("kv_head", place) + " * " + rows + " * " + columns;
  const auto& pages = op_.attention->pages;
  if (!pages) return head;
  const std::string begin = place.ranges[static_cast<std::size_t>(op_.attention->key)].begin;
  std::string at = begin + " / " + number(pages->size);
  if (pages->is_own) {
    const std::string token = place.ranges[static_cast<std::size_t>(op_.attention->token)].begin;
    at = token + " * " + cpp_size(type("pages").shape.back()) + " + " + at;
  }
  return head + " + (" + number(pages->size) + " * std::int64_t(" + pointer(pages->numbers) + "[" + at + "]) - " +
         begin + ") * " + columns;
}

std::string LeafCode::column(const std::string& index) const {
  const std::string first = first_column_ == 0 ? "" : number(first_column_) + " + ";
  return first + (column_unit_ == 1 ? index : "(" + index + ") * " + number(column_unit_));
}

std::string LeafCode::range_property(const std::string& name, std::string_view property, const LeafPlace& place) const {
  using Class = ir::IteratorClass;
  const int iterator = *op_.contraction->only(name == "m" ? Class::kM : name == "n" ? Class::kN : Class::kK);
  const ir::Dim& extent = op_.tree.iterators[static_cast<std::size_t>(iterator)].extent;
  // In a buffer the left operand's rows are as long as its blocks.
  if (const auto placed = placed_.find(op_.contraction->left);
      property.empty() && name == "k" && placed != placed_.end())
    return cpp_size(placed->second.sizes.back());
  if (name == "n" && !column_panels_.empty()) {
    if (property.empty()) return column_panels_ + ".all()";
    return column_panels_ + ".first(), " + column_panels_ + ".last()";
  }
  if (property.empty()) return cpp_size(name == "n" ? op_.value->type().shape.back() : extent);
  if (property == "range") return range(iterator, place);
  if (property == "panels") {
    const RangeCode& range = place.ranges[static_cast<std::size_t>(iterator)];
    const std::string lanes = number(type("right").layout.packs.at(0).lanes);
    // An empty share begins at the end, which the last panel may reach beyond.
    return "tensor::div_up(" + column(range.begin) + ", " + lanes + "), tensor::div_up(" + column(range.end) + ", " +
           lanes + ")";
  }
  STRATA_CHECK(false, "a leaf asks for " + name + "." + std::string(property));
  return "";
}

}  // namespace strata::codegen
