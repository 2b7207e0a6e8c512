// SPDX-License-Identifier: Apache-2.0
#include "cost/op_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "encoding/encoding.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"

namespace strata::cost {
namespace {

using ir::TensorType;

double size_of(const ir::Dim& dim) { return static_cast<double>(dim.max()); }
double bytes_of(const TensorType& type) { return static_cast<double>(ir::max_bytes(type)); }
double elements_of(const TensorType& type) { return static_cast<double>(ir::max_element_count(type.shape)); }
double round_up(double value, double unit) { return std::ceil(value / unit) * unit; }

// Of the share of a cache that one core has, what an op finds there of what another one wrote: the rest is taken by
// what streams past between them.
constexpr double kReusedShare = 0.125;

// Lines of code that an op waits for when it starts: streams of weights push them out of the core's own caches from one
// use to the next.
constexpr double kColdLines = 2;

// Cache misses that a core keeps in flight: what one scattered line costs is this part of the latency.
constexpr double kMissesInFlight = 40;

// Rows far from one another whose pages are looked up anew, some at a time; more of them follow a pattern.
constexpr double kPageWalks = 64;
constexpr double kWalksAtATime = 2;

// Symbols at the value that the cost is wanted for.
TensorType sized(const TensorType& type, const Sizes& sizes) {
  TensorType result = type;
  for (ir::Dim& dim : result.shape) {
    if (dim.is_constant()) continue;
    const auto value = sizes.find(dim.symbol()->name);
    dim = dim.factor() * (value == sizes.end() ? dim.symbol()->max : value->second);
  }
  return result;
}

// Adds up what one op does.
class Estimate {
 public:
  Estimate(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
           const TensorType& result, const Sizes& sizes, const machine::Machine& machine, int threads)
      : op_(op), attributes_(attributes), machine_(machine), result_(sized(result, sizes)) {
    for (const Operand& operand : operands) {
      operands_.push_back(
          {sized(operand.type, sizes), operand.residence, sized(operand.whole.value_or(operand.type), sizes)});
      types_.push_back(operands_.back().type);
    }
    work_.bytes.assign(machine.memory.size(), 0.0);
    work_.written.assign(machine.memory.size(), 0.0);
    work_.unit = machine::fma_unit(machine, DType::kF32);
    work_.starts = 1;
    extra_s_ = kColdLines * shared_level().latency_s;
    work_.threads = threads;
    work_.barriers = threads > 1 ? 1 : 0;
  }

  OpCost run(Lowering lowering) {
    switch (lowering) {
      case Lowering::kNone:
        return {std::numeric_limits<double>::infinity(), 0, 0, "no code"};
      case Lowering::kView:
        return {};
      case Lowering::kLoops:
        count_loops();
        break;
      case Lowering::kMatmulRow:
        count_matmul_row();
        break;
      case Lowering::kMatmulTile:
        count_matmul_tile();
        break;
      case Lowering::kKernel:
        count_kernel();
        break;
    }
    const ir::Work work = op_.work(types_, attributes_, result_);
    return {machine::seconds(machine_, work_) + extra_s_, work.flops, work.read_bytes + work.written_bytes, bound()};
  }

 private:
  std::size_t last_level() const { return machine_.memory.size() - 1; }

  // The innermost level outside of a core's own caches.
  const machine::MemoryLevel& shared_level() const {
    const auto shared = std::ranges::find_if(machine_.memory, [](const auto& level) { return level.shared_by > 1; });
    return shared == machine_.memory.end() ? machine_.memory.back() : *shared;
  }

  // Lines of the outermost level that are touched each by itself.
  void touch_scattered(double lines) {
    extra_s_ += lines * machine_.memory.back().latency_s / kMissesInFlight / work_.threads;
  }
  void walk_pages(double pages) {
    extra_s_ += std::min(pages, kPageWalks) * machine_.memory.back().latency_s / kWalksAtATime;
  }
  double lanes() const { return machine::vector_lanes(machine_, DType::kF32); }

  // Operations of the multiply-add unit when one vector instruction does `lanes` elements' worth.
  void add_instructions(double elements, double operations, double lanes_used) {
    work_.ops += elements * operations * lanes() / lanes_used;
  }

  // Streams come from the outermost level. Activations are found in a cache as far as they fit the part of it that
  // they can count on, and the rest comes from the level behind it.
  void read(std::size_t operand, double bytes) {
    if (operands_[operand].residence == Residence::kStream) {
      work_.bytes[last_level()] += bytes;
    } else {
      add_activation_bytes(work_.bytes, bytes);
    }
  }

  // A line is read before it is written, and written back later; a measured rate of writing says both.
  void write(double bytes) {
    add_activation_bytes(work_.written, bytes);
    std::vector<double> lines(work_.bytes.size(), 0.0);
    add_activation_bytes(lines, bytes);
    for (std::size_t level = 1; level < lines.size(); ++level) {
      if (machine_.memory[level].write_bytes_per_s.empty()) work_.bytes[level] += lines[level];
    }
  }

  void add_activation_bytes(std::vector<double>& levels, double bytes) const {
    const double footprint = activation_bytes();
    double found = 0;  // part of the bytes that inner levels hold
    for (std::size_t level = 0; level <= last_level() && found < 1; ++level) {
      const machine::MemoryLevel& cache = machine_.memory[level];
      const double share = static_cast<double>(cache.capacity_bytes) / std::max(cache.shared_by, 1) * work_.threads;
      const double here = level == last_level() ? 1 : std::min(1.0, kReusedShare * share / footprint);
      // What doesn't fit whole is passed over in order, and each line is gone before it is used again.
      const bool holds = here == 1 || level + 1 == last_level();
      if (!holds) continue;
      levels[level] += bytes * (here - found);
      found = here;
    }
  }

  double activation_bytes() const {
    double bytes = bytes_of(result_);
    for (const Operand& operand : operands_) {
      if (operand.residence == Residence::kActivation) bytes += bytes_of(*operand.whole);
    }
    return bytes;
  }

  // A row-major matmul among the loops reads its right operand once per row of the left one; other ops read once.
  void count_loops() {
    const ir::LoopNest nest = *op_.loops(types_, attributes_);
    const double used = static_cast<double>(loop_lanes(types_));
    for (const ir::Stage& stage : nest.stages) {
      double points = 1;
      for (const int i : stage.target) points *= extent(nest, i, used);
      for (const int i : stage.reduced) points *= extent(nest, i, used);
      add_instructions(points, operations(stage, used), used);
      add_instructions(points / extent(nest, innermost(stage), used) * lanes(), invariant_operations(stage), lanes());
      if (stage.combiner != ir::Combiner::kNone) count_reductions(nest, stage, used);
    }
    for (std::size_t i = 0; i < operands_.size(); ++i) read(i, std::max(bytes_of(types_[i]), 0.0));
    write(bytes_of(result_));
    count_reuse(nest);
  }

  // A remainder of a ragged axis is a vector of which a part is used, or without masks as many as it has elements.
  double extent(const ir::LoopNest& nest, int iterator, double used) const {
    if (iterator < 0) return 1;
    const double n = size_of(nest.iterators[iterator].extent);
    if (used == 1 || iterator != vector_iterator(nest)) return n;
    const double whole = std::floor(n / used) * used;
    const double rest = n - whole;
    return whole + used * (machine_.vector_registers.masks ? std::min(rest, 1.0) : rest);
  }

  // The iterator along the packed axis of the first packed operand.
  int vector_iterator(const ir::LoopNest& nest) const {
    for (const ir::Stage& stage : nest.stages) {
      for (const ir::ScalarExpr* access : ir::operand_accesses(stage.body)) {
        const auto& packs = types_[access->number].layout.packs;
        if (packs.empty()) continue;
        const auto& coefficients = access->index[packs.back().axis].coefficients;
        const auto at = std::ranges::find(coefficients, 1);
        if (at != coefficients.end()) return static_cast<int>(at - coefficients.begin());
      }
    }
    return -1;
  }

  static int innermost(const ir::Stage& stage) {
    return stage.reduced.empty() ? (stage.target.empty() ? -1 : stage.target.back()) : stage.reduced.back();
  }

  // Per point of the stage's innermost loop, and once per run of it.
  double operations(const ir::Stage& stage, double used) const {
    double sum = 0;
    add_operations(stage.body, innermost(stage), used, true, sum);
    if (stage.combiner != ir::Combiner::kNone && !is_product(stage.body)) {
      sum += machine::scalar_operations("add", static_cast<int>(used));
    }
    // Loading and storing take slots of their own, and a body without arithmetic is a copy.
    return std::max(sum, 2.0);
  }
  double invariant_operations(const ir::Stage& stage) const {
    double sum = 0;
    add_operations(stage.body, innermost(stage), 1, false, sum);
    return sum;
  }

  static bool is_product(const ir::ScalarExpr& body) {
    return body.kind == ir::ScalarExpr::Kind::kCall && body.name == "mul";
  }

  static bool varies(const ir::ScalarExpr& body, int iterator) {
    if (body.kind == ir::ScalarExpr::Kind::kIterator) return body.number == iterator;
    const bool reads = std::ranges::any_of(
        body.index, [&](const ir::AffineIndex& index) { return iterator >= 0 && index.coefficients[iterator] != 0; });
    return reads || std::ranges::any_of(body.arguments, [&](const ir::ScalarExpr& a) { return varies(a, iterator); });
  }

  // A product that is added at once is one instruction.
  static void add_operations(const ir::ScalarExpr& body, int iterator, double used, bool varying, double& sum) {
    const bool is_fused = (body.name == "add" || body.name == "sub") && std::ranges::any_of(body.arguments, is_product);
    if (body.kind == ir::ScalarExpr::Kind::kCall && !is_fused && varies(body, iterator) == varying) {
      sum += machine::scalar_operations(body.name, static_cast<int>(used));
    }
    for (const ir::ScalarExpr& argument : body.arguments) add_operations(argument, iterator, used, varying, sum);
  }

  void count_reductions(const ir::LoopNest& nest, const ir::Stage& stage, double used) {
    double rows = 1;
    for (const int i : stage.target) rows *= size_of(nest.iterators[i].extent);
    add_reductions(rows, used);
  }

  // The end of a reduction: its lanes combined pairwise, each step waiting for the one before (about four cycles, in
  // which the unit could have started eight vector instructions; half of them are of the rows before and after).
  void add_reductions(double count, double used) {
    constexpr double kInstructionsPerStep = 4;
    add_instructions(count * (2 + std::log2(used)) * kInstructionsPerStep * lanes(), 2.0, lanes());
  }

  // What is read again because a loop around an operand doesn't index it, when it doesn't fit the innermost level.
  void count_reuse(const ir::LoopNest& nest) {
    if (nest.result().combiner == ir::Combiner::kNone) return;
    for (const ir::ScalarExpr* access : ir::operand_accesses(nest.result().body)) {
      double repeats = 1;
      for (const int i : nest.result().target) {
        const bool is_used = std::ranges::any_of(
            access->index, [&](const ir::AffineIndex& index) { return index.coefficients[i] != 0; });
        if (!is_used) repeats *= size_of(nest.iterators[i].extent);
      }
      const double bytes = bytes_of(types_[access->number]);
      work_.bytes[static_cast<std::size_t>(machine::level_holding(machine_, bytes, work_.threads))] +=
          (repeats - 1) * bytes;
    }
  }

  double rows() const { return size_of(types_[0].shape[0]); }
  double depth() const { return size_of(types_[1].shape[1]); }
  double columns() const {
    return round_up(size_of(types_[1].shape[0]), static_cast<double>(types_[1].layout.packs[0].lanes));
  }

  // Instructions that turn one vector of the right operand's elements to f32.
  static double conversions(DType dtype) { return dtype == DType::kF32 ? 0 : 1; }

  void count_matmul_row() {
    const double used = static_cast<double>(types_[1].layout.packs[0].lanes);
    if (types_[0].layout.is_row_major()) {
      add_instructions(columns() * depth(), 2 * (1 + conversions(ir::stored_dtype(types_[1]))), used);
    } else {
      add_pairs(columns() * depth(), used);
    }
    add_decoding(1);
    read(0, bytes_of(types_[0]));
    read(1, bytes_of(types_[1]));
    write(bytes_of(result_));
  }

  // Products of pairs: of the dot-product unit, or two multiply-adds and the splitting of both operands. The result is
  // how many products one instruction makes per lane.
  double add_pairs(double products, double used) {
    const machine::Unit* const unit = machine::dot_unit(machine_, types_[0].dtype);
    if (unit == nullptr) {
      add_instructions(products, 2.0 * 3, used);
      return 1;
    }
    work_.unit = unit;
    work_.ops += 2 * products * lanes() / used;
    return unit->k;
  }

  void add_decoding(double times) {
    const encoding::Encoding* const encoding = types_[1].layout.encoding;
    if (encoding == nullptr) return;
    times *= lanes() / static_cast<double>(types_[1].layout.packs[0].lanes);
    work_.more.push_back(
        {machine::fma_unit(machine_, DType::kF32), times * columns() * depth() * encoding->decode_slots});
  }

  // C in tiles of `tile` rows by `panels` vectors, whose accumulators stay in registers along k.
  void count_matmul_tile() {
    const double used = static_cast<double>(types_[1].layout.packs[0].lanes);
    const double tile = static_cast<double>(types_[0].layout.packs[0].lanes);
    const double panels = machine::register_tile(machine_).panels;
    const double padded_rows = round_up(rows(), tile);
    const bool is_dot = types_[0].layout.packs.size() == 2;
    const double products = padded_rows * columns() * depth();
    double per_step = 1;
    if (is_dot) {
      per_step = add_pairs(products, used);
    } else {
      add_instructions(products, 2.0, used);
    }
    const bool converts = !is_dot && ir::stored_dtype(types_[1]) != DType::kF32;
    if (converts) work_.more.push_back({machine::fma_unit(machine_, DType::kF32), 2 * columns() * depth()});
    add_decoding(std::ceil(padded_rows / static_cast<double>(tensor::kGemmRows)));
    // Every step loads `panels` vectors and broadcasts `tile` values, each a slot as wide as a vector.
    const double vector_bytes = machine_.vector_registers.bytes;
    work_.bytes[0] += products / (tile * panels * used * per_step) * (panels + tile) * vector_bytes;
    const std::size_t next = std::min<std::size_t>(1, last_level());
    work_.bytes[next] += padded_rows / tile * bytes_of(types_[1]);
    read(0, bytes_of(types_[0]));
    read(1, bytes_of(types_[1]));
    write(bytes_of(result_));
  }

  void count_kernel() {
    if (op_.name() == "attention") return count_attention();
    if (op_.name() == "pack") {
      // Vectors are transposed to row tiles by about three shuffles each; rounding two of them to pairs takes 9.
      const bool is_rounded = result_.dtype != types_[0].dtype;
      const bool is_transposed = result_.layout.lanes(0) > 1;
      add_instructions(elements_of(result_), 2.0 * ((is_rounded ? 4.5 : 0) + (is_transposed ? 3 : 0)), lanes());
      read(0, bytes_of(types_[0]));
      return write(bytes_of(result_));
    }
    if (op_.name() == "gather") count_scattered(types_[0], elements_of(result_));
    if (op_.name() == "cache_append") count_scattered(types_[0], elements_of(types_[1]));
    const ir::Work work = op_.work(types_, attributes_, result_);
    read(operands_.size() > 1 ? 1 : 0, work.read_bytes);
    write(work.written_bytes);
  }

  // Elements of rows of a tensor that lies packed across the rows: neighbours of a row are apart, each moved by itself.
  void count_scattered(const TensorType& type, double elements) {
    if (type.layout.is_row_major()) {
      const double row = size_of(type.shape.back()) * static_cast<double>(dtype_size(type.dtype));
      const double rows = elements / size_of(type.shape.back());
      walk_pages(rows);
      return touch_scattered(rows * std::min(row / line_bytes(), 2.0));
    }
    // Distance in memory from one to the next of what lies together of a row.
    const auto& packs = type.layout.packs;
    const int last = type.rank() - 1;
    const double together = packs.back().axis == last ? static_cast<double>(packs.back().lanes) : 1;
    double distance = 1;
    for (auto pack = packs.rbegin(); pack != packs.rend() && (pack->axis != last || pack == packs.rbegin()); ++pack) {
      distance *= static_cast<double>(pack->lanes);
    }
    const double apart = distance * static_cast<double>(dtype_size(type.dtype));
    // Rows that follow one another share the lines.
    const double rows = elements / size_of(type.shape.back()) / (type.rank() > 2 ? size_of(type.shape[0]) : 1);
    const double shared = type.rank() > 2 ? std::min(rows, static_cast<double>(type.layout.lanes(1))) : 1;
    touch_scattered(elements / together * std::min(1.0, apart / line_bytes()) / shared);
    if (type.rank() > 2) walk_pages(size_of(type.shape[0]));
    // Beside a neighbour they are merged in vectors, which takes a shift and a mask.
    const bool is_dense = apart <= 2 * static_cast<double>(dtype_size(type.dtype));
    add_instructions(elements / together, is_dense ? 8.0 : 4.0, is_dense ? lanes() : 1);
  }

  double line_bytes() const { return static_cast<double>(machine_.memory.back().line_bytes); }

  // Multiply-adds with a cache: of pairs on the unit that takes them.
  void add_products(const TensorType& cache, double products, double used) {
    const bool is_dot = cache.layout.packs.size() == 2;
    const machine::Unit* const unit = is_dot ? machine::dot_unit(machine_, cache.dtype) : nullptr;
    if (unit != nullptr) {
      work_.more.push_back({unit, 2 * products});
    } else {
      add_instructions(products, 2 * (1 + conversions(cache.dtype) / 2), used);
    }
  }

  // Two products per score and value, and an exponential per score; the cache is read once per group of query heads and
  // block of rows. Without lanes along the context the scores are scalar sums.
  void count_attention() {
    const auto& packs = types_[1].layout.packs;
    const double used = packs.empty() ? 1 : static_cast<double>(packs[0].lanes);
    const double context = round_up(size_of(types_[1].shape[1]), used);
    const double queries = size_of(types_[0].shape[0]);
    const double heads = size_of(types_[0].shape[1]);
    const double dim = size_of(types_[0].shape[2]);
    const double scores = queries * heads * context;
    add_products(types_[1], scores * dim, used);
    add_products(types_[2], scores * dim, lanes());
    // Weights that meet pairs are rounded.
    const double rounding = types_[2].layout.is_row_major() ? 0 : 2 * 6;
    add_instructions(scores, machine::scalar_operations("exp", static_cast<int>(lanes())) + 8 + rounding, used);
    read(0, bytes_of(types_[0]));
    for (const std::size_t cache : {1, 2}) {
      read(cache, elements_of(types_[cache]) * static_cast<double>(dtype_size(types_[cache].dtype)));
    }
    write(bytes_of(result_));
    // Queries are rearranged element by element, or pair by pair.
    const double together = packs.size() == 2 ? static_cast<double>(packs[1].lanes) : 1;
    add_instructions(queries * heads * dim / together, 2.0, 1);
    // The largest score and the sum of every row and block of keys.
    add_reductions(queries * heads * std::ceil(context / static_cast<double>(tensor::kKeyBlock)) * 2, used);
    // The keys and the values of every head begin at a page of their own.
    walk_pages(2 * size_of(types_[1].shape[0]));
  }

  // The slowest level or unit, by name.
  std::string bound() const {
    std::string slowest = work_.unit == nullptr ? "" : work_.unit->name;
    double longest = work_.unit == nullptr ? 0 : work_.ops / work_.unit->ops_per_s;
    for (std::size_t level = 0; level < work_.bytes.size(); ++level) {
      const double time = work_.bytes[level] / machine::bandwidth(machine_.memory[level], 1) +
                          work_.written[level] / machine::write_bandwidth(machine_.memory[level], 1);
      if (time <= longest) continue;
      longest = time;
      slowest = machine_.memory[level].name;
    }
    return slowest;
  }

  const ir::Op& op_;
  const ir::Attributes& attributes_;
  const machine::Machine& machine_;
  TensorType result_;
  std::vector<Operand> operands_;
  std::vector<TensorType> types_;
  machine::Work work_;
  double extra_s_ = 0;  // what nothing overlaps
};

}  // namespace

OpCost op_cost(const ir::Op& op, std::span<const Operand> operands, const ir::Attributes& attributes,
               const TensorType& result, const Sizes& sizes, const machine::Machine& machine, int threads) {
  std::vector<TensorType> types;
  for (const Operand& operand : operands) types.push_back(operand.type);
  const Lowering chosen = lowering(op, types, attributes, result);
  return Estimate(op, operands, attributes, result, sizes, machine, threads).run(chosen);
}

OpCost copy_cost(const TensorType& result, const Sizes& sizes, const machine::Machine& machine, int threads) {
  const double bytes = bytes_of(sized(result, sizes));
  const int level = machine::level_holding(machine, 2 * bytes, threads);
  machine::Work work;
  work.bytes.assign(machine.memory.size(), 0.0);
  work.written = work.bytes;
  work.bytes[static_cast<std::size_t>(level)] = bytes;
  work.written[static_cast<std::size_t>(level)] = bytes;
  work.starts = 1;
  work.threads = threads;
  work.barriers = threads > 1 ? 1 : 0;
  return {machine::seconds(machine, work), 0, 2 * bytes, machine.memory[static_cast<std::size_t>(level)].name};
}

}  // namespace strata::cost
