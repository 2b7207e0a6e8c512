// SPDX-License-Identifier: Apache-2.0
#include "compile/region_space.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "buffer/barriers.h"
#include "schedule/op_cost.h"
#include "schedule/region.h"

namespace strata::compile {

using schedule::ScheduledOp;
using search::Move;
using search::State;

RegionSpace::RegionSpace(schedule::ScheduledFunction& function,
                         const std::map<const ir::Function*, buffer::FunctionPlan>& callees,
                         const machine::Machine& machine, int threads)
    : function_(function), callees_(callees), machine_(machine), threads_(threads), at_(start()) {
  for (const ScheduledOp& op : function_.ops) alone_s_.push_back(op.has_code() ? op.predicted_s : 0);
  trees_.resize(function_.ops.size());
  find_readers();
}

// Each op by itself.
State RegionSpace::start() {
  State state(function_.ops.size());
  std::iota(state.begin(), state.end(), 0);
  return state;
}

void RegionSpace::find_readers() {
  std::map<const ir::Expr*, std::uint32_t> maker;
  makers_.resize(function_.ops.size());
  readers_.resize(function_.ops.size());
  for (std::uint32_t i = 0; i < function_.ops.size(); ++i) {
    const ScheduledOp& op = function_.ops[i];
    std::set<std::uint32_t> made;
    for (const ir::Expr* value : op.value->arguments) {
      if (const auto found = maker.find(value); found != maker.end()) made.insert(found->second);
    }
    maker[op.value] = i;
    if (op.is_view()) {
      const auto memory = maker.find(op.value->arguments[0]);
      if (memory != maker.end()) maker[op.value] = memory->second;
      continue;
    }
    makers_[i].assign(made.begin(), made.end());
    for (const std::uint32_t from : makers_[i]) readers_[from].push_back(i);
  }
}

bool RegionSpace::may_join(std::size_t op) const {
  return !function_.ops[op].is_call() && !function_.ops[op].is_view();
}

std::vector<RegionSpace::Ops> RegionSpace::members(const State& state) {
  std::vector<Ops> all(state.size());
  for (std::uint32_t op = 0; op < state.size(); ++op) all[state[op]].push_back(op);
  return all;
}

// The regions that make what this one reads, by their last ops; the nearest first.
std::vector<std::uint32_t> RegionSpace::sources(const State& state, const Ops& ops) const {
  std::vector<std::uint32_t> found;
  for (const std::uint32_t op : ops) {
    for (const std::uint32_t maker : makers_[op]) {
      if (may_join(maker) && state[maker] < ops.back()) found.push_back(state[maker]);
    }
  }
  std::ranges::sort(found, std::greater<>());
  found.erase(std::ranges::unique(found).begin(), found.end());
  return found;
}

// Whether code that reads what the ops make stands before the last of them.
bool RegionSpace::is_read_before(const State& state, const Ops& ops) const {
  return std::ranges::any_of(ops, [&](std::uint32_t op) {
    return std::ranges::any_of(readers_[op], [&](std::uint32_t reader) {
      return state[reader] < ops.back() && !std::ranges::binary_search(ops, reader);
    });
  });
}

// `around`: a state of known regions in which nothing reads before the last op what the ops make.
const RegionSpace::Region& RegionSpace::region(const State& around, const Ops& ops) {
  if (const auto found = regions_.find(ops); found != regions_.end()) return found->second;
  set(around);
  auto made = schedule::region_of(function_, {ops.begin(), ops.end()}, machine_, threads_);
  Region region;
  if (auto* const op = std::get_if<ScheduledOp>(&made)) {
    op->predicted_s = schedule::op_cost(*op, machine_, {}, threads_).seconds;
    const double seconds = op->predicted_s;
    region = {std::move(*op), seconds, true};
  }
  return regions_.emplace(ops, std::move(region)).first->second;
}

double RegionSpace::seconds(const Ops& ops) const {
  return ops.size() == 1 ? alone_s_[ops[0]] : regions_.at(ops).seconds;
}

std::vector<Move> RegionSpace::moves(const State& state) {
  std::vector<Move> moves;
  const std::vector<Ops> all = members(state);
  for (std::uint32_t last = 0; last < state.size(); ++last) {
    if (!all[last].empty() && may_join(last)) add_joins(state, all, last, moves);
  }
  return moves;
}

// The region's code stays where it is, that of what it takes in moves down to it, so that what this reads is read
// later: all other regions stay what they are.
void RegionSpace::add_joins(const State& state, const std::vector<Ops>& members, std::uint32_t last,
                            std::vector<Move>& moves) {
  for (const std::uint32_t source : sources(state, members[last])) {
    Ops ops;
    std::ranges::merge(members[last], members[source], std::back_inserter(ops));
    if (is_read_before(state, ops)) continue;
    const Region& made = region(state, ops);
    if (!made.is_legal) continue;
    Move move{state, last, made.seconds - seconds(members[last]) - seconds(members[source])};
    if (threads_ > 1) move.estimate -= machine_.barrier_s;
    for (const std::uint32_t op : members[source]) move.to[op] = last;
    moves.push_back(std::move(move));
  }
}

std::vector<Move> RegionSpace::undos(const State& state) {
  std::vector<Move> moves;
  for (const Ops& ops : members(state)) {
    if (ops.size() < 2) continue;
    std::vector<Ops> alone;
    for (const std::uint32_t op : ops) alone.push_back({op});
    add_parts(state, alone, moves);
    if (ops.size() == 2) continue;
    add_parts(state, {{ops.front()}, {ops.begin() + 1, ops.end()}}, moves);
    add_parts(state, {{ops.begin(), ops.end() - 1}, {ops.back()}}, moves);
  }
  return moves;
}

// In place of a region its parts. What stands earlier then may read what another region makes too late.
void RegionSpace::add_parts(const State& state, const std::vector<Ops>& parts, std::vector<Move>& moves) {
  Move move{state, parts.back().back()};
  State around = state;
  Ops all;
  for (const Ops& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
    for (const std::uint32_t op : part) {
      move.to[op] = part.back();
      around[op] = op;
    }
  }
  for (const Ops& ops : members(move.to)) {
    if (ops.size() > 1 && is_read_before(move.to, ops)) return;
  }
  std::ranges::sort(all);
  move.estimate = -seconds(all);
  if (threads_ > 1) move.estimate += machine_.barrier_s * static_cast<double>(parts.size() - 1);
  for (const Ops& part : parts) {
    if (part.size() > 1 && !region(around, part).is_legal) return;
    move.estimate += seconds(part);
  }
  moves.push_back(std::move(move));
}

// What schedule::enter() and dissolve() do, without copies.
void RegionSpace::exchange(const Ops& ops, bool enters) {
  std::swap(function_.ops[ops.back()], regions_.at(ops).op);
  for (const std::uint32_t part : ops) {
    if (part == ops.back()) continue;
    ScheduledOp& op = function_.ops[part];
    std::swap(op.tree, trees_[part]);
    op.computed_in = enters ? function_.ops[ops.back()].value : nullptr;
    op.predicted_s = enters ? 0 : alone_s_[part];
  }
}

void RegionSpace::set(const State& state) {
  std::set<std::uint32_t> changed;
  for (std::uint32_t op = 0; op < state.size(); ++op) {
    if (at_[op] != state[op]) changed.insert({at_[op], state[op]});
  }
  if (changed.empty()) return;
  const std::vector<Ops> before = members(at_), after = members(state);
  for (const std::uint32_t last : changed) {
    if (before[last].size() > 1) exchange(before[last], false);
  }
  for (const std::uint32_t last : changed) {
    if (after[last].size() > 1) exchange(after[last], true);
  }
  at_ = state;
}

void RegionSpace::take(const State& state) {
  set(start());
  for (const Ops& ops : members(state)) {
    if (ops.size() > 1) schedule::enter(function_, regions_.at(ops).op);
  }
}

double RegionSpace::cost(const State& state) {
  double sum = 0;
  for (const Ops& ops : members(state)) {
    if (!ops.empty() && !function_.ops[ops.back()].is_call()) sum += seconds(ops);
  }
  if (threads_ == 1) return sum;
  set(state);
  return sum + machine_.barrier_s * buffer::barriers_of(function_, buffer::plan_apart(function_, callees_));
}

}  // namespace strata::compile
