// SPDX-License-Identifier: Apache-2.0
#include "compile/weight_statistics.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "blocks/format.h"
#include "compile/parallel_for.h"
#include "encoding/exact_words.h"
#include "ir/constants.h"
#include "ir/op.h"

namespace strata::compile {
namespace {

using encoding::Encoding;
using encoding::Statistic;
using encoding::Statistics;
using ir::Expr;

constexpr std::int64_t kChunk = std::int64_t{1} << 16;  // elements read at a time
constexpr std::int64_t kTask = std::int64_t{1} << 22;   // elements that one thread counts

using Encodings = std::vector<const Encoding*>;

// What the encodings want to know, each once.
std::vector<Statistic> wanted(const Encodings& encodings) {
  std::vector<Statistic> all;
  for (const Encoding* encoding : encodings) {
    for (const Statistic& statistic : encoding->statistics) {
      if (std::ranges::find(all, statistic.name, &Statistic::name) == all.end()) all.push_back(statistic);
    }
  }
  std::ranges::sort(all, {}, &Statistic::number);  // so that words are made once
  return all;
}

// Counts a run of elements of one type.
class Counter {
 public:
  Counter(DType dtype, const Encodings& encodings) : dtype_(dtype), wanted_(wanted(encodings)) {}

  void add(const ElementSource& elements, std::int64_t begin, std::int64_t end) {
    bytes_.resize(static_cast<std::size_t>((end - begin) * dtype_size(dtype_)));
    elements.read(begin, end - begin, dtype_, bytes_.data());
    add(bytes_);
  }

  void add(std::span<const std::byte> elements) {
    words_.resize(elements.size() / static_cast<std::size_t>(dtype_size(dtype_)));
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const Statistic& statistic = wanted_[i];
      const bool has_words = i > 0 && wanted_[i - 1].number == statistic.number;
      if (!has_words) encoding::exact_words(dtype_, elements, statistic.number, words_);
      statistic.count(words_, counted_.bins(statistic));
    }
    counted_.elements += std::ssize(words_);
  }

  const Statistics& counted() const { return counted_; }

 private:
  const DType dtype_;
  const std::vector<Statistic> wanted_;
  std::vector<std::byte> bytes_;
  std::vector<std::uint32_t> words_;
  Statistics counted_;
};

// A weight that is being counted. It is given up when what has been read has too many exceptions for every encoding.
class Weight {
 public:
  Weight(const Expr& weight, const TensorSource& tensors, Encodings encodings, Statistics& statistics)
      : elements_(read_constant(weight, tensors)),
        dtype_(weight.type().dtype),
        size_(ir::max_element_count(weight.type().shape)),
        encodings_(std::move(encodings)),
        statistics_(statistics) {}

  std::int64_t size() const { return size_; }

  void count(std::int64_t begin, std::int64_t end) {
    Counter counter(dtype_, encodings_);
    for (; begin < end && !given_up_; begin += kChunk) {
      counter.add(*elements_, begin, std::min(begin + kChunk, end));
      if (has_many_exceptions(counter.counted())) given_up_ = true;
    }
    const std::lock_guard lock(adding_);
    statistics_ += counter.counted();
  }

  void finish() {
    if (!given_up_ && !has_many_exceptions(statistics_)) return;
    statistics_ = {};
    statistics_.elements = size_;
  }

 private:
  bool has_many_exceptions(const Statistics& statistics) const {
    return std::ranges::none_of(encodings_, [&](const Encoding* encoding) {
      return encoding::are_rare(encoding->fit(statistics).exceptions, size_);
    });
  }

  const std::unique_ptr<ElementSource> elements_;
  const DType dtype_;
  const std::int64_t size_;
  const Encodings encodings_;
  Statistics& statistics_;
  std::atomic<bool> given_up_ = false;
  std::mutex adding_;
};

struct Task {
  Weight* weight;
  std::int64_t begin, end;
};

// Those that a weight may have.
Encodings encodings_of(const Expr& weight, std::span<const Encoding* const> encodings) {
  Encodings found;
  if (weight.kind != Expr::Kind::kWeight || weight.type().rank() != 2) return found;
  for (const Encoding* encoding : encodings) {
    const auto& matrices = encoding->matrices;
    if (std::ranges::find(matrices, weight.type().dtype) != matrices.end()) found.push_back(encoding);
  }
  return found;
}

// Each number that codes in the file's blocks may be, once: where an encoding holds all of these, no code need be read.
std::optional<Statistics> numbers_of_format(const importer::TensorView& view, const Encodings& encodings) {
  if (view.format == nullptr || view.part != importer::BlockPart::kCodes) return std::nullopt;
  const std::vector<std::int8_t> codes = blocks::numbers_of(view.format->codes);
  Counter counter(DType::kI8, encodings);
  counter.add(std::as_bytes(std::span(codes)));
  const Statistics& numbers = counter.counted();
  const bool fits =
      std::ranges::any_of(encodings, [&](const Encoding* encoding) { return encodes(*encoding, numbers); });
  return fits ? std::optional(numbers) : std::nullopt;
}

// Adds the elements that the constant is made of; false where its elements are others.
bool add_statistics(const Expr& constant, const encoding::WeightStatistics& weights, Statistics& sum) {
  if (constant.kind == Expr::Kind::kWeight) {
    const auto found = weights.find(constant.name);
    if (found == weights.end()) return false;
    sum += found->second;
    return true;
  }
  if (constant.kind != Expr::Kind::kOp || !constant.op->permutes_elements()) return false;
  return std::ranges::all_of(constant.arguments, [&](const Expr* argument) {
    return argument->type().dtype == constant.type().dtype && add_statistics(*argument, weights, sum);
  });
}

}  // namespace

encoding::WeightStatistics count_elements(const ir::Module& module, const TensorSource& tensors,
                                          std::span<const Encoding* const> encodings, int threads,
                                          const std::function<void(double done)>& progress) {
  encoding::WeightStatistics all;
  std::vector<std::unique_ptr<Weight>> weights;
  std::vector<Task> tasks;
  for (const auto& function : module.functions()) {
    for (const Expr* expr : ir::topological_order(*function)) {
      Encodings possible = encodings_of(*expr, encodings);
      if (possible.empty() || all.contains(expr->name)) continue;
      const importer::TensorView view = tensors(expr->name);
      if (const auto numbers = numbers_of_format(view, possible)) all[expr->name] = *numbers;
      if (view.byte_count() == 0 || all.contains(expr->name)) continue;
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

encoding::Fit constant_fit(const Expr& constant, const encoding::WeightStatistics& weights,
                           const TensorSource& tensors) {
  const Encoding& encoding = *constant.type().layout.encoding;
  Statistics statistics;
  if (add_statistics(constant, weights, statistics)) return encoding.fit(statistics);
  const auto elements = read_constant(constant, tensors);
  const std::int64_t size = ir::max_element_count(constant.type().shape);
  Counter counter(constant.type().dtype, {&encoding});
  for (std::int64_t begin = 0; begin < size; begin += kChunk) {
    counter.add(*elements, begin, std::min(begin + kChunk, size));
  }
  return encoding.fit(counter.counted());
}

}  // namespace strata::compile
