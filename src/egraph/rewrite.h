// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "egraph/egraph.h"
#include "egraph/matcher.h"
#include "egraph/pattern.h"

namespace strata::egraph {

// What a rule's variables stand for; kNoId: nothing yet. By index (Variables' order) or by name, with the "?".
struct Match {
  const Variables* variables = nullptr;
  std::vector<ClassId> classes;
  std::vector<Payload> payloads;
  std::vector<ClassId> roots;  // the class of each left pattern

  ClassId class_of(std::string_view name) const { return classes[class_index(name)]; }
  Payload payload_of(std::string_view name) const { return payloads[payload_index(name)]; }
  void bind(std::string_view name, ClassId id) { classes[class_index(name)] = id; }
  void bind_payload(std::string_view name, Payload payload) { payloads[payload_index(name)] = payload; }

 private:
  std::uint32_t class_index(std::string_view name) const;
  std::uint32_t payload_index(std::string_view name) const;
};

// Decides whether a match is rewritten; runs before the right side is built. It may bind variables that stand only on
// the right, and add nodes (a dynamic right side). It should rest on facts that stay true when classes merge. The graph
// may be waiting for rebuild(): ids need find(). A match that it denied is found again only where something changed: so
// a rule says how far below the variables' classes its guard looks (make_rewrite).
using Guard = std::function<bool(EGraph&, Match&)>;

// The ways in which a match is rewritten, where there are several: each binds what stands only on the right. Runs after
// the guard.
using Choices = std::function<std::vector<Match>(EGraph&, const Match&)>;

// A payload that makes an operator of the right side the identity: of f{?p}(?x), with ?p bound to it, ?x is left.
inline constexpr Payload kIdentity = 0xfffffffe;

struct Rewrite {
  std::string name;
  Symbol reason = 0;  // the name, for explanations
  Variables variables;
  MultiPattern lhs;
  MultiPattern rhs;  // the term i is united with the class of the variable rhs.roots[i]
  Guard guard;       // may be empty
  Choices choices;   // may be empty: one way, as the guard left the match
  Program program;   // the compiled left side
  // Whether the i-th left pattern's root variable stands already in a pattern up to it: then it is a condition.
  std::vector<bool> is_condition;
  std::size_t match_limit = 0;  // the back-off scheduler's for this rule; 0: the common one
};

// A rule from text (see parse_patterns): "matmul(?x, ?u)" to "...", or several named roots, "?a = f(?x, ?u); ?b = f(?x,
// ?v)" to "?a = g(?x); ?b = ..."; the right side may name fewer roots, in any order, or any class variable of the left
// side. Two variables may stand for the same class. On the left, an operator without braces has any payload, on the
// right 0. Throws std::logic_error naming the rule and the place; a variable that nothing binds is such an error too,
// if there is no guard that could. `guard_depth`: how many levels below its variables' classes the guard looks; 0: at
// their data and nodes.
Rewrite make_rewrite(Symbols& symbols, std::string name, std::string_view lhs, std::string_view rhs, Guard guard = {},
                     const LiteralResolver& literals = {}, int guard_depth = 0);

// Adds the term that a pattern stands for.
ClassId instantiate(EGraph& graph, const Pattern& pattern, const Match& match);

// A row of the search's table as a Match, its ids canonical.
void read_match(const EGraph& graph, const Rewrite& rule, const std::uint32_t* row, Match& match);

// Builds the right side, in each of its ways, and unites it with the left one. Returns whether the graph learnt an
// equality.
bool apply(EGraph& graph, const Rewrite& rule, const Match& match);

}  // namespace strata::egraph
