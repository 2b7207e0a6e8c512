// SPDX-License-Identifier: Apache-2.0
#include "schedule/tile_choice.h"

#include <algorithm>

#include "base/error.h"
#include "cost/product_tiles.h"
#include "schedule/contraction_tree.h"
#include "schedule/op_cost.h"
#include "schedule/products_tree.h"
#include "schedule/verify.h"

namespace strata::schedule {
namespace {

// The op itself, or those parts of a region that are products.
std::vector<std::size_t> products_of(const ScheduledOp& op) {
  std::vector<std::size_t> parts;
  for (const ProductStage& product : op.products) parts.push_back(product.part);
  std::ranges::sort(parts);
  parts.erase(std::ranges::unique(parts).begin(), parts.end());
  return parts;
}

bool is_in_blocks(const ScheduledOp& op) { return op.contraction && op.leaf->takes_blocks; }

// The first loop that cuts the columns.
std::int64_t columns_in(const std::vector<TileNode>& nodes, int columns) {
  for (const TileNode& node : nodes) {
    if (node.kind == TileNode::Kind::kSerial && node.iterator == columns) return node.step;
    if (const std::int64_t found = columns_in(node.body, columns); found > 0) return found;
  }
  return 0;
}

std::vector<std::int64_t> sizes_of(const TileChoice& choice) {
  std::vector<std::int64_t> sizes = {choice.columns, choice.rows};
  for (const cost::ProductTiles& tiles : choice.products)
    sizes.insert(sizes.end(), {tiles.panels, tiles.rows, tiles.depth});
  return sizes;
}

bool are_apart(const TileChoice& a, const TileChoice& b) {
  const std::vector<std::int64_t> x = sizes_of(a), y = sizes_of(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] != y[i] && cost::are_apart(x[i], y[i])) return true;
  }
  return false;
}

class Choices {
 public:
  Choices(const ScheduledOp& op, const machine::Machine& machine, const std::vector<const ir::Expr*>& leaving,
          const cost::Sizes& sizes, int threads)
      : op_(op), machine_(machine), leaving_(leaving), sizes_(sizes), threads_(threads) {}

  std::vector<TileChoice> run(std::size_t count) {
    std::vector<TileChoice> chosen = {predicted_choice(op_, machine_)};
    for (const TileChoice& choice : pool()) add(choice);
    for (const Tried& next : tried_) {
      if (chosen.size() >= count) break;
      const auto is_apart = [&](const TileChoice& other) { return are_apart(next.choice, other); };
      const auto alike = std::ranges::count(chosen, next.choice.products, &TileChoice::products);
      const bool are_enough = 2 * static_cast<std::size_t>(alike) >= count;
      if (!are_enough && std::ranges::all_of(chosen, is_apart)) chosen.push_back(next.choice);
    }
    return chosen;
  }

 private:
  static constexpr std::size_t kTilesOfEach = 8;

  struct Tried {
    TileChoice choice;
    double seconds = 0;
  };

  std::vector<cost::ProductTiles> tiles_of(const ScheduledOp& product) const {
    if (!is_in_blocks(product)) return {cost::ProductTiles()};
    const cost::TiledProduct tiled = cost::tiled_product(machine_, operand_types(product), *product.contraction);
    std::vector<cost::ProductTiles> tiles;
    for (const cost::RankedTiles& ranked : cost::best_product_tiles(machine_, tiled, kTilesOfEach)) {
      tiles.push_back(ranked.tiles);
    }
    return tiles;
  }

  // Of each product its best tiles, the next best ones, and so on; with each, all parts of the columns.
  std::vector<TileChoice> pool() const {
    if (op_.parts.empty()) {
      std::vector<TileChoice> all;
      for (const cost::ProductTiles& tiles : tiles_of(op_)) all.push_back({{tiles}, 0, unit_rows(op_)});
      return all;
    }
    std::vector<std::vector<cost::ProductTiles>> tiles;
    for (const std::size_t part : products_of(op_)) tiles.push_back(tiles_of(op_.parts[part]));
    std::vector<TileChoice> all;
    for (std::size_t rank = 0; rank < kTilesOfEach; ++rank) {
      TileChoice choice;
      bool is_new = false;
      for (const auto& best : tiles) {
        is_new = is_new || rank < best.size();
        choice.products.push_back(best[std::min(rank, best.size() - 1)]);
      }
      if (is_new) add_columns(std::move(choice), all);
    }
    return all;
  }

  void add_columns(TileChoice choice, std::vector<TileChoice>& all) const {
    const TileChoice predicted = predicted_choice(op_, machine_);
    choice.columns = predicted.columns;
    choice.rows = predicted.rows;
    if (choice.rows != 0) return all.push_back(std::move(choice));
    for (const std::int64_t columns : column_parts(with_tiles(op_, machine_, leaving_, choice))) {
      choice.columns = columns;
      all.push_back(choice);
    }
  }

  void add(const TileChoice& choice) {
    const ScheduledOp tried = with_tiles(op_, machine_, leaving_, choice);
    if (!fault(tried, machine_).empty()) return;
    const double seconds = op_cost(tried, machine_, sizes_, threads_).seconds;
    tried_.insert(std::ranges::upper_bound(tried_, seconds, {}, &Tried::seconds), {choice, seconds});
  }

  const ScheduledOp& op_;
  const machine::Machine& machine_;
  const std::vector<const ir::Expr*>& leaving_;
  const cost::Sizes& sizes_;
  const int threads_;
  std::vector<Tried> tried_;  // the fastest first
};

}  // namespace

std::string to_text(const TileChoice& choice) {
  std::string text;
  for (const cost::ProductTiles& tiles : choice.products) {
    text += (text.empty() ? "" : ",") + std::to_string(tiles.panels) + "x" + std::to_string(tiles.rows) + "x" +
            std::to_string(tiles.depth);
  }
  if (choice.columns != 0) text += "@" + std::to_string(choice.columns);
  return choice.rows == 0 ? text : text + "/" + std::to_string(choice.rows);
}

bool has_tile_choice(const ScheduledOp& op) {
  if (op.is_call() || !op.has_code()) return false;
  if (op.parts.empty()) return is_in_blocks(op);
  return std::ranges::any_of(products_of(op), [&](std::size_t part) { return is_in_blocks(op.parts[part]); });
}

TileChoice predicted_choice(const ScheduledOp& op, const machine::Machine& machine) {
  if (op.parts.empty()) return {{predicted_tiles(op, machine)}, 0, unit_rows(op)};
  TileChoice choice;
  for (const std::size_t part : products_of(op)) choice.products.push_back(predicted_tiles(op.parts[part], machine));
  choice.columns = columns_in(op.tree.body, op.nest->result().target[1]);
  choice.rows = unit_rows(op);
  return choice;
}

ScheduledOp with_tiles(const ScheduledOp& op, const machine::Machine& machine,
                       const std::vector<const ir::Expr*>& leaving, const TileChoice& choice) {
  ScheduledOp made = op;
  if (op.parts.empty()) {
    made.tree = contraction_tree(op, machine, choice.products.at(0), choice.rows);
    return made;
  }
  const std::vector<std::size_t> parts = products_of(op);
  STRATA_CHECK(parts.size() == choice.products.size(), "a choice of another region");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ScheduledOp& part = made.parts[parts[i]];
    part.tree = contraction_tree(part, machine, choice.products[i]);
  }
  made.tree = products_tree(made, machine, leaving, choice.columns, choice.rows);
  return made;
}

std::vector<TileChoice> best_choices(const ScheduledOp& op, const machine::Machine& machine,
                                     const std::vector<const ir::Expr*>& leaving, const cost::Sizes& sizes, int threads,
                                     std::size_t count) {
  return Choices(op, machine, leaving, sizes, threads).run(count);
}

}  // namespace strata::schedule
