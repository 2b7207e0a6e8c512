// SPDX-License-Identifier: Apache-2.0
// What each way of searching for regions finds, and for how much work, on the functions of a model's plan.
//
//   build/release/bench/region_search MODEL|FILE.ir [--machine NAME|FILE]... [--threads N]... [--barriers TIMES]...
//   [--visits N]
//   [--seeds N]
//
// A row is a function of a version of the program, for one machine, team and price of a barrier (TIMES the machine's).
// A search's entry is what its plan takes, in parts of the greedy one, and the states that it costed; of UCT the worst
// of several seeds. Functions without a choice, and those of another version that are the same, are left out.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include "base/text_file.h"
#include "compile/fusion.h"
#include "compile/pipeline.h"
#include "compile/region_space.h"
#include "import/checkpoint.h"
#include "import/decoder.h"
#include "ir/text.h"
#include "ops/register.h"
#include "search/search.h"
#include "vectorize/own_result.h"

namespace {

using namespace strata;

double processor_ms() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Case {
  std::string model, machine;
  int threads = 1;
  double barriers = 1;
};

struct Limits {
  std::int64_t visits = compile::kRegionVisits;
  std::uint64_t seeds = 3;
  std::int64_t most = 20'000;  // states of the exhaustive search
};

class Table {
 public:
  explicit Table(const Limits& limits) : limits_(limits) {
    std::printf(
        "| model | machine | threads | barriers | function | ops | greedy | beam 8 | UCT | exhaustive | "
        "joins | ms: UCT, exhaustive |\n|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|\n");
  }

  void add(const Case& c, const std::string& name, compile::RegionSpace& space) {
    const search::Result greedy = run(space, {.method = search::Method::kGreedy});
    if (greedy.states < 2) return;
    const search::Result beam = run(space, {.method = search::Method::kBeam, .visits = limits_.most});
    const double uct_start = processor_ms();
    search::Result uct = run(space, {.visits = limits_.visits});
    const double uct_ms = processor_ms() - uct_start;
    for (std::uint64_t seed = 2; seed <= limits_.seeds; ++seed) {
      search::Result other = run(space, {.visits = limits_.visits, .seed = seed});
      if (other.cost > uct.cost) uct = std::move(other);
    }
    const double all_start = processor_ms();
    const search::Result all = run(space, {.method = search::Method::kExhaustive, .visits = limits_.most});
    const double all_ms = processor_ms() - all_start;
    const std::string text = c.model + " | " + c.machine + " | " + std::to_string(c.threads) + " | " +
                             std::to_string(static_cast<int>(c.barriers)) + " | " + name + " | " +
                             std::to_string(greedy.best.size());
    std::string joins = std::to_string(joined(greedy.best)) + "/" + std::to_string(joined(uct.best));
    std::printf("| %s | %.3f us, %lld | %s | %s%s | %s%s | %s | %.1f, %.1f |\n", text.c_str(), greedy.cost * 1e6,
                static_cast<long long>(greedy.states), entry(beam, greedy).c_str(), entry(uct, greedy).c_str(),
                uct.method == search::Method::kExhaustive ? " all" : "", entry(all, greedy).c_str(),
                all.stop_reason == search::StopReason::kExhausted ? "" : " of more", joins.c_str(), uct_ms, all_ms);
    std::fflush(stdout);
  }

 private:
  static std::string entry(const search::Result& result, const search::Result& greedy) {
    char text[64];
    std::snprintf(text, sizeof text, "%.5f, %lld", result.cost / greedy.cost, static_cast<long long>(result.states));
    return text;
  }

  // Ops whose code is in another one's tree.
  static int joined(const search::State& state) {
    int count = 0;
    for (std::uint32_t op = 0; op < state.size(); ++op) count += state[op] != op ? 1 : 0;
    return count;
  }

  const Limits limits_;
};

void compare(const Case& c, const ir::Module& module, machine::Machine machine, Table& table) {
  machine.barrier_s *= c.barriers;
  const compile::PassContext context{machine, {"fuse"}, {}, {}, 1, c.threads};
  for (const auto& planned : plan_versions(module, compile::default_versions(module), context)) {
    std::map<const ir::Function*, buffer::FunctionPlan> plans;
    auto functions = schedule::default_schedule(planned.module, machine, c.threads);
    for (auto& function : functions) {
      compile::RegionSpace space(function, plans, machine, c.threads);
      table.add(c, planned.version.tag + " " + function.function->name, space);
      plans[function.function] = buffer::plan_buffers(function, plans);
    }
  }
}

// A module in text form as it is, without the e-graph.
void compare_text(Case c, const std::string& path, machine::Machine machine, Table& table) {
  machine.barrier_s *= c.barriers;
  const ir::Module module = vectorize::with_own_results(ir::parse_module(read_text_file(path, 1 << 24), path));
  std::map<const ir::Function*, buffer::FunctionPlan> plans;
  for (auto& function : schedule::default_schedule(module, machine, c.threads)) {
    compile::RegionSpace space(function, plans, machine, c.threads);
    table.add(c, function.function->name, space);
    plans[function.function] = buffer::plan_buffers(function, plans);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Ways of searching for regions, beside one another.");
  std::string model;
  std::vector<std::string> machines = {"avx512-zen4"};
  std::vector<int> threads = {1, 2};
  std::vector<double> barriers = {1};
  Limits limits;
  app.add_option("MODEL", model, "A Hugging Face folder, or a module in text form (.ir)")->required();
  app.add_option("--machine", machines, "Machines to plan for: names or files");
  app.add_option("--threads", threads, "Threads of the team");
  app.add_option("--barriers", barriers, "What a barrier costs, in parts of the machine's price");
  app.add_option("--visits", limits.visits, "Budget of UCT");
  app.add_option("--seeds", limits.seeds, "Seeds of UCT that are tried");
  app.add_option("--most", limits.most, "States that the beam and the exhaustive search may cost");
  CLI11_PARSE(app, argc, argv);
  ops::register_all();
  const bool is_text = std::filesystem::path(model).extension() == ".ir";
  std::optional<importer::Checkpoint> checkpoint;
  std::optional<importer::Decoder> decoder;
  if (!is_text) {
    checkpoint = importer::Checkpoint::open(model);
    importer::DecoderOptions options;
    options.max_chunk = std::min(options.max_chunk, checkpoint->config().max_positions);
    decoder = importer::import_decoder(*checkpoint, options);
  }
  Table table(limits);
  for (const std::string& name : machines) {
    for (const int team : threads) {
      for (const double times : barriers) {
        const std::string tag = std::filesystem::path(name).stem();
        const std::string folder = std::filesystem::path(model).filename();
        const Case c = {folder, tag, team, times};
        if (is_text) {
          compare_text(c, model, machine::load(name), table);
        } else {
          compare(c, decoder->module, machine::load(name), table);
        }
      }
    }
  }
}
