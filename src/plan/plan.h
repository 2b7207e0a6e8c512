// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/machine.h"

namespace strata::plan {

// Run-time sizes by their symbol ("seq", "ctx", "pages"), and "threads". They need not be whole: a mean over calls is
// one too.
using Sizes = std::map<std::string, double>;

inline constexpr const char* kThreads = "threads";

// One execution of an op.
struct Cost {
  double flops = 0;
  double bytes = 0;  // read and written at least once
  double predicted_s = 0;
};

// The cost of an op by run-time sizes: values at the nodes of a grid, multilinear between them, constant beyond. Bytes
// and operations are products of sizes, so that between nodes they are exact but for padding.
struct CostTable {
  struct Axis {
    std::string name;
    std::vector<std::int64_t> nodes;  // ascending, at least one
  };
  std::vector<Axis> axes;    // sizes that the cost doesn't depend on have none
  std::vector<Cost> values;  // the last axis runs fastest

  // Sizes that are not given are at their largest node.
  Cost at(const Sizes& sizes) const;
};

// Another way in which the search could have done an op.
struct Alternative {
  std::string layout;  // as Op::layout
  double predicted_s = 0;
};

// What a rewriting rule did in a search.
struct RuleStats {
  std::string name;
  std::int64_t matches = 0;
  std::int64_t applications = 0;  // that taught the e-graph an equality
  std::int64_t nodes = 0;         // e-nodes that it added
  double seconds = 0;             // of processor time
};

// A step from what the search for regions found to a state beside it, which takes longer.
struct LosingStep {
  bool joins = true;                 // false: it parts a region
  std::vector<std::string> regions;  // what it would join, or part into: "q_norm + rope.q_norm"
  double seconds = 0;                // of the function's own ops then
};

// What the search for the regions of a function says of itself. Times are those of its own ops with their barriers, at
// the largest sizes.
struct RegionSearch {
  struct Point {
    std::int64_t states = 0;
    double seconds = 0;
    bool operator==(const Point&) const = default;
  };
  std::string version;      // "seq1"
  std::string function;     // "layer"
  std::string method;       // "greedy", "uct", "exhaustive"
  std::int64_t visits = 0;  // walks down the search's tree; without one states
  std::int64_t states = 0;  // whose time was predicted
  double before_s = 0;      // each op by itself
  double greedy_s = 0;      // as the greedy search joins them
  double after_s = 0;
  std::vector<Point> curve;             // from so many states on the best one took so long
  std::string stop_reason;              // "exhausted" (nothing is better), "visits", "no move"
  std::vector<LosingStep> losing = {};  // the best few, where a plan is made to be explained
};

// What was measured of tiles, where that was asked for.
struct Tuning {
  std::int64_t regions = 0;     // products, and regions with some, of which candidates were run
  std::int64_t candidates = 0;  // of all of them together
  std::int64_t predicted = 0;   // regions in which the predicted best was the fastest
  std::int64_t left = 0;        // regions that there was no time for
  bool operator==(const Tuning&) const = default;
};

// "tuned 9 regions, 31 candidates: prediction had the fastest in 6", and what there was no time for.
std::string to_text(const Tuning& tuning);

// Two extractions, of which the second one took what ops cost in regions: the workload's time by the plans that
// followed from them. The faster one is the plan.
struct SecondRound {
  double first_s = 0;
  double second_s = 0;
  bool is_kept() const { return second_s < first_s; }
  bool operator==(const SecondRound&) const = default;
};

// What a search says of itself. Seconds that it took, and the rules' part, are reported by the run that searched; a
// package doesn't keep them, or it would differ from run to run.
struct SearchStats {
  std::string method = "default";  // how the plan was chosen: "ilp", "greedy", "default" (no search)
  std::int64_t egraph_nodes = 0;
  std::int64_t egraph_classes = 0;
  std::string stop_reason = "none";  // why saturation ended, and the limit that extraction met, if it did
  bool is_limited = false;           // a limit ended the search: more work might have found a better plan
  double objective_s = 0;            // predicted time of the plan as the search saw it
  double bound_s = 0;                // no plan in the e-graph is faster
  double gap = 0;                    // (objective - bound) / objective
  std::optional<double> saturate_s;
  std::optional<double> extract_s;
  std::vector<RuleStats> rules;            // those that matched anything
  std::vector<RegionSearch> regions = {};  // of the functions with a choice
  std::optional<Tuning> tuning = {};
  std::optional<SecondRound> second_round = {};  // where it chose otherwise than the first one
};

// Sizes of a product's tiles, and its time with them on one thread.
struct TileChoice {
  std::string sizes;  // "panels 4, rows 144, depth 512"
  double predicted_s = 0;
};

// An op of the planned program.
struct Op {
  int id = 0;                         // of its marks in a profile
  std::string name;                   // "layer.q_proj": function, and weight or op
  std::string op;                     // "matmul_nt"
  std::string function;               // "layer"
  std::int64_t count = 1;             // executions in one call of the entry
  std::int64_t barriers = 0;          // of an execution: those in its tile tree, and the one that waits for it
  std::string type;                   // the result's, in the IR's text form
  std::vector<std::string> operands;  // their types
  std::string layout;                 // "a<6@0, 2@1>, b<16@0, 2@1>"; "row-major" when nothing is packed
  std::string placement;              // "{core: S(1)}", or empty
  std::vector<std::string> region;    // names of the ops that its tile tree computes, in order: its own, or several
  std::string tree;                   // the tile tree's text (schedule/tile_tree.h); empty for a view
  std::string form;                   // the leaf that computes it (cost/leaf.h): "loops", "tile", ... "view" for none
  CostTable cost;
  std::vector<Alternative> alternatives;
  std::vector<TileChoice> tiles = {};  // of a product in blocks, the fastest ones; where a plan is made to be explained

  bool is_view() const { return form == "view"; }
};

// A function that the runtime calls, of one version of the program, with all ops that a call executes, in the order of
// their first execution.
struct Entry {
  struct Range {
    std::int64_t min = 1;
    std::int64_t max = 1;
    bool operator==(const Range&) const = default;
  };
  std::string function;                 // "forward"
  std::string symbol;                   // "strata_forward_seq1"
  std::string version;                  // "seq1"
  std::map<std::string, Range> ranges;  // of the symbols that the version narrows
  int ids = 0;                          // ids of the version's ops are less
  std::vector<Op> ops;
};

// Where the tensors of a function lie in its arena while its ops run.
struct ArenaMap {
  struct Buffer {
    std::string name;  // of the op that makes it, or "frame of layer"
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
    std::int64_t first = 0;  // of `ops`
    std::int64_t last = 0;
  };
  std::string version;
  std::string function;
  std::int64_t bytes = 0;        // the peak
  std::int64_t lower_bound = 0;  // the largest sum of live bytes
  std::vector<std::string> ops;
  std::vector<Buffer> buffers;
};

// What was decided for a model on a machine.
struct Plan {
  machine::Machine machine;
  SearchStats stats;
  std::vector<Entry> entries;         // those of one version follow one another
  std::vector<ArenaMap> arenas = {};  // where the plan is made to be explained
};

// The code that runs `function` on so many rows; null when there is none.
const Entry* find_entry(const Plan& plan, std::string_view function, std::int64_t rows);

// The entry of that symbol; null when there is none.
const Entry* find_entry(const Plan& plan, std::string_view symbol);

// Of a call of so many rows, which see so many tokens of their sequence.
Sizes sizes_of(double rows, double context, int threads);

// Sizes for the cost of a call on `rows` tokens, the first at `position`. Attention is causal: what counts of the
// context is the number of positions that a row sees, on average.
Sizes call_sizes(std::int64_t rows, std::int64_t position, int threads);

// The package's section "plan".
std::string to_json(const Plan& plan);

// Throws model_error naming `origin` for anything malformed.
Plan plan_from_json(std::string_view json, const std::string& origin);

}  // namespace strata::plan
