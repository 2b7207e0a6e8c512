// SPDX-License-Identifier: Apache-2.0
#include "distribution/problem.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "ir/op.h"

namespace strata::distribution {
namespace {

void add_new(std::vector<State>& states, const State& state) {
  if (std::ranges::find(states, state) == states.end()) states.push_back(state);
}

std::size_t index_of(const std::vector<State>& states, const State& state) {
  const auto at = std::ranges::find(states, state);
  STRATA_CHECK(at != states.end(), "a state that no one has");
  return static_cast<std::size_t>(at - states.begin());
}

// Whole and divided ones that are possible in all phases.
std::vector<State> whole_states(const Value& value, const Mesh& mesh, const std::vector<Phase>& phases) {
  std::vector<ir::Sbp> choices = {ir::Sbp{}};
  for (int axis = value.is_constant() ? 0 : kSequences; axis < value.type.rank(); ++axis) {
    choices.push_back(ir::Sbp::split(axis));
  }
  std::vector<State> states = {{}};
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    std::vector<State> longer;
    for (const State& state : states) {
      for (const ir::Sbp& choice : choices) {
        longer.push_back(state);
        longer.back().push_back(choice);
      }
    }
    states = std::move(longer);
  }
  std::erase_if(states, [&](const State& state) {
    return !std::ranges::all_of(phases,
                                [&](const Phase& phase) { return is_possible(extents_of(value, phase), state, mesh); });
  });
  return states;
}

}  // namespace

double stored_bytes(const Value& value, const State& state, const Mesh& mesh, const Phase& phase) {
  const Extents extents = extents_of(value, phase);
  const double bytes = room_bytes(extents, state, mesh) * value.copies;
  return value.is_constant() ? bytes * value.bytes / room_bytes(extents, whole(mesh), mesh) : bytes;
}

Problem::Problem(const Graph& graph, const Mesh& mesh, const machine::Machine& machine, std::vector<Phase> phases)
    : graph_(graph), mesh_(mesh), machine_(machine), phases_(std::move(phases)), states_(graph.values.size()) {
  add_nodes();
  add_stored();
  add_groups();
  add_costs();
}

void Problem::add_nodes() {
  for (const Node& node : graph_.nodes) {
    strategies_.push_back(strategies_of(graph_, node, mesh_, phases_));
    sizes_.push_back(static_cast<int>(strategies_.back().size()));
    for (const Strategy& strategy : strategies_.back()) {
      states_[static_cast<std::size_t>(node.result)].push_back(strategy.result);
    }
  }
}

void Problem::add_stored() {
  for (std::size_t v = 0; v < graph_.values.size(); ++v) {
    const Value& value = graph_.values[v];
    std::vector<Use> uses;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const auto& operands = graph_.nodes[n].operands;
      for (std::size_t i = 0; i < operands.size(); ++i) {
        if (operands[i] == static_cast<int>(v)) uses.push_back({static_cast<int>(n), i});
      }
    }
    if (value.kind == Value::Kind::kGiven) states_[v] = {whole(mesh_)};
    if (value.kind == Value::Kind::kConstant || value.kind == Value::Kind::kCarried) {
      states_[v] = whole_states(value, mesh_, phases_);
    } else if (value.kind == Value::Kind::kState && !uses.empty()) {
      states_[v] = wanted_states({uses[0]});
    } else {
      continue;
    }
    variables_[static_cast<int>(v)] = static_cast<int>(sizes_.size());
    sizes_.push_back(static_cast<int>(states_[v].size()));
  }
}

void Problem::add_groups() {
  std::map<std::pair<int, std::string>, std::vector<Use>> uses;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      if (node.operands[i] >= 0) uses[{node.operands[i], node.function}].push_back({static_cast<int>(n), i});
    }
  }
  for (auto& [key, of_function] : uses) {
    Group group{key.first, std::move(of_function), -1, {}, 1};
    group.count = graph_.nodes[static_cast<std::size_t>(group.uses[0].node)].count;
    const Value::Kind kind = graph_.values[static_cast<std::size_t>(group.value)].kind;
    const bool is_moved = kind != Value::Kind::kGiven && kind != Value::Kind::kState;
    if (is_moved && group.uses.size() > 1) {
      group.seconds = wanted_states(group.uses);
      group.seconds.insert(group.seconds.begin(), whole(mesh_));  // none
      group.second = static_cast<int>(sizes_.size());
      sizes_.push_back(static_cast<int>(group.seconds.size()));
    }
    groups_.push_back(std::move(group));
  }
}

void Problem::add_costs() {
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    add_factor({static_cast<int>(n)}, [&](const std::vector<int>& choice) {
      double seconds = 0;
      for (const Phase& phase : phases_) {
        const Strategy& strategy = strategies_[n][static_cast<std::size_t>(choice[0])];
        seconds += phase.runs * node.count * node_seconds(graph_, node, strategy, mesh_, phase, machine_);
      }
      return seconds;
    });
  }
  for (const Group& group : groups_) {
    if (group.second >= 0) add_second(group);
    for (const Use& use : group.uses) {
      is_updated_by(group.value, use.node) ? add_update(group, use) : add_use(group, use);
    }
  }
  for (const Delivery& delivery : graph_.deliveries) add_delivery(delivery);
}

// The user takes the value as it is made, or as it is kept beside that.
void Problem::add_use(const Group& group, const Use& use) {
  const std::vector<State>& from = made_states(group.value);
  const std::vector<State> to = wanted_states({use});
  std::vector<std::size_t> want;
  for (const Strategy& strategy : strategies_[static_cast<std::size_t>(use.node)]) {
    want.push_back(index_of(to, strategy.operands[use.operand]));
  }
  const Table made = table(group.value, from, to, group.count);
  const Table kept = group.second < 0 ? Table{} : table(group.value, group.seconds, to, group.count);
  std::vector<int> variables = {use.node};
  const bool is_made = maker(group.value) >= 0;
  if (is_made) variables.push_back(maker(group.value));
  if (group.second >= 0) variables.push_back(group.second);
  add_factor(variables, [&](const std::vector<int>& choice) {
    const std::size_t wants = want[static_cast<std::size_t>(choice[0])];
    const double seconds = made[is_made ? static_cast<std::size_t>(choice[1]) : 0][wants];
    if (group.second < 0 || choice[2] == 0) return seconds;
    return std::min(seconds, kept[static_cast<std::size_t>(choice[2])][wants]);
  });
}

void Problem::add_second(const Group& group) {
  const Table made = table(group.value, made_states(group.value), group.seconds, group.count);
  add_factor({maker(group.value), group.second}, [&](const std::vector<int>& choice) {
    return choice[1] == 0 ? 0 : made[static_cast<std::size_t>(choice[0])][static_cast<std::size_t>(choice[1])];
  });
}

void Problem::add_update(const Group& group, const Use& use) {
  const std::vector<State>& lies = made_states(group.value);
  add_factor({use.node, maker(group.value)}, [&](const std::vector<int>& choice) {
    const Strategy& strategy = strategies_[static_cast<std::size_t>(use.node)][static_cast<std::size_t>(choice[0])];
    const State& state = lies[static_cast<std::size_t>(choice[1])];
    return strategy.operands[use.operand] == state && strategy.result == state ? 0 : kInfinite;
  });
}

void Problem::add_delivery(const Delivery& delivery) {
  const bool is_whole = delivery.carried < 0;
  const std::vector<State> to = is_whole ? std::vector<State>{whole(mesh_)} : made_states(delivery.carried);
  const Table made = table(delivery.value, made_states(delivery.value), to, delivery.count);
  std::vector<int> variables;
  if (maker(delivery.value) >= 0) variables.push_back(maker(delivery.value));
  if (!is_whole) variables.push_back(maker(delivery.carried));
  add_factor(variables, [&](const std::vector<int>& choice) {
    const std::size_t from = maker(delivery.value) >= 0 ? static_cast<std::size_t>(choice[0]) : 0;
    return made[from][is_whole ? 0 : static_cast<std::size_t>(choice.back())];
  });
}

// The cost is asked for with choices in the order of `variables`.
void Problem::add_factor(std::vector<int> variables, const std::function<double(const std::vector<int>&)>& cost) {
  std::vector<std::size_t> order(variables.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) { return variables[i]; });
  Factor factor;
  std::size_t entries = 1;
  for (const std::size_t i : order) {
    factor.scope.push_back(variables[i]);
    entries *= static_cast<std::size_t>(sizes_[static_cast<std::size_t>(variables[i])]);
  }
  factor.costs.reserve(entries);
  std::vector<int> choice(variables.size());
  for (std::size_t entry = 0; entry < entries; ++entry) {
    std::size_t rest = entry;
    for (std::size_t k = order.size(); k-- > 0;) {
      const auto size = static_cast<std::size_t>(sizes_[static_cast<std::size_t>(factor.scope[k])]);
      choice[order[k]] = static_cast<int>(rest % size);
      rest /= size;
    }
    factor.costs.push_back(cost(choice));
  }
  factors_.push_back(std::move(factor));
}

int Problem::maker(int value) const {
  const Value& made = graph_.values[static_cast<std::size_t>(value)];
  if (made.kind == Value::Kind::kHandedOn) return maker(made.of);
  if (made.kind == Value::Kind::kGiven) return -1;
  return made.kind == Value::Kind::kMade ? made.node : variables_.at(value);
}

const std::vector<State>& Problem::made_states(int value) const {
  const Value& made = graph_.values[static_cast<std::size_t>(value)];
  return made.kind == Value::Kind::kHandedOn ? made_states(made.of) : states_[static_cast<std::size_t>(value)];
}

std::vector<State> Problem::wanted_states(const std::vector<Use>& uses) const {
  std::vector<State> states;
  for (const Use& use : uses) {
    for (const Strategy& strategy : strategies_[static_cast<std::size_t>(use.node)]) {
      add_new(states, strategy.operands[use.operand]);
    }
  }
  return states;
}

bool Problem::is_updated_by(int value, int node) const {
  const Value::Kind kind = graph_.values[static_cast<std::size_t>(value)].kind;
  return kind == Value::Kind::kState && graph_.nodes[static_cast<std::size_t>(node)].op->op->writes_alias();
}

// Of all phases together.
Problem::Table Problem::table(int value, const std::vector<State>& from, const std::vector<State>& to,
                              double count) const {
  Table table(from.size(), std::vector<double>(to.size()));
  for (std::size_t phase = 0; phase < phases_.size(); ++phase) {
    Reshards& ways = reshards(value, phase);
    for (std::size_t i = 0; i < from.size(); ++i) {
      for (std::size_t j = 0; j < to.size(); ++j) {
        table[i][j] += from[i] == to[j] ? 0 : phases_[phase].runs * count * ways.seconds(from[i], to[j]);
      }
    }
  }
  return table;
}

Reshards& Problem::reshards(int value, std::size_t phase) const {
  const auto known = reshards_.find({value, phase});
  if (known != reshards_.end()) return known->second;
  const Value& made = graph_.values[static_cast<std::size_t>(value)];
  const Value& first = made.kind == Value::Kind::kHandedOn ? graph_.values[static_cast<std::size_t>(made.of)] : made;
  const double ratio = first.node < 0 ? 1 : tuple_ratio(*graph_.nodes[static_cast<std::size_t>(first.node)].op);
  Extents extents = extents_of(made, phases_[phase]);
  const double start_s = machine_.barrier_s + machine_.op_overhead_s;
  return reshards_
      .emplace(std::pair(value, phase),
               Reshards(std::move(extents), mesh_, {ir::Combiner::kSum, ir::Combiner::kTuple}, ratio, start_s))
      .first->second;
}

FactorGraph Problem::factors(double price, const Stored* fixed) const {
  FactorGraph graph{sizes_, factors_};
  for (const auto& [value, variable] : variables_) {
    const Value& stored = graph_.values[static_cast<std::size_t>(value)];
    if (stored.kind == Value::Kind::kCarried) continue;
    Factor factor{{variable}, {}};
    for (const State& state : states_[static_cast<std::size_t>(value)]) {
      const bool is_allowed = fixed == nullptr || fixed->at(value) == state;
      factor.costs.push_back(is_allowed ? price * stored_bytes(stored, state, mesh_, phases_[0]) : kInfinite);
    }
    graph.factors.push_back(std::move(factor));
  }
  return graph;
}

Stored Problem::stored(const std::vector<int>& choice) const {
  Stored stored;
  for (const auto& [value, variable] : variables_) {
    if (graph_.values[static_cast<std::size_t>(value)].kind == Value::Kind::kCarried) continue;
    stored[value] =
        states_[static_cast<std::size_t>(value)][static_cast<std::size_t>(choice[static_cast<std::size_t>(variable)])];
  }
  return stored;
}

double Problem::least_bytes() const {
  double sum = 0;
  for (const auto& [value, variable] : variables_) {
    const Value& stored = graph_.values[static_cast<std::size_t>(value)];
    if (stored.kind == Value::Kind::kCarried) continue;
    double least = kInfinite;
    for (const State& state : states_[static_cast<std::size_t>(value)]) {
      least = std::min(least, stored_bytes(stored, state, mesh_, phases_[0]));
    }
    sum += least;
  }
  return sum;
}

const Strategy& Problem::strategy(int node, const std::vector<int>& choice) const {
  const auto n = static_cast<std::size_t>(node);
  return strategies_[n][static_cast<std::size_t>(choice[n])];
}

const State& Problem::state(int value, const std::vector<int>& choice) const {
  const int variable = maker(value);
  const std::vector<State>& states = made_states(value);
  return variable < 0 ? states[0] : states[static_cast<std::size_t>(choice[static_cast<std::size_t>(variable)])];
}

double Problem::seconds(int node, const std::vector<int>& choice, std::size_t phase) const {
  const Node& of = graph_.nodes[static_cast<std::size_t>(node)];
  return of.count * node_seconds(graph_, of, strategy(node, choice), mesh_, phases_[phase], machine_);
}

std::vector<Move> Problem::moves(const std::vector<int>& choice, std::size_t phase) const {
  std::vector<Move> moves;
  const auto add = [&](int value, int user, const State& from, const State& to, double count) {
    if (from == to) return;
    Move move{value, user, from, to, hops(value, from, to, phase), count};
    moves.push_back(std::move(move));
  };
  for (const Group& group : groups_) {
    const State& made = state(group.value, choice);
    const State* const kept = second_state(group, choice);
    if (kept != nullptr) add(group.value, -1, made, *kept, group.count);
    for (const Use& use : group.uses) {
      if (is_updated_by(group.value, use.node)) continue;
      const State& want = strategy(use.node, choice).operands[use.operand];
      add(group.value, use.node, takes_second(group, use, choice, phase) ? *kept : made, want, group.count);
    }
  }
  for (const Delivery& delivery : graph_.deliveries) {
    const State to = delivery.carried < 0 ? whole(mesh_) : state(delivery.carried, choice);
    add(delivery.value, -1, state(delivery.value, choice), to, delivery.count);
  }
  return moves;
}

const State* Problem::second_state(const Group& group, const std::vector<int>& choice) const {
  const int second = group.second < 0 ? 0 : choice[static_cast<std::size_t>(group.second)];
  return second == 0 ? nullptr : &group.seconds[static_cast<std::size_t>(second)];
}

bool Problem::takes_second(const Group& group, const Use& use, const std::vector<int>& choice,
                           std::size_t phase) const {
  const State* const kept = second_state(group, choice);
  if (kept == nullptr) return false;
  const State& want = strategy(use.node, choice).operands[use.operand];
  Reshards& ways = reshards(group.value, phases_[0].equal_parts ? 0 : phase);
  return ways.seconds(*kept, want) < ways.seconds(state(group.value, choice), want);
}

// Where one program is made for all phases, the first one's way is taken in all.
std::vector<Hop> Problem::hops(int value, const State& from, const State& to, std::size_t phase) const {
  if (phase == 0 || !phases_[0].equal_parts) return reshards(value, phase).path(from, to);
  std::vector<Hop> path = reshards(value, 0).path(from, to);
  const State* before = &from;
  for (Hop& hop : path) {
    hop.cost = reshards(value, phase).cost_of(*before, hop);
    before = &hop.to;
  }
  return path;
}

Division Problem::division(const std::vector<int>& choice) const {
  Division division{mesh_, {}, {}, {}, {}, {}};
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    division.nodes.push_back(strategy(static_cast<int>(n), choice));
    division.uses.emplace_back(graph_.nodes[n].operands.size());
  }
  for (std::size_t v = 0; v < graph_.values.size(); ++v) {
    const bool is_unused = made_states(static_cast<int>(v)).empty();
    division.values.push_back(is_unused ? whole(mesh_) : state(static_cast<int>(v), choice));
  }
  for (const Group& group : groups_) {
    const State& made = state(group.value, choice);
    const State* const kept = second_state(group, choice);
    const std::string& function = graph_.nodes[static_cast<std::size_t>(group.uses[0].node)].function;
    if (kept != nullptr) division.kept[{group.value, function}] = hops(group.value, made, *kept, 0);
    for (const Use& use : group.uses) {
      if (is_updated_by(group.value, use.node)) continue;
      const bool is_kept = takes_second(group, use, choice, 0);
      const State& want = strategy(use.node, choice).operands[use.operand];
      division.uses[static_cast<std::size_t>(use.node)][use.operand] = {
          is_kept, hops(group.value, is_kept ? *kept : made, want, 0)};
    }
  }
  for (const Delivery& delivery : graph_.deliveries) {
    const State to = delivery.carried < 0 ? whole(mesh_) : state(delivery.carried, choice);
    division.deliveries.push_back(hops(delivery.value, state(delivery.value, choice), to, 0));
  }
  return division;
}

std::optional<State> Problem::carried(const std::vector<int>& choice) const {
  for (std::size_t v = 0; v < graph_.values.size(); ++v) {
    if (graph_.values[v].kind == Value::Kind::kCarried) return state(static_cast<int>(v), choice);
  }
  return std::nullopt;
}

// The most that is alive at once, in the nodes' order: what is still needed of each function, as it is made and as it
// is wanted.
double Problem::arena_bytes(const std::vector<int>& choice, std::size_t phase) const {
  std::vector<int> last(graph_.values.size(), -1);
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    for (const int v : graph_.nodes[n].operands) {
      if (v >= 0) last[static_cast<std::size_t>(v)] = static_cast<int>(n);
    }
  }
  const auto bytes_of = [&](int v, const State& state) {
    return share_of(extents_of(graph_.values[static_cast<std::size_t>(v)], phases_[phase]), state, mesh_).bytes;
  };
  double peak = 0;
  for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
    double alive = 0;
    for (std::size_t v = 0; v < last.size(); ++v) {
      const Value& value = graph_.values[v];
      const bool is_passed = value.kind == Value::Kind::kMade || value.kind == Value::Kind::kCarried;
      if (!is_passed || (value.node >= 0 && graph_.nodes[static_cast<std::size_t>(value.node)].op->op->writes_alias()))
        continue;
      const bool is_alive = value.node <= static_cast<int>(n) && last[v] >= static_cast<int>(n);
      if (is_alive || value.node == static_cast<int>(n))
        alive += bytes_of(static_cast<int>(v), state(static_cast<int>(v), choice));
    }
    const Node& node = graph_.nodes[n];
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      if (node.operands[i] < 0) continue;
      const State& want = strategy(static_cast<int>(n), choice).operands[i];
      if (want != state(node.operands[i], choice)) alive += bytes_of(node.operands[i], want);
    }
    peak = std::max(peak, alive);
  }
  return peak;
}

}  // namespace strata::distribution
