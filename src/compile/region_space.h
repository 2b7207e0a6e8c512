// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "buffer/buffer_plan.h"
#include "machine/machine.h"
#include "schedule/schedule.h"
#include "search/space.h"

namespace strata::compile {

// The ways of dividing a function's ops into regions, as what a search runs in. A state says of each op which one has
// its code: itself, or the last op of its region. Moves join a region with one that it reads, part a region into its
// ops, or take the first or the last op out of it; what is a region, schedule/region.h says. A cost is the predicted
// time of the function's own ops for a team, with the barriers that are then left, in seconds; that of calls is the
// same in every state and left out.
//
// The function is changed from one state to another while it is searched. Trees and costs of a region are kept by its
// ops, so that a state costs what is new in it, and the plan of its buffers, without which barriers aren't known.
class RegionSpace final : public search::Space {
 public:
  // `callees` must have the plans of all functions that are called when a cost is asked for.
  RegionSpace(schedule::ScheduledFunction& function, const std::map<const ir::Function*, buffer::FunctionPlan>& callees,
              const machine::Machine& machine, int threads);

  search::State start() override;
  std::vector<search::Move> moves(const search::State& state) override;
  std::vector<search::Move> undos(const search::State& state) override;
  double cost(const search::State& state) override;

  // Leaves the function with the regions of the state. Nothing may be asked then.
  void take(const search::State& state);

 private:
  using Ops = std::vector<std::uint32_t>;  // rising

  // By their last ops.
  static std::vector<Ops> members(const search::State& state);

  // What is known of ops together, wherever the code of others stands.
  struct Region {
    schedule::ScheduledOp op;  // while the function has the region: the op that stood in its place
    double seconds = 0;
    bool is_legal = false;
  };

  void set(const search::State& state);
  void exchange(const Ops& ops, bool enters);
  void find_readers();
  bool may_join(std::size_t op) const;
  std::vector<std::uint32_t> sources(const search::State& state, const Ops& ops) const;
  bool is_read_before(const search::State& state, const Ops& ops) const;
  const Region& region(const search::State& around, const Ops& ops);
  double seconds(const Ops& ops) const;
  void add_joins(const search::State& state, const std::vector<Ops>& members, std::uint32_t last,
                 std::vector<search::Move>& moves);
  void add_parts(const search::State& state, const std::vector<Ops>& parts, std::vector<search::Move>& moves);

  schedule::ScheduledFunction& function_;
  const std::map<const ir::Function*, buffer::FunctionPlan>& callees_;
  const machine::Machine& machine_;
  const int threads_;
  search::State at_;  // of function_
  std::vector<double> alone_s_;
  std::vector<schedule::TileTree> trees_;            // of ops that another one computes: their own
  std::vector<std::vector<std::uint32_t>> makers_;   // of an op: those whose values it reads, through views
  std::vector<std::vector<std::uint32_t>> readers_;  // the reverse
  std::unordered_map<search::State, Region, search::StateHash> regions_;
};

}  // namespace strata::compile
