// SPDX-License-Identifier: Apache-2.0
#include "codegen/tree_emitter.h"

#include <algorithm>

#include "base/error.h"
#include "codegen/leaf_code.h"

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

// The innermost step below a node that cuts this iterator; 1: none does.
std::int64_t inner_step(const std::vector<TileNode>& nodes, int iterator) {
  for (const TileNode& node : nodes) {
    const bool cuts = node.kind != Kind::kWhen && node.iterator == iterator;
    if (cuts) return node.step;
    if (const std::int64_t step = inner_step(node.body, iterator); step != 1) return step;
  }
  return 1;
}

class TreeEmitter {
 public:
  TreeEmitter(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
              std::string destination, const buffer::ScratchPlan& scratch, const machine::Machine& machine)
      : out_(out),
        op_(op),
        scratch_(scratch),
        stages_(op, operands),
        leaf_(op, pointers(operands), destination, machine),
        destination_(std::move(destination)) {}

  void run() {
    for (const schedule::TileIterator& iterator : op_.tree.iterators) {
      place_.ranges.push_back({"0", iterator.code.empty() ? cpp_size(iterator.extent) : "", ""});
    }
    for (const TileNode& node : op_.tree.body) {
      if (&node != schedule::first_barrier(op_.tree)) emit(node);
    }
  }

 private:
  static std::vector<std::string> pointers(const std::vector<OperandCode>& operands) {
    std::vector<std::string> all;
    for (const OperandCode& operand : operands) all.push_back(operand.pointer);
    return all;
  }

  const schedule::TileIterator& iterator(const TileNode& node) const {
    return op_.tree.iterators[static_cast<std::size_t>(node.iterator)];
  }
  RangeCode& range(const TileNode& node) { return place_.ranges[static_cast<std::size_t>(node.iterator)]; }

  void emit(const std::vector<TileNode>& nodes) {
    for (const TileNode& node : nodes) emit(node);
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
      case Kind::kWhen:
        return emit_when(node);
      case Kind::kBarrier:
        return out_.line("team.sync();");
      case Kind::kBuffer:
        return emit_buffer(node);
      case Kind::kCompute:
        return emit_compute(node);
    }
  }

  void emit_buffer(const TileNode& node) {
    const std::int64_t offset = scratch_.offsets.at(node.buffer);
    out_.line("auto* const " + buffer_name(node) + " = reinterpret_cast<" + cpp_type(node.holds.dtype) +
              "*>(team.scratch" + (offset == 0 ? "" : " + " + std::to_string(offset)) + ");");
  }

  void emit_block(const std::string& head, const std::vector<TileNode>& body) {
    out_.open(head);
    emit(body);
    out_.close();
  }

  // A range that is a variable of its own.
  RangeCode named_range(const TileNode& node) const {
    const std::string name = "r_" + cpp_name(iterator(node).name);
    return {name + ".begin", name + ".end", name};
  }

  void emit_parallel(const TileNode& node) {
    const schedule::TileIterator& of = iterator(node);
    const std::string extent =
        of.code.empty() ? cpp_size(of.extent) : leaf_.expand(of.code, {.node = &first_compute(node)});
    const RangeCode outer = range(node);
    range(node) = named_range(node);
    out_.line("const tensor::Range " + range(node).name + " = team.split(" + extent +
              (node.step == 1 ? "" : ", " + std::to_string(node.step)) + ");");
    emit(node.body);
    range(node) = outer;
  }

  // Steps of one are an index, larger ones a range of their own.
  void emit_serial(const TileNode& node) {
    const RangeCode outer = range(node);
    if (node.step == 1) {
      const std::string i = index_name(iterator(node).name);
      range(node) = {i, i + " + 1", ""};
      emit_block("for (std::int64_t " + i + " = " + outer.begin + "; " + i + " < " + outer.end + "; ++" + i + ") {",
                 node.body);
    } else {
      range(node) = named_range(node);
      const std::string whole = outer.name.empty() ? "{" + outer.begin + ", " + outer.end + "}" : outer.name;
      emit_block("for (const tensor::Range " + range(node).name + " : tensor::Parts(" + whole + ", " +
                     std::to_string(node.step) + ", " + std::to_string(unit(node)) + ")) {",
                 node.body);
    }
    range(node) = outer;
  }

  // What parts of a loop are multiples of: the step inside, or what the leaf can be cut at.
  std::int64_t unit(const TileNode& node) const {
    if (const std::int64_t step = inner_step(node.body, node.iterator); step != 1) return step;
    return op_.contraction ? schedule::block_unit(op_, node.iterator) : 1;
  }

  void emit_when(const TileNode& node) {
    emit_block("if (" + range(node).end + " <= " + std::to_string(node.step) + ") {", node.body);
    emit_block("else {", node.otherwise);
  }

  // A map in lanes.
  void emit_vector(const TileNode& node) {
    const ir::Stage& stage = stage_of(node);
    const RangeCode outer = range(node);
    const std::string i = index_name(iterator(node).name);
    const bool is_offset = outer.begin != "0";
    out_.open("tensor::for_each_vector<" + std::to_string(node.step) + ">(" +
              (is_offset ? outer.end + " - " + outer.begin : outer.end) + ", [&](auto lanes, std::int64_t " +
              (is_offset ? "i" : i) + ") {");
    if (is_offset) out_.line("const std::int64_t " + i + " = " + outer.begin + " + i;");
    out_.line("tensor::store(lanes, " + destination_ + " + " + stages_.result_index() + ", " +
              stages_.in_lanes(stage, node.iterator) + ");");
    out_.close(");");
  }

  const ir::Stage& stage_of(const TileNode& node) const {
    return stages_.nest().stages[static_cast<std::size_t>(first_compute(node).stage)];
  }

  // The outermost loop over what a stage reduces.
  bool begins_reduction(const TileNode& node) const {
    const bool is_loop = node.kind == Kind::kSerial || node.kind == Kind::kVector;
    if (!is_loop || in_reduction_ || !op_.nest) return false;
    return contains(stage_of(node).reduced, node.iterator);
  }

  // The combined value is a float in scope of all that follows.
  void emit_reduction(const TileNode& node) {
    const ir::Stage& stage = stage_of(node);
    const std::string name = StageCode::variable(stage);
    if (!is_result(stage)) out_.line("// " + stage.name);
    out_.line("float " + name + " = " + StageCode::combiner(stage) + "::identity;");
    in_reduction_ = true;
    emit_reducing(node, stage);
    in_reduction_ = false;
    if (is_result(stage)) store_scalar(name);
  }

  void emit_reducing(const TileNode& node, const ir::Stage& stage) {
    const RangeCode outer = range(node);
    const std::string i = index_name(iterator(node).name);
    const std::string name = StageCode::variable(stage);
    if (node.kind == Kind::kSerial) {
      out_.open("for (std::int64_t " + i + " = " + outer.begin + "; " + i + " < " + outer.end + "; ++" + i + ") {");
      for (const TileNode& inner : node.body) emit_reducing(inner, stage);
      return out_.close();
    }
    const std::string combiner = StageCode::combiner(stage);
    out_.open(name + " = tensor::reduce_vectors<" + std::to_string(node.step) + ">(" + outer.end + ", " + name + ", " +
              combiner + "{}, [&](auto lanes, std::int64_t " + i + ") {");
    out_.line("return " + stages_.in_lanes(stage, node.iterator) + ";");
    out_.close(");");
  }

  bool is_result(const ir::Stage& stage) const { return &stage == &stages_.nest().result(); }

  void store_scalar(const std::string& value) {
    out_.line(destination_ + "[" + stages_.result_index() + "] = " + stages_.stored(value) + ";");
  }

  void emit_compute(const TileNode& node) {
    if (node.stage < 0) return emit_leaf(node);
    const ir::Stage& stage = stages_.nest().stages[static_cast<std::size_t>(node.stage)];
    if (is_result(stage)) return store_scalar(stages_.scalar(stage));
    out_.line("// " + stage.name);
    out_.line("const float " + StageCode::variable(stage) + " = " + stages_.scalar(stage) + ";");
  }

  void emit_leaf(const TileNode& node) {
    place_.node = &node;
    out_.line(leaf_.expand(node.leaf->code, place_));
  }

  CodeWriter& out_;
  const schedule::ScheduledOp& op_;
  const buffer::ScratchPlan& scratch_;
  const StageCode stages_;
  const LeafCode leaf_;
  const std::string destination_;
  LeafPlace place_;
  bool in_reduction_ = false;
};

}  // namespace

void emit_tree(CodeWriter& out, const schedule::ScheduledOp& op, const std::vector<OperandCode>& operands,
               const std::string& destination, const buffer::ScratchPlan& scratch, const machine::Machine& machine) {
  TreeEmitter(out, op, operands, destination, scratch, machine).run();
}

}  // namespace strata::codegen
