// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_only.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/words.h"
#include "cli/explain_report.h"
#include "cli/format.h"
#include "plan/calls.h"

namespace strata::cli {
namespace {

using nlohmann::ordered_json;

struct Region {
  const plan::Entry* entry;
  const plan::Op* op;
  double predicted_s;  // of an execution
};

struct Predicted {
  std::vector<plan::Call> decoding, prefill;
};

// Of a token in the middle of what the workload generates, and of its whole prompt.
Predicted predicted(const PlanOnlyReport& report) {
  const compile::Workload& workload = report.workload;
  const std::int64_t context = std::max<std::int64_t>(workload.prompt + workload.generate / 2, 1);
  return {plan::decoding_calls(report.planned.plan, workload.batch, context, report.planned.threads),
          plan::prefill_calls(report.planned.plan, workload.prompt, report.planned.threads)};
}

// What the calls run that is no view; entries of a version share functions, whose ops have one id in all of them.
std::vector<Region> regions_of(const Predicted& predicted) {
  std::vector<Region> regions;
  std::set<std::pair<std::string, int>> listed;
  for (const auto* calls : {&predicted.decoding, &predicted.prefill}) {
    for (const plan::Call& call : *calls) {
      for (const plan::Op& op : call.entry->ops) {
        if (op.is_view() || !listed.emplace(call.entry->version, op.id).second) continue;
        regions.push_back({call.entry, &op, op.cost.at(call.sizes).predicted_s});
      }
    }
  }
  return regions;
}

std::string indented(const std::string& text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) out += "    " + std::string(line) + "\n";
  }
  return out;
}

std::string heading(const PlanOnlyReport& report, const Predicted& predicted) {
  const compile::MemoryUse& memory = report.planned.memory;
  std::string text = report.model + " on " + report.planned.plan.machine.name + ", " +
                     std::to_string(report.planned.threads) + (report.planned.threads == 1 ? " thread" : " threads") +
                     ", for " + to_text(report.workload) + "\n";
  text += "decoding a token: predicted " + format_milliseconds(plan::predicted_s(predicted.decoding)) + " with " +
          std::to_string(plan::barriers(predicted.decoding)) + " barriers\n";
  text += "the prompt: predicted " + format_milliseconds(plan::predicted_s(predicted.prefill)) + " with " +
          std::to_string(plan::barriers(predicted.prefill)) + " barriers\n";
  text += "memory: " + format_bytes(memory.total()) + ": weights " + format_bytes(memory.weights) + ", caches " +
          format_bytes(memory.caches) + ", arena " + format_bytes(memory.arena) + ", scratch " +
          format_bytes(memory.scratch) + "\n";
  plan::SearchStats stats = report.planned.plan.stats;
  stats.saturate_s = stats.extract_s = std::nullopt;  // the same plan gives the same text
  return text + search_text(stats) + "\n";
}

std::string region_text(const Region& region) {
  std::string text = region.op->name + ": " + std::to_string(region.op->count) + " x " +
                     format_microseconds(region.predicted_s) + " µs, " + region.op->form + ", " + region.op->layout +
                     (region.op->placement.empty() ? "" : " ") + region.op->placement + "\n";
  return text + indented(region.op->tree);
}

}  // namespace

std::string plan_only_text(const PlanOnlyReport& report) {
  const Predicted times = predicted(report);
  std::string text = heading(report, times), version;
  for (const Region& region : regions_of(times)) {
    if (region.entry->version != version) text += "\nversion " + region.entry->version + "\n\n";
    version = region.entry->version;
    text += region_text(region);
  }
  return text;
}

std::string plan_only_json(const PlanOnlyReport& report) {
  const Predicted times = predicted(report);
  const compile::MemoryUse& memory = report.planned.memory;
  auto placements = ordered_json::array(), regions = ordered_json::array();
  for (const Region& region : regions_of(times)) {
    const std::string& version = region.entry->version;
    placements.push_back({{"op", region.op->name}, {"version", version}, {"placement", region.op->placement}});
    regions.push_back({{"ops", region.op->region},
                       {"tree", region.op->tree},
                       {"version", version},
                       {"function", region.op->function},
                       {"count", region.op->count},
                       {"barriers", region.op->barriers},
                       {"predicted_ns", region.predicted_s * 1e9}});
  }
  const ordered_json document = {
      {"model", report.model},
      {"machine", report.planned.plan.machine.name},
      {"threads", report.planned.threads},
      {"workload", to_text(report.workload)},
      {"predicted", {{"decode_s", plan::predicted_s(times.decoding)}, {"prefill_s", plan::predicted_s(times.prefill)}}},
      {"memory_bytes_per_device", {memory.total()}},
      {"memory",
       {{"weights", memory.weights}, {"caches", memory.caches}, {"arena", memory.arena}, {"scratch", memory.scratch}}},
      {"bytes_per_link", ordered_json::object()},
      {"placements", std::move(placements)},
      {"collectives_per_layer", ordered_json::array()},
      {"barriers_per_token", plan::barriers(times.decoding)},
      {"regions", std::move(regions)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
