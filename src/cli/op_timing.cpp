// SPDX-License-Identifier: Apache-2.0
#include "cli/op_timing.h"

#include <algorithm>

#include "base/error.h"
#include "package/package.h"

namespace strata::cli {
namespace {

plan::Cost mean_cost(const plan::Op& op, const std::vector<runtime::Profile::Call>& calls, int threads) {
  plan::Cost mean;
  for (const auto& call : calls) {
    plan::Cost cost = op.cost.at(plan::call_sizes(call.rows, call.position, threads));
    auto share = 1 / static_cast<double>(calls.size());
    mean.flops += cost.flops * share;
    mean.bytes += cost.bytes * share;
    mean.predicted_s += cost.predicted_s * share;
  }
  return mean;
}

}  // namespace

plan::Plan package_plan(const std::filesystem::path& path, bool verify) {
  auto package = package::Package::open(path, verify);
  auto text = package.text(package::kPlanSection);
  if (text.empty()) throw model_error("the package has no plan", path.string(), "compile it again");
  return plan::plan_from_json(text, path.string());
}

std::map<std::string, std::size_t> op_counts(const plan::Plan& plan) {
  std::map<std::string, std::size_t> ids;
  for (const auto& entry : plan.entries) ids[entry.symbol] = static_cast<std::size_t>(entry.ids);
  return ids;
}

runtime::Profile make_profile(const plan::Plan& plan) { return runtime::Profile(op_counts(plan)); }

std::vector<OpTiming> op_timings(const plan::Plan& plan, const runtime::Profile& profile, int threads) {
  std::vector<OpTiming> timings;
  for (const auto& [symbol, measured] : profile.entries()) {
    const auto* entry = plan::find_entry(plan, symbol);
    if (entry == nullptr || measured.calls.empty()) continue;
    for (const auto& op : entry->ops) {
      const tensor::OpTime& time = measured.ops.at(static_cast<std::size_t>(op.id));
      if (time.count == 0) continue;
      timings.push_back({.name = op.name,
                         .op = op.op,
                         .version = entry->version,
                         .count = static_cast<std::int64_t>(time.count),
                         .total_s = static_cast<double>(time.ns) / 1e9,
                         .cost = mean_cost(op, measured.calls, threads)});
    }
  }
  std::ranges::sort(timings, std::ranges::greater(), &OpTiming::total_s);
  return timings;
}

}  // namespace strata::cli
