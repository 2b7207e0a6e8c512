// SPDX-License-Identifier: Apache-2.0
#include "plan/calls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/saturating.h"

namespace strata::plan {
namespace {

constexpr const char* kRows = "seq";

// That one call of the function takes.
std::int64_t most_rows(const Plan& plan, std::string_view function) {
  std::int64_t most = 1;
  for (const Entry& entry : plan.entries) {
    const auto range = entry.ranges.find(kRows);
    if (entry.function == function && range != entry.ranges.end()) most = std::max(most, range->second.max);
  }
  return most;
}

class Calls {
 public:
  Calls(const Plan& plan, int threads) : plan_(plan), threads_(threads) {}

  // The entry of the function for so many rows; of those that make only the wanted rows `forward` takes the place.
  void add(std::string_view function, std::int64_t rows, double context, std::int64_t count = 1) {
    const Entry* entry = find_entry(plan_, function, rows);
    if (entry == nullptr && function.starts_with("forward")) entry = find_entry(plan_, "forward", rows);
    if (entry == nullptr || count == 0) return;
    calls_.push_back({entry, sizes_of(static_cast<double>(rows), context, threads_), static_cast<double>(count)});
  }

  // All of the rows, as many at a time as one call takes.
  void add_all(std::string_view function, std::int64_t rows, double context) {
    const std::int64_t most = std::min(most_rows(plan_, function), rows);
    add(function, most, context, rows / most);
    if (rows % most > 0) add(function, rows % most, context);
  }

  std::vector<Call> take() { return std::move(calls_); }

 private:
  const Plan& plan_;
  const int threads_;
  std::vector<Call> calls_;
};

}  // namespace

std::vector<Call> decoding_calls(const Plan& plan, std::int64_t batch, std::int64_t context, int threads) {
  Calls calls(plan, threads);
  const bool is_each = batch > 1 && find_entry(plan, "forward_each", 2) != nullptr;
  for (const char* function : {is_each ? "forward_each" : "forward", "head"}) {
    calls.add_all(function, batch, static_cast<double>(context));
  }
  return calls.take();
}

std::vector<Call> prefill_calls(const Plan& plan, std::int64_t tokens, int threads) {
  Calls calls(plan, threads);
  if (tokens == 0) return {};
  const std::int64_t chunk = std::min(most_rows(plan, "forward"), tokens);
  const std::int64_t last = tokens % chunk == 0 ? chunk : tokens % chunk;
  const std::int64_t before = tokens - last;
  // A row sees the rows up to its own; what rows of several chunks see on average is what those of a middle one do.
  calls.add("forward_none", chunk, static_cast<double>(before + 1) / 2, before / chunk);
  calls.add("forward_one", last, static_cast<double>(before) + static_cast<double>(last + 1) / 2);
  calls.add("head", 1, static_cast<double>(tokens));
  return calls.take();
}

double predicted_s(const std::vector<Call>& calls) {
  double sum = 0;
  for (const Call& call : calls) {
    for (const Op& op : call.entry->ops) {
      sum += call.count * static_cast<double>(op.count) * op.cost.at(call.sizes).predicted_s;
    }
  }
  return sum;
}

std::int64_t barriers(const std::vector<Call>& calls) {
  std::int64_t sum = 0;
  for (const Call& call : calls) {
    for (const Op& op : call.entry->ops) {
      const std::int64_t executions = saturating_product(std::llround(call.count), op.count);
      sum = saturating_sum(sum, saturating_product(executions, op.barriers));
    }
  }
  return sum;
}

}  // namespace strata::plan
