// SPDX-License-Identifier: Apache-2.0
#include "cost/leaf_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "cost/collective.h"
#include "cost/leaf.h"
#include "cost/tiled_product.h"
#include "encoding/encoding.h"
#include "ir/attention_form.h"
#include "ir/bounds.h"
#include "ir/contraction.h"
#include "ir/movement_form.h"

namespace strata::cost {
namespace {

using ir::IteratorClass;
using ir::TensorType;

double round_up(double value, double unit) { return std::ceil(value / unit) * unit; }

// A product with panels, by its iterators.
struct Product {
  std::size_t left, right;
  std::vector<ir::BlockFactor> factors;
  double columns, depth;  // columns with the padding of the last panel
  double lanes;           // of a panel

  explicit Product(const WorkCounter& counter) {
    const ir::LoopNest& nest = *counter.loops();
    const auto found = ir::contraction(nest);
    STRATA_CHECK(found.has_value(), counter.op().name() + " is no contraction");
    const auto extent = [&](IteratorClass of) { return size_of(nest.iterators[*found->only(of)].extent); };
    left = static_cast<std::size_t>(found->left);
    right = static_cast<std::size_t>(found->right);
    factors = found->factors;
    lanes = static_cast<double>(counter.type(right).layout.packs[0].lanes);
    columns = round_up(extent(IteratorClass::kN), lanes);
    depth = extent(IteratorClass::kK);
  }
};

// Products of pairs, or of quads: of the dot-product unit, or multiply-adds and the splitting of both operands.
void add_groups(WorkCounter& counter, const Product& product, double products) {
  const machine::Unit* const unit = machine::dot_unit(counter.machine(), counter.type(product.left).dtype);
  if (unit == nullptr) return counter.add_instructions(products, 2.0 * 3, product.lanes);
  const std::int64_t block = product.factors.empty() ? 0 : product.factors[0].block;
  counter.use_unit(*unit,
                   2 * products * block_slots(counter.machine(), *unit, block) * counter.lanes() / product.lanes);
}

void add_decoding(WorkCounter& counter, const Product& product) {
  const encoding::Encoding* const encoding = counter.type(product.right).layout.encoding;
  if (encoding == nullptr) return;
  counter.add_beside(
      machine::fma_unit(counter.machine(), DType::kF32),
      counter.lanes() / product.lanes * product.columns * product.depth *
          machine::decode_slots(counter.machine(), std::string(encoding->name), encoding->decode_instructions));
}

void move_product(WorkCounter& counter, const Product& product) {
  for (const std::size_t operand : {product.left, product.right})
    counter.read(operand, bytes_of(counter.type(operand)));
  for (const ir::BlockFactor& factor : product.factors) {
    const auto operand = static_cast<std::size_t>(factor.operand);
    counter.read(operand, bytes_of(counter.type(operand)));
  }
  counter.write(bytes_of(counter.result()));
}

// Elements of rows of a tensor that lies packed across the rows: neighbours of a row are apart, each moved by itself.
void count_scattered(WorkCounter& counter, const TensorType& type, double elements) {
  const double row = size_of(type.shape.back());
  const double line = counter.line_bytes();
  const auto element = static_cast<double>(dtype_size(type.dtype));
  if (type.layout.is_row_major()) {
    counter.walk_pages(elements / row);
    return counter.touch_scattered(elements / row * std::min(row * element / line, 2.0));
  }
  // Distance in memory from one to the next of what lies together of a row.
  const auto& packs = type.layout.packs;
  const int last = type.rank() - 1;
  const double together = packs.back().axis == last ? static_cast<double>(packs.back().lanes) : 1;
  double distance = 1;
  for (auto pack = packs.rbegin(); pack != packs.rend() && (pack->axis != last || pack == packs.rbegin()); ++pack) {
    distance *= static_cast<double>(pack->lanes);
  }
  const double apart = distance * element;
  // Rows that follow one another share the lines.
  const double rows = elements / row / (type.rank() > 2 ? size_of(type.shape[0]) : 1);
  const double shared = type.rank() > 2 ? std::min(rows, static_cast<double>(type.layout.lanes(1))) : 1;
  counter.touch_scattered(elements / together * std::min(1.0, apart / line) / shared);
  if (type.rank() > 2) counter.walk_pages(size_of(type.shape[0]));
  // Beside a neighbour they are merged in vectors, which takes a shift and a mask.
  const bool is_dense = apart <= 2 * element;
  counter.add_instructions(elements / together, is_dense ? 8.0 : 4.0, is_dense ? counter.lanes() : 1);
}

void move_copied(WorkCounter& counter, std::size_t source) {
  const ir::Work work = counter.op().work(counter.types(), counter.attributes(), counter.result());
  counter.read(source, work.read_bytes);
  counter.write(work.written_bytes);
}

// Multiply-adds with a cache in register tiles of so many rows, for each of which it is turned to f32: of pairs on the
// unit that takes them.
void add_cache_products(WorkCounter& counter, const TensorType& cache, double products, double lanes, double rows) {
  const bool is_dot = cache.layout.group() > 1;
  const machine::Unit* const unit = is_dot ? machine::dot_unit(counter.machine(), cache.dtype) : nullptr;
  if (unit != nullptr) {
    counter.add_beside(unit, 2 * products);
  } else {
    counter.add_instructions(products, 2 * (1 + conversions(cache.dtype) / rows), lanes);
  }
}

}  // namespace

void count_stream(WorkCounter& counter) {
  const Product product(counter);
  const double products = product.columns * product.depth;
  const TensorType& left = counter.type(product.left);
  if (left.layout.is_row_major() && left.dtype != DType::kI8) {
    const double widening = conversions(ir::stored_dtype(counter.type(product.right)));
    counter.add_instructions(products, 2 * (1 + widening), product.lanes);
  } else {
    add_groups(counter, product, products);
  }
  add_decoding(counter, product);
  move_product(counter, product);
  // A row, a panel and its sums.
  const double right = bytes_of(counter.type(product.right)) / product.columns;
  counter.need_buffers(bytes_of(counter.type(product.left)) + (right + sizeof(float)) * product.lanes + 3 * kAlignment);
}

void count_tile(WorkCounter& counter) {
  const Product product(counter);
  const TiledProduct tiled = counter.tiled();
  const TiledWork work(counter.machine(), tiled, counter.tiles());
  if (counter.type(product.left).layout.group() > 1) {
    add_groups(counter, product, work.products());
  } else {
    counter.add_instructions(work.products(), 2.0, product.lanes);
  }
  counter.add_beside(machine::fma_unit(counter.machine(), DType::kF32), work.operations_beside());
  counter.add_level_bytes(0, work.load_bytes());
  if (counter.is_copied()) {
    const bool has_tiles = counter.tiles().columns > 0;
    counter.need_buffers(has_tiles ? work.buffer_bytes() : std::numeric_limits<double>::infinity());
    counter.add_level_bytes(
        1, work.copied_bytes() - bytes_of(counter.type(product.left)) - bytes_of(counter.type(product.right)));
    counter.add_copies(work.copies());
    return move_product(counter, product);
  }
  const int threads = counter.busy_threads();
  counter.wait_for(product.right, work.waited_bytes(threads));
  for (const Reuse& reuse : {work.group_again(threads), work.rows_again(threads), work.panels_again(threads),
                             work.sums_again(), work.blocks_again(threads), work.panels_of_others(threads)})
    counter.read_again(reuse, 1);  // the innermost level's are the loads
  // What several threads read comes once, however many of them wait for it.
  if (counter.tiles().unit_rows != 0) counter.read_by(product.right, static_cast<int>(work.groups()));
  move_product(counter, product);
}

// Vectors of words (elements, pairs of bf16, quads of bytes) are transposed to row tiles by about three shuffles each.
void count_pack(WorkCounter& counter) {
  const ir::TensorType& result = counter.result();
  const double words = elements_of(result) * static_cast<double>(dtype_size(result.dtype)) / sizeof(float);
  if (result.layout.lanes(0) > 1) counter.add_instructions(words, 2.0 * 3, counter.lanes());
  counter.read(0, bytes_of(counter.type(0)));
  counter.write(bytes_of(counter.result()));
}

void count_gather(WorkCounter& counter) {
  const ir::RowLookup form = *ir::row_lookup(*counter.loops());
  count_scattered(counter, counter.type(static_cast<std::size_t>(form.table)), elements_of(counter.result()));
  move_copied(counter, 1);
}

void count_append(WorkCounter& counter) {
  const ir::RowUpdate form = *ir::row_update(*counter.loops());
  count_scattered(counter, counter.type(static_cast<std::size_t>(form.target)),
                  elements_of(counter.type(static_cast<std::size_t>(form.source))));
  move_copied(counter, 1);
}

void count_concat(WorkCounter& counter) { move_copied(counter, 1); }

// A comparison of each element with the least one that is kept, and the order of those that are kept at first.
void count_largest(WorkCounter& counter) {
  const double kept = size_of(counter.result().shape.back());
  counter.add_instructions(elements_of(counter.type(0)) + elements_of(counter.result()) * kept, 2.0 * 2, 1);
  counter.read(0, bytes_of(counter.type(0)));
  counter.write(bytes_of(counter.result()));
}

void count_take(WorkCounter& counter) {
  counter.add_instructions(elements_of(counter.result()), 2.0 * 2, 1);
  move_copied(counter, static_cast<std::size_t>(ir::element_lookup(*counter.loops())->row));
}

namespace {

// Nothing of it overlaps with computing. Of a mesh that the machine doesn't have, the copy alone.
void count_collective(WorkCounter& counter, CollectiveKind kind) {
  move_copied(counter, 0);
  const auto number = ir::int_attribute(counter.op(), counter.attributes(), "mesh");
  const machine::MeshAxis* const axis = device_axis(counter.machine(), number);
  if (axis == nullptr) return;
  const bool is_gathered = kind == CollectiveKind::kAllGather;
  counter.add_seconds(collective_cost(kind, *axis, bytes_of(is_gathered ? counter.result() : counter.type(0))).seconds);
}

}  // namespace

void count_all_reduce(WorkCounter& counter) { count_collective(counter, CollectiveKind::kAllReduce); }
void count_reduce_scatter(WorkCounter& counter) { count_collective(counter, CollectiveKind::kReduceScatter); }
void count_all_gather(WorkCounter& counter) { count_collective(counter, CollectiveKind::kAllGather); }
void count_all_to_all(WorkCounter& counter) { count_collective(counter, CollectiveKind::kAllToAll); }
void count_rank_slice(WorkCounter& counter) { count_collective(counter, CollectiveKind::kSlice); }
void count_rank_gather(WorkCounter& counter) {
  count_scattered(counter, counter.type(0), elements_of(counter.result()));
  move_copied(counter, 1);
}

namespace {

// An attention's operands.
struct Attended {
  std::shared_ptr<const ir::LoopNest> nest;
  ir::AttentionForm form;
  const TensorType& query;
  const TensorType& keys;
  const TensorType& values;

  explicit Attended(const WorkCounter& counter)
      : nest(counter.loops()),
        form(*ir::attention_form(*nest)),
        query(counter.type(static_cast<std::size_t>(form.queries))),
        keys(counter.type(static_cast<std::size_t>(form.keys))),
        values(counter.type(static_cast<std::size_t>(form.values))) {}

  // Tokens that may share keys.
  double tokens() const { return form.shares_keys() ? size_of(query.shape[0]) : 1; }

  // As the default tile tree has it (schedule/attention_tree.h).
  machine::AttentionBlock block(const machine::Machine& machine) const {
    return machine::attention_block(machine, static_cast<std::int64_t>(tokens()) * form.group);
  }
};

}  // namespace

double attention_units(const WorkCounter& counter) {
  const double tiles = attention_tiles(counter);
  if (counter.parts() == 1) return tiles;
  const Attended of(counter);
  const std::int64_t lanes = std::max(of.keys.layout.lanes(1), of.values.layout.group());
  const auto unit = static_cast<double>(of.form.pages ? of.form.pages->size : lanes);
  const double seen = ir::bounded_extent(counter.op(), counter.attributes(), *of.nest, of.form.key, of.form.bounds);
  const double units = std::max(std::ceil(seen / unit), 1.0);
  return tiles * units / std::ceil(units / static_cast<double>(counter.parts()));
}

double attention_tiles(const WorkCounter& counter) {
  const Attended of(counter);
  const std::int64_t tokens = std::max<std::int64_t>(of.block(counter.machine()).rows / of.form.group, 1);
  return size_of(of.keys.shape[0]) * std::ceil(size_of(of.query.shape[0]) / static_cast<double>(tokens));
}

// Instructions that make a score of a scaled product, in lanes.
double map_operations(const machine::Machine& machine, const ir::ScalarExpr& body, double used) {
  if (body.kind != ir::ScalarExpr::Kind::kCall) return 0;
  double sum = machine::scalar_operations(machine, body.name, static_cast<int>(used));
  for (const ir::ScalarExpr& argument : body.arguments) sum += map_operations(machine, argument, used);
  return sum;
}

// So many rows of maximum, sum and weighted sum are cleared, written where other threads find them, and added up.
void count_combining(WorkCounter& counter, const Attended& of, double rows, double dim) {
  counter.read(static_cast<std::size_t>(of.form.queries),
               (static_cast<double>(counter.parts()) - 1) * bytes_of(of.query));
  counter.exchange(rows * (dim + 3) * sizeof(float));
  counter.add_instructions(rows * dim, 2.0 * 2, counter.lanes());
  // The weights are made for every piece of the columns.
  const double weights = rows * static_cast<double>(counter.parts());
  counter.add_instructions(weights, 2 * machine::scalar_operations(counter.machine(), "exp", 1), 1);
  counter.start_again();
}

// Two products per score and value, and a step of the softmax per score; the cache is read once per group of query
// heads and block of rows. Without lanes along the context the scores are scalar sums.
void count_attention(WorkCounter& counter) {
  const Attended of(counter);
  const TensorType& query = of.query;
  const auto& packs = of.keys.layout.packs;
  const double used = packs.empty() ? 1 : static_cast<double>(packs[0].lanes);
  const double seen = ir::bounded_extent(counter.op(), counter.attributes(), *of.nest, of.form.key, of.form.bounds);
  const double context = round_up(seen, used);
  const double queries = size_of(query.shape[0]) * size_of(query.shape[1]);
  const double dim = size_of(query.shape[2]);
  const double scores = queries * context;
  const double tile = std::min<double>(machine::attention_tile(counter.machine()).rows,
                                       of.tokens() * static_cast<double>(of.form.group));
  add_cache_products(counter, of.keys, scores * dim, used, tile);
  add_cache_products(counter, of.values, scores * dim, counter.lanes(), tile);
  // Weights that meet pairs are rounded: by one instruction where the unit for pairs is that of AVX-512.
  const bool are_pairs = !of.values.layout.is_row_major();
  const double rounding = !are_pairs ? 0 : machine::dot_unit(counter.machine(), of.values.dtype) == nullptr ? 2 * 6 : 2;
  const double softmax =
      machine::scalar_operations(counter.machine(), machine::kSoftmaxStep, static_cast<int>(counter.lanes()));
  const double map = map_operations(counter.machine(), of.form.score, used);
  counter.add_instructions(scores, softmax + rounding + map, used);
  counter.read(static_cast<std::size_t>(of.form.queries), bytes_of(query));
  // Each tile of queries has copies of its own.
  const double tiles = counter.is_copied() ? attention_tiles(counter) / size_of(of.keys.shape[0]) : 1;
  for (const int cache : {of.form.keys, of.form.values}) {
    const TensorType& type = counter.type(static_cast<std::size_t>(cache));
    const double rows =
        std::min(seen + of.tokens() - 1, size_of(type.shape[1])) * size_of(query.shape[0]) / of.tokens();
    counter.read(static_cast<std::size_t>(cache), tiles * elements_of(type) / size_of(type.shape[1]) * rows *
                                                      static_cast<double>(dtype_size(type.dtype)));
  }
  counter.write(bytes_of(counter.result()));
  // Queries are transposed as words, by each part of the keys.
  const auto together = static_cast<double>(of.keys.layout.group());
  const auto parts = static_cast<double>(counter.parts());
  counter.add_instructions(parts * queries * dim / together, 2.0 * 6, counter.lanes());
  if (counter.parts() > 1) count_combining(counter, of, parts * queries, dim);
  // The keys and the values of every head begin at a page of their own.
  counter.walk_pages(2 * size_of(of.keys.shape[0]) * size_of(query.shape[0]) / of.tokens());
}

}  // namespace strata::cost
