// SPDX-License-Identifier: Apache-2.0
#include "compile/distribute.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "compile/rank_program.h"
#include "import/checkpoint.h"
#include "import/decoder.h"
#include "machine/target_words.h"
#include "ops/register.h"

namespace strata::compile {
namespace {

// Runs of a phase that the workload doesn't have: it is planned too.
constexpr double kRareRuns = 0.01;

// Plans whose times differ by less, in parts, are equally fast.
constexpr double kTie = 1e-6;

std::int64_t divided_up(std::int64_t size, std::int64_t parts) { return (size + parts - 1) / parts; }

// For each axis the mesh with half as many devices along it.
std::vector<distribution::Mesh> halved(const distribution::Mesh& mesh) {
  std::vector<distribution::Mesh> all;
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    distribution::Mesh smaller = mesh;
    smaller[i].extent /= 2;
    if (smaller[i].extent == 1) smaller.erase(smaller.begin() + static_cast<std::ptrdiff_t>(i));
    all.push_back(std::move(smaller));
  }
  return all;
}

using Planner = std::function<distribution::DistributionPlan(const distribution::Mesh&)>;

// For all devices of the mesh, or for fewer: axes are halved while that isn't slower.
distribution::DistributionPlan best_plan(const distribution::Mesh& mesh, const Planner& planner) {
  distribution::DistributionPlan best = planner(mesh);
  std::int64_t work = best.work;
  for (bool is_found = true; std::exchange(is_found, false);) {
    for (const distribution::Mesh& smaller : halved(best.mesh)) {
      try {
        distribution::DistributionPlan plan = planner(smaller);
        work += plan.work;
        if (plan.seconds > best.seconds * (1 + kTie)) continue;
        best = std::move(plan);
        is_found = true;
      } catch (const Error& error) {
        if (error.code() != ExitCode::kResource) throw;  // it doesn't fit
      }
    }
  }
  best.work = work;
  return best;
}

}  // namespace

bool is_planned_on_mesh(const std::string& machine) {
  if (machine == "native") return false;
  const machine::Machine loaded = machine::load(machine);
  return loaded.target.arch == machine::kPlannedOnlyArch || !distribution::mesh_of(loaded).empty();
}

Workload within(const Workload& workload, std::int64_t context) {
  const std::int64_t tokens = workload.prompt + workload.generate;
  if (tokens <= context) return workload;
  Workload shorter = workload;
  shorter.prompt = workload.prompt * context / tokens;
  shorter.generate = context - shorter.prompt;
  return shorter;
}

std::vector<distribution::Phase> phases_of(const Workload& workload, std::int64_t devices, std::int64_t max_chunk,
                                           std::int64_t max_context) {
  constexpr std::int64_t kMultiple = 64;  // of the context
  const std::int64_t prompt = std::clamp<std::int64_t>(workload.prompt, 1, max_context);
  const std::int64_t chunks = divided_up(prompt, max_chunk), side_by_side = std::min(workload.batch, devices);
  const std::int64_t tokens = std::min(prompt + workload.generate, max_context);
  const cost::Sizes room = {{"ctx", divided_up(tokens, kMultiple) * kMultiple}}, last = {{"seq", 1}};
  const std::int64_t seen = std::min(prompt + workload.generate / 2, tokens);
  const double decodings = workload.generate > 0 ? static_cast<double>(workload.generate) : kRareRuns;
  const auto prefills = static_cast<double>(chunks * divided_up(workload.batch, side_by_side));
  return {{"decode", decodings, workload.batch, {{"seq", 1}, {"ctx", seen}}, room, last},
          {"prefill",
           workload.prompt > 0 ? prefills : kRareRuns,
           side_by_side,
           {{"seq", divided_up(prompt, chunks)}, {"ctx", divided_up(prompt, 2)}},
           room,
           last}};
}

MeshPlan plan_on_mesh(const std::filesystem::path& model, const CompileOptions& options) {
  ops::register_all();
  const importer::Checkpoint checkpoint = importer::Checkpoint::open_shapes(model);
  const std::int64_t context = checkpoint.config().max_positions;
  MeshPlan planned{machine::load(options.machine), {}, within(options.workload, context)};
  machine::Machine& machine = planned.machine;
  if (options.ranks > 1) set_ranks(machine, options.ranks);
  if (options.team > 0) machine.cores = std::min(options.team, machine.cores);
  planned.warning = importer::unused_warning(checkpoint.unused_tensors());
  importer::DecoderOptions decoder_options;
  decoder_options.dtype = options.dtype;
  decoder_options.cache_type = options.cache_type;
  decoder_options.exact_activations = options.exact_activations;
  decoder_options.wanted_rows = false;
  decoder_options.max_chunk = std::min(decoder_options.max_chunk, context);
  const importer::Decoder decoder = importer::import_decoder(checkpoint, decoder_options);
  if (options.ranks > 1) {
    planned.plan = plan_for_ranks(decoder.module, machine, planned.workload, decoder_options.max_chunk, context);
    planned.steps_of_prefill = planned.workload.prompt > 0 ? planned.plan.phases[1].runs : 0;
    return planned;
  }
  const distribution::Graph graph = distribution::graph_of(decoder.module, {"forward", "head"});
  planned.plan = best_plan(distribution::mesh_of(machine), [&](const distribution::Mesh& mesh) {
    const auto phases = phases_of(planned.workload, distribution::devices(mesh), decoder_options.max_chunk, context);
    return distribution::plan_distribution(graph, mesh, machine, phases);
  });
  planned.steps_of_prefill = planned.workload.prompt > 0 ? planned.plan.phases[1].runs : 0;
  return planned;
}

}  // namespace strata::compile
