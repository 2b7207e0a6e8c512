// SPDX-License-Identifier: Apache-2.0
#include "compile/weight_exponents.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "compile/parallel_for.h"
#include "ir/constants.h"
#include "ir/op.h"

namespace strata::compile {
namespace {

using ir::ExponentCounts;
using ir::Expr;

constexpr std::int64_t kChunk = std::int64_t{1} << 16;  // elements read at a time
constexpr std::int64_t kTask = std::int64_t{1} << 22;   // elements that one thread counts

// Neighbours often have one exponent: counting them in turn in four tables, no addition waits for the one before.
void count(const ElementSource& elements, std::int64_t begin, std::int64_t end, ExponentCounts& counts) {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  std::vector<std::uint16_t> chunk(static_cast<std::size_t>(std::min(kChunk, end - begin)));
  for (; begin < end; begin += std::ssize(chunk)) {
    chunk.resize(static_cast<std::size_t>(std::min(kChunk, end - begin)));
    elements.read(begin, std::ssize(chunk), DType::kBF16, reinterpret_cast<std::byte*>(chunk.data()));
    for (std::size_t i = 0; i < chunk.size(); ++i) ++tables[i % 4][chunk[i] >> 7 & 0xff];
  }
  for (const auto& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) counts[i] += table[i];
  }
}

struct Task {
  const ElementSource* elements;
  ExponentCounts* counts;
  std::int64_t begin, end;
};

bool is_matrix(const Expr& value) {
  return value.kind == Expr::Kind::kWeight && value.type().dtype == DType::kBF16 && value.type().rank() == 2;
}

// Adds the exponents of what the constant is made of; false where its elements are others.
bool add_counts(const Expr& constant, const ir::WeightExponents& weights, ExponentCounts& sum) {
  if (constant.kind == Expr::Kind::kWeight) {
    const auto found = weights.find(constant.name);
    if (found == weights.end()) return false;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += found->second[i];
    return true;
  }
  if (constant.kind != Expr::Kind::kOp || constant.type().dtype != DType::kBF16) return false;
  if (!constant.op->permutes_elements()) return false;
  return std::ranges::all_of(constant.arguments,
                             [&](const Expr* argument) { return add_counts(*argument, weights, sum); });
}

}  // namespace

ir::WeightExponents count_exponents(const ir::Module& module, const TensorSource& tensors, int threads,
                                    const std::function<void(double done)>& progress) {
  ir::WeightExponents all;
  std::vector<std::unique_ptr<ElementSource>> sources;
  std::vector<Task> tasks;
  for (const auto& function : module.functions()) {
    for (const Expr* weight : ir::topological_order(*function)) {
      if (!is_matrix(*weight) || all.contains(weight->name)) continue;
      ExponentCounts& counts = all[weight->name];
      sources.push_back(read_constant(*weight, tensors));
      const std::int64_t elements = ir::max_element_count(weight->type().shape);
      for (std::int64_t begin = 0; begin < elements; begin += kTask) {
        tasks.push_back({sources.back().get(), &counts, begin, std::min(begin + kTask, elements)});
      }
    }
  }
  std::mutex adding;
  std::size_t counted = 0;
  parallel_for(tasks.size(), threads, [&](std::size_t i) {
    ExponentCounts counts{};
    count(*tasks[i].elements, tasks[i].begin, tasks[i].end, counts);
    const std::lock_guard lock(adding);
    for (std::size_t e = 0; e < counts.size(); ++e) (*tasks[i].counts)[e] += counts[e];
    if (progress) progress(static_cast<double>(++counted) / static_cast<double>(tasks.size()));
  });
  return all;
}

ir::ExponentCode constant_code(const Expr& constant, const ir::WeightExponents& weights, const TensorSource& tensors) {
  ExponentCounts counts{};
  if (!add_counts(constant, weights, counts)) {
    counts = {};
    count(*read_constant(constant, tensors), 0, ir::max_element_count(constant.type().shape), counts);
  }
  return ir::exponent_code(counts);
}

}  // namespace strata::compile
