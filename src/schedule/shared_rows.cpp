// SPDX-License-Identifier: Apache-2.0
#include "schedule/shared_rows.h"

#include <algorithm>
#include <numeric>

#include "cost/row_units.h"
#include "schedule/contraction_tree.h"
#include "schedule/op_cost.h"
#include "schedule/tile_choice.h"
#include "schedule/verify.h"

namespace strata::schedule {
namespace {

// What units of rows are multiples of, and the fewest rows of one.
struct RowUnit {
  std::int64_t rows = 1;  // of all
  std::int64_t tile = 1;
  std::int64_t least = 1;

  void add(const ScheduledOp& product) {
    const int m = *product.contraction->only(ir::IteratorClass::kM);
    const std::int64_t own = block_unit(product, m);
    rows = product.tree.iterators[static_cast<std::size_t>(m)].extent.max();
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

bool is_in_blocks(const ScheduledOp& op) {
  if (op.products.empty()) return op.contraction && op.leaf->takes_blocks;
  return std::ranges::all_of(op.products,
                             [&](const ProductStage& product) { return op.parts[product.part].leaf->takes_blocks; });
}

}  // namespace

void share_rows(ScheduledOp& op, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
                int threads) {
  const int team = std::clamp(threads, 1, machine.cores);
  if (team == 1 || op.is_call() || !is_in_blocks(op) || !cost::shares_rows(machine)) return;
  const RowUnit unit = row_unit(op);
  TileChoice choice = predicted_choice(op, machine);
  double least = (1 - cost::kLeastRowGain) * op_cost(op, machine, {}, team).seconds;
  ScheduledOp best = op;
  for (const std::int64_t rows : cost::row_units(unit.rows, unit.tile, unit.least, units(op.tree, {}), team)) {
    choice.rows = rows;
    ScheduledOp tried = with_tiles(op, machine, leaving, choice);
    const double seconds = op_cost(tried, machine, {}, team).seconds;
    if (seconds >= least || !fault(tried, machine).empty()) continue;
    least = seconds;
    best = std::move(tried);
  }
  op = std::move(best);
}

}  // namespace strata::schedule
