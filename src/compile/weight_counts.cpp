// SPDX-License-Identifier: Apache-2.0
#include "compile/weight_counts.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "compile/exact_words.h"
#include "compile/parallel_for.h"
#include "ir/constants.h"
#include "ir/op.h"

namespace strata::compile {
namespace {

using ir::ElementCounts;
using ir::Expr;

constexpr std::int64_t kChunk = std::int64_t{1} << 16;  // elements read at a time
constexpr std::int64_t kTask = std::int64_t{1} << 22;   // elements that one thread counts

// Counts a run of elements of one type.
class Counter {
 public:
  Counter(DType dtype, const std::vector<DType>& codes) : dtype_(dtype), codes_(codes) {}

  void add(const ElementSource& elements, std::int64_t begin, std::int64_t end) {
    bytes_.resize(static_cast<std::size_t>((end - begin) * dtype_size(dtype_)));
    words_.resize(static_cast<std::size_t>(end - begin));
    elements.read(begin, end - begin, dtype_, bytes_.data());
    for (const DType code : codes_) {
      exact_words(dtype_, bytes_, code, words_);
      code == DType::kBF16 ? count_exponents() : count_small();
    }
    elements_ += end - begin;
  }

  ElementCounts counts() const {
    ElementCounts counts{elements_, {}, small_};
    for (const auto& table : tables_) {
      for (std::size_t i = 0; i < kNone; ++i) counts.bf16_exponents[i % 256] += table[i];
    }
    return counts;
  }

 private:
  static constexpr std::size_t kNone = kNoWord >> 7;  // sign and exponent of what is no word

  // Neighbours often have one exponent: counting them in turn in four tables, no addition waits for the one before.
  void count_exponents() {
    for (std::size_t i = 0; i < words_.size(); ++i) ++tables_[i % 4][words_[i] >> 7];
  }
  void count_small() {
    small_ += std::ranges::count_if(words_, [](std::uint32_t word) { return (word & (kNoWord | 0x4000)) == 0; });
  }

  const DType dtype_;
  const std::vector<DType>& codes_;
  std::vector<std::byte> bytes_;
  std::vector<std::uint32_t> words_;
  std::array<std::array<std::uint32_t, kNone + 1>, 4> tables_{};
  std::int64_t elements_ = 0, small_ = 0;
};

// A weight that is being counted. It is given up when what has been read has too many exceptions for every code.
class Weight {
 public:
  Weight(const Expr& weight, const TensorSource& tensors, std::vector<DType> codes, ElementCounts& counts)
      : elements_(read_constant(weight, tensors)),
        dtype_(weight.type().dtype),
        size_(ir::max_element_count(weight.type().shape)),
        codes_(std::move(codes)),
        counts_(counts) {}

  std::int64_t size() const { return size_; }

  void count(std::int64_t begin, std::int64_t end) {
    Counter counter(dtype_, codes_);
    for (; begin < end && !given_up_; begin += kChunk) {
      counter.add(*elements_, begin, std::min(begin + kChunk, end));
      if (has_many_exceptions(counter.counts())) given_up_ = true;
    }
    const std::lock_guard lock(adding_);
    counts_ += counter.counts();
  }

  void finish() {
    if (given_up_ || has_many_exceptions(counts_)) counts_ = {size_, {}, 0};
  }

 private:
  bool has_many_exceptions(const ElementCounts& counts) const {
    return std::ranges::none_of(codes_,
                                [&](DType code) { return ir::weight_code(counts, code).exceptions <= size_ / 1024; });
  }

  const std::unique_ptr<ElementSource> elements_;
  const DType dtype_;
  const std::int64_t size_;
  const std::vector<DType> codes_;
  ElementCounts& counts_;
  std::atomic<bool> given_up_ = false;
  std::mutex adding_;
};

struct Task {
  Weight* weight;
  std::int64_t begin, end;
};

// The codes that a weight's type may have: numbers of bf16 are rarely numbers of f16.
std::vector<DType> codes_of(const Expr& weight, std::span<const DType> codes) {
  std::vector<DType> found;
  if (weight.kind != Expr::Kind::kWeight || !is_floating(weight.type().dtype) || weight.type().rank() != 2)
    return found;
  for (const DType code : codes) {
    if (code == DType::kBF16 || weight.type().dtype != DType::kBF16) found.push_back(code);
  }
  return found;
}

// Adds the elements that the constant is made of; false where its elements are others.
bool add_counts(const Expr& constant, const ir::WeightCounts& weights, ElementCounts& sum) {
  if (constant.kind == Expr::Kind::kWeight) {
    const auto found = weights.find(constant.name);
    if (found == weights.end()) return false;
    sum += found->second;
    return true;
  }
  if (constant.kind != Expr::Kind::kOp || !constant.op->permutes_elements()) return false;
  return std::ranges::all_of(constant.arguments, [&](const Expr* argument) {
    return argument->type().dtype == constant.type().dtype && add_counts(*argument, weights, sum);
  });
}

}  // namespace

ir::WeightCounts count_elements(const ir::Module& module, const TensorSource& tensors, std::span<const DType> codes,
                                int threads, const std::function<void(double done)>& progress) {
  ir::WeightCounts all;
  std::vector<std::unique_ptr<Weight>> weights;
  std::vector<Task> tasks;
  for (const auto& function : module.functions()) {
    for (const Expr* expr : ir::topological_order(*function)) {
      std::vector<DType> possible = codes_of(*expr, codes);
      if (possible.empty() || all.contains(expr->name)) continue;
      weights.push_back(std::make_unique<Weight>(*expr, tensors, std::move(possible), all[expr->name]));
      Weight& weight = *weights.back();
      for (std::int64_t begin = 0; begin < weight.size(); begin += kTask) {
        tasks.push_back({&weight, begin, std::min(begin + kTask, weight.size())});
      }
    }
  }
  std::mutex telling;
  std::size_t counted = 0;
  parallel_for(tasks.size(), threads, [&](std::size_t i) {
    tasks[i].weight->count(tasks[i].begin, tasks[i].end);
    const std::lock_guard lock(telling);
    if (progress) progress(static_cast<double>(++counted) / static_cast<double>(tasks.size()));
  });
  for (const auto& weight : weights) weight->finish();
  return all;
}

ir::WeightCode constant_code(const Expr& constant, const ir::WeightCounts& weights, const TensorSource& tensors) {
  const DType code = ir::stored_dtype(constant.type());
  ElementCounts counts;
  if (!add_counts(constant, weights, counts)) {
    const auto elements = read_constant(constant, tensors);
    const std::int64_t size = ir::max_element_count(constant.type().shape);
    const std::vector<DType> codes = {code};
    Counter counter(constant.type().dtype, codes);
    for (std::int64_t begin = 0; begin < size; begin += kChunk) {
      counter.add(*elements, begin, std::min(begin + kChunk, size));
    }
    counts = counter.counts();
  }
  return ir::weight_code(counts, code);
}

}  // namespace strata::compile
