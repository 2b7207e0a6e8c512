// SPDX-License-Identifier: Apache-2.0
#include "distribution/strategy.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.h"
#include "cost/leaf.h"
#include "ir/movement_form.h"
#include "ir/op.h"
#include "ir/part_signature.h"
#include "ir/tuple_combiner.h"
#include "machine/cost.h"

namespace strata::distribution {
namespace {

using ir::Combiner;
using ir::Sbp;
using ir::SbpSignature;

std::vector<ir::TensorType> operand_types(const ir::Expr& op) {
  std::vector<ir::TensorType> types;
  for (const ir::Expr* argument : op.arguments) types.push_back(argument->type());
  return types;
}

const Value* operand_of(const Graph& graph, const Node& node, std::size_t i) {
  return node.operands[i] < 0 ? nullptr : &graph.values[static_cast<std::size_t>(node.operands[i])];
}

// All sequences alike, each by itself: what is not constant is divided.
SbpSignature by_sequence(const Graph& graph, const Node& node) {
  SbpSignature signature{{}, Sbp::split(kSequences)};
  for (std::size_t i = 0; i < node.operands.size(); ++i) {
    const Value* value = operand_of(graph, node, i);
    signature.operands.push_back(value == nullptr || value->is_constant() ? Sbp{} : Sbp::split(kSequences));
  }
  return signature;
}

// Of a look-up of rows in a weight: each device looks up those that it has, and all are summed. There is an op for
// that.
std::optional<SbpSignature> lookup_of_parts(const ir::Expr& op) {
  const auto loops = op.op->loops(operand_types(op), op.attributes);
  const auto lookup = loops == nullptr ? std::nullopt : ir::row_lookup(*loops);
  if (!lookup || op.type().dtype != DType::kF32) return std::nullopt;
  const auto table = static_cast<std::size_t>(lookup->table);
  if (op.arguments[table]->kind == ir::Expr::Kind::kOp || !is_floating(op.arguments[table]->type().dtype))
    return std::nullopt;
  SbpSignature signature{std::vector<Sbp>(op.arguments.size()), Sbp::partial(Combiner::kSum)};
  signature.operands[table] = Sbp::split(0);
  return signature;
}

std::vector<SbpSignature> choices_of(const Graph& graph, const Node& node, bool equal_parts) {
  std::vector<SbpSignature> choices = {{std::vector<Sbp>(node.operands.size()), {}}, by_sequence(graph, node)};
  for (const SbpSignature& signature : signatures_of(*node.op, !equal_parts)) {
    // Scalar constants are no values, and whole.
    bool is_known = true;
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      const Value* value = operand_of(graph, node, i);
      const bool is_stored = value == nullptr || value->kind == Value::Kind::kConstant ||
                             value->kind == Value::Kind::kState || value->kind == Value::Kind::kGiven;
      if (is_stored && signature.operands[i].is_partial()) is_known = false;
    }
    if (is_known) choices.push_back(signature);
  }
  const auto lookup = equal_parts ? lookup_of_parts(*node.op) : std::nullopt;
  if (lookup) choices.push_back(*lookup);
  return choices;
}

// Whether there is code for what a device computes: some leaves take fewer shapes than the op has.
bool has_code(const Node& node, const Strategy& strategy, const Mesh& mesh) {
  const ir::Expr& op = *node.op;
  // A view, whose attributes are sizes.
  if (op.attributes.contains("shape")) return true;
  std::vector<ir::TensorType> types = operand_types(op);
  if (cost::find_leaf(*op.op, types, op.attributes, op.type()) == nullptr) return true;
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = local_type(types[i], strategy.operands[i], mesh);
  const ir::TensorType result = local_type(op.type(), strategy.result, mesh);
  return cost::find_leaf(*op.op, types, op.attributes, result) != nullptr;
}

class Checker {
 public:
  Checker(const Graph& graph, const Node& node, const Mesh& mesh, const Phase& phase) : mesh_(mesh) {
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      const Value* value = operand_of(graph, node, i);
      operands_.push_back(value == nullptr ? std::nullopt : std::optional(extents_of(*value, phase)));
    }
    result_ = extents_of(graph.values[static_cast<std::size_t>(node.result)], phase);
  }

  bool is_possible(const Strategy& strategy, const std::vector<const SbpSignature*>& chosen) const {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      if (operands_[i] && !distribution::is_possible(*operands_[i], strategy.operands[i], mesh_)) return false;
    }
    if (!distribution::is_possible(result_, strategy.result, mesh_)) return false;
    return std::ranges::all_of(chosen, [&](const SbpSignature* signature) { return is_even(strategy, *signature); });
  }

 private:
  struct Divided {
    std::int64_t units;
    std::int64_t parts;
  };

  // Parts of the axes that one signature divides belong together if there are as many units of each, or no rest.
  bool is_even(const Strategy& strategy, const SbpSignature& signature) const {
    std::vector<Divided> divided;
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      if (operands_[i]) note(*operands_[i], signature.operands[i], strategy.operands[i], divided);
    }
    note(result_, signature.result, strategy.result, divided);
    const auto is_equal = [&](const Divided& d) { return d.units == divided[0].units && d.parts == divided[0].parts; };
    const auto is_whole = [](const Divided& d) { return d.units % d.parts == 0; };
    return std::ranges::all_of(divided, is_equal) || std::ranges::all_of(divided, is_whole);
  }

  void note(const Extents& extents, const Sbp& sbp, const State& state, std::vector<Divided>& divided) const {
    if (!sbp.is_split() || sbp.axis == kSequences) return;
    const std::int64_t parts = parts_of(state, sbp.axis, mesh_);
    divided.push_back({units_of(extents, sbp.axis, parts), parts});
  }

  const Mesh& mesh_;
  std::vector<std::optional<Extents>> operands_;
  Extents result_;
};

// The unit for the narrowest operand that it multiplies in a reduction, else the plain one.
const machine::Unit* unit_of(const machine::Machine& machine, const ir::Expr& op) {
  const machine::Unit* best = machine::fma_unit(machine, DType::kF32);
  const auto loops = op.op->loops(operand_types(op), op.attributes);
  const bool is_product = loops != nullptr && op.arguments.size() > 1 && op.op->permits_rounding();
  if (!is_product) return best;
  for (const ir::Expr* argument : op.arguments) {
    const machine::Unit* unit = machine::dot_unit(machine, argument->type().dtype);
    if (unit != nullptr && unit->ops_per_s > best->ops_per_s) best = unit;
  }
  return best;
}

bool is_view(const ir::Expr& op) { return op.op->aliased_operand().has_value() && !op.op->writes_alias(); }

bool has_room(const Value& value, const Phase& phase) {
  return std::ranges::any_of(value.type.shape, [&](const ir::Dim& dim) {
    return !dim.is_constant() && phase.room.contains(dim.symbol()->name);
  });
}

// The first axis whose size is a symbol, so many times as long.
void multiply_rows(const ir::TensorType& symbolic, std::int64_t times, ir::TensorType& type) {
  const auto at = std::ranges::find_if(symbolic.shape, [](const ir::Dim& dim) { return !dim.is_constant(); });
  if (at == symbolic.shape.end()) return;
  ir::Dim& dim = type.shape[static_cast<std::size_t>(at - symbolic.shape.begin())];
  dim = dim.factor() * times;
}

// What a node does on the device with the most to do. The rows of all its sequences meet a constant together, which is
// read once; where a cache is read, each sequence has its own.
class NodeWork {
 public:
  NodeWork(const Graph& graph, const Node& node, const Strategy& strategy, const Mesh& mesh, const Phase& phase)
      : graph_(graph), node_(node) {
    for (std::size_t i = 0; i < node.operands.size(); ++i) take_operand(i, strategy.operands[i], mesh, phase);
    const Value& made = graph.values[static_cast<std::size_t>(node.result)];
    const Share share = share_of(extents_of(made, phase), strategy.result, mesh);
    sequences_ = std::max(sequences_, share.sequences);
    result_ = share.type;
    if (is_by_sequence_) {
      for (std::size_t i = 0; i < types_.size(); ++i) lengthen(i, strategy.operands[i], mesh, phase);
      return;
    }
    for (std::size_t i = 0; i < types_.size(); ++i) {
      const Value* value = operand_of(graph, node, i);
      if (value != nullptr && !value->is_constant()) multiply_rows(value->type, sequences_, types_[i]);
    }
    multiply_rows(made.type, sequences_, result_);
  }

  double seconds(const machine::Machine& machine) const {
    const ir::Work work = node_.op->op->work(types_, node_.op->attributes, result_);
    const double times = is_by_sequence_ ? static_cast<double>(sequences_) : 1;
    const double read = std::max(work.read_bytes - saved_bytes_, 0.0) * times, written = work.written_bytes * times;
    machine::Work done;
    done.unit = unit_of(machine, *node_.op);
    done.ops = work.flops * times;
    done.threads = machine.cores;
    done.barriers = done.starts = 1;
    done.bytes.assign(machine.memory.size(), 0.0);
    done.written = done.bytes;
    const int level = machine::level_holding(machine, read + written, machine.cores);
    done.bytes[is_stream_ ? done.bytes.size() - 1 : static_cast<std::size_t>(level)] = read;
    done.written[static_cast<std::size_t>(machine::level_holding(machine, written, machine.cores))] = written;
    return machine::seconds(machine, done);
  }

 private:
  void take_operand(std::size_t i, const State& state, const Mesh& mesh, const Phase& phase) {
    const Value* value = operand_of(graph_, node_, i);
    if (value == nullptr) {
      types_.push_back(node_.op->arguments[i]->type());
      return;
    }
    const Share share = share_of(extents_of(*value, phase), state, mesh);
    types_.push_back(share.type);
    is_by_sequence_ = is_by_sequence_ || has_room(*value, phase);
    is_stream_ = is_stream_ || value->is_constant() || has_room(*value, phase);
    if (!value->is_constant()) sequences_ = std::max(sequences_, share.sequences);
    const auto whole_bytes = static_cast<double>(ir::max_bytes(value->type));
    note_late_rows(*value, share, state, mesh, phase);
    if (value->is_constant()) saved_bytes_ += share.bytes * (1 - std::min(value->bytes / whole_bytes, 1.0));
  }

  // Of rows in order that are divided, the last ones see more than all do on average: half of what the others are.
  void note_late_rows(const Value& value, const Share& share, const State& state, const Mesh& mesh,
                      const Phase& phase) {
    if (value.is_constant()) return;
    for (std::size_t axis = 0; axis < value.type.shape.size(); ++axis) {
      const ir::Dim& dim = value.type.shape[axis];
      if (dim.is_constant() || phase.room.contains(dim.symbol()->name)) continue;
      const std::int64_t parts = parts_of(state, static_cast<int>(axis), mesh);
      late_rows_ = std::max(late_rows_, share.type.shape[axis].factor() * (parts - 1) / 2);
    }
  }

  void lengthen(std::size_t i, const State& state, const Mesh& mesh, const Phase& phase) {
    const Value* value = operand_of(graph_, node_, i);
    if (value == nullptr || !has_room(*value, phase)) return;
    Extents room = extents_of(*value, phase);
    for (std::size_t axis = 0; axis < room.room.size(); ++axis) room.type.shape[axis] = room.room[axis];
    const ir::TensorType most = share_of(room, state, mesh).type;
    for (std::size_t axis = 0; axis < most.shape.size(); ++axis) {
      const ir::Dim& dim = value->type.shape[axis];
      if (dim.is_constant() || !phase.room.contains(dim.symbol()->name)) continue;
      ir::Dim& size = types_[i].shape[axis];
      size = std::min(size.factor() + late_rows_, most.shape[axis].factor());
    }
  }

  const Graph& graph_;
  const Node& node_;
  std::vector<ir::TensorType> types_;
  ir::TensorType result_;
  std::int64_t sequences_ = 1;
  std::int64_t late_rows_ = 0;  // that the last ones see beside the average
  double saved_bytes_ = 0;      // of constants that are stored in fewer than those of their type
  bool is_by_sequence_ = false;
  bool is_stream_ = false;
};

const ir::ScalarExpr* find_tuple(const ir::ScalarExpr& expr) {
  if (expr.kind == ir::ScalarExpr::Kind::kReduce && expr.combiner == Combiner::kTuple) return &expr;
  for (const ir::ScalarExpr& argument : expr.arguments) {
    if (const ir::ScalarExpr* found = find_tuple(argument)) return found;
  }
  return nullptr;
}

// The axes that a signature divides, all of constant sizes; none where one isn't.
std::vector<std::pair<Value*, std::size_t>> divided_axes(Graph& graph, const Node& node,
                                                         const SbpSignature& signature) {
  std::vector<std::pair<Value*, std::size_t>> axes;
  const auto add = [&](int value, const Sbp& sbp) {
    if (value >= 0 && sbp.is_split()) {
      axes.emplace_back(&graph.values[static_cast<std::size_t>(value)], static_cast<std::size_t>(sbp.axis));
    }
  };
  for (std::size_t i = 0; i < node.operands.size(); ++i) add(node.operands[i], signature.operands[i]);
  add(node.result, signature.result);
  const auto is_constant = [](const auto& axis) { return axis.first->type.shape[axis.second].is_constant(); };
  return std::ranges::all_of(axes, is_constant) ? axes : std::vector<std::pair<Value*, std::size_t>>{};
}

// As many granules of each axis as of the one with the fewest.
bool align_granules(Graph& graph, const Node& node, const SbpSignature& signature) {
  const auto axes = divided_axes(graph, node, signature);
  const auto size = [](const auto& axis) { return axis.first->type.shape[axis.second].factor(); };
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& axis : axes) least = std::min(least, size(axis) / axis.first->granules[axis.second]);
  if (!std::ranges::all_of(axes, [&](const auto& axis) { return size(axis) % least == 0; })) return false;
  bool is_changed = false;
  for (const auto& axis : axes) {
    is_changed =
        std::exchange(axis.first->granules[axis.second], size(axis) / least) != size(axis) / least || is_changed;
  }
  return is_changed;
}

}  // namespace

Extents extents_of(const Value& value, const Phase& phase) {
  Extents extents = extents_of(value.type, value.is_constant(), phase, value.is_last);
  extents.granules = value.granules;
  return extents;
}

void find_granules(Graph& graph) {
  for (Value& value : graph.values) value.granules.resize(value.type.shape.size(), 1);
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    for (const Node& node : graph.nodes) {
      for (const SbpSignature& signature : signatures_of(*node.op)) {
        is_changed = align_granules(graph, node, signature) || is_changed;
      }
    }
  }
}

std::vector<SbpSignature> signatures_of(const ir::Expr& op, bool knows_part) {
  const std::vector<ir::TensorType> types = operand_types(op);
  std::vector<SbpSignature> all = op.op->sbp_signatures(types, op.attributes, op.type());
  const auto loops = knows_part ? op.op->loops(types, op.attributes) : nullptr;
  if (loops != nullptr) {
    std::ranges::move(ir::part_signatures(*loops, types, op.type()), std::back_inserter(all));
  }
  const auto is_made = [](const Sbp& sbp) {
    return !sbp.is_partial() || sbp.combiner == Combiner::kSum || sbp.combiner == Combiner::kTuple;
  };
  std::erase_if(all, [&](const SbpSignature& signature) {
    return !is_made(signature.result) || !std::ranges::all_of(signature.operands, is_made);
  });
  return all;
}

std::vector<Strategy> strategies_of(const Graph& graph, const Node& node, const Mesh& mesh,
                                    const std::vector<Phase>& phases) {
  const std::vector<SbpSignature> choices = choices_of(graph, node, phases[0].equal_parts);
  const auto lookup = phases[0].equal_parts ? lookup_of_parts(*node.op) : std::nullopt;
  std::vector<Checker> checkers;
  for (const Phase& phase : phases) checkers.emplace_back(graph, node, mesh, phase);
  std::vector<Strategy> found;
  std::vector<std::size_t> digits(mesh.size());
  for (bool is_over = false; !is_over;) {
    Strategy strategy{std::vector<State>(node.operands.size(), whole(mesh)), whole(mesh)};
    std::vector<const SbpSignature*> chosen;
    for (std::size_t axis = 0; axis < mesh.size(); ++axis) {
      chosen.push_back(&choices[digits[axis]]);
      for (std::size_t i = 0; i < node.operands.size(); ++i) strategy.operands[i][axis] = chosen.back()->operands[i];
      strategy.result[axis] = chosen.back()->result;
    }
    // A rank's part of a table is one of those along one axis of the mesh.
    const auto is_lookup = [&](const SbpSignature* signature) { return lookup && *signature == *lookup; };
    const bool has_parts = std::ranges::count_if(chosen, is_lookup) <= 1;
    const auto is_possible = [&](const Checker& checker) { return has_parts && checker.is_possible(strategy, chosen); };
    const bool is_new = std::ranges::find(found, strategy) == found.end();
    const bool is_found = is_new && std::ranges::all_of(checkers, is_possible) &&
                          (!phases[0].equal_parts || has_code(node, strategy, mesh));
    if (is_found) found.push_back(std::move(strategy));
    is_over = true;
    for (std::size_t axis = mesh.size(); axis-- > 0 && is_over;) {
      is_over = ++digits[axis] == choices.size();
      if (is_over) digits[axis] = 0;
    }
  }
  return found;
}

int lookup_axis(const ir::Expr& op, const Strategy& strategy) {
  const auto lookup = lookup_of_parts(op);
  for (std::size_t axis = 0; lookup && axis < strategy.result.size(); ++axis) {
    SbpSignature along{{}, strategy.result[axis]};
    for (const State& operand : strategy.operands) along.operands.push_back(operand[axis]);
    if (along == *lookup) return static_cast<int>(axis);
  }
  return -1;
}

double node_seconds(const Graph& graph, const Node& node, const Strategy& strategy, const Mesh& mesh,
                    const Phase& phase, const machine::Machine& machine) {
  return is_view(*node.op) ? 0 : NodeWork(graph, node, strategy, mesh, phase).seconds(machine);
}

// What the first input doesn't run along, only the states of the other ones have: columns of the values.
double tuple_ratio(const ir::Expr& op) {
  const auto loops = op.op->loops(operand_types(op), op.attributes);
  const ir::ScalarExpr* tuple = loops == nullptr ? nullptr : find_tuple(loops->result().body);
  if (tuple == nullptr || tuple->arguments[0].kind != ir::ScalarExpr::Kind::kStage) return 1;
  const auto& rows = loops->stages[static_cast<std::size_t>(tuple->arguments[0].number)].target;
  double columns = 1;
  for (const int i : loops->result().target) {
    if (std::ranges::count(rows, i) == 0) {
      columns *= static_cast<double>(loops->iterators[static_cast<std::size_t>(i)].extent.max());
    }
  }
  return 1 + static_cast<double>(tuple->tuple->states.size() - 1) / columns;
}

}  // namespace strata::distribution
