// SPDX-License-Identifier: Apache-2.0
#include "grammar/program.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "grammar/network.h"

namespace strata::grammar {
namespace {

using Edge = Program::Edge;

// Of every state, the edges that lead to it.
std::vector<std::vector<std::pair<std::uint32_t, Edge>>> reversed(const Network& network) {
  std::vector<std::vector<std::pair<std::uint32_t, Edge>>> out(network.edges.size());
  for (std::uint32_t state = 0; state < network.edges.size(); ++state) {
    for (const Edge& edge : network.edges[state]) out[edge.target].emplace_back(state, edge);
  }
  return out;
}

// The states from which their rule's end can be reached; without any byte, unless `by_bytes`.
std::vector<bool> states_that_end(const Network& network, bool by_bytes) {
  const auto edges_to = reversed(network);
  std::vector<bool> ends(network.edges.size(), false);
  std::vector<std::uint32_t> open;
  std::vector<std::vector<std::uint32_t>> callers(network.rules.size());  // that end if the rule does
  const auto add = [&](std::uint32_t state) {
    if (!ends[state]) open.push_back(state);
    ends[state] = true;
  };
  for (const Network::RuleEnds& rule : network.rules) add(rule.end);
  while (!open.empty()) {
    const std::uint32_t state = open.back();
    open.pop_back();
    for (const auto& [from, edge] : edges_to[state]) {
      if (edge.kind == Edge::Kind::kEmpty || (edge.kind == Edge::Kind::kBytes && by_bytes)) {
        add(from);
      } else if (edge.kind == Edge::Kind::kCall) {
        callers[edge.rule].push_back(from);
        if (ends[network.rules[edge.rule].start]) add(from);
      }
    }
    const std::uint32_t rule = network.rule_of[state];
    if (network.rules[rule].start != state) continue;
    for (const std::uint32_t caller : std::exchange(callers[rule], {})) add(caller);
  }
  return ends;
}

// The edges on which no text can be ended go.
void drop_dead_ends(Network& network) {
  const std::vector<bool> ends = states_that_end(network, true);
  for (std::vector<Edge>& edges : network.edges) {
    std::erase_if(edges, [&](const Edge& edge) {
      return !ends[edge.target] || (edge.kind == Edge::Kind::kCall && !ends[network.rules[edge.rule].start]);
    });
  }
}

bool is_dead(const Network& network, std::uint32_t rule) {
  const Network::RuleEnds& ends = network.rules[rule];
  return ends.start != ends.end && network.edges[ends.start].empty();
}

// The rules that this one may call before it takes a byte.
std::vector<std::uint32_t> first_calls(const Network& network, std::uint32_t rule, const std::vector<bool>& is_nullable,
                                       std::vector<bool>& seen) {
  std::vector<std::uint32_t> calls, open = {network.rules[rule].start};
  seen[open.front()] = true;
  while (!open.empty()) {
    const std::uint32_t state = open.back();
    open.pop_back();
    for (const Edge& edge : network.edges[state]) {
      if (edge.kind == Edge::Kind::kBytes) continue;
      if (edge.kind == Edge::Kind::kCall) calls.push_back(edge.rule);
      const bool goes_on = edge.kind == Edge::Kind::kEmpty || is_nullable[edge.rule];
      if (!goes_on || seen[edge.target]) continue;
      seen[edge.target] = true;
      open.push_back(edge.target);
    }
  }
  return calls;
}

// Ranks the rules by Kahn's algorithm. Throws usage_error where one calls itself before it takes a byte.
std::vector<std::uint32_t> rank_rules(const Grammar& grammar, const Network& network,
                                      const std::vector<bool>& is_nullable) {
  std::vector<std::vector<std::uint32_t>> calls;
  std::vector<std::uint32_t> callers(network.rules.size(), 0), ranks(network.rules.size(), 0), ready;
  std::vector<bool> seen(network.edges.size(), false);
  for (std::uint32_t rule = 0; rule < network.rules.size(); ++rule) {
    calls.push_back(first_calls(network, rule, is_nullable, seen));
    for (const std::uint32_t called : calls.back()) ++callers[called];
  }
  for (std::uint32_t rule = 0; rule < network.rules.size(); ++rule) {
    if (callers[rule] == 0) ready.push_back(rule);
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    ranks[ready[i]] = static_cast<std::uint32_t>(i);
    for (const std::uint32_t called : calls[ready[i]]) {
      if (--callers[called] == 0) ready.push_back(called);
    }
  }
  if (ready.size() == network.rules.size()) return ranks;
  // Of those that are left each has a caller that is left too: whoever goes back along them comes to a cycle.
  std::vector<std::uint32_t> caller(network.rules.size(), 0);
  for (std::uint32_t from = 0; from < network.rules.size(); ++from) {
    if (callers[from] == 0) continue;
    for (const std::uint32_t called : calls[from]) caller[called] = from;
  }
  auto rule = static_cast<std::uint32_t>(std::ranges::find_if(callers, [](std::uint32_t count) { return count > 0; }) -
                                         callers.begin());
  std::vector<bool> is_passed(network.rules.size(), false);
  while (!is_passed[rule]) {
    is_passed[rule] = true;
    rule = caller[rule];
  }
  throw usage_error("the grammar's rule " + grammar.rules[rule].name.substr(0, 200) + " is left-recursive",
                    "let it begin with something else than itself");
}

void classify_bytes(Program& program) {
  std::array<bool, 257> begins{};
  for (const Edge& edge : program.edges) {
    if (edge.kind != Edge::Kind::kBytes) continue;
    begins[edge.first] = true;
    begins[edge.last + 1U] = true;
  }
  std::uint32_t number = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && begins[byte]) ++number;
    program.byte_class[byte] = static_cast<std::uint8_t>(number);
  }
  program.byte_classes = number + 1;
}

// Whether a state leads, without taking anything, to one that goes on.
std::vector<bool> states_that_go_on(const Network& network) {
  const auto edges_to = reversed(network);
  std::vector<bool> goes_on(network.edges.size(), false);
  std::vector<std::uint32_t> open;
  const auto add = [&](std::uint32_t state) {
    if (!goes_on[state]) open.push_back(state);
    goes_on[state] = true;
  };
  for (std::uint32_t state = 0; state < network.edges.size(); ++state) {
    if (std::ranges::any_of(network.edges[state], [](const Edge& edge) { return edge.kind != Edge::Kind::kEmpty; })) {
      add(state);
    }
  }
  while (!open.empty()) {
    const std::uint32_t state = open.back();
    open.pop_back();
    for (const auto& [from, edge] : edges_to[state]) {
      if (edge.kind == Edge::Kind::kEmpty) add(from);
    }
  }
  return goes_on;
}

void lay_out(const Network& network, Program& program) {
  const std::vector<bool> goes_on = states_that_go_on(network);
  for (std::uint32_t state = 0; state < network.edges.size(); ++state) {
    Program::State out{.edge_begin = static_cast<std::uint32_t>(program.edges.size())};
    for (const Edge& edge : network.edges[state]) {
      out.has_bytes |= edge.kind == Edge::Kind::kBytes;
      program.edges.push_back(edge);
    }
    out.edge_end = static_cast<std::uint32_t>(program.edges.size());
    out.is_final = network.rules[network.rule_of[state]].end == state;
    out.is_last = !goes_on[state];
    program.states.push_back(out);
  }
}

}  // namespace

Program compile(const Grammar& grammar) {
  Network network = build_network(grammar);
  drop_dead_ends(network);
  if (is_dead(network, grammar.root)) {
    throw usage_error("no text fulfils the grammar: its rule " + grammar.rules[grammar.root].name.substr(0, 200) +
                          " never comes to an end",
                      "give a repetition something to end with");
  }
  const std::vector<bool> ends_at_once = states_that_end(network, false);
  std::vector<bool> is_nullable;
  for (const Network::RuleEnds& rule : network.rules) is_nullable.push_back(ends_at_once[rule.start]);
  const std::vector<std::uint32_t> ranks = rank_rules(grammar, network, is_nullable);
  Program program;
  lay_out(network, program);
  for (std::size_t i = 0; i < network.rules.size(); ++i) {
    program.rules.push_back({network.rules[i].start, ranks[i], is_nullable[i]});
  }
  program.root = grammar.root;
  classify_bytes(program);
  return program;
}

}  // namespace strata::grammar
