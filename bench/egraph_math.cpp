// SPDX-License-Identifier: Apache-2.0
// Speed of the e-graph: the algebra of bench/math_rules.h on integrals, derivatives and sums, until a limit.
//
//   build/release/bench/egraph_math [--nodes N] [--iterations N] [--steps N] [--sum N] [--explanations] [--full]
//   [--json]
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/math_rules.h"
#include "egraph/runner.h"

namespace {

using namespace strata::egraph;

constexpr const char* kTerms[] = {
    "i(ln(x), x)",
    "i(add(x, cos(x)), x)",
    "i(mul(cos(x), x), x)",
    "d(x, add(1, mul(2, x)))",
    "d(x, sub(pow(x, 3), mul(7, pow(x, 2))))",
    "add(mul(y, add(x, y)), sub(add(x, 2), add(x, x)))",
    "div(1, sub(div(add(1, sqrt(five)), 2), div(sub(1, sqrt(five)), 2)))",
};

std::size_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

nlohmann::ordered_json to_json(const RunReport& report) {
  std::size_t matches = 0;
  nlohmann::ordered_json rules = nlohmann::ordered_json::array();
  for (const RuleReport& rule : report.rules) {
    matches += rule.matches;
    rules.push_back({{"name", rule.name},
                     {"matches", rule.matches},
                     {"applications", rule.applications},
                     {"nodes", rule.nodes},
                     {"seconds", rule.seconds},
                     {"bans", rule.bans}});
  }
  return {{"stop_reason", to_string(report.stop_reason)},
          {"iterations", report.iterations.size()},
          {"nodes", report.nodes},
          {"classes", report.classes},
          {"matches", matches},
          {"steps", report.steps},
          {"seconds", report.seconds()},
          {"search_seconds", report.search_seconds},
          {"apply_seconds", report.apply_seconds},
          {"rebuild_seconds", report.rebuild_seconds},
          {"nodes_per_second", static_cast<double>(report.nodes) / report.seconds()},
          {"matches_per_search_second", static_cast<double>(matches) / report.search_seconds},
          {"memory_bytes", report.memory_bytes},
          {"peak_process_bytes", peak_bytes()},
          {"rules", rules}};
}

void print(const nlohmann::ordered_json& figures) {
  for (const auto& [name, value] : figures.items()) {
    if (name == "rules") continue;
    std::cout << name << std::string(28 - name.size(), ' ')
              << (value.is_string() ? value.get<std::string>() : value.dump()) << "\n";
  }
  std::printf("\n%-24s %12s %12s %12s %10s %6s\n", "rule", "matches", "applications", "nodes", "seconds", "bans");
  for (const auto& rule : figures["rules"]) {
    std::printf("%-24s %12zu %12zu %12zu %10.3f %6zu\n", rule["name"].get<std::string>().c_str(),
                rule["matches"].get<std::size_t>(), rule["applications"].get<std::size_t>(),
                rule["nodes"].get<std::size_t>(), rule["seconds"].get<double>(), rule["bans"].get<std::size_t>());
  }
}

// All orders and groupings of a sum: 2^n - 1 classes, 3^n - 2^(n + 1) + 1 sums and n leaves, reached in few iterations.
RunReport saturate_sum(int summands, const RunnerLimits& limits, bool explanations, bool full) {
  MathLanguage language;
  MathAnalysis analysis(language);
  EGraph graph(language.symbols, nullptr, explanations);
  std::string sum = "x0";
  for (int i = 1; i < summands; ++i) sum = "add(x" + std::to_string(i) + ", " + sum + ")";
  language.add(graph, sum);
  std::vector<Rewrite> rules = math_rules(language, analysis);
  std::erase_if(rules, [](const Rewrite& rule) { return rule.name != "commute-add" && rule.name != "associate-add"; });
  return run(graph, rules, limits, {.back_off = false, .incremental = !full});
}

RunReport explore_algebra(const RunnerLimits& limits, bool explanations, bool full) {
  MathLanguage language;
  MathAnalysis analysis(language);
  EGraph graph(language.symbols, &analysis, explanations);
  for (const char* term : kTerms) language.add(graph, term);
  return run(graph, math_rules(language, analysis), limits, {.incremental = !full});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Speed of the e-graph on computer algebra");
  RunnerLimits limits{.iterations = 60, .nodes = 1'000'000, .steps = 100'000'000'000};
  bool json = false;
  bool explanations = false;
  bool full = false;
  int summands = 0;
  app.add_option("--iterations", limits.iterations, "Most iterations")->capture_default_str();
  app.add_option("--nodes", limits.nodes, "Most e-nodes")->capture_default_str();
  app.add_option("--steps", limits.steps, "Most steps of matching and applying")->capture_default_str();
  app.add_flag("--explanations", explanations, "Remember why terms are equal");
  app.add_option("--sum", summands, "In place of the algebra, all forms of a sum of so many numbers");
  app.add_flag("--full", full, "Match the whole graph in every iteration");
  app.add_flag("--json", json, "Print JSON");
  CLI11_PARSE(app, argc, argv);

  const nlohmann::ordered_json figures = to_json(summands > 0 ? saturate_sum(summands, limits, explanations, full)
                                                              : explore_algebra(limits, explanations, full));
  if (json) {
    std::cout << figures.dump(2) << "\n";
  } else {
    print(figures);
  }
}
