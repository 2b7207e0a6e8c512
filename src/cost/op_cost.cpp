// SPDX-License-Identifier: Apache-2.0
#include "cost/op_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace strata::cost {
namespace {

using ir::TensorType;

double size_of(const ir::Dim& dim) { return static_cast<double>(dim.max()); }
double bytes_of(const TensorType& type) { return static_cast<double>(ir::max_bytes(type)); }
double elements_of(const TensorType& type) { return static_cast<double>(ir::max_element_count(type.shape)); }
double round_up(double value, double unit) { return std::ceil(value / unit) * unit; }

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
      operands_.push_back({sized(operand.type, sizes), operand.residence});
      types_.push_back(operands_.back().type);
    }
    work_.bytes.assign(machine.memory.size(), 0.0);
    work_.written.assign(machine.memory.size(), 0.0);
    work_.unit = machine::fma_unit(machine, DType::kF32);
    work_.starts = 1;
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
    return {machine::seconds(machine_, work_), work.flops, work.read_bytes + work.written_bytes, bound()};
  }

 private:
  std::size_t last_level() const { return machine_.memory.size() - 1; }
  double lanes() const { return machine::vector_lanes(machine_, DType::kF32); }

  // Operations of the multiply-add unit when one vector instruction does `lanes` elements' worth.
  void add_instructions(double elements, double operations, double lanes_used) {
    work_.ops += elements * operations * lanes() / lanes_used;
  }

  // Bytes that an operand's reader touches: those of its elements, and no more than the op says.
  void read(std::size_t operand, double bytes) {
    const bool streams = operands_[operand].residence == Residence::kStream;
    work_.bytes[streams ? last_level() : activation_level()] += bytes;
  }
  void write(double bytes) { work_.written[activation_level()] += bytes; }

  // The innermost level that holds the activations that the op touches.
  std::size_t activation_level() const {
    double bytes = bytes_of(result_);
    for (const Operand& operand : operands_) {
      if (operand.residence == Residence::kActivation) bytes += bytes_of(operand.type);
    }
    return static_cast<std::size_t>(machine::level_holding(machine_, bytes, work_.threads));
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
      if (stage.combiner != ir::Combiner::kNone) count_reductions(nest, stage, used);
    }
    for (std::size_t i = 0; i < operands_.size(); ++i) read(i, std::max(bytes_of(types_[i]), 0.0));
    write(bytes_of(result_));
    count_reuse(nest);
  }

  // A remainder of a ragged axis runs element by element, each as long as a vector.
  double extent(const ir::LoopNest& nest, int iterator, double used) const {
    const double n = size_of(nest.iterators[iterator].extent);
    if (used == 1 || iterator != vector_iterator(nest)) return n;
    const double whole = std::floor(n / used) * used;
    return whole + (n - whole) * used;
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

  double operations(const ir::Stage& stage, double used) const {
    double sum = stage.combiner == ir::Combiner::kNone ? 0 : machine::scalar_operations("add", static_cast<int>(used));
    add_operations(stage.body, used, sum);
    // Loading and storing take slots of their own, and a body without arithmetic is a copy.
    return std::max(sum, 2.0);
  }

  static void add_operations(const ir::ScalarExpr& body, double used, double& sum) {
    if (body.kind == ir::ScalarExpr::Kind::kCall) sum += machine::scalar_operations(body.name, static_cast<int>(used));
    for (const ir::ScalarExpr& argument : body.arguments) add_operations(argument, used, sum);
  }

  // The end of a reduction: its lanes combined pairwise, each step waiting for the one before (about four cycles, in
  // which the unit could have started eight vector instructions).
  void count_reductions(const ir::LoopNest& nest, const ir::Stage& stage, double used) {
    double rows = 1;
    for (const int i : stage.target) rows *= size_of(nest.iterators[i].extent);
    constexpr double kInstructionsPerStep = 8;
    add_instructions(rows * (2 + std::log2(used)) * kInstructionsPerStep * lanes(), 2.0, lanes());
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
    add_instructions(columns() * depth(), 2 * (1 + conversions(types_[1].dtype)), used);
    read(0, bytes_of(types_[0]));
    read(1, bytes_of(types_[1]));
    write(bytes_of(result_));
  }

  // C in tiles of `tile` rows by `panels` vectors, whose accumulators stay in registers along k.
  void count_matmul_tile() {
    const double used = static_cast<double>(types_[1].layout.packs[0].lanes);
    const double tile = static_cast<double>(types_[0].layout.packs[0].lanes);
    const double panels = machine::register_tile(machine_).panels;
    const double padded_rows = round_up(rows(), tile);
    const bool is_dot = types_[0].layout.packs.size() == 2;
    const machine::Unit* const unit = is_dot ? machine::dot_unit(machine_, types_[0].dtype) : nullptr;
    const double products = padded_rows * columns() * depth();
    const double per_step = unit == nullptr ? 1 : unit->k;
    // Without the unit its pairs are two multiply-adds and the splitting of both operands.
    const double splits = is_dot && unit == nullptr ? 2 : 0;
    if (unit != nullptr) {
      work_.unit = unit;
      work_.ops += 2 * products * lanes() / used;
    } else {
      add_instructions(products, 2 * (1 + splits), used);
    }
    const bool converts = !is_dot && types_[1].dtype != DType::kF32;
    if (converts) work_.more.push_back({machine::fma_unit(machine_, DType::kF32), 2 * columns() * depth()});
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
      // Elements move one by one into the tiles.
      add_instructions(elements_of(result_), 2.0, lanes() / 4);
      read(0, bytes_of(types_[0]));
      return write(bytes_of(result_));
    }
    const ir::Work work = op_.work(types_, attributes_, result_);
    work_.bytes[last_level()] += work.read_bytes;
    write(work.written_bytes);
  }

  // Two products per score and value, and an exponential per score; the cache is read once per group of query heads and
  // block of rows. Without lanes along the context the scores are scalar sums.
  void count_attention() {
    const double context = size_of(types_[1].shape[1]);
    const double queries = size_of(types_[0].shape[0]);
    const double heads = size_of(types_[0].shape[1]);
    const double dim = size_of(types_[0].shape[2]);
    const double scores = queries * heads * context;
    const auto& packs = types_[1].layout.packs;
    const double used = packs.empty() ? 1 : static_cast<double>(packs[0].lanes);
    add_instructions(scores * dim, 2 * (1 + conversions(types_[1].dtype) / 2), used);
    add_instructions(scores * dim, 2 * (1 + conversions(types_[2].dtype) / 2), lanes());
    add_instructions(scores, machine::scalar_operations("exp", static_cast<int>(lanes())) + 8, used);
    read(0, bytes_of(types_[0]));
    for (const std::size_t cache : {1, 2}) {
      read(cache, elements_of(types_[cache]) * static_cast<double>(dtype_size(types_[cache].dtype)));
    }
    write(bytes_of(result_));
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
