// SPDX-License-Identifier: Apache-2.0
#include "codegen/tree_emitter.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "base/error.h"
#include "codegen/copy_emitter.h"
#include "codegen/leaf_code.h"
#include "ir/by_number.h"
#include "schedule/numbered_tree.h"
#include "schedule/products_tree.h"
#include "schedule/tile_image.h"

namespace strata::codegen {
namespace {

using schedule::TileNode;
using Kind = TileNode::Kind;

bool contains(const std::vector<int>& list, int item) { return std::ranges::find(list, item) != list.end(); }

// The first computation of a tree; nullptr: there is none.
const TileNode* find_compute(const TileNode& node) {
  if (node.kind == Kind::kCompute) return &node;
  for (const TileNode& inner : node.body) {
    if (const TileNode* const found = find_compute(inner)) return found;
  }
  return nullptr;
}

const TileNode& first_compute(const TileNode& node) {
  const TileNode* const found = find_compute(node);
  STRATA_CHECK(found != nullptr, "a loop computes nothing");
  return *found;
}

class TreeEmitter {
 public:
  TreeEmitter(CodeWriter& out, const schedule::ScheduledOp& op, const RegionCode& code,
              const buffer::ScratchPlan& scratch, const machine::Machine& machine)
      : out_(out),
        op_(op),
        scratch_(scratch),
        machine_(machine),
        stages_(op, code.inputs),
        leaf_(op, code.operands, code.result, machine),
        copies_(out, op, code, leaf_, stages_),
        tiles_(op.tree.iterators.size(), 0) {
    const bool is_stage = op.leaf->domain == cost::Leaf::Domain::kOwn;
    const int last = is_stage ? static_cast<int>(op.made.size()) - 1 : -1;
    if (is_stage) stages_.set_elements(last, stages_.row_major(last, code.result));
    for (const auto& [stage, pointer] : code.values) stages_.set_elements(stage, stages_.row_major(stage, pointer));
    for (const schedule::ProductStage& product : op.products) parts_.push_back(product_part(op, product));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto memory = code.values.find(op.products[i].stage);
      std::string columns = memory == code.values.end() ? "" : memory->second;
      // Where the product's first one would be.
      const std::int64_t first = op.products[i].column;
      if (first != 0 && !columns.empty())
        columns = "tensor::tile_as_whole(" + columns + ", 0, 0, " + std::to_string(first) + ")";
      products_.emplace_back(parts_[i], code.products[i], columns, machine);
      products_.back().set_columns(op.products[i].column, op.products[i].unit);
    }
  }

  void run() {
    begin();
    for (const TileNode& node : op_.tree.body) {
      if (&node != schedule::first_barrier(op_.tree)) emit(node);
    }
  }

 private:
  // All iterators have their whole ranges.
  void begin() {
    for (const schedule::TileIterator& iterator : op_.tree.iterators) {
      parts_here_.push_back({iterator.extent.max(), 0});
      place_.ranges.push_back({"0", iterator.code.empty() ? cpp_size(iterator.extent) : "", "", iterator.extent.max()});
    }
  }

  const schedule::TileIterator& iterator(const TileNode& node) const {
    return op_.tree.iterators[static_cast<std::size_t>(node.iterator)];
  }
  RangeCode& range(const TileNode& node) { return place_.ranges[static_cast<std::size_t>(node.iterator)]; }
  const ir::Stage& stage(int number) const { return stages_.nest().stages[static_cast<std::size_t>(number)]; }

  // What begins in a list of nodes ends with it.
  void emit(const std::vector<TileNode>& nodes) {
    const std::size_t before = stages_.variables();
    const auto placed = leaf_.placed();
    const auto tiles = stages_.tiles();
    for (const TileNode& node : nodes) emit(node);
    stages_.end_variables(before);
    leaf_.set_placed(placed);
    stages_.set_tiles(tiles);
  }

  void emit(const TileNode& node) {
    if (begins_reduction(node)) return emit_reduction(node);
    switch (node.kind) {
      case Kind::kParallel:
        return emit_parallel(node);
      case Kind::kSerial:
        return emit_serial(node);
      case Kind::kVector:
        return emit_vector(node);
      case Kind::kOnce:
        return emit_block("if (team.rank == 0) {", node.body);
      case Kind::kEach:
        return emit_block("{", node.body);
      case Kind::kNumbered:
        return emit_numbered(node);
      case Kind::kWhen:
        return emit_when(node);
      case Kind::kBarrier:
        return out_.line("team.sync();");
      case Kind::kBuffer:
        return emit_buffer(node);
      case Kind::kCopy:
        return copies_.emit(node, place_.ranges, parts_here_);
      case Kind::kCompute:
        return emit_compute(node);
    }
  }

  void emit_buffer(const TileNode& node) {
    if (node.slots != 0) return emit_shared(node);
    const std::int64_t offset = scratch_.offsets.at(node.buffer);
    out_.line("auto* const " + buffer_name(node.buffer) + " = reinterpret_cast<" + cpp_type(node.holds.dtype) +
              "*>(team.scratch" + (offset == 0 ? "" : " + " + std::to_string(offset)) + ");");
    copies_.begin(node, place_.ranges, parts_here_);
    if (op_.nest) place_in_buffer(op_.tree.body, node);
  }

  void emit_shared(const TileNode& node) {
    out_.line("auto* const " + all_slots(node) + " = reinterpret_cast<" + cpp_type(node.holds.dtype) + "*>(arena + " +
              std::to_string(scratch_.shared.at(node.buffer).offset) + ");");
  }

  static std::string all_slots(const TileNode& node) { return "all_" + cpp_name(node.buffer); }

  // A leaf reads what the last stage makes.
  bool is_read_by_leaf(int number) const {
    return op_.leaf->domain != cost::Leaf::Domain::kOwn && number + 1 == static_cast<int>(op_.made.size());
  }

  // The stages that keep their elements in a buffer, which holds a tile of them.
  void place_in_buffer(const std::vector<TileNode>& nodes, const TileNode& buffer) {
    for (const TileNode& node : nodes) {
      place_in_buffer(node.body, buffer);
      place_in_buffer(node.otherwise, buffer);
      if (node.kind != Kind::kCompute || node.stage < 0 || node.buffer != buffer.buffer) continue;
      StageCode::Elements elements = stages_.row_major(node.stage, buffer_name(buffer.buffer));
      elements.begins.assign(place_.ranges.size(), "0");
      std::int64_t stride = 1;
      const auto& target = stage(node.stage).target;
      for (auto iterator = target.rbegin(); iterator != target.rend(); ++iterator) {
        const auto i = static_cast<std::size_t>(*iterator);
        elements.begins[i] = place_.ranges[i].begin;
        elements.strides[i] = tiles_[i] == 1 ? ir::Dim(0) : ir::Dim(stride);
        if (is_read_by_leaf(node.stage) && *iterator == op_.rows) leaf_.set_tile(buffer_name(buffer.buffer), stride);
        const std::int64_t extent = stages_.nest().iterators[i].extent.max();
        stride *= tiles_[i] == 0 ? extent : std::min(extent, tiles_[i]);
      }
      stages_.set_elements(node.stage, std::move(elements));
    }
  }

  void emit_block(const std::string& head, const std::vector<TileNode>& body) {
    out_.open(head);
    emit(body);
    out_.close();
  }

  // A range that is a variable of its own.
  RangeCode named_range(const TileNode& node) const {
    const RangeCode& outer = place_.ranges[static_cast<std::size_t>(node.iterator)];
    const std::string name = outer.name.empty() ? "r_" + cpp_name(iterator(node).name) : outer.name + "_";
    return {name + ".begin", name + ".end", name, std::min(outer.most, node.step)};
  }

  void emit_parallel(const TileNode& node) {
    if (schedule::find_split(op_.tree.body) != nullptr) return emit_units_apart(node);
    if (schedule::divided_inside(node) != nullptr) return emit_units(node);
    const schedule::TileIterator& of = iterator(node);
    const std::string extent =
        of.code.empty() ? cpp_size(of.extent) : leaf_.expand(of.code, {.node = &first_compute(node)});
    const RangeCode outer = range(node);
    const schedule::IteratorPart part = enter(node, false);
    range(node) = named_range(node);
    range(node).most = outer.most;
    out_.line("const tensor::Range " + range(node).name + " = team.split(" + extent +
              (node.step == 1 ? "" : ", " + std::to_string(node.step)) + ");");
    emit(node.body);
    range(node) = outer;
    part_here(node) = part;
  }

  schedule::IteratorPart& part_here(const TileNode& node) {
    return parts_here_[static_cast<std::size_t>(node.iterator)];
  }

  // The part of its iterator that is outside of a loop.
  schedule::IteratorPart enter(const TileNode& loop, bool is_unit) {
    const schedule::IteratorPart outside = part_here(loop);
    part_here(loop) = schedule::part_inside(op_, loop, outside, is_unit);
    return outside;
  }

  // A tree that divides a reduction has several such loops, one behind the other.
  void emit_units_apart(const TileNode& node) {
    out_.open("{");
    emit_units(node);
    out_.close();
  }

  // The units of several loops together: the thread's share of them, one after another, the last loop's the fastest.
  void emit_units(const TileNode& node) {
    std::vector<const TileNode*> loops;
    for (const TileNode* loop = &node; loop != nullptr; loop = schedule::divided_inside(*loop)) loops.push_back(loop);
    std::string all;
    for (const TileNode* loop : loops) {
      const std::string count = "n_" + cpp_name(iterator(*loop).name);
      out_.line("const std::int64_t " + count + " = " +
                (loop->parts != 0
                     ? std::to_string(loop->parts)
                     : "tensor::div_up(" + cpp_size(iterator(*loop).extent) + ", " + std::to_string(loop->step) + ")") +
                ";");
      all += (all.empty() ? "" : " * ") + count;
    }
    out_.line("const tensor::Range units = team.split(" + all + ");");
    out_.open("for (std::int64_t unit = units.begin; unit < units.end; ++unit) {");
    const std::vector<RangeCode> outer = place_.ranges;
    const std::vector<schedule::IteratorPart> parts = parts_here_;
    const std::vector<std::int64_t> tiles = tiles_;
    for (const TileNode* loop : loops) {
      enter(*loop, true);
      if (loop->parts == 0) tiles_[static_cast<std::size_t>(loop->iterator)] = loop->step;
    }
    std::string inside;
    for (std::size_t i = loops.size(); i-- > 0;) {
      const std::string count = "n_" + cpp_name(iterator(*loops[i]).name);
      const std::string at = inside.empty() ? "unit" : "unit / (" + inside + ")";
      emit_unit(*loops[i], i == 0 ? at : at + " % " + count, count);
      inside = inside.empty() ? count : count + " * " + inside;
    }
    for (const TileNode* loop : loops) {
      if (loop->parts != 0) emit_part(*loop);
    }
    for (const TileNode& buffer : op_.tree.body) {
      if (buffer.slots != 0) emit_slot(buffer, loops);
    }
    emit(loops.back()->body);
    out_.close();
    place_.ranges = outer;
    parts_here_ = parts;
    tiles_ = tiles;
  }

  // What a loop inside covers may grow with the iterator.
  void emit_unit(const TileNode& node, const std::string& at, const std::string& count) {
    if (node.parts != 0) return out_.line("const std::int64_t " + part_name(node) + " = " + at + ";");
    const bool grows = op_.attention && node.iterator == op_.attention->token;
    const std::string part = grows ? "tensor::from_both_ends(" + at + ", " + count + ")" : at;
    range(node) = named_range(node);
    out_.line("const tensor::Range " + range(node).name + " = tensor::part_of(" + part + ", " +
              std::to_string(node.step) + ", " + cpp_size(iterator(node).extent) + ");");
  }

  std::string part_name(const TileNode& node) const { return "part_" + cpp_name(iterator(node).name); }

  // A part of what the tile needs of the range, which the other loops' units say.
  void emit_part(const TileNode& node) {
    const RangeCode whole = bounded_range(node);
    range(node) = named_range(node);
    range(node).most = whole.most;
    out_.line("const tensor::Range " + range(node).name + " = tensor::even_part(" + whole.name + ", " +
              part_name(node) + ", " + std::to_string(node.parts) + ", " +
              std::to_string(schedule::block_unit(op_, node.iterator)) + ");");
  }

  // The slot of a part of a tile, or of a tile's first part.
  void emit_slot(const TileNode& buffer, std::vector<const TileNode*> loops) {
    const std::string parts = std::to_string(schedule::find_split(op_.tree.body)->parts);
    std::string part = "0";
    std::string tile;
    std::ranges::sort(loops, {}, &TileNode::iterator);
    for (const TileNode* loop : loops) {
      if (loop->parts != 0) part = part_name(*loop);
      if (loop->parts != 0 || loop->iterator == op_.attention->column) continue;
      const std::string at = range(*loop).begin + " / " + std::to_string(loop->step);
      tile = tile.empty() ? at : "(" + tile + ") * n_" + cpp_name(iterator(*loop).name) + " + " + at;
    }
    const std::string slot = tile.empty() ? part : "((" + tile + ") * " + parts + " + " + part + ")";
    out_.line("auto* const " + buffer_name(buffer.buffer) + " = " + all_slots(buffer) + " + " + slot + " * " +
              std::to_string(buffer.holds.elements) + ";");
  }

  // Of the keys of an attention those that its tile of queries sees.
  RangeCode bounded_range(const TileNode& node) {
    const RangeCode whole = range(node);
    const bool is_bounded = op_.attention && node.iterator == op_.attention->key && whole.name.empty();
    if (!is_bounded) return whole;
    const std::string name = "seen_" + cpp_name(iterator(node).name);
    out_.line(
        "const tensor::Range " + name + " = tensor::seen_by(" +
        leaf_.expand("{token.range}, " + std::to_string(schedule::block_unit(op_, node.iterator)) + ", {score.seen}",
                     place_) +
        ");");
    return {name + ".begin", name + ".end", name, whole.most};
  }

  // Steps of one are an index, larger ones a range of their own.
  void emit_serial(const TileNode& node) {
    const RangeCode before = range(node);
    const RangeCode outer = bounded_range(node);
    range(node) = outer;
    const std::int64_t tile = std::exchange(tiles_[static_cast<std::size_t>(node.iterator)], node.step);
    const schedule::IteratorPart part = enter(node, false);
    if (node.step == 1) {
      const std::string i = index_name(iterator(node).name);
      range(node) = {i, i + " + 1", "", 1};
      emit_block("for (std::int64_t " + i + " = " + outer.begin + "; " + i + " < " + outer.end + "; ++" + i + ") {",
                 node.body);
    } else {
      range(node) = named_range(node);
      range(node).whole_end = outer.whole_end.empty() ? outer.end : outer.whole_end;
      const std::string whole = outer.name.empty() ? "{" + outer.begin + ", " + outer.end + "}" : outer.name;
      emit_block("for (const tensor::Range " + range(node).name + " : tensor::Parts(" + whole + ", " +
                     std::to_string(node.step) + ", " + std::to_string(unit(node)) + ")) {",
                 node.body);
    }
    range(node) = before;
    part_here(node) = part;
    tiles_[static_cast<std::size_t>(node.iterator)] = tile;
  }

  // What parts of a loop are multiples of: the step inside, or what the leaf can be cut at.
  std::int64_t unit(const TileNode& node) const {
    const TileNode* const compute = find_compute(node);
    for (std::size_t i = 0; compute != nullptr && i < parts_.size(); ++i) {
      const schedule::ProductStage& product = op_.products[i];
      if (product.stage != compute->stage) continue;
      const bool is_column = *product.of.only(ir::IteratorClass::kN) == node.iterator;
      return is_column ? product.steps(compute->panels * panel_lanes(parts_[i]))
                       : schedule::block_unit(parts_[i], node.iterator);
    }
    return schedule::part_unit(op_, node);
  }

  void emit_when(const TileNode& node) {
    const std::string extent = cpp_size(iterator(node).extent);
    emit_block("if (" + extent + " <= " + std::to_string(node.step) + ") {", node.body);
    emit_block("else {", node.otherwise);
  }

  // The rows of a matrix, their operands in tiles, and what they make in one of its own, whose columns begin at a panel
  // of all matrices. Inside, it is the product of one matrix.
  void emit_numbered(const TileNode& node) {
    const schedule::ScheduledOp& one = op_.one->op;
    const int columns = *one.contraction->only(ir::IteratorClass::kN);
    const RangeCode part = place_.ranges[static_cast<std::size_t>(columns)];
    const std::string lanes = std::to_string(panel_lanes(one)), range = "{" + part.begin + ", " + part.end + "}";
    const std::string all_columns = cpp_size(one.value->type().shape.back()), tile = buffer_name(node.with[1]);
    open_numbered(node, part);
    out_.line("const tensor::ColumnPanels<" + lanes + "> panels(matrix, " + all_columns + ", " + range + ");");
    RegionCode code;
    code.operands = numbered_operands(node);
    code.result = "tensor::tile_as_whole(" + tile + ", panels.width(), 0, panels.first() * " + lanes + ")";
    TreeEmitter inside(out_, one, code, scratch_, machine_);
    inside.leaf_.set_panels("panels");
    inside.leaf_.set_result(code.result, "panels.width()");
    inside.begin();
    inside.place_.ranges[static_cast<std::size_t>(columns)] = part;
    inside.emit(node.body);
    out_.line("tensor::put_rows(" + tile + ", panels, rows, " + numbered_rows() + ", out, " + all_columns + ", " +
              range + ");");
    out_.close(");");
  }

  static std::string numbered_rows() { return std::string(schedule::kNumberedRows); }

  // A thread without columns must not read the numbers: it may not have waited for them.
  void open_numbered(const TileNode& node, const RangeCode& part) {
    const ir::Expr& numbers = *op_.value->arguments.back();
    const std::int64_t matrices = ir::matrix_count(*op_.value->op, op_.value->attributes);
    out_.open("if (" + part.begin + " < " + part.end + ") tensor::by_number(" +
              leaf_.pointer(op_.one->op.value->op->arity()) + ", " + cpp_size(ir::element_count(numbers.type().shape)) +
              ", " + std::to_string(matrices) + ", " + std::to_string(node.step) + ", " + buffer_name(node.with[0]) +
              ", [&](std::int64_t matrix, const std::int32_t* rows, std::int64_t " + numbered_rows() + ") {");
  }

  // Those of matrices as they are; rows packed into tiles, or the one that there is.
  std::vector<std::string> numbered_operands(const TileNode& node) {
    const ir::ByNumber& of = *ir::by_number(*op_.value->op);
    std::vector<std::string> operands;
    std::size_t packed = 3;
    for (int i = 0; i < of.of_one().arity(); ++i) {
      operands.push_back(leaf_.pointer(i));
      if (of.is_of_matrix(i)) continue;
      if (op_.leaf->takes_blocks) {
        operands.back() = buffer_name(node.with[packed++]);
        pack_numbered(i, buffer_name(node.with[2]), operands.back());
      } else {
        operands.back() = "row" + std::to_string(i);
        out_.line("const auto* const " + operands.back() + " = " + leaf_.pointer(i) + " + rows[0] / " + rows_of_one(i) +
                  " * " + cpp_size(tiles_of(i).shape.back()) + ";");
      }
    }
    if (!op_.leaf->takes_blocks) out_.line("(void)" + numbered_rows() + ";");
    return operands;
  }

  const ir::TensorType& tiles_of(int operand) const {
    return op_.one->op.value->arguments[static_cast<std::size_t>(operand)]->type();
  }

  // How many numbers share a row of an operand.
  std::string rows_of_one(int operand) const {
    const bool is_shared = op_.value->arguments[static_cast<std::size_t>(operand)]->type().rank() == 2;
    return is_shared ? cpp_size(op_.value->arguments.back()->type().shape[1]) : "1";
  }

  void pack_numbered(int operand, const std::string& taken, const std::string& packed) {
    const ir::TensorType& type = tiles_of(operand);
    out_.line("tensor::pack_rows_by_number<" + std::to_string(machine::vector_lanes(machine_, DType::kF32)) + ", " +
              std::to_string(type.layout.lanes(0)) + ">(" + leaf_.pointer(operand) + ", " +
              cpp_size(type.shape.back()) + ", " + rows_of_one(operand) + ", rows, " + numbered_rows() +
              ", reinterpret_cast<" + cpp_type(type.dtype) + "*>(" + taken + "), " + packed + ");");
  }

  // Maps in lanes.
  void emit_vector(const TileNode& node) {
    const RangeCode outer = range(node);
    const std::string i = index_name(iterator(node).name);
    const bool is_offset = outer.begin != "0";
    out_.open("tensor::for_each_vector<" + std::to_string(node.step) + ">(" +
              (is_offset ? outer.end + " - " + outer.begin : outer.end) + ", [&](auto lanes, std::int64_t " +
              (is_offset ? "i" : i) + ") {");
    if (is_offset) out_.line("const std::int64_t " + i + " = " + outer.begin + " + i;");
    const std::size_t before = stages_.variables();
    for (const TileNode& inner : node.body) emit_map(inner, node.iterator);
    stages_.end_variables(before);
    out_.close(");");
  }

  // A stage's lanes along an iterator: stored, and at hand for the stages that follow where there are any.
  void emit_map(const TileNode& node, int iterator) {
    std::string value = stages_.in_lanes(stage(node.stage), iterator);
    if (is_read(node.stage)) {
      const std::string name = StageCode::variable(stage(node.stage));
      out_.line("const auto " + name + " = " + settled(node.stage, value) + ";");
      stages_.begin_variable(node.stage, true);
      value = name;
    }
    if (is_kept(node)) out_.line("tensor::store(lanes, " + stages_.address(node.stage) + ", " + value + ");");
  }

  bool is_read(int number) const {
    return std::ranges::any_of(stages_.nest().stages, [&](const ir::Stage& other) {
      return schedule::reads_stage(stages_.nest(), other.body, number);
    });
  }

  // Whether a stage's elements go to memory.
  bool is_kept(const TileNode& node) const {
    return op_.made[static_cast<std::size_t>(node.stage)] != nullptr && !node.in_lanes;
  }

  // The outermost loop over what the last stage in it reduces.
  bool begins_reduction(const TileNode& node) const {
    const bool is_loop = node.kind == Kind::kSerial || node.kind == Kind::kVector;
    if (!is_loop || in_reduction_) return false;
    const TileNode* const last = schedule::last_compute(node);
    return last != nullptr && last->stage >= 0 && contains(stage(last->stage).reduced, node.iterator);
  }

  // The combined value is a float in scope of all that follows.
  void emit_reduction(const TileNode& node) {
    const TileNode& last = *schedule::last_compute(node);
    const ir::Stage& of = stage(last.stage);
    const std::string name = StageCode::variable(of);
    if (!is_kept(last)) out_.line("// " + of.name);
    out_.line("float " + name + " = " + StageCode::combiner(of) + "::identity;");
    in_reduction_ = true;
    emit_reducing(node, of);
    in_reduction_ = false;
    if (is_kept(last)) store_scalar(last.stage, name);
    if (is_read(last.stage) && op_.made[static_cast<std::size_t>(last.stage)] != nullptr) {
      out_.line(name + " = " + settled(last.stage, name) + ";");
    }
    stages_.begin_variable(last.stage, false);
  }

  void emit_reducing(const TileNode& node, const ir::Stage& of) {
    if (node.kind == Kind::kCompute) return emit_reduced(node, of);
    const RangeCode outer = range(node);
    const std::string i = index_name(iterator(node).name);
    const std::string name = StageCode::variable(of);
    const std::size_t before = stages_.variables();
    if (node.kind == Kind::kSerial) {
      out_.open("for (std::int64_t " + i + " = " + outer.begin + "; " + i + " < " + outer.end + "; ++" + i + ") {");
      for (const TileNode& inner : node.body) emit_reducing(inner, of);
      stages_.end_variables(before);
      return out_.close();
    }
    const std::string combiner = StageCode::combiner(of);
    out_.open(name + " = tensor::reduce_vectors<" + std::to_string(node.step) + ">(" + outer.end + ", " + name + ", " +
              combiner + "{}, [&](auto lanes, std::int64_t " + i + ") {");
    for (const TileNode& inner : node.body) {
      if (&inner != &node.body.back()) emit_map(inner, node.iterator);
    }
    out_.line("return " + stages_.in_lanes(of, node.iterator) + ";");
    stages_.end_variables(before);
    out_.close(");");
  }

  // One element more.
  void emit_reduced(const TileNode& node, const ir::Stage& of) {
    if (&stage(node.stage) != &of) return emit_compute(node);
    const std::string name = StageCode::variable(of);
    out_.line(name + " = " + StageCode::combiner(of) + "{}(" + name + ", " + stages_.scalar(of) + ");");
  }

  // What another op reads in registers is rounded as what it would read in memory.
  std::string settled(int number, const std::string& value) const {
    const ir::Expr* const made = op_.made[static_cast<std::size_t>(number)];
    if (made == nullptr) return value;
    if (made->type().dtype == DType::kF32) return "tensor::settled(" + value + ")";
    return "tensor::rounded<" + cpp_type(made->type().dtype) + ">(" + value + ")";
  }

  void store_scalar(int number, const std::string& value) {
    out_.line("*(" + stages_.address(number) + ") = " + stages_.stored(number, value) + ";");
  }

  void emit_compute(const TileNode& node) {
    if (node.stage < 0) return emit_leaf(node);
    if (!is_own_stage(node)) return emit_product(node);
    const ir::Stage& of = stage(node.stage);
    std::string value = stages_.scalar(of);
    if (is_read(node.stage)) {
      const std::string name = StageCode::variable(of);
      if (!is_kept(node)) out_.line("// " + of.name);
      out_.line("const float " + name + " = " + settled(node.stage, value) + ";");
      stages_.begin_variable(node.stage, false);
      value = name;
    }
    if (is_kept(node)) store_scalar(node.stage, value);
  }

  void emit_leaf(const TileNode& node) {
    place_.node = &node;
    if (!node.buffer.empty()) copies_.place_result(node);
    out_.line(leaf_.expand(node.leaf->code, place_));
  }

  // A product into a tile's buffer finds its rows and columns there as in the whole result.
  void emit_product(const TileNode& node) {
    const auto product = std::ranges::find(op_.products, node.stage, &schedule::ProductStage::stage);
    const auto i = static_cast<std::size_t>(product - op_.products.begin());
    if (!node.buffer.empty()) {
      const std::vector<int>& target = stage(node.stage).target;
      const RangeCode& rows = place_.ranges[static_cast<std::size_t>(target[0])];
      const RangeCode& columns = place_.ranges[static_cast<std::size_t>(target[1])];
      const std::string row = cpp_size(stages_.row_of(node.stage, target[0]));
      products_[i].set_result("tensor::tile_as_whole(" + buffer_name(node.buffer) + ", " + row + ", " + rows.begin +
                                  ", " + products_[i].column(columns.begin) + ")",
                              row);
    }
    place_.node = &node;
    out_.line(products_[i].expand(node.leaf->code, place_));
  }

  CodeWriter& out_;
  const schedule::ScheduledOp& op_;
  const buffer::ScratchPlan& scratch_;
  const machine::Machine& machine_;
  StageCode stages_;
  LeafCode leaf_;
  CopyEmitter copies_;
  std::vector<schedule::ScheduledOp> parts_;  // the region's products
  std::deque<LeafCode> products_;             // their leaves
  std::vector<std::int64_t> tiles_;  // by iterator: the step of the loop, or unit, that is open; 0: none cuts it
  LeafPlace place_;
  std::vector<schedule::IteratorPart> parts_here_;  // by iterator, as copies see it
  bool in_reduction_ = false;
};

}  // namespace

void emit_tree(CodeWriter& out, const schedule::ScheduledOp& op, const RegionCode& code,
               const buffer::ScratchPlan& scratch, const machine::Machine& machine) {
  TreeEmitter(out, op, code, scratch, machine).run();
}

}  // namespace strata::codegen
