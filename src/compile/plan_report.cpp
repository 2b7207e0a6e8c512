// SPDX-License-Identifier: Apache-2.0
#include "compile/plan_report.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "compile/parallel_for.h"
#include "cost/product_tiles.h"
#include "ir/op.h"
#include "plan/op_text.h"
#include "schedule/op_cost.h"
#include "schedule/tile_image.h"
#include "schedule/tile_tree.h"

namespace strata::compile {
namespace {

using ir::Expr;

using SymbolSet = std::map<std::string, std::shared_ptr<const ir::Symbol>>;

// min, the powers of two after it, max.
std::vector<std::int64_t> nodes(std::int64_t min, std::int64_t max) {
  std::vector<std::int64_t> all = {min};
  for (std::int64_t node = 1; node < max; node *= 2) {
    if (node > min) all.push_back(node);
  }
  if (max > min) all.push_back(max);
  return all;
}

SymbolSet symbols_of(const Expr& value) {
  SymbolSet symbols;
  const auto take = [&](const ir::TensorType& type) {
    for (const ir::Dim& dim : type.shape) {
      if (!dim.is_constant()) symbols[dim.symbol()->name] = dim.symbol();
    }
  };
  for (const Expr* argument : value.arguments) take(argument->type());
  take(value.type());
  return symbols;
}

// The cache may be filled less far than any size that the code admits.
plan::CostTable::Axis size_axis(const ir::Symbol& symbol) {
  return {symbol.name, nodes(symbol.name == "ctx" ? 1 : symbol.min, symbol.max)};
}

plan::CostTable cost_table(const schedule::ScheduledOp& op, const machine::Machine& machine) {
  const Expr& value = *op.value;
  plan::CostTable table;
  SymbolSet symbols = symbols_of(value);
  for (const schedule::ScheduledOp& part : op.parts) symbols.merge(symbols_of(*part.value));
  for (const auto& [name, symbol] : symbols) table.axes.push_back(size_axis(*symbol));
  std::size_t size = 1;
  for (const auto& axis : table.axes) size *= axis.nodes.size();
  table.axes.push_back({plan::kThreads, nodes(1, machine.cores)});
  for (std::size_t i = 0; i < size; ++i) {
    std::map<std::string, std::int64_t> sizes;
    std::size_t rest = i;
    for (std::size_t axis = table.axes.size() - 1; axis-- > 0;) {
      const auto& along = table.axes[axis];
      sizes[along.name] = along.nodes[rest % along.nodes.size()];
      rest /= along.nodes.size();
    }
    const cost::OpWork work = schedule::op_work(op, sizes);
    for (const std::int64_t threads : table.axes.back().nodes) {
      const double seconds = schedule::op_cost(op, machine, sizes, static_cast<int>(threads)).seconds;
      table.values.push_back({work.flops, work.bytes, seconds});
    }
  }
  return table;
}

// The tiles that a product in blocks has, and the next best ones; of another op none.
std::vector<plan::TileChoice> tile_choices(const schedule::ScheduledOp& op, const machine::Machine& machine) {
  constexpr std::size_t kShown = 4;
  if (machine.has_fixed_tiles || op.leaf == nullptr || !op.leaf->takes_blocks || !op.contraction) return {};
  std::vector<plan::TileChoice> choices;
  const auto product = cost::tiled_product(machine, schedule::operand_types(op), *op.contraction);
  for (const auto& [tiles, seconds] : cost::best_product_tiles(machine, product, kShown)) {
    choices.push_back({"panels " + std::to_string(tiles.panels) + ", rows " + std::to_string(tiles.rows) + ", depth " +
                           std::to_string(tiles.depth),
                       seconds});
  }
  return choices;
}

// Of ops that several entries run.
using CostTables = std::map<const schedule::ScheduledOp*, plan::CostTable>;

// Of all ops that are reported.
CostTables cost_tables(const codegen::PlannedVersion& planned, const machine::Machine& machine, int threads) {
  CostTables costs;
  std::vector<CostTables::value_type*> made;
  for (const auto& function : planned.schedule) {
    for (const schedule::ScheduledOp& op : function.ops) {
      if (op.is_call() || op.computed_in != nullptr) continue;
      const auto [cost, is_new] = costs.try_emplace(&op, plan::CostTable{{}, {{}}});
      if (!op.is_view()) made.push_back(&*cost);
    }
  }
  parallel_for(made.size(), threads, [&](std::size_t i) { made[i]->second = cost_table(*made[i]->first, machine); });
  return costs;
}

// Lists the ops of one entry and of the functions that it calls.
class EntryReport {
 public:
  EntryReport(const codegen::PlannedVersion& planned, const machine::Machine& machine, bool explains,
              const CostTables& costs)
      : planned_(planned), machine_(machine), explains_(explains), costs_(costs) {}

  plan::Entry run(const std::string& name) {
    const ir::Function* function = planned_.module.find(name);
    entry_ = {name, codegen::entry_symbol(name, planned_.version.tag), planned_.version.tag, {}, 0, {}};
    count_calls(*function);
    list(*function);
    return std::move(entry_);
  }

 private:
  const schedule::ScheduledFunction& scheduled(const ir::Function& function) const {
    const auto found = std::ranges::find(planned_.schedule, &function, &schedule::ScheduledFunction::function);
    STRATA_CHECK(found != planned_.schedule.end(), "@" + function.name + " is not scheduled");
    return *found;
  }

  // Callers come after their callees in a module.
  void count_calls(const ir::Function& entry) {
    counts_[&entry] = 1;
    for (auto caller = planned_.schedule.rbegin(); caller != planned_.schedule.rend(); ++caller) {
      const auto calls = counts_.find(caller->function);
      if (calls == counts_.end()) continue;
      for (const auto& op : caller->ops) {
        if (op.is_call()) counts_[op.value->callee] += calls->second;
      }
    }
  }

  void list(const ir::Function& function) {
    if (!listed_.insert(&function).second) return;
    const auto names = plan::op_names(function);
    const int first_id = codegen::first_op_id(planned_, function);
    const auto& ops = scheduled(function).ops;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].is_call()) {
        list(*ops[i].value->callee);
      } else if (ops[i].computed_in == nullptr) {
        entry_.ops.push_back(report(ops[i], function, names));
        entry_.ops.back().id = first_id + static_cast<int>(i);
      }
    }
  }

  using Names = decltype(plan::op_names(std::declval<const ir::Function&>()));

  plan::Op report(const schedule::ScheduledOp& scheduled, const ir::Function& function, const Names& names) {
    const Expr& value = *scheduled.value;
    plan::Op op;
    op.name = function.name + "." + names.at(&value);
    op.op = value.op->name();
    op.function = function.name;
    op.count = counts_.at(&function);
    op.barriers = scheduled.barriers;
    op.type = value.type().text();
    for (const Expr* argument : value.arguments) op.operands.push_back(argument->type().text());
    op.layout = plan::layout_text(value);
    op.placement = value.type().placement.text();
    op.region = {op.name};
    if (!scheduled.is_view()) {
      op.tree = schedule::copies_text(scheduled, machine_) + schedule::to_text(scheduled.tree, machine_);
    }
    op.form = scheduled.leaf->name;
    op.cost = costs_.at(&scheduled);
    if (!scheduled.parts.empty()) name_parts(op, scheduled, names);
    const Expr* const main = scheduled.products.empty() ? &value : scheduled.parts[scheduled.products[0].part].value;
    if (explains_) {
      const bool is_part = !scheduled.products.empty();
      op.tiles = tile_choices(is_part ? scheduled.parts[scheduled.products[0].part] : scheduled, machine_);
    }
    if (const auto found = planned_.alternatives.find(main); found != planned_.alternatives.end()) {
      op.alternatives = found->second;
    }
    return op;
  }

  // A region is one op of the report, with the names of all: "layer.silu + mul". A product is what takes its time.
  static void name_parts(plan::Op& op, const schedule::ScheduledOp& region, const Names& names) {
    op.op.clear();
    op.name.clear();
    for (const schedule::ScheduledOp& part : region.parts) {
      op.name += (op.name.empty() ? op.function + "." : " + ") + names.at(part.value);
      op.op += (op.op.empty() ? "" : " + ") + part.value->op->name();
    }
    op.region.clear();
    for (const schedule::ScheduledOp& part : region.parts)
      op.region.push_back(op.function + "." + names.at(part.value));
    op.operands.clear();
    for (const schedule::ProductStage& product : region.products) {
      const schedule::ScheduledOp& part = region.parts[product.part];
      if (&product != region.products.data() && product.part == (&product - 1)->part) continue;
      for (const Expr* operand : part.value->arguments) op.operands.push_back(operand->type().text());
      op.form = part.leaf->name;
      op.layout = plan::layout_text(*part.value);
    }
    for (const Expr* input : region.inputs) op.operands.push_back(input->type().text());
  }

  const codegen::PlannedVersion& planned_;
  const machine::Machine& machine_;
  const bool explains_;
  const CostTables& costs_;
  plan::Entry entry_;
  std::map<const ir::Function*, std::int64_t> counts_;  // calls in one call of the entry
  std::set<const ir::Function*> listed_;
};

}  // namespace

void add_arenas(const codegen::PlannedVersion& planned, plan::Plan& plan) {
  for (const schedule::ScheduledFunction& function : planned.schedule) {
    const buffer::FunctionPlan& buffers = planned.buffers.at(function.function);
    if (buffers.arena.empty()) continue;
    const auto names = plan::op_names(*function.function);
    const auto name_of = [&](const Expr& value) {
      return value.kind == Expr::Kind::kCall ? "call of " + value.callee->name : names.at(&value);
    };
    plan::ArenaMap map{planned.version.tag, function.function->name, buffers.arena_bytes, buffers.lower_bound, {}, {}};
    for (const schedule::ScheduledOp& op : function.ops) map.ops.push_back(name_of(*op.value));
    for (const buffer::ArenaBuffer& buffer : buffers.arena) {
      const Expr& value = *buffer.tensor.first;
      const std::string name = buffer.is_frame()           ? "frame of " + value.callee->name
                               : buffer.is_shared_buffer() ? "parts of " + name_of(value)
                                                           : name_of(value);
      map.buffers.push_back({name, buffer.offset, buffer.live.bytes, buffer.live.first, buffer.live.last});
    }
    plan.arenas.push_back(std::move(map));
  }
}

void add_entries(const codegen::PlannedVersion& planned, const machine::Machine& machine, int threads, bool explains,
                 plan::Plan& plan) {
  const CostTables costs = cost_tables(planned, machine, threads);
  int ids = 0;
  for (const auto& function : planned.schedule) ids += static_cast<int>(function.ops.size());
  for (const std::string& name : planned.version.entries) {
    plan::Entry entry = EntryReport(planned, machine, explains, costs).run(name);
    for (const auto& [symbol, range] : planned.version.symbols) entry.ranges[symbol] = {range.min, range.max};
    entry.ids = ids;
    plan.entries.push_back(std::move(entry));
  }
}

}  // namespace strata::compile
