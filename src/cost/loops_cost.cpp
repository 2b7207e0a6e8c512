// SPDX-License-Identifier: Apache-2.0
#include "cost/loops_cost.h"

#include <algorithm>
#include <cmath>

#include "cost/leaf.h"

namespace strata::cost {
namespace {

using ir::LoopNest;
using ir::ScalarExpr;
using ir::Stage;
using machine::Machine;

// The iterator along the packed axis of the first packed operand; -1: none.
int vector_iterator(const LoopNest& nest, std::span<const ir::TensorType> types) {
  for (const Stage& stage : nest.stages) {
    for (const ScalarExpr* access : ir::operand_accesses(stage.body)) {
      const auto& packs = types[access->number].layout.packs;
      if (packs.empty()) continue;
      const auto& coefficients = access->index[packs.back().axis].coefficients;
      const auto at = std::ranges::find(coefficients, 1);
      if (at != coefficients.end()) return static_cast<int>(at - coefficients.begin());
    }
  }
  return -1;
}

int innermost(const Stage& stage) {
  return stage.reduced.empty() ? (stage.target.empty() ? -1 : stage.target.back()) : stage.reduced.back();
}

bool is_product(const ScalarExpr& body) { return body.kind == ScalarExpr::Kind::kCall && body.name == "mul"; }

bool varies(const ScalarExpr& body, int iterator) {
  if (body.kind == ScalarExpr::Kind::kIterator) return body.number == iterator;
  const bool reads = iterator >= 0 && std::ranges::any_of(body.index, [&](const ir::IndexMap& index) {
                       return ir::depends_on(index, iterator);
                     });
  return reads || std::ranges::any_of(body.arguments, [&](const ScalarExpr& a) { return varies(a, iterator); });
}

// A product that is added at once is one instruction.
void add_operations(const Machine& machine, const ScalarExpr& body, int iterator, double used, bool varying,
                    double& sum) {
  const bool is_fused = (body.name == "add" || body.name == "sub") && std::ranges::any_of(body.arguments, is_product);
  if (body.kind == ScalarExpr::Kind::kCall && !is_fused && varies(body, iterator) == varying) {
    sum += machine::scalar_operations(machine, body.name, static_cast<int>(used));
  }
  for (const ScalarExpr& argument : body.arguments) add_operations(machine, argument, iterator, used, varying, sum);
}

// Per point of the stage's innermost loop, and once per run of it.
double operations(const Machine& machine, const Stage& stage, double used) {
  double sum = 0;
  add_operations(machine, stage.body, innermost(stage), used, true, sum);
  if (stage.combiner != ir::Combiner::kNone && !is_product(stage.body)) {
    sum += machine::scalar_operations(machine, "add", static_cast<int>(used));
  }
  // Loading and storing take slots of their own, and a body without arithmetic is a copy.
  return std::max(sum, 2.0);
}
double invariant_operations(const Machine& machine, const Stage& stage) {
  double sum = 0;
  add_operations(machine, stage.body, innermost(stage), 1, false, sum);
  return sum;
}

// A remainder of a ragged axis is a vector of which a part is used, or without masks as many as it has elements.
double points_along(const WorkCounter& counter, const LoopNest& nest, int iterator, double used) {
  if (iterator < 0) return 1;
  const double n = size_of(nest.iterators[iterator].extent);
  if (used == 1 || iterator != vector_iterator(nest, counter.types())) return n;
  const double whole = std::floor(n / used) * used;
  const double rest = n - whole;
  return whole + used * (counter.machine().vector_registers.masks ? std::min(rest, 1.0) : rest);
}

void count_stage(WorkCounter& counter, const LoopNest& nest, const Stage& stage, double used) {
  double points = 1;
  for (const int i : stage.target) points *= points_along(counter, nest, i, used);
  for (const int i : stage.reduced) points *= points_along(counter, nest, i, used);
  counter.add_instructions(points, operations(counter.machine(), stage, used), used);
  const double runs = points / points_along(counter, nest, innermost(stage), used);
  counter.add_instructions(runs * counter.lanes(), invariant_operations(counter.machine(), stage), counter.lanes());
  if (stage.combiner == ir::Combiner::kNone) return;
  double rows = 1;
  for (const int i : stage.target) rows *= size_of(nest.iterators[i].extent);
  counter.add_reductions(rows, used);
}

// What is read again because a loop around an operand doesn't index it, when it doesn't fit the innermost level: a
// row-major matmul among the loops reads its right operand once per row of the left one.
void count_reuse(WorkCounter& counter, const LoopNest& nest) {
  if (nest.result().combiner == ir::Combiner::kNone) return;
  for (const ScalarExpr* access : ir::operand_accesses(nest.result().body)) {
    double repeats = 1;
    for (const int i : nest.result().target) {
      const bool is_used =
          std::ranges::any_of(access->index, [&](const ir::IndexMap& index) { return ir::depends_on(index, i); });
      if (!is_used) repeats *= size_of(nest.iterators[i].extent);
    }
    const double bytes = bytes_of(counter.type(access->number));
    counter.read_again({bytes, bytes * (repeats - 1)});
  }
}

}  // namespace

void count_loops(WorkCounter& counter) {
  const LoopNest& nest = *counter.loops();
  const double used = static_cast<double>(loop_lanes(counter.types()));
  for (const Stage& stage : nest.stages) count_stage(counter, nest, stage, used);
  for (std::size_t i = 0; i < counter.types().size(); ++i) counter.read(i, bytes_of(counter.type(i)));
  counter.write(bytes_of(counter.result()));
  count_reuse(counter, nest);
}

}  // namespace strata::cost
