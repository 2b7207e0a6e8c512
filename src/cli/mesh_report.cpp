// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/format.h"
#include "cli/md_table.h"
#include "import/model_folder.h"

namespace strata::cli {
namespace {

using distribution::PhasePlan;
using distribution::PlacedCollective;
using distribution::PlacedOp;
using nlohmann::ordered_json;

constexpr const char* kLegend =
    "placements along an axis of the mesh: B: each device has all, also where the axis isn't named; S(1): parts of the "
    "tensor's axis 1, counted from 0; S(sequences): some of the sequences; P: summands; P(softmax): the same of a "
    "softmax\n";
constexpr std::size_t kNameWidth = 34, kStateWidth = 64;

std::string text_of(double count) {
  return count == std::floor(count) ? std::to_string(static_cast<std::int64_t>(count)) : format_fixed(count, 2);
}

std::string bytes_text(double bytes) { return format_bytes(static_cast<std::int64_t>(std::llround(bytes))); }

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

// 1: it isn't among those that are used.
int used_extent(const distribution::Mesh& used, const std::string& axis) {
  const auto found = std::ranges::find(used, axis, &machine::MeshAxis::name);
  return found == used.end() ? 1 : found->extent;
}

std::string mesh_line(const MeshReport& report) {
  const distribution::Mesh& mesh = report.planned.plan.mesh;
  std::string axes;
  for (const machine::MeshAxis& axis : report.planned.machine.machines) {
    const int used = used_extent(mesh, axis.name);
    axes += (axes.empty() ? " (" : " x ") + axis.name + " " + std::to_string(used);
    if (used < axis.extent) axes += " of " + std::to_string(axis.extent);
  }
  if (!axes.empty()) axes += ")";
  return report.model + " on " + report.planned.machine.name + ", " + std::to_string(distribution::devices(mesh)) +
         (mesh.empty() ? " device" : " devices") + axes + " of " + std::to_string(report.planned.machine.cores) +
         (report.planned.machine.cores == 1 ? " core" : " cores") + ", for " +
         compile::to_text(report.planned.workload) + "\n";
}

std::string phase_line(const MeshReport& report, const PhasePlan& phase, const std::string& what, double steps) {
  std::string text = what + ": predicted " + format_milliseconds(steps * phase.seconds()) + ", " +
                     format_milliseconds(steps * phase.collective_s) + " of it in collectives";
  const distribution::Mesh& mesh = report.planned.plan.mesh;
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    text +=
        (i == 0 ? "; each device sends " : ", ") + bytes_text(steps * phase.link_bytes[i]) + " over " + mesh[i].name;
  }
  return text + "\n";
}

std::string op_line(const PlacedOp& op) {
  std::string operands;
  for (const std::string& state : op.operands)
    operands += (operands.empty() ? "" : ", ") + (state.empty() ? "-" : state);
  const std::string short_name = op.name.substr(std::min(op.name.size(), op.function.size() + 1));
  return "  " + padded(short_name, kNameWidth) + padded(operands + " -> " + op.result, kStateWidth) + " " +
         format_microseconds(op.seconds / op.count) + " µs\n";
}

std::string collective_line(const PlacedCollective& collective) {
  const std::string what = collective.kind + " over " + collective.axis + " of " + bytes_text(collective.bytes) +
                           (collective.user.empty() ? "" : " for " + collective.user);
  return "    * " + what + ": " + collective.from + " -> " + collective.to + ", " +
         format_microseconds(collective.seconds / collective.count) + " µs\n";
}

// The collectives of a value stand behind the op that makes it, those of what a function is given before its user.
std::string drawing(const distribution::DistributionPlan& plan, const PhasePlan& phase) {
  std::string text = "\n" + phase.name + "\n", function;
  std::vector<bool> is_drawn(phase.collectives.size());
  const auto draw = [&](const std::string PlacedCollective::* key, const std::string& name) {
    for (std::size_t i = 0; i < phase.collectives.size(); ++i) {
      if (is_drawn[i] || phase.collectives[i].*key != name) continue;
      is_drawn[i] = true;
      text += collective_line(phase.collectives[i]);
    }
  };
  const auto is_made = [&](const std::string& value) {
    return std::ranges::count(phase.ops, value, &PlacedOp::name) > 0;
  };
  for (const PlacedOp& op : phase.ops) {
    if (op.function != function) {
      text += "\n" + op.function + " x " + text_of(op.count) +
              (op.count > 1 && !plan.carried.empty() ? ", takes and hands on " + plan.carried : "") + "\n";
      function = op.function;
    }
    for (std::size_t i = 0; i < phase.collectives.size(); ++i) {
      const PlacedCollective& collective = phase.collectives[i];
      if (is_drawn[i] || collective.user != op.name || is_made(collective.value)) continue;
      is_drawn[i] = true;
      text += collective_line(collective);
    }
    text += op_line(op);
    draw(&PlacedCollective::value, op.name);
  }
  for (std::size_t i = 0; i < is_drawn.size(); ++i) {
    if (!is_drawn[i]) text += collective_line(phase.collectives[i]);
  }
  return text;
}

std::string stores_text(const distribution::DistributionPlan& plan) {
  std::string text = "\nstored on each device\n\n";
  for (const distribution::PlacedStore& store : plan.stores) {
    text += "  " + padded(store.name, 40) + " " + padded(store.state, 28) + " " + bytes_text(store.bytes) + "\n";
  }
  return text;
}

ordered_json collectives_json(const PhasePlan& phase) {
  auto list = ordered_json::array();
  for (const PlacedCollective& collective : phase.collectives) {
    list.push_back({{"kind", collective.kind},
                    {"axis", collective.axis},
                    {"bytes", std::llround(collective.bytes)},
                    {"version", phase.name},
                    {"function", collective.function},
                    {"value", collective.value},
                    {"user", collective.user},
                    {"from", collective.from},
                    {"to", collective.to},
                    {"count", collective.count},
                    {"predicted_ns", collective.seconds / collective.count * 1e9}});
  }
  return list;
}

ordered_json placements_json(const PhasePlan& phase) {
  auto list = ordered_json::array();
  for (const PlacedOp& op : phase.ops) {
    list.push_back({{"op", op.name},
                    {"version", phase.name},
                    {"placement", op.result},
                    {"operands", op.operands},
                    {"count", op.count},
                    {"predicted_ns", op.seconds / op.count * 1e9}});
  }
  return list;
}

ordered_json link_bytes_json(const MeshReport& report, const PhasePlan& phase, double steps) {
  const distribution::Mesh& mesh = report.planned.plan.mesh;
  ordered_json bytes = ordered_json::object();
  for (const machine::MeshAxis& axis : report.planned.machine.machines) bytes[axis.name] = 0;
  for (std::size_t i = 0; i < mesh.size(); ++i) bytes[mesh[i].name] = std::llround(steps * phase.link_bytes[i]);
  return bytes;
}

ordered_json mesh_axes_json(const MeshReport& report) {
  auto list = ordered_json::array();
  for (const machine::MeshAxis& axis : report.planned.machine.machines) {
    const int used = used_extent(report.planned.plan.mesh, axis.name);
    list.push_back({{"name", axis.name}, {"extent", used}, {"of", axis.extent}});
  }
  return list;
}

// Each op but a view, and each collective, begins behind one of its device.
std::int64_t barriers(const PhasePlan& phase) {
  double count = 0;
  for (const PlacedOp& op : phase.ops) count += op.seconds > 0 ? op.count : 0;
  for (const PlacedCollective& collective : phase.collectives) count += collective.count;
  return std::llround(count);
}

void append(ordered_json& list, ordered_json more) {
  for (ordered_json& item : more) list.push_back(std::move(item));
}

}  // namespace

MeshReport plan_for_mesh(const std::string& model, const compile::CompileOptions& options, Console& console) {
  MeshReport report{importer::model_name(model), compile::plan_on_mesh(model, options)};
  const compile::MeshPlan& planned = report.planned;
  if (!planned.warning.empty()) console.info("strata: warning: " + planned.warning);
  if (planned.workload != options.workload) {
    console.info("strata: warning: " + compile::to_text(options.workload) +
                 " is longer than the model's context: planned for " + compile::to_text(planned.workload));
  }
  return report;
}

std::string mesh_heading(const MeshReport& report) {
  const distribution::DistributionPlan& plan = report.planned.plan;
  std::string text = mesh_line(report);
  text += phase_line(report, plan.phases[0], "decoding a token of each sequence", 1);
  text += phase_line(report, plan.phases[1], "the prompts of all sequences", report.planned.steps_of_prefill);
  text += "memory of a device: " + bytes_text(plan.bytes()) + " of " + bytes_text(plan.limit_bytes) + ": weights " +
          bytes_text(plan.weight_bytes) + ", caches " + bytes_text(plan.cache_bytes) + ", arena " +
          bytes_text(plan.arena_bytes) + "\n";
  text +=
      "search: with these devices no plan that fits is faster by more than " + format_fixed(100 * plan.gap, 2) + " %\n";
  return text + kLegend;
}

std::string mesh_text(const MeshReport& report) {
  const distribution::DistributionPlan& plan = report.planned.plan;
  std::string text = mesh_heading(report);
  for (const PhasePlan& phase : plan.phases) text += drawing(plan, phase);
  return text + stores_text(plan);
}

std::string mesh_md(const MeshReport& report) { return markdown(mesh_text(report)); }

std::string mesh_json(const MeshReport& report) {
  const distribution::DistributionPlan& plan = report.planned.plan;
  const PhasePlan &decode = plan.phases[0], &prefill = plan.phases[1];
  const double steps = report.planned.steps_of_prefill;
  auto placements = ordered_json::array(), collectives = ordered_json::array(), stores = ordered_json::array();
  for (const PhasePlan& phase : plan.phases) {
    append(placements, placements_json(phase));
    append(collectives, collectives_json(phase));
  }
  for (const distribution::PlacedStore& store : plan.stores) {
    stores.push_back({{"name", store.name}, {"placement", store.state}, {"bytes", std::llround(store.bytes)}});
  }
  const auto device_bytes = std::llround(plan.bytes());
  const ordered_json document = {
      {"model", report.model},
      {"machine", report.planned.machine.name},
      {"mesh", mesh_axes_json(report)},
      {"threads", report.planned.machine.cores},
      {"workload", compile::to_text(report.planned.workload)},
      {"predicted", {{"decode_s", decode.seconds()}, {"prefill_s", steps * prefill.seconds()}}},
      {"predicted_collectives", {{"decode_s", decode.collective_s}, {"prefill_s", steps * prefill.collective_s}}},
      {"memory_bytes_per_device",
       std::vector<long long>(static_cast<std::size_t>(distribution::devices(plan.mesh)), device_bytes)},
      {"memory",
       {{"weights", std::llround(plan.weight_bytes)},
        {"caches", std::llround(plan.cache_bytes)},
        {"arena", std::llround(plan.arena_bytes)},
        {"scratch", 0}}},
      {"bytes_per_link", link_bytes_json(report, decode, 1)},
      {"bytes_per_link_prefill", link_bytes_json(report, prefill, steps)},
      {"placements", std::move(placements)},
      {"stored", std::move(stores)},
      {"collectives_per_layer", std::move(collectives)},
      {"search", {{"seconds", plan.seconds}, {"bound_s", plan.bound_s}, {"gap", plan.gap}, {"work", plan.work}}},
      {"barriers_per_token", barriers(decode)},
      {"regions", ordered_json::array()}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace strata::cli
