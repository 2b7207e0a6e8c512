// SPDX-License-Identifier: Apache-2.0
#include "compile/region_space.h"

#include <algorithm>
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

RegionSpace::Ops RegionSpace::members(const State& state, std::uint32_t last) {
  Ops ops;
  for (std::uint32_t i = 0; i <= last; ++i) {
    if (state[i] == last) ops.push_back(i);
  }
  return ops;
}

// The regions that make what this one reads, by their last ops; the nearest first.
std::vector<std::uint32_t> RegionSpace::sources(const State& state, std::uint32_t last) const {
  std::set<std::uint32_t, std::greater<>> found;
  for (const std::uint32_t op : members(state, last)) {
    for (const std::uint32_t maker : makers_[op]) {
      if (may_join(maker) && state[maker] < last) found.insert(state[maker]);
    }
  }
  return {found.begin(), found.end()};
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
  auto made = schedule::region_of(function_, {ops.begin(), ops.end()}, machine_);
  Region region;
  if (auto* const op = std::get_if<ScheduledOp>(&made)) {
    op->predicted_s = schedule::op_cost(*op, machine_, {}, threads_).seconds;
    region = {std::move(*op), true};
  }
  return regions_.emplace(ops, std::move(region)).first->second;
}

double RegionSpace::seconds(const Ops& ops) const {
  return ops.size() == 1 ? alone_s_[ops[0]] : regions_.at(ops).op.predicted_s;
}

std::vector<Move> RegionSpace::moves(const State& state) {
  std::vector<Move> moves;
  for (std::uint32_t last = 0; last < state.size(); ++last) {
    if (state[last] == last && may_join(last)) add_joins(state, last, moves);
  }
  for (std::uint32_t last = 0; last < state.size(); ++last) {
    if (state[last] == last) add_undos(state, last, moves);
  }
  return moves;
}

// The region's code stays where it is, that of what it takes in moves down to it, so that what this reads is read
// later: all other regions stay what they are.
void RegionSpace::add_joins(const State& state, std::uint32_t last, std::vector<Move>& moves) {
  const Ops own = members(state, last);
  for (const std::uint32_t source : sources(state, last)) {
    const Ops other = members(state, source);
    Ops ops;
    std::ranges::merge(own, other, std::back_inserter(ops));
    if (is_read_before(state, ops)) continue;
    const Region& made = region(state, ops);
    if (!made.is_legal) continue;
    Move move{state, last, false, made.op.predicted_s - seconds(own) - seconds(other)};
    if (threads_ > 1) move.estimate -= machine_.barrier_s;
    for (const std::uint32_t op : other) move.to[op] = last;
    moves.push_back(std::move(move));
  }
}

void RegionSpace::add_undos(const State& state, std::uint32_t last, std::vector<Move>& moves) {
  const Ops ops = members(state, last);
  if (ops.size() < 2) return;
  std::vector<Ops> alone;
  for (const std::uint32_t op : ops) alone.push_back({op});
  add_parts(state, alone, moves);
  if (ops.size() == 2) return;
  add_parts(state, {{ops.front()}, {ops.begin() + 1, ops.end()}}, moves);
  add_parts(state, {{ops.begin(), ops.end() - 1}, {ops.back()}}, moves);
}

// In place of a region its parts. What stands earlier then may read what another region makes too late.
void RegionSpace::add_parts(const State& state, const std::vector<Ops>& parts, std::vector<Move>& moves) {
  Move move{state, parts.back().back(), true};
  State around = state;
  Ops all;
  for (const Ops& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
    for (const std::uint32_t op : part) {
      move.to[op] = part.back();
      around[op] = op;
    }
  }
  for (std::uint32_t last = 0; last < state.size(); ++last) {
    const Ops ops = members(move.to, last);
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

void RegionSpace::set(const State& state) {
  std::set<std::uint32_t> changed;
  for (std::uint32_t op = 0; op < state.size(); ++op) {
    if (at_[op] != state[op]) changed.insert({at_[op], state[op]});
  }
  for (const std::uint32_t last : changed) {
    if (!function_.ops[last].parts.empty()) schedule::dissolve(function_, last);
  }
  for (const std::uint32_t last : changed) {
    const Ops ops = members(state, last);
    if (ops.size() > 1) schedule::enter(function_, regions_.at(ops).op);
  }
  at_ = state;
}

double RegionSpace::cost(const State& state) {
  set(state);
  double sum = 0;
  for (const ScheduledOp& op : function_.ops) sum += op.is_call() || !op.has_code() ? 0 : op.predicted_s;
  if (threads_ == 1) return sum;
  return sum + machine_.barrier_s * buffer::barriers_of(function_, buffer::plan_buffers(function_, callees_));
}

}  // namespace strata::compile
