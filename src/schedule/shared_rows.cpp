// SPDX-License-Identifier: Apache-2.0
#include "schedule/shared_rows.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

#include "cost/row_units.h"
#include "schedule/contraction_tree.h"
#include "schedule/op_cost.h"
#include "schedule/tile_choice.h"
#include "schedule/verify.h"

namespace strata::schedule {
namespace {

// What units of rows are multiples of, and the fewest rows of one.
struct RowUnit {
  ir::Dim rows = 1;  // of all
  std::int64_t tile = 1;
  std::int64_t least = 1;

  void add(const ScheduledOp& product) {
    const int m = *product.contraction->only(ir::IteratorClass::kM);
    const std::int64_t own = block_unit(product, m);
    rows = product.tree.iterators[static_cast<std::size_t>(m)].extent;
    tile = std::lcm(tile, own);
    least = std::max(least, product.leaf->few_tiles * own);
  }
};

RowUnit row_unit(const ScheduledOp& op) {
  RowUnit unit;
  if (op.products.empty()) {
    unit.add(op);
    return unit;
  }
  for (const ProductStage& product : op.products) unit.add(op.parts[product.part]);
  if (op.leaf->loop.takes_row_tiles) unit.tile = std::lcm(unit.tile, op.value->type().layout.lanes(0));
  return unit;
}

bool are_in_blocks(const ScheduledOp& op) {
  if (op.products.empty()) return op.contraction && op.leaf->takes_blocks;
  return std::ranges::all_of(op.products,
                             [&](const ProductStage& product) { return op.parts[product.part].leaf->takes_blocks; });
}

class SharedRows {
 public:
  SharedRows(const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
             std::span<const SizedRuns> runs, int threads)
      : machine_(machine), leaving_(leaving), runs_(runs), threads_(threads) {}

  void run(ScheduledOp& op) const {
    TileChoice choice = predicted_choice(op, machine_);
    if (choice.rows != 0) op = of_rows(op, choice, 0);
    const auto all = candidates(op);
    if (all.empty()) return;
    double least = (1 - cost::kLeastRowGain) * seconds(op);
    ScheduledOp best = op;
    for (const std::int64_t rows : all) {
      ScheduledOp tried = of_rows(op, choice, rows);
      const double time = seconds(tried);
      if (time >= least || !fault(tried, machine_).empty()) continue;
      least = time;
      best = std::move(tried);
    }
    op = std::move(best);
  }

 private:
  ScheduledOp of_rows(const ScheduledOp& op, TileChoice choice, std::int64_t rows) const {
    choice.rows = rows;
    return with_tiles(op, machine_, leaving_, choice);
  }

  std::set<std::int64_t, std::greater<>> candidates(const ScheduledOp& op) const {
    const RowUnit unit = row_unit(op);
    std::set<std::int64_t, std::greater<>> all;
    for (const SizedRuns& at : runs_) {
      const auto rows = static_cast<std::int64_t>(extent_at(unit.rows, at.sizes));
      const auto here = cost::row_units(rows, unit.tile, unit.least, units(op.tree, at.sizes), threads_);
      all.insert(here.begin(), here.end());
    }
    return all;
  }

  double seconds(const ScheduledOp& op) const { return op_seconds(op, machine_, runs_, threads_); }

  const machine::Machine& machine_;
  const std::vector<const ir::Expr*>& leaving_;
  const std::span<const SizedRuns> runs_;
  const int threads_;
};

}  // namespace

void share_rows(ScheduledOp& op, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
                std::span<const SizedRuns> runs, int threads) {
  const int team = std::clamp(threads, 1, machine.cores);
  if (team == 1 || op.is_call() || !are_in_blocks(op) || !cost::shares_rows(machine)) return;
  const SizedRuns largest;
  SharedRows(machine, leaving, runs.empty() ? std::span(&largest, 1) : runs, team).run(op);
}

void share_rows(ScheduledFunction& function, std::vector<SizedRuns> runs, const machine::Machine& machine,
                int threads) {
  function.runs = std::move(runs);
  for (ScheduledOp& op : function.ops) {
    if (op.is_call() || !op.contraction) continue;
    share_rows(op, machine, {}, function.runs, threads);
    op.predicted_s = op_cost(op, machine, {}, threads).seconds;
  }
}

}  // namespace strata::schedule
