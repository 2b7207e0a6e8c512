// SPDX-License-Identifier: Apache-2.0
#include "cost/tiled_product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cost/leaf.h"
#include "encoding/encoding.h"
#include "machine/cost.h"
#include "tensor/matmul.h"

namespace strata::cost {
namespace {

double most(const ir::Dim& dim) { return static_cast<double>(dim.max()); }

// Pairs go to the dot-product unit, or take two multiply-adds and the splitting of both operands.
void set_instruction(const machine::Machine& machine, const ir::TensorType& left, TiledProduct& product) {
  const machine::Unit* const fma = machine::fma_unit(machine, DType::kF32);
  const machine::Unit* const dot = left.layout.group() > 1 ? machine::dot_unit(machine, left.dtype) : nullptr;
  const machine::Unit& unit = dot != nullptr ? *dot : *fma;
  product.slots_per_s = unit.ops_per_s / (2.0 * unit.lanes * unit.k);
  if (dot != nullptr) {
    product.products = dot->k;
  } else if (left.layout.group() > 1) {
    product.slots = 6;
    product.chain = 2;
    product.products = 2;
  }
}

void set_blocks(const machine::Machine& machine, const ir::TensorType& left, const ir::Contraction& of,
                TiledProduct& product) {
  const machine::Unit* const unit = left.layout.group() > 1 ? machine::dot_unit(machine, left.dtype) : nullptr;
  if (unit != nullptr && !of.factors.empty()) product.slots = block_slots(machine, *unit, of.factors[0].block);
}

void set_panels(const machine::Machine& machine, const ir::TensorType& left, const ir::TensorType& right,
                TiledProduct& product) {
  product.is_widened = left.layout.group() == 1 && ir::stored_dtype(right) != DType::kF32;
  // Bytes are multiplied by their scales too.
  const DType stored = ir::stored_dtype(right);
  product.widening = conversions(stored) + (stored == DType::kI8 ? 1 : 0);
  if (const encoding::Encoding* const encoding = right.layout.encoding)
    product.decode_slots = machine::decode_slots(machine, std::string(encoding->name), encoding->decode_instructions);
  const bool in_lanes = right.layout.group() == 1 && right.layout.encoding == nullptr;
  if (product.is_widened && in_lanes) product.widened_apart = leaf("tile-widened").few_tiles;
}

}  // namespace

double conversions(DType dtype) { return dtype == DType::kF32 ? 0 : dtype == DType::kI8 ? 3 : 1; }

double block_slots(const machine::Machine& machine, const machine::Unit& unit, std::int64_t block) {
  if (block == 0) return 1;
  constexpr double kInstructions = 3;
  const machine::Unit& fma = *machine::fma_unit(machine, DType::kF32);
  const double slot = fma.lanes / fma.ops_per_s, own_slot = static_cast<double>(unit.lanes) * unit.k / unit.ops_per_s;
  return 1 + kInstructions * slot / own_slot * unit.k / static_cast<double>(block);
}

TiledProduct tiled_product(const machine::Machine& machine, std::span<const ir::TensorType> types,
                           const ir::Contraction& contraction) {
  const ir::TensorType& left = types[static_cast<std::size_t>(contraction.left)];
  const ir::TensorType& right = types[static_cast<std::size_t>(contraction.right)];
  TiledProduct product;
  product.lanes = static_cast<double>(right.layout.packs[0].lanes);
  product.row_tile = static_cast<double>(left.layout.packs[0].lanes);
  product.rows = most(left.shape[0]);
  product.columns = std::ceil(most(right.shape[0]) / product.lanes) * product.lanes;
  product.depth = most(left.shape[1]);
  product.depth_unit = static_cast<double>(std::lcm(machine::kDepthUnit, contraction.block()));
  product.element_bytes = static_cast<double>(dtype_size(left.dtype));
  product.right_bytes = static_cast<double>(ir::max_bytes(right));
  set_instruction(machine, left, product);
  set_blocks(machine, left, contraction, product);
  set_panels(machine, left, right, product);
  return product;
}

double TiledWork::last_height() const {
  const double left = product_.rows - std::floor(product_.rows / product_.row_tile) * product_.row_tile;
  return static_cast<double>(
      tensor::tile_height(static_cast<std::int64_t>(left), static_cast<std::int64_t>(product_.row_tile)));
}

double TiledWork::padded_rows() const {
  return std::floor(product_.rows / product_.row_tile) * product_.row_tile + last_height();
}

double TiledWork::row_tiles() const { return std::ceil(product_.rows / product_.row_tile); }

double TiledWork::row_blocks() const {
  return row_parts() * std::ceil(std::min(product_.rows, unit_rows()) / static_cast<double>(tiles_.rows));
}

double TiledWork::depth_blocks() const { return std::ceil(product_.depth / static_cast<double>(tiles_.depth)); }
double TiledWork::block_depth() const { return std::min(product_.depth, static_cast<double>(tiles_.depth)); }
double TiledWork::block_rows() const { return std::min(unit_rows(), static_cast<double>(tiles_.rows)); }

double TiledWork::unit_rows() const {
  const double all = padded_rows();
  return tiles_.unit_rows == 0 ? all : std::min(all, static_cast<double>(tiles_.unit_rows));
}

double TiledWork::row_parts() const {
  return tiles_.unit_rows == 0 ? 1 : std::ceil(product_.rows / static_cast<double>(tiles_.unit_rows));
}

double TiledWork::groups() const {
  return std::ceil(product_.columns / (static_cast<double>(tiles_.panels) * product_.lanes));
}

double TiledWork::part_columns() const {
  if (tiles_.unit_rows != 0) return std::min(product_.columns, static_cast<double>(tiles_.panels) * product_.lanes);
  const auto part = static_cast<double>(tiles_.columns);
  return part == 0 ? product_.columns : std::min(product_.columns, part);
}

double TiledWork::group_bytes() const {
  return static_cast<double>(tiles_.panels) * product_.lanes * block_depth() * product_.element_bytes;
}

template <class F>
double TiledWork::over_tiles(const F& f) const {
  const auto panels = static_cast<double>(tiles_.panels);
  const double all = product_.columns / product_.lanes, groups = std::floor(all / panels);
  const double whole = std::floor(product_.rows / product_.row_tile), last = last_height();
  const auto row_of_tiles = [&](double width, double count) {
    return count == 0 ? 0.0 : count * (whole * f(product_.row_tile, width) + (last > 0 ? f(last, width) : 0));
  };
  return row_of_tiles(panels, groups) + row_of_tiles(1, all - groups * panels);
}

double TiledWork::products() const {
  const double wait = product_.chain * machine_.core.fma_latency_slots / product_.slots;
  const double accumulators = over_tiles([&](double height, double width) { return std::max(height * width, wait); });
  const double stores = over_tiles([](double height, double width) { return height * width; }) * depth_blocks() *
                        machine_.core.tile_store_slots * product_.products / product_.slots;
  return (accumulators * product_.depth + stores) * product_.lanes;
}

double TiledWork::waited_bytes(int threads) const {
  const double tiles = std::ceil(block_rows() / product_.row_tile);
  const double step_bytes =
      product_.right_bytes / (product_.columns * product_.depth) * product_.lanes * product_.products;
  const bool is_fetched = row_tiles() == 1 || product_.decode_slots > 0 ||
                          step_bytes < static_cast<double>(machine_.memory.back().line_bytes);
  if (is_fetched) return 0;
  if (tiles_.unit_rows != 0) return product_.right_bytes * std::max(1 - threads / groups(), 0.0);
  return product_.right_bytes * std::max(1 - tiles / static_cast<double>(tiles_.panels), 0.0);
}

double TiledWork::operations_beside() const {
  const double lanes = machine::vector_lanes(machine_, DType::kF32);
  const double decoding = row_blocks() * product_.decode_slots * lanes / product_.lanes;
  const double widenings = row_tiles() <= product_.widened_apart ? row_tiles() : row_blocks();
  return product_.columns * product_.depth * (decoding + (product_.is_widened ? 2 * product_.widening * widenings : 0));
}

double TiledWork::load_bytes() const {
  const double slots = over_tiles([](double height, double width) { return height + width; });
  return slots * product_.depth / product_.products * machine_.vector_registers.bytes;
}

Reuse TiledWork::group_again(int threads) const {
  const double rows = std::min(padded_rows(), product_.row_tile) * block_depth() * product_.element_bytes;
  return {threads * (group_bytes() + rows),
          product_.columns * product_.depth * product_.element_bytes * (row_tiles() - row_blocks())};
}

// A thread's units have all rows of a group, part after part, before the next group.
Reuse TiledWork::rows_again(int threads) const {
  const double rows = padded_rows() * product_.depth * product_.element_bytes;
  if (tiles_.unit_rows != 0) {
    const double group = product_.right_bytes / groups();
    return {threads * (rows + group), rows * std::max(groups() - threads / row_parts(), 0.0), rows + threads * group};
  }
  return {threads * (block_rows() * block_depth() * product_.element_bytes + group_bytes()),
          rows * std::max(groups() - threads, 0.0)};
}

// How often threads begin with a group of panels: units follow one another by groups, and each thread has as many.
double TiledWork::readings(int threads) const {
  const auto apart = static_cast<double>(std::gcd(static_cast<std::int64_t>(groups()), std::int64_t{threads}));
  return std::min(groups() + threads - apart, groups() * row_parts());
}

Reuse TiledWork::panels_again(int threads) const {
  if (tiles_.unit_rows == 0) return {product_.right_bytes, product_.right_bytes * (row_blocks() - 1)};
  const double group = product_.right_bytes / groups();
  return {threads * (group + unit_rows() * product_.depth * product_.element_bytes),
          group * std::max(groups() * row_blocks() - readings(threads), 0.0)};
}

Reuse TiledWork::panels_of_others(int threads) const {
  if (tiles_.unit_rows == 0) return {};
  const double group = product_.right_bytes / groups();
  return {std::numeric_limits<double>::infinity(), group * (readings(threads) - groups()),
          threads * group + padded_rows() * product_.depth * product_.element_bytes};
}

Reuse TiledWork::sums_again() const {
  const double sums = product_.columns * static_cast<double>(sizeof(float));
  const double part = part_columns();
  return {block_rows() * part * static_cast<double>(sizeof(float)) + part * block_depth() * product_.element_bytes,
          2 * padded_rows() * sums * (depth_blocks() - 1)};
}

double TiledWork::column_parts() const { return std::max(std::ceil(product_.columns / part_columns()), 1.0); }

double TiledWork::right_copied_bytes() const { return product_.right_bytes * row_blocks(); }

double TiledWork::left_copied_bytes() const {
  return padded_rows() * product_.depth * product_.element_bytes * column_parts();
}

double TiledWork::copies() const { return row_blocks() * column_parts() * (2 * depth_blocks() + 1); }

double TiledWork::buffer_bytes() const {
  constexpr double kPadding = 4.0 * kAlignment;
  const double rows =
      std::min(std::ceil(padded_rows() / product_.row_tile) * product_.row_tile, static_cast<double>(tiles_.rows));
  const auto depth = static_cast<double>(tiles_.depth), f32 = static_cast<double>(sizeof(float));
  const double right = product_.right_bytes / (product_.columns * product_.depth);
  const double widened = product_.is_widened ? static_cast<double>(tiles_.panels) * product_.lanes * depth * f32 : 0;
  return rows * depth * product_.element_bytes + part_columns() * depth * right + rows * part_columns() * f32 +
         widened + kPadding;
}

Reuse TiledWork::blocks_again(int threads) const {
  if (tiles_.unit_rows != 0) return {};
  const double parts = column_parts();
  const double rows = block_rows() * product_.depth * product_.element_bytes;
  const double again = depth_blocks() > 1 ? std::max(parts - threads, 0.0) : 0;
  return {threads * (rows + part_columns() * block_depth() * product_.element_bytes),
          padded_rows() * product_.depth * product_.element_bytes * again};
}

}  // namespace strata::cost
