// SPDX-License-Identifier: Apache-2.0
// The cheapest plan by trying all strategies of all nodes, with a way of counting of its own: every state in which a
// value is wanted is paid for once, from the one in which it is made or from any other that is wanted.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "distribution/reshard.h"
#include "distribution/strategy.h"
#include "ir/op.h"

namespace strata::distribution::fixtures {

class EveryPlan {
 public:
  EveryPlan(const Graph& graph, const Mesh& mesh, const machine::Machine& machine, const Phase& phase)
      : graph_(graph), mesh_(mesh), machine_(machine), phase_(phase), made_(graph.values.size()) {
    strategies_.reserve(graph.nodes.size());
    for (const Node& node : graph.nodes) {
      strategies_.push_back(strategies_of(graph, node, mesh, {phase}));
      wanted_.emplace_back();
      for (const Strategy& strategy : strategies_.back()) {
        wanted_.back().emplace_back();
        for (const State& state : strategy.operands) wanted_.back().back().push_back(number_of(state));
        results_[&strategy] = number_of(strategy.result);
      }
      seconds_.emplace_back();
      for (const Strategy& strategy : strategies_.back()) {
        seconds_.back().push_back(node.count * node_seconds(graph, node, strategy, mesh, phase, machine));
      }
    }
    least_.assign(graph.nodes.size() + 1, 0);
    for (std::size_t n = graph.nodes.size(); n-- > 0;) {
      least_[n] = least_[n + 1] + *std::ranges::min_element(seconds_[n]);
    }
  }

  // Of a step; nothing that costs `most` or more is looked at.
  double least(double most) {
    best_ = most;
    std::vector<int> carried;
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      made_[v] = number_of(whole(mesh_));
      if (graph_.values[v].kind == Value::Kind::kCarried) carried.push_back(static_cast<int>(v));
    }
    choose_carried(carried, 0);
    return best_;
  }
  std::int64_t visited() const { return visited_; }

 private:
  using Added = std::vector<std::pair<std::vector<int>*, std::size_t>>;

  void choose_carried(const std::vector<int>& carried, std::size_t i) {
    if (i == carried.size()) {
      place(0, 0);
      return;
    }
    const auto v = static_cast<std::size_t>(carried[i]);
    for (const State& state : states_of(graph_.values[v])) {
      made_[v] = number_of(state);
      choose_carried(carried, i + 1);
    }
  }

  std::vector<State> states_of(const Value& value) const {
    std::vector<State> states = {{}};
    for (std::size_t i = 0; i < mesh_.size(); ++i) {
      std::vector<State> longer;
      for (const State& state : states) {
        for (int axis = kSequences - 1; axis < value.type.rank(); ++axis) {
          longer.push_back(state);
          longer.back().push_back(axis < kSequences ? ir::Sbp{} : ir::Sbp::split(axis));
        }
      }
      states = std::move(longer);
    }
    std::erase_if(states, [&](const State& state) { return !is_possible(extents_of(value, phase_), state, mesh_); });
    return states;
  }

  void place(std::size_t n, double spent) {
    ++visited_;
    if (n == graph_.nodes.size()) {
      const double all = spent + delivered();
      best_ = std::min(best_, all);
      return;
    }
    const Node& node = graph_.nodes[n];
    for (std::size_t s = 0; s < strategies_[n].size(); ++s) {
      const Strategy& strategy = strategies_[n][s];
      if (!is_kept_in_place(node, strategy)) continue;
      double more = seconds_[n][s];
      Added added;
      for (std::size_t i = 0; i < node.operands.size(); ++i) more += want(node, i, wanted_[n][s][i], added);
      if (spent + more + least_[n + 1] < best_) {
        made_[static_cast<std::size_t>(node.result)] = results_.at(&strategy);
        place(n + 1, spent + more);
      }
      for (auto item = added.rbegin(); item != added.rend(); ++item) item->first->resize(item->second);
    }
  }

  bool is_kept_in_place(const Node& node, const Strategy& strategy) const {
    if (!node.op->op->writes_alias()) return true;
    return strategy.operands[static_cast<std::size_t>(*node.op->op->aliased_operand())] == strategy.result;
  }

  // What the operand's state costs beside those that are wanted already.
  double want(const Node& node, std::size_t i, int state, Added& added) {
    const int v = node.operands[i];
    if (v < 0) return 0;
    const Value& value = graph_.values[static_cast<std::size_t>(v)];
    if (value.is_constant() || value.kind == Value::Kind::kState) return 0;  // memory is free: it lies so
    std::vector<int>& wants = wants_[{v, node.function}];
    if (std::ranges::find(wants, state) != wants.end()) return 0;
    const double before = node.count * shared_seconds(v, wants);
    added.emplace_back(&wants, wants.size());
    wants.push_back(state);
    const double behind = node.count * shared_seconds(v, wants);
    return std::isinf(behind) ? behind : behind - before;
  }

  // Each of the wanted states from the one that is made or another wanted one, without circles.
  double shared_seconds(int v, std::vector<int> wants) {
    if (wants.empty()) return 0;
    double best = std::numeric_limits<double>::infinity();
    std::ranges::sort(wants);
    do {
      double sum = 0;
      for (std::size_t i = 0; i < wants.size(); ++i) {
        double least = seconds(v, made_of(v), wants[i]);
        for (std::size_t j = 0; j < i; ++j) least = std::min(least, seconds(v, wants[j], wants[i]));
        sum += least;
      }
      best = std::min(best, sum);
    } while (std::ranges::next_permutation(wants).found);
    return best;
  }

  int made_of(int v) const {
    const Value& value = graph_.values[static_cast<std::size_t>(v)];
    return made_[static_cast<std::size_t>(value.kind == Value::Kind::kHandedOn ? value.of : v)];
  }

  double delivered() {
    double sum = 0;
    for (const Delivery& delivery : graph_.deliveries) {
      const int to = delivery.carried < 0 ? number_of(whole(mesh_)) : made_[static_cast<std::size_t>(delivery.carried)];
      sum += delivery.count * seconds(delivery.value, made_of(delivery.value), to);
    }
    return sum;
  }

  int number_of(const State& state) {
    const auto at = std::ranges::find(states_, state);
    if (at != states_.end()) return static_cast<int>(at - states_.begin());
    states_.push_back(state);
    return static_cast<int>(states_.size()) - 1;
  }

  double seconds(int v, int from, int to) {
    if (from == to) return 0;
    constexpr std::size_t kMostStates = 128;
    std::vector<double>& known = between_[v];
    if (known.empty()) known.assign(kMostStates * kMostStates, -1);
    double& entry = known.at(static_cast<std::size_t>(from) * kMostStates + static_cast<std::size_t>(to));
    if (entry < 0)
      entry = ways(v).seconds(states_[static_cast<std::size_t>(from)], states_[static_cast<std::size_t>(to)]);
    return entry;
  }

  Reshards& ways(int v) {
    const auto known = ways_.find(v);
    if (known != ways_.end()) return known->second;
    const Value& value = graph_.values[static_cast<std::size_t>(v)];
    const double ratio = value.node < 0 ? 1 : tuple_ratio(*graph_.nodes[static_cast<std::size_t>(value.node)].op);
    const double start_s = machine_.barrier_s + machine_.op_overhead_s;
    return ways_
        .emplace(v,
                 Reshards(extents_of(value, phase_), mesh_, {ir::Combiner::kSum, ir::Combiner::kTuple}, ratio, start_s))
        .first->second;
  }

  const Graph& graph_;
  const Mesh& mesh_;
  const machine::Machine& machine_;
  const Phase& phase_;
  std::vector<std::vector<Strategy>> strategies_;
  std::vector<std::vector<double>> seconds_;
  std::vector<double> least_;                          // of all nodes from this one on
  std::vector<std::vector<std::vector<int>>> wanted_;  // by node, strategy and operand
  std::map<const Strategy*, int> results_;
  std::vector<State> states_;
  std::vector<int> made_;
  std::map<std::pair<int, std::string>, std::vector<int>> wants_;
  std::map<int, std::vector<double>> between_;
  std::map<int, Reshards> ways_;
  double best_ = 0;
  std::int64_t visited_ = 0;
};

}  // namespace strata::distribution::fixtures
