// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/machine.h"
#include "schedule/schedule.h"

namespace strata::codegen {

// C++ expressions of an iterator's range where a node stands.
struct RangeCode {
  std::string begin = "0";
  std::string end;
  std::string name;            // of a tensor::Range that is both; empty where there is none
  std::int64_t most = 0;       // steps at once
  std::string whole_end = {};  // of the range that it is a block of; empty where it is none
};

// Where a leaf of a tile tree stands.
struct LeafPlace {
  const schedule::TileNode* node = nullptr;
  std::vector<RangeCode> ranges = {};  // by iterator
};

// The C++ name of a buffer of a tile tree.
std::string buffer_name(const std::string& buffer);

// Writes the code of leaves. In a leaf's `code`, `extent` and scratch texts these names in braces are replaced:
//
//   {left} {table} {out}   pointers: operands by what they are to the form of the loops (ir/form_operands.h), and the
//                          result; {0} of ops without a form
//   {out.row}              elements between neighbouring rows of the result
//   {0.dim.1} {0.max.1}    size of an axis, and its upper bound; {out.dim.0}
//   {0.stride}             elements between the neighbours of its outermost axis
//   {0.rows}               pointer to the first row, and column, that the leaf stands at
//   {0.type} {0.encoding}  element type, and type of its encoding
//   {0.lanes} {0.layout}   lanes of its first pack (the machine's where it has none), and its tensor::BLayout
//   {0.own_lanes}          the same, 1 where it has none
//   {0.outer} {0.inner}    elements before the axis of attribute "axis", and from it on; {0.outer.from}: of "from"
//   {out.count}            elements
//   {attribute.mesh}       an attribute of the op
//   {lanes}                f32 lanes of the machine's vectors
//   {rows} {panels}        register tile: rows of the packed activations, and vectors of the right operand
//   {stream}               how one row reads the right operand: a tensor::Stream
//   {m} {n} {k}            extents of a contraction's iterators; {m.range}: their tensor::Range here, {n.panels}: the
//                          first panel and the one behind the last
//   {block} {block.scales} of a contraction with factors: the steps of k that share one of the smallest blocks, and the
//                          right operand's factors
//   {begin} {end} {count}  range of the leaf's own loop
//   {columns.begin} {columns.count}  the columns of its tile of rows
//   {key.range} {key.most} of an attention: the block of keys, a tensor::Range, and how many these are at most
//   {key.end}              the end of all its blocks of keys
//   {column.range}         its columns of the values
//   {parts} {slot}         into how many parts its keys are divided, and elements from one part's state to the next
//   {keys.block} {values.block} elements from a cache's first one to where the block's rows are counted from
//   {token.range}          its tile's tokens
//   {tile} {kv_head}       its tile of queries, a tensor::QueryTile, and the head of keys and values that these share
//   {register_tile}        its products' register tile, a tensor::CacheTile
//   {score.factor} {score.map} {score.seen}   of an attention: see ScoreCode
//   {with.0} {with.1}      the buffers that it works in
class LeafCode {
 public:
  LeafCode(const schedule::ScheduledOp& op, std::vector<std::string> operands, std::string destination,
           const machine::Machine& machine);

  // The rows of the first operand are in a buffer from now on: where the loop stands now, and so far apart.
  void set_tile(const std::string& pointer, std::int64_t stride) { tile_ = {pointer, stride}; }

  // The result goes to another place from now on, whose rows lie so far apart.
  void set_result(std::string pointer, std::string row) {
    destination_ = std::move(pointer);
    row_ = std::move(row);
  }

  // What lies in a buffer: where the operand would begin, its sizes as the leaf takes them, and the distance of its
  // places along each axis there.
  struct Placed {
    std::string pointer;
    std::vector<ir::Dim> sizes;
    std::vector<ir::Dim> strides;
  };

  // Operands are in buffers from now on, by number.
  void place(int operand, Placed placed) { placed_[operand] = std::move(placed); }
  const std::map<int, Placed>& placed() const { return placed_; }
  void set_placed(std::map<int, Placed> placed) { placed_ = std::move(placed); }

  // Of a product whose columns from this one on the region's iterator counts, so many in a step.
  void set_columns(std::int64_t first, std::int64_t unit) {
    first_column_ = first;
    column_unit_ = unit;
  }

  // Of a product by number: its panels are those of all matrices that this tensor::ColumnPanels has.
  void set_panels(std::string panels) { column_panels_ = std::move(panels); }

  // The product's column where such an index stands.
  std::string column(const std::string& index) const;

  // Of an operand.
  std::string pointer(int operand) const;

  // Every name in braces replaced.
  std::string expand(std::string_view text, const LeafPlace& place) const;

 private:
  std::string value(std::string_view name, const LeafPlace& place) const;
  const ir::TensorType& type(std::string_view operand) const;
  std::string tensor_property(const std::string& pointer, const ir::TensorType& type, int operand,
                              std::string_view property) const;
  std::string range_property(const std::string& iterator, std::string_view property, const LeafPlace& place) const;
  std::string score_property(std::string_view property) const;
  std::string block_property(std::string_view property) const;
  std::string range(int iterator, const LeafPlace& place) const;
  std::string cache_block(int cache, const LeafPlace& place) const;
  std::string key_property(std::string_view property, const LeafPlace& place) const;
  std::string stride(const ir::TensorType& type, int operand) const;
  std::string rows(const ir::TensorType& type, int operand, const LeafPlace& place) const;
  std::string run(const ir::TensorType& type, const std::string& along, bool is_inner) const;

  std::vector<std::string> pointers() const;
  std::string dim(const ir::TensorType& type, int operand, int axis) const;

  const schedule::ScheduledOp& op_;
  std::vector<std::string> operands_;
  std::map<int, Placed> placed_;
  std::string destination_;
  const machine::Machine& machine_;
  std::string row_;  // empty: as the result's type says
  std::int64_t first_column_ = 0, column_unit_ = 1;
  std::string column_panels_;                  // empty: the panels are one matrix'
  std::pair<std::string, std::int64_t> tile_;  // pointer to rows of the first operand and their distance; empty: none
};

}  // namespace strata::codegen
