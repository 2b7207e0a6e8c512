// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "egraph/changes.h"
#include "egraph/egraph.h"
#include "egraph/pattern.h"

namespace strata::egraph {

// One step of a compiled pattern. Registers hold canonical class ids; a step that fails makes the machine go back to
// the last choice.
struct Instruction {
  enum class Kind : std::uint8_t {
    kScan,        // target := each class with a node of `op`
    kScanAll,     // target := each class
    kBind,        // each node of `source` that is an `op` of `arity`: target... := its children
    kBindParent,  // each node that has `source` as its child `child`: target := its class, target + 1... := its
                  // children
    kCompare,     // source = target
    kLookup,      // source is the class of the ground term `term`
    kRoot,        // source is a pattern's root: the last one's must be new if no earlier one is
  };
  enum class PayloadMode : std::uint8_t { kStore, kCompare, kFixed };

  Kind kind = Kind::kScanAll;
  PayloadMode payload_mode = PayloadMode::kFixed;
  std::uint32_t source = 0;
  std::uint32_t target = 0;
  Symbol op = 0;
  std::uint32_t arity = 0;
  std::uint32_t child = 0;
  std::uint32_t payload = 0;  // the variable, or the value if it is fixed
  std::uint32_t term = 0;     // an entry of Program::terms
  // kRoot: how many levels below the class a change may bring a match. kBind of a single pattern's root: the same below
  // the children, kNoId: none. Only new nodes, those above such a change, and, where the class itself matters, all
  // nodes of one that changed match anew.
  std::uint32_t depth = 0;
  bool is_last = false;        // kRoot: of the last pattern
  bool is_root_bind = false;   // kBind: of the only pattern's root
  bool class_matters = false;  // is_root_bind: another place, or the guard, looks at the root's class
};

// A multi-pattern compiled for an abstract machine (de Moura and Bjørner, "Efficient E-Matching for SMT Solvers",
// 2007). A pattern that shares a variable with an earlier one is reached through that class's parents, not by a scan.
struct Program {
  std::vector<Instruction> code;
  std::vector<Pattern> terms;                  // patterns without variables, looked up once per search
  std::vector<std::uint32_t> class_registers;  // where each class variable lies; kNoId: not bound by the pattern
  std::size_t payload_count = 0;
  std::size_t register_count = 0;
  std::uint32_t depth = 0;  // the largest of all instructions
};

inline constexpr int kNoGuard = -1;

// `guard_depth`: how many levels below the variables' classes the rule's guard looks, 0: at their data and nodes.
Program compile_patterns(const MultiPattern& patterns, const Variables& variables, int guard_depth = kNoGuard);

// The matches of a search, `stride` numbers each: the class variables, then the payload variables.
struct MatchTable {
  std::size_t stride = 0;
  std::vector<std::uint32_t> values;

  std::size_t size() const { return stride == 0 ? 0 : values.size() / stride; }
  const std::uint32_t* operator[](std::size_t index) const { return values.data() + index * stride; }
};

struct SearchLimits {
  std::size_t matches = std::numeric_limits<std::size_t>::max();
  std::size_t steps = std::numeric_limits<std::size_t>::max();  // classes and nodes looked at
};

struct SearchResult {
  MatchTable matches;
  bool match_limit_hit = false;
  bool step_limit_hit = false;
  std::size_t steps = 0;
};

// All matches in a clean graph, or the first limits.matches of them, in an order that depends only on the graph. What
// was there when the graph was as `seen` is left out, but for some that lie where something changed.
SearchResult search(const EGraph& graph, const Program& program, const SearchLimits& limits = {},
                    const Seen& seen = {});

}  // namespace strata::egraph
