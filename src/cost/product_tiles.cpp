// SPDX-License-Identifier: Apache-2.0
#include "cost/product_tiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <tuple>

#include "cost/solved_tiles.h"
#include "machine/cost.h"

namespace strata::cost {
namespace {

constexpr std::size_t kMostPanels = 8;
enum : int { kPanels, kRows, kDepth, kColumns };

std::int64_t whole(double size) { return static_cast<std::int64_t>(size); }

// Makes the terms of a product's program.
class ProgramBuilder {
 public:
  ProgramBuilder(const machine::Machine& machine, const TiledProduct& product) : machine_(machine), product_(product) {
    std::vector<std::int64_t> panels(kMostPanels);
    std::iota(panels.begin(), panels.end(), 1);
    program_.variables = {{"panels", std::move(panels)},
                          {"rows", tiles::tile_candidates(whole(product.rows), whole(product.row_tile))},
                          {"depth", tiles::tile_candidates(whole(product.depth), whole(product.depth_unit))}};
    if (is_copied_) {
      program_.variables.push_back({"columns", tiles::tile_candidates(whole(product.columns), whole(product.lanes))});
    }
    program_.contention = machine.contention;
    program_.times.resize(1 + machine.memory.size());
  }

  tiles::Program run() {
    add_arithmetic();
    if (is_copied_) {
      add_copies();
    } else {
      add_traffic();
    }
    add_limits();
    return std::move(program_);
  }

 private:
  using Scope = std::vector<int>;

  // Of the tiles whose sizes in `scope` are given; the others don't matter.
  template <class F>
  tiles::Term term(const Scope& scope, const F& f) const {
    return tiles::term(program_.variables, scope, [&](std::span<const std::int64_t> sizes) {
      std::array<std::int64_t, 4> all = {1, whole(product_.row_tile), whole(product_.depth_unit),
                                         is_copied_ ? whole(product_.lanes) : 0};
      for (std::size_t i = 0; i < scope.size(); ++i) all[static_cast<std::size_t>(scope[i])] = sizes[i];
      return f(TiledWork(machine_, product_, {all[kPanels], all[kRows], all[kDepth], 0, all[kColumns]}), all);
    });
  }

  void add_arithmetic() {
    const double rate = product_.slots_per_s;
    const double per_product = product_.slots / (product_.products * product_.lanes * rate);
    const double beside_rate = machine::fma_unit(machine_, DType::kF32)->ops_per_s;
    tiles::Sum& unit = program_.times[0];
    unit.push_back(
        term({kPanels, kDepth}, [&](const TiledWork& work, const auto&) { return work.products() * per_product; }));
    unit.push_back(
        term({kRows}, [&](const TiledWork& work, const auto&) { return work.operations_beside() / beside_rate; }));
  }

  double seconds(std::size_t level, double bytes) const {
    return bytes / machine::bandwidth(machine_.memory[level], 1);
  }

  // A term at each level that `reuse` may find its bytes at.
  template <class F>
  void add_reuse(const Scope& scope, const F& reuse) {
    for (std::size_t level = 1; level < machine_.memory.size(); ++level) {
      program_.times[1 + level].push_back(term(scope, [&](const TiledWork& work, const auto&) {
        const Reuse again = reuse(work);
        const bool is_here = machine::level_holding(machine_, again.footprint) == static_cast<int>(level);
        return is_here ? seconds(level, again.bytes) : 0.0;
      }));
    }
  }

  void add_traffic() {
    program_.times[1].push_back(
        term({kPanels}, [&](const TiledWork& work, const auto&) { return seconds(0, work.load_bytes()); }));
    add_reuse({kPanels, kRows, kDepth}, [](const TiledWork& work) { return work.group_again(1); });
    add_reuse({kPanels, kRows, kDepth}, [](const TiledWork& work) { return work.rows_again(1); });
    add_reuse({kRows}, [](const TiledWork& work) { return work.panels_again(1); });
    add_reuse({kRows, kDepth}, [](const TiledWork& work) { return work.sums_again(); });
    const std::size_t last = machine_.memory.size() - 1;
    program_.times.back().push_back({{}, {seconds(last, product_.right_bytes)}});
    program_.waits.push_back(term(
        {kPanels, kRows}, [&](const TiledWork& work, const auto&) { return seconds(last, work.waited_bytes(1)); }));
  }

  // Operands come from the level outside of the managed one, as often as they are copied; a copy waits for its first
  // bytes.
  void add_copies() {
    const machine::MemoryLevel& outer = machine_.memory[1];
    const double sums = product_.rows * product_.columns * static_cast<double>(sizeof(float));
    program_.times[1].push_back(
        term({kPanels}, [&](const TiledWork& work, const auto&) { return seconds(0, work.load_bytes()); }));
    tiles::Sum& copies = program_.times[2];
    copies.push_back(
        term({kRows}, [&](const TiledWork& work, const auto&) { return seconds(1, work.right_copied_bytes()); }));
    copies.push_back(
        term({kColumns}, [&](const TiledWork& work, const auto&) { return seconds(1, work.left_copied_bytes()); }));
    copies.push_back({{}, {sums / machine::write_bandwidth(outer, 1)}});
    program_.waits.push_back(term({kRows, kDepth, kColumns},
                                  [&](const TiledWork& work, const auto&) { return work.copies() * outer.latency_s; }));
    // Buffers of each operand and of the result, and the scratch memory of a group of panels.
    program_.limits.push_back({{term({kPanels, kRows, kDepth, kColumns},
                                     [&](const TiledWork& work, const auto&) { return work.buffer_bytes(); })},
                               static_cast<double>(machine_.memory.front().capacity_bytes)});
  }

  void add_limits() {
    const double rows = product_.row_tile, bytes = product_.element_bytes, lanes = product_.lanes;
    const auto size = [](std::int64_t value) { return static_cast<double>(value); };
    program_.limits.push_back(
        {{term({kPanels}, [&](const auto&, const auto& at) { return (rows + 1) * size(at[kPanels]) + 1; })},
         static_cast<double>(machine_.vector_registers.count)});
    if (is_copied_) return;
    const double capacity =
        static_cast<double>(machine_.memory[static_cast<std::size_t>(machine::own_cache(machine_))].capacity_bytes);
    program_.limits.push_back(
        {{term({kPanels, kDepth},
               [&](const auto&, const auto& at) { return 2 * size(at[kPanels] * at[kDepth]) * lanes * bytes; }),
          term({kRows, kDepth}, [&](const auto&, const auto& at) { return size(at[kRows] * at[kDepth]) * bytes; })},
         capacity * machine_.core.block_share});
  }

  const machine::Machine& machine_;
  const TiledProduct& product_;
  const bool is_copied_ = machine::managed_level(machine_) != nullptr;
  tiles::Program program_;
};

ProductTiles tiles_of(const tiles::Program& program, std::span<const int> choice, const machine::Machine& machine) {
  const auto size = [&](int variable) {
    const auto at = static_cast<std::size_t>(variable);
    return program.variables[at].candidates[static_cast<std::size_t>(choice[at])];
  };
  const bool has_columns = program.variables.size() > kColumns;
  return {size(kPanels), size(kRows), size(kDepth), machine::own_cache(machine), has_columns ? size(kColumns) : 0};
}

SolvedTiles solved(const machine::Machine& machine, const TiledProduct& product) {
  const tiles::Program program = tile_program(machine, product);
  const tiles::Solution solution = tiles::solve(program);
  if (solution.choice.empty()) return {fixed_product_tiles(machine, product)};
  return {tiles_of(program, solution.choice, machine), solution.time};
}

// Formulas know no copies.
bool has_fixed_tiles(const machine::Machine& machine) {
  return machine.has_fixed_tiles && machine::managed_level(machine) == nullptr;
}

bool differ_much(const ProductTiles& a, const ProductTiles& b) {
  if (a.columns != b.columns && are_apart(a.columns, b.columns)) return true;
  return are_apart(a.panels, b.panels) || are_apart(a.rows, b.rows) || are_apart(a.depth, b.depth);
}

// All that the program depends on.
std::vector<double> key_of(const machine::Machine& machine, const TiledProduct& p) {
  std::vector<double> key = {
      p.rows,         p.columns, p.depth, p.lanes,    p.row_tile,    p.depth_unit,   p.element_bytes,
      p.right_bytes,  p.slots,   p.chain, p.products, p.slots_per_s, p.decode_slots, p.is_widened ? p.widening : 0.0,
      p.widened_apart};
  key.insert(key.end(),
             {static_cast<double>(machine.vector_registers.count), static_cast<double>(machine.vector_registers.bytes),
              machine::fma_unit(machine, DType::kF32)->ops_per_s, machine.contention, machine.core.fma_latency_slots,
              machine.core.tile_store_slots, machine.core.block_share});
  for (const machine::MemoryLevel& level : machine.memory) {
    key.insert(key.end(), {static_cast<double>(level.capacity_bytes), static_cast<double>(level.line_bytes),
                           static_cast<double>(level.shared_by), machine::bandwidth(level, 1)});
  }
  if (machine::managed_level(machine) != nullptr)
    key.insert(key.end(), {1.0, machine.memory[1].latency_s, machine::write_bandwidth(machine.memory[1], 1)});
  return key;
}

SolvedTiles remembered(const machine::Machine& machine, const TiledProduct& product) {
  return tile_memory().at(key_of(machine, product), [&] { return solved(machine, product); });
}

// Of the same rows and types, a matrix of any size: one that a group of 1 to 8 panels divides.
TiledProduct usual_matrix(TiledProduct product) {
  constexpr double kPanels = 840, kDepth = 1024;
  const double bytes = product.right_bytes / (product.columns * product.depth);
  product.columns = kPanels * product.lanes;
  product.depth = kDepth;
  product.right_bytes = bytes * product.columns * product.depth;
  return product;
}

// The fastest row tile for so many rows, if it is faster than the machine's by more than a hundredth.
std::int64_t best_row_tile(const machine::Machine& machine, TiledProduct product, std::int64_t usual) {
  constexpr std::int64_t kMostRows = 8;
  const std::int64_t most = std::min<std::int64_t>(kMostRows, machine.vector_registers.count / 2);
  const auto time = [&](std::int64_t tile) {
    product.row_tile = static_cast<double>(tile);
    return remembered(machine, product).time;
  };
  double least = 0.99 * time(usual);
  std::int64_t best = usual;
  for (std::int64_t tile = 2; tile <= most; ++tile) {
    if (tile > whole(product.rows) || time(tile) >= least) continue;
    best = tile;
    least = time(tile);
  }
  return best;
}

}  // namespace

tiles::Program tile_program(const machine::Machine& machine, const TiledProduct& product) {
  return ProgramBuilder(machine, product).run();
}

ProductTiles fixed_product_tiles(const machine::Machine& machine, const TiledProduct& product) {
  const machine::CacheBlock block = machine::cache_block(machine, static_cast<int>(product.element_bytes));
  const std::int64_t tile = whole(product.row_tile);
  return {machine::register_tile(machine).panels, std::max(block.rows / tile, std::int64_t{1}) * tile, block.depth,
          block.level};
}

ProductTiles product_tiles(const machine::Machine& machine, const TiledProduct& product) {
  return has_fixed_tiles(machine) ? fixed_product_tiles(machine, product) : remembered(machine, product).tiles;
}

bool are_apart(std::int64_t a, std::int64_t b) { return 4 * std::min(a, b) <= 3 * std::max(a, b); }

std::vector<RankedTiles> best_product_tiles(const machine::Machine& machine, const TiledProduct& product,
                                            std::size_t count) {
  constexpr std::size_t kLookedAt = 256;
  if (has_fixed_tiles(machine)) return {{fixed_product_tiles(machine, product)}};
  std::vector<RankedTiles> found = {{product_tiles(machine, product), remembered(machine, product).time}};
  const tiles::Program program = tile_program(machine, product);
  for (const tiles::Choice& next : tiles::fastest(program, kLookedAt)) {
    if (found.size() >= count) break;
    const ProductTiles tiles = tiles_of(program, next.choice, machine);
    const bool is_too_wide = static_cast<double>(tiles.panels) * product.lanes > product.columns;
    const auto is_other = [&](const RankedTiles& other) { return differ_much(tiles, other.tiles); };
    if (!is_too_wide && std::ranges::all_of(found, is_other)) found.push_back({tiles, next.time});
  }
  return found;
}

std::vector<std::int64_t> row_tiles(const machine::Machine& machine, const TiledProduct& product) {
  constexpr double kFewRows = 16;
  const std::int64_t usual = machine::register_tile(machine).rows;
  std::vector<std::int64_t> found = {usual};
  if (machine.has_fixed_tiles || product.rows < 2) return found;
  std::vector<double> counts = {product.rows};
  if (product.rows <= kFewRows) counts.push_back(std::ceil(product.rows / 2));
  for (const double rows : counts) {
    TiledProduct few = usual_matrix(product);
    few.rows = rows;
    const std::int64_t best = best_row_tile(machine, few, usual);
    if (std::ranges::find(found, best) == found.end()) found.push_back(best);
  }
  return found;
}

}  // namespace strata::cost
