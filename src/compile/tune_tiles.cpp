// SPDX-License-Identifier: Apache-2.0
#include "compile/tune_tiles.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/atomic_file.h"
#include "base/hash.h"
#include "base/words.h"
#include "buffer/barriers.h"
#include "compile/lone_op.h"
#include "ir/rewrite.h"
#include "ir/roles.h"
#include "schedule/op_cost.h"
#include "schedule/region.h"
#include "schedule/schedule_text.h"
#include "schedule/verify.h"

namespace strata::compile {
namespace {

using codegen::PlannedVersion;
using schedule::ScheduledFunction;
using schedule::ScheduledOp;
using schedule::TileChoice;

// What the workload spends in an op, and the sizes of the step that spends most.
struct RegionWeight {
  double seconds = 0;
  double longest = -1;
  cost::Sizes sizes;

  void add(double step, const cost::Sizes& at) {
    seconds += step;
    if (step <= longest) return;
    longest = step;
    sizes = at;
  }
};

// Where an op of the program stands.
struct Place {
  std::size_t version = 0, function = 0, op = 0;
};

// Ops that are one contest, as they have the same code.
struct Entrants {
  std::vector<Place> places;
  double seconds = 0;     // of the workload
  std::string name = {};  // for people, of the first place
  std::string key = {};
  std::vector<TileChoice> choices = {};
  Contest contest = {};
};

// What isn't said is at its largest, as costs have it.
std::int64_t value_of(const ir::Symbol& symbol, const cost::Sizes& sizes) {
  const auto found = sizes.find(symbol.name);
  if (found == sizes.end()) return symbol.max;
  const std::int64_t value = std::clamp(found->second, symbol.min, symbol.max);
  return std::max(value - value % symbol.multiple, symbol.min);
}

class Tuner {
 public:
  Tuner(std::vector<PlannedVersion>& planned, const PassContext& context, const std::vector<std::string>& symbols)
      : planned_(planned), context_(context), symbols_(symbols) {
    for (std::size_t version = 0; version < planned.size(); ++version) find_ops(version);
    std::ranges::sort(all_, {}, [](const Entrants& entrants) { return std::pair(-entrants.seconds, entrants.key); });
  }

  plan::Tuning run(Records& known, const Measure& measure) {
    plan::Tuning result;
    double seconds_left = 0;
    for (const Entrants& entrants : all_) seconds_left += is_known(entrants, known) ? 0 : entrants.seconds;
    bool is_over = false;
    for (Entrants& entrants : all_) {
      if (!is_known(entrants, known) && !is_over) {
        entrants.contest.share = seconds_left > 0 ? std::min(entrants.seconds / seconds_left, 1.0) : 1;
        seconds_left -= entrants.seconds;
        const Rounds rounds = measure(entrants.contest);
        is_over = rounds.empty();
        if (!is_over) known[entrants.key] = to_text(entrants.choices.at(fastest_candidate(rounds)));
        if (!is_over) report(entrants, rounds);
      }
      if (!is_known(entrants, known)) {
        ++result.left;
        continue;
      }
      const std::size_t winner = number_of(entrants, known.at(entrants.key));
      ++result.regions;
      result.candidates += std::ssize(entrants.choices);
      if (winner == 0) ++result.predicted;
      take(entrants, entrants.choices[winner]);
    }
    for (PlannedVersion& version : planned_) finish(version);
    if (!context_.dump.empty()) write_file(context_.dump / "contests.txt", report_);
    return result;
  }

 private:
  static std::size_t number_of(const Entrants& entrants, const std::string& choice) {
    const auto is_same = [&](const TileChoice& other) { return to_text(other) == choice; };
    return static_cast<std::size_t>(std::ranges::find_if(entrants.choices, is_same) - entrants.choices.begin());
  }

  // A record of no candidate is as none.
  static bool is_known(const Entrants& entrants, const Records& known) {
    const auto found = known.find(entrants.key);
    return found != known.end() && number_of(entrants, found->second) < entrants.choices.size();
  }

  // "chunk, layer, matmul_nt, add: 4x78x1024@640 1.25 ms, 3x78x1024@512 1.41 ms, kept 4x78x1024@640".
  void report(const Entrants& entrants, const Rounds& rounds) {
    const std::vector<double> medians = median_seconds(rounds);
    report_ += entrants.name + ":";
    for (std::size_t i = 0; i < medians.size(); ++i)
      report_ += " " + to_text(entrants.choices[i]) + " " + plain_text(medians[i] * 1e3) + " ms,";
    report_ += " kept " + to_text(entrants.choices[fastest_candidate(rounds)]) + "\n";
  }

  static std::string name_of(const PlannedVersion& planned, const ScheduledFunction& function, const ScheduledOp& op) {
    std::string name = planned.version.tag + ", " + function.function->name;
    for (const ScheduledOp& part : op.parts) name += ", " + part.value->op->name();
    return op.parts.empty() ? name + ", " + op.value->op->name() : name;
  }

  void find_ops(std::size_t version) {
    const PlannedVersion& planned = planned_[version];
    for (std::size_t f = 0; f < planned.schedule.size(); ++f) {
      const ScheduledFunction& function = planned.schedule[f];
      for (std::size_t i = 0; i < function.ops.size(); ++i) {
        if (!schedule::has_tile_choice(function.ops[i])) continue;
        const RegionWeight weight = weight_of(planned, function, function.ops[i]);
        if (weight.seconds > 0) enter({version, f, i}, weight);
      }
    }
  }

  RegionWeight weight_of(const PlannedVersion& planned, const ScheduledFunction& function,
                         const ScheduledOp& op) const {
    RegionWeight weight;
    for (const vectorize::Step& step : planned.version.steps) {
      const std::vector<std::string>& entries = step.entries.empty() ? planned.version.entries : step.entries;
      const double runs = step.runs * ir::call_counts(planned.module, entries).at(function.function);
      if (runs == 0) continue;
      weight.add(runs * schedule::op_cost(op, context_.machine, step.sizes, context_.threads).seconds, step.sizes);
    }
    return weight;
  }

  void enter(const Place& place, const RegionWeight& weight) {
    const PlannedVersion& planned = planned_[place.version];
    const ScheduledFunction& function = planned.schedule[place.function];
    const ScheduledOp& op = function.ops[place.op];
    std::optional<LoneOp> lone = lone_op(planned, function, op, context_.machine);
    if (!lone) return;
    Entrants entrants{{place}, weight.seconds, name_of(planned, function, op)};
    entrants.choices = schedule::best_choices(op, context_.machine, schedule::leaving(function, op), weight.sizes,
                                              context_.threads, kCandidates);
    if (entrants.choices.size() < 2) return;
    entrants.contest.machine = &context_.machine;
    entrants.contest.threads = context_.threads;
    set_sizes(planned.module, weight.sizes, entrants.contest);
    add_candidates(*lone, entrants);
    add_parameters(*lone, weight.sizes, entrants.contest);
    entrants.key = key_of(entrants.contest);
    const auto same = std::ranges::find(all_, entrants.key, &Entrants::key);
    if (same == all_.end()) return all_.push_back(std::move(entrants));
    same->places.push_back(place);
    same->seconds += weight.seconds;
  }

  void set_sizes(const ir::Module& module, const cost::Sizes& sizes, Contest& contest) const {
    for (const std::string& name : symbols_) {
      const auto symbol = std::ranges::find_if(module.symbols(), [&](const auto& s) { return s->name == name; });
      contest.sizes.push_back(symbol == module.symbols().end() ? 1 : value_of(**symbol, sizes));
    }
  }

  void add_candidates(LoneOp& lone, Entrants& entrants) const {
    Contest& contest = entrants.contest;
    const codegen::WeightMap no_weights;
    for (const TileChoice& choice : entrants.choices) {
      const std::string tag = "c" + std::to_string(contest.symbols.size());
      set_tiles(lone, choice, tag, context_.machine);
      for (codegen::Unit& unit :
           codegen::generate(lone.planned, lone.planned.version.entries, symbols_, no_weights, context_.machine))
        contest.units.push_back(std::move(unit));
      contest.symbols.push_back(codegen::entry_symbol(lone.function().function->name, tag));
      contest.arena_bytes = std::max(contest.arena_bytes, lone.buffers().arena_bytes);
      contest.scratch_bytes = std::max(contest.scratch_bytes, lone.buffers().scratch_bytes);
    }
  }

  // The function's parameters, and its results behind them.
  static void add_parameters(const LoneOp& lone, const cost::Sizes& sizes, Contest& contest) {
    std::map<std::string, std::int64_t> values;
    for (const auto& symbol : lone.planned.module.symbols()) values[symbol->name] = value_of(*symbol, sizes);
    const auto add = [&](const ir::TensorType& type, bool is_streamed) {
      const bool is_zero = type.layout.encoding != nullptr || !is_floating(type.dtype);
      contest.parameters.push_back({type.dtype, ir::max_bytes(ir::concrete_type(type, values)), is_streamed, is_zero});
    };
    const ir::Function& function = *lone.function().function;
    for (std::size_t i = 0; i < function.parameters.size(); ++i)
      add(function.parameters[i]->type(), lone.is_streamed[i]);
    for (const ir::Expr* result : function.results) add(result->type(), false);
  }

  // All that the times depend on, beside the machine and the compiler.
  std::string key_of(const Contest& contest) const {
    Hasher hasher;
    hasher.field(std::to_string(context_.threads));
    for (const std::int64_t size : contest.sizes) hasher.field(std::to_string(size));
    for (const codegen::Unit& unit : contest.units) hasher.field(unit.source);
    for (const Contest::Memory& parameter : contest.parameters) hasher.field(parameter.is_streamed ? "far" : "near");
    return hasher.digest128().hex();
  }

  void take(const Entrants& entrants, const TileChoice& choice) {
    for (const Place& place : entrants.places) {
      ScheduledFunction& function = planned_[place.version].schedule[place.function];
      ScheduledOp& op = function.ops[place.op];
      op = schedule::with_tiles(op, context_.machine, schedule::leaving(function, op), choice);
    }
  }

  // What follows from the trees, as compile::schedule_functions makes it.
  void finish(PlannedVersion& version) const {
    buffer::remove_barriers(version.schedule);
    version.buffers = buffer::plan_buffers(version.schedule);
    buffer::place_barriers(version.schedule, version.buffers);
    for (const ScheduledFunction& function : version.schedule) {
      schedule::verify(function, context_.machine);
      buffer::verify_barriers(function, version.buffers.at(function.function));
    }
    schedule::predict(version.schedule, context_.machine, context_.threads);
    if (!context_.dump.empty())
      write_file(context_.dump / (version.version.tag + "-tuned.txt"),
                 schedule::to_text(version.schedule, context_.machine));
  }

  std::vector<PlannedVersion>& planned_;
  const PassContext& context_;
  const std::vector<std::string>& symbols_;
  std::vector<Entrants> all_;
  std::string report_;
};

}  // namespace

plan::Tuning tune_tiles(std::vector<PlannedVersion>& planned, const PassContext& context,
                        const std::vector<std::string>& symbols, Records& known, const Measure& measure) {
  return Tuner(planned, context, symbols).run(known, measure);
}

}  // namespace strata::compile
