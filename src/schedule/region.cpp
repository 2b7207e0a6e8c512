// SPDX-License-Identifier: Apache-2.0
#include "schedule/region.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/ranges.h"
#include "ir/op.h"
#include "machine/cost.h"
#include "schedule/joined_loops.h"
#include "schedule/products_tree.h"
#include "schedule/shared_rows.h"
#include "schedule/verify.h"

namespace strata::schedule {
namespace {

using ir::Expr;
using Domain = cost::Leaf::Domain;

std::size_t number_of(const ScheduledFunction& function, const Expr* value) {
  const auto found = std::ranges::find(function.ops, value, &ScheduledOp::value);
  return static_cast<std::size_t>(found - function.ops.begin());
}

// An op as it is by itself.
const ScheduledOp& alone(const ScheduledFunction& function, std::size_t op) {
  const ScheduledOp& scheduled = function.ops[op];
  if (scheduled.computed_in != nullptr) {
    const auto& parts = function.ops[number_of(function, scheduled.computed_in)].parts;
    return *std::ranges::find(parts, scheduled.value, &ScheduledOp::value);
  }
  return scheduled.parts.empty() ? scheduled : scheduled.parts.back();
}

bool takes_tiles(const ScheduledOp& op) {
  return op.leaf->domain == Domain::kLoop && op.leaf->loop.takes_row_tiles &&
         op.value->arguments[0]->type().rank() == 2;
}

std::int64_t lanes_of(const ScheduledOp& op) {
  std::vector<ir::TensorType> types;
  for (const Expr* argument : op.value->arguments) types.push_back(argument->type());
  return cost::loop_lanes(types);
}

// The ops of a region, and what others have to do with them.
class Members {
 public:
  Members(const ScheduledFunction& function, const std::vector<std::size_t>& ops) : function_(function), ops_(ops) {}

  // Values that others read, beside the last op's, and the views by which they do.
  std::vector<const Expr*> leaving() const {
    std::vector<const Expr*> values;
    for (std::size_t i = 0; i + 1 < ops_.size(); ++i) {
      const Expr& value = *function_.ops[ops_[i]].value;
      const std::vector<const Expr*> read = read_elsewhere(value);
      if (read.empty()) continue;
      values.push_back(&value);
      for (const Expr* of : read) {
        if (of != &value) values.push_back(of);
      }
    }
    return values;
  }

  // What others read of a value: itself, or views of it.
  std::vector<const Expr*> read_elsewhere(const Expr& value) const {
    std::vector<const Expr*> found;
    for (const Expr* of : family(value)) {
      const bool is_read = std::ranges::any_of(
          readers(value), [&](std::size_t op) { return contains(function_.ops[op].value->arguments, of); });
      if (is_read || contains(function_.function->results, of)) found.push_back(of);
    }
    return found;
  }

  bool is_read_before_last(std::size_t op) const {
    const std::vector<std::size_t> all = readers(*function_.ops[op].value);
    return std::ranges::any_of(all, [&](std::size_t reader) { return place_of(reader) < ops_.back(); });
  }

  bool may_be_overwritten_before_last(std::size_t op) const {
    return std::any_of(
        function_.ops.begin() + static_cast<std::ptrdiff_t>(op) + 1,
        function_.ops.begin() + static_cast<std::ptrdiff_t>(ops_.back()),
        [](const ScheduledOp& between) { return between.is_call() || between.value->op->writes_alias(); });
  }

  // The value and all that lies in its memory.
  std::vector<const Expr*> family(const Expr& value) const {
    std::vector<const Expr*> all = {&value};
    for (const ScheduledOp& op : function_.ops) {
      if (!op.is_call() && op.is_view() && contains(all, op.value->arguments[0])) all.push_back(op.value);
    }
    return all;
  }

 private:
  // Ops outside of the region that have code and read the value.
  std::vector<std::size_t> readers(const Expr& value) const {
    const std::vector<const Expr*> all = family(value);
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < function_.ops.size(); ++i) {
      const ScheduledOp& op = function_.ops[i];
      if (contains(ops_, i) || (!op.is_call() && op.is_view())) continue;
      if (std::ranges::any_of(op.value->arguments, [&](const Expr* a) { return contains(all, a); })) found.push_back(i);
    }
    return found;
  }

  bool is_returned(const Expr& value) const {
    const std::vector<const Expr*> all = family(value);
    return std::ranges::any_of(function_.function->results, [&](const Expr* result) { return contains(all, result); });
  }

  // Where the code of an op stands.
  std::size_t place_of(std::size_t op) const {
    const Expr* const in = function_.ops[op].computed_in;
    return in == nullptr ? op : number_of(function_, in);
  }

  const ScheduledFunction& function_;
  const std::vector<std::size_t>& ops_;
};

class Builder {
 public:
  Builder(const ScheduledFunction& function, const std::vector<std::size_t>& ops, const machine::Machine& machine,
          int threads)
      : function_(function), ops_(ops), members_(function, ops), machine_(machine), threads_(threads) {}

  std::variant<ScheduledOp, NoRegion> run() {
    if (std::string why = obstacle(); !why.empty()) return NoRegion{std::move(why)};
    ScheduledOp region = alone(function_, ops_.back());
    const bool has_loops = region.leaf->domain == Domain::kOwn;
    JoinedLoops loops = has_loops ? loops_alone(*region.value) : loops_reading(*region.value->arguments[0]);
    for (std::size_t i = ops_.size() - 1; i-- > 0;) {
      const Expr& part = *function_.ops[ops_[i]].value;
      const bool is_joined = is_product(ops_[i]) ? join_product(loops, part) : join(loops, part);
      // Nor beside that through a view: its other elements are not made yet.
      if (!is_joined || reads_any(loops, members_.family(part))) {
        return NoRegion{"what " + part.op->name() + " makes is not read element by element"};
      }
    }
    for (const std::size_t op : ops_) {
      if (is_product(op) && !add_unread(loops, *function_.ops[op].value)) {
        return NoRegion{"other columns of a product are read elsewhere"};
      }
    }
    if (has_products() && (!run_along_products(loops.nest) || (!has_loops && !are_maps(loops.nest)))) {
      return NoRegion{"beside a product stand only loops inside of its rows and columns"};
    }
    if (!place(region, std::move(loops), has_loops)) return NoRegion{"their operands have no strides together"};
    const bool is_copied = machine::managed_level(machine_) != nullptr;
    if (is_copied && std::ranges::any_of(region.nest->accesses, [](const auto& access) { return access.stage >= 0; })) {
      return NoRegion{"what is read in another order has no copies"};
    }
    for (const std::size_t op : ops_) region.parts.push_back(alone(function_, op));
    const std::vector<const Expr*> leaving = members_.leaving();
    add_products(region);
    region.tree = default_tree(region, machine_, leaving);
    if (std::string why = fault(region, machine_); !why.empty()) return NoRegion{std::move(why)};
    if (!region.products.empty()) share_rows(region, machine_, leaving, function_.runs, threads_);
    return region;
  }

 private:
  bool is_product(std::size_t op) const {
    const ScheduledOp& member = alone(function_, op);
    return !member.is_call() && member.leaf->domain == Domain::kContraction;
  }

  bool has_products() const {
    return std::ranges::any_of(ops_, [&](std::size_t op) { return is_product(op); });
  }

  bool join(JoinedLoops& loops, const Expr& part) const {
    auto more = joined(loops, loops_alone(part), same_tensors(part));
    if (more) loops = std::move(*more);
    return more.has_value();
  }

  // What the loops read of a product, each stretch of columns by itself.
  bool join_product(JoinedLoops& loops, const Expr& part) const {
    for (;;) {
      const auto read =
          std::ranges::find_if(loops.inputs, [&](const Expr* input) { return column(part, *input).has_value(); });
      if (read == loops.inputs.end()) return true;
      const Expr& value = **read;
      std::vector<const Expr*> same;
      for (const Expr* input : loops.inputs) {
        const bool is_same = column(part, *input) == column(part, value) &&
                             columns_from(input->type().shape, 1) == columns_from(value.type().shape, 1);
        if (is_same) same.push_back(input);
      }
      auto more = joined(loops, loops_of_leaf(value), same);
      if (!more) return false;
      loops = std::move(*more);
    }
  }

  static std::int64_t width(const Expr& value) { return columns_from(value.type().shape, 1); }

  // Columns of a product that others read beside those that the loops read become stages, as long as these, and are
  // kept in memory. False: they are no such ones.
  bool add_unread(JoinedLoops& loops, const Expr& part) const {
    const std::vector<const Expr*> others = members_.read_elsewhere(part);
    const auto stretch = std::ranges::find_if(loops.made, [&](const Expr* made) {
      return made != nullptr && column(part, *made) && width(*made) != width(part);
    });
    if (stretch == loops.made.end()) return true;
    const Expr& like = **stretch;
    const std::vector<const Expr*> made = loops.made;
    for (const Expr* other : others) {
      const auto first = column(part, *other);
      if (!first || other->type().shape != like.type().shape) return false;
      const auto meets = [&](const Expr* value) {
        const auto begin = value == nullptr ? std::nullopt : column(part, *value);
        return begin && *begin < *first + width(*other) && *first < *begin + width(*value);
      };
      if (std::ranges::any_of(made, meets)) return false;
      const auto is_known = [&](const Expr* value) { return value != nullptr && column(part, *value) == first; };
      if (std::ranges::any_of(loops.made, is_known)) continue;
      const auto at = std::ranges::find(loops.made, &like) - loops.made.begin();
      loops = with_unread(std::move(loops), *other, static_cast<int>(at));
    }
    return true;
  }

  // The first column that a value is of a product's: all of them, or a stretch, in whole panels. Its axes behind the
  // rows may cut them into units, of whole panels too. Nothing: another value.
  std::optional<std::int64_t> column(const Expr& product, const Expr& value) const {
    if (&value == &product) return 0;
    const ir::Shape& whole = product.type().shape;
    std::int64_t begin = 0;
    for (const Expr* of = &value; of != &product; of = of->arguments[0]) {
      const std::size_t op = number_of(function_, of);
      const bool is_view = op < function_.ops.size() && !function_.ops[op].is_call() && function_.ops[op].is_view();
      if (!is_view || !has_rows_of(whole, of->type().shape, function_.ops[op].view.strides)) return std::nullopt;
      begin += function_.ops[op].view.offset;
    }
    const std::int64_t all = columns_from(whole, 1), end = begin + columns_from(value.type().shape, 1);
    const std::int64_t unit = columns_from(value.type().shape, 2);
    const std::int64_t lanes = panel_lanes(alone(function_, number_of(function_, &product)));
    const bool are_panels = begin % lanes == 0 && (end % lanes == 0 || end == all) && (unit == 1 || unit % lanes == 0);
    return end <= all && are_panels ? std::optional(begin) : std::nullopt;
  }

  // A matrix's columns, in one axis or several. Of a single row the distance to the next one is of no matter.
  static bool has_rows_of(const ir::Shape& matrix, const ir::Shape& shape, const Strides& strides) {
    if (shape.size() < 2 || strides.size() != shape.size() || !(shape[0] == matrix[0])) return false;
    const Strides dense = row_major_strides(shape);
    const bool are_dense = std::equal(strides.begin() + 1, strides.end(), dense.begin() + 1);
    const bool are_constant =
        std::all_of(shape.begin() + 1, shape.end(), [](const ir::Dim& dim) { return dim.is_constant(); });
    return are_dense && are_constant && (strides[0] == matrix[1] || matrix[0] == ir::Dim(1));
  }

  static std::int64_t columns_from(const ir::Shape& shape, std::size_t first_axis) {
    std::int64_t columns = 1;
    for (std::size_t axis = first_axis; axis < shape.size(); ++axis) columns *= shape[axis].max();
    return columns;
  }

  static bool are_maps(const ir::LoopNest& nest) {
    return nest.iterators.size() == 2 && std::ranges::all_of(nest.stages, [&](const ir::Stage& stage) {
             return stage.combiner == ir::Combiner::kNone && stage.target == nest.result().target;
           });
  }

  // Every stage is computed for each row and each unit of the columns by itself.
  static bool run_along_products(const ir::LoopNest& nest) {
    const std::vector<int>& target = nest.result().target;
    return target.size() >= 2 && std::ranges::all_of(nest.stages, [&](const ir::Stage& stage) {
             return stage.target.size() >= 2 && stage.target[0] == target[0] && stage.target[1] == target[1];
           });
  }

  // Numbers the iterators of the products as the region does, and adds those that they sum along.
  void add_products(ScheduledOp& region) const {
    for (std::size_t part = 0; part < region.parts.size(); ++part) {
      const ScheduledOp& made = region.parts[part];
      if (made.leaf->domain != Domain::kContraction) continue;
      const ir::Contraction of = in_region(region, made);
      for (std::size_t stage = 0; stage < region.made.size(); ++stage) {
        const Expr* const value = region.made[stage];
        if (value == nullptr || region.makes(value) != (value == made.value)) continue;
        if (const auto first = column(*made.value, *value))
          region.products.push_back({static_cast<int>(stage), part, of, *first, columns_from(value->type().shape, 2)});
      }
    }
    for (ProductStage& product : region.products) {
      product.of.classes.resize(region.nest->iterators.size(), ir::IteratorClass::kBatch);
    }
  }

  static ir::Contraction in_region(ScheduledOp& region, const ScheduledOp& product) {
    const ir::Contraction& own = *product.contraction;
    const std::vector<int>& target = region.nest->result().target;
    std::vector<int> numbers(own.classes.size());
    for (std::size_t i = 0; i < own.classes.size(); ++i) {
      const bool is_summed = own.classes[i] == ir::IteratorClass::kK;
      numbers[i] = is_summed ? add_iterator(*region.nest, product.tree.iterators[i])
                             : target[own.classes[i] == ir::IteratorClass::kM ? 0 : 1];
    }
    ir::Contraction of{own.left, own.right, {}, {}, {}};
    of.classes.assign(region.nest->iterators.size(), ir::IteratorClass::kBatch);
    for (std::size_t i = 0; i < numbers.size(); ++i) of.classes[static_cast<std::size_t>(numbers[i])] = own.classes[i];
    for (const int axis : own.left_axes) of.left_axes.push_back(numbers[static_cast<std::size_t>(axis)]);
    for (const int axis : own.right_axes) of.right_axes.push_back(numbers[static_cast<std::size_t>(axis)]);
    of.factors = own.factors;
    for (ir::BlockFactor& factor : of.factors) {
      for (int& axis : factor.axes) axis = numbers[static_cast<std::size_t>(axis)];
    }
    return of;
  }

  static int add_iterator(StridedNest& nest, const TileIterator& iterator) {
    std::string name = iterator.name;
    while (find_iterator(nest, name) >= 0) name += "_";
    nest.iterators.push_back({name, iterator.extent});
    for (StridedAccess& access : nest.accesses) access.strides.emplace_back(0);
    return static_cast<int>(nest.iterators.size()) - 1;
  }

  static bool reads_any(const JoinedLoops& loops, const std::vector<const Expr*>& values) {
    return std::ranges::any_of(loops.inputs, [&](const Expr* input) { return contains(values, input); });
  }

  // The op's value, and the views that are the same tensor, in any shape.
  std::vector<const Expr*> same_tensors(const Expr& value) const {
    std::vector<const Expr*> same = {&value};
    if (!ir::is_row_major_in_memory(value.type())) return same;
    for (const ScheduledOp& op : function_.ops) {
      if (op.is_call() || !op.is_view() || !op.view.whole) continue;
      const bool has_strides = op.view.strides.size() == op.value->type().shape.size();
      if (has_strides && contains(same, op.value->arguments[0])) same.push_back(op.value);
    }
    return same;
  }

  // Of one m, one n and one k, and nothing else.
  static bool is_matrix_product(const ScheduledOp& op) {
    using Class = ir::IteratorClass;
    return op.leaf->domain == Domain::kContraction && op.value->type().rank() == 2 && op.contraction->only(Class::kM) &&
           op.contraction->only(Class::kN) && op.contraction->only(Class::kK);
  }

  // What is in the way of computing them together; "": nothing.
  std::string obstacle() const {
    const ScheduledOp& last = alone(function_, ops_.back());
    if (last.is_call() || (last.leaf->domain != Domain::kOwn && !takes_tiles(last))) {
      return "the last op has no loops of its own and takes no tiles of rows";
    }
    std::set<std::int64_t> lanes;
    // Copies stand around loops of one kind.
    const bool is_copied = machine::managed_level(machine_) != nullptr;
    if (is_copied && (last.leaf->domain != Domain::kOwn || has_products())) return "a leaf beside loops has no copies";
    if (last.leaf->domain == Domain::kOwn) lanes.insert(lanes_of(last));
    for (std::size_t i = 0; i + 1 < ops_.size(); ++i) {
      const ScheduledOp& member = alone(function_, ops_[i]);
      const bool is_possible = !member.is_call() && (member.leaf->domain == Domain::kOwn || is_matrix_product(member));
      if (!is_possible) return "an op has no loops of its own";
      const std::string name = member.value->op->name();
      if (member.leaf->domain == Domain::kOwn) lanes.insert(lanes_of(member));
      if (!is_floating(member.value->type().dtype)) return name + " makes no floating numbers";
      if (members_.is_read_before_last(ops_[i])) return "what " + name + " makes is read before the last op";
      if (members_.may_be_overwritten_before_last(ops_[i])) return "what " + name + " reads may be overwritten before";
    }
    return lanes.size() == 1 ? "" : "their operands lie in different lanes";
  }

  View view_of_value(const Expr& value) const {
    const std::size_t op = number_of(function_, &value);
    const bool is_view = op < function_.ops.size() && !function_.ops[op].is_call() && function_.ops[op].is_view();
    return is_view ? function_.ops[op].view : own_memory(value.type());
  }

  // The first iterator of what reads a tensor in order is the leaf's.
  bool place(ScheduledOp& region, JoinedLoops loops, bool has_loops) const {
    constexpr int kRows = 0;
    const std::string rows = loops.nest.iterators[kRows].name;
    const int apart = has_products() ? loops.nest.result().target[1] : has_loops ? -1 : kRows;
    std::vector<Strides> strides;
    for (const Expr* input : loops.inputs) strides.push_back(view_of_value(*input).strides);
    if (!has_loops) {
      loops.nest.stages.pop_back();
      loops.made.pop_back();
    }
    region.nest = strided_nest(loops.nest, strides, apart);
    if (!region.nest) return false;
    region.inputs = std::move(loops.inputs);
    region.made = std::move(loops.made);
    if (!has_loops) region.rows = find_iterator(*region.nest, rows);
    if (!has_loops && has_products()) region.columns = region.nest->result().target.back();
    return true;
  }

  const ScheduledFunction& function_;
  const std::vector<std::size_t>& ops_;
  const Members members_;
  const machine::Machine& machine_;
  const int threads_;
};

}  // namespace

std::variant<ScheduledOp, NoRegion> region_of(const ScheduledFunction& function, const std::vector<std::size_t>& ops,
                                              const machine::Machine& machine, int threads) {
  return Builder(function, ops, machine, threads).run();
}

std::vector<const Expr*> leaving(const ScheduledFunction& function, const ScheduledOp& region) {
  if (region.parts.empty()) return {};
  const std::vector<std::size_t> ops = members(function, number_of(function, region.value));
  return Members(function, ops).leaving();
}

int stage_of(const ScheduledOp& region, const Expr* value) {
  for (const ProductStage& product : region.products) {
    if (region.parts[product.part].value == value) return product.stage;
  }
  return static_cast<int>(std::ranges::find(region.made, value) - region.made.begin());
}

namespace {

bool is_copied_to_memory(const std::vector<TileNode>& nodes, int stage) {
  return std::ranges::any_of(nodes, [&](const TileNode& node) {
    if (node.kind == TileNode::Kind::kCopy && node.of == CopyOf::kStage && node.copied == stage) return true;
    return is_copied_to_memory(node.body, stage) || is_copied_to_memory(node.otherwise, stage);
  });
}

}  // namespace

bool is_in_memory(const ScheduledOp& region, const Expr* value) {
  const auto is_there = [&](int stage) {
    const TileNode* const node = find_stage(region.tree.body, stage);
    return node == nullptr || (!node->in_lanes && node->buffer.empty()) ||
           is_copied_to_memory(region.tree.body, node->stage);
  };
  return is_there(stage_of(region, value)) || std::ranges::any_of(region.products, [&](const ProductStage& product) {
           return region.parts[product.part].value == value && is_there(product.stage);
         });
}

std::vector<std::size_t> members(const ScheduledFunction& function, std::size_t op) {
  const Expr* const in = function.ops[op].computed_in;
  const ScheduledOp& region = in == nullptr ? function.ops[op] : function.ops[number_of(function, in)];
  if (region.parts.empty()) return {op};
  std::vector<std::size_t> numbers;
  for (const ScheduledOp& part : region.parts) numbers.push_back(number_of(function, part.value));
  return numbers;
}

void enter(ScheduledFunction& function, ScheduledOp region) {
  for (const ScheduledOp& part : region.parts) {
    if (part.value == region.value) continue;
    ScheduledOp& own = function.ops[number_of(function, part.value)];
    own.tree = {};
    own.parts.clear();
    own.predicted_s = 0;
    own.computed_in = region.value;
  }
  function.ops[number_of(function, region.value)] = std::move(region);
}

void dissolve(ScheduledFunction& function, std::size_t op) {
  const std::vector<std::size_t> numbers = members(function, op);
  std::vector<ScheduledOp> parts = function.ops[numbers.back()].parts;
  for (std::size_t i = 0; i < parts.size(); ++i) function.ops[numbers[i]] = std::move(parts[i]);
}

}  // namespace strata::schedule
