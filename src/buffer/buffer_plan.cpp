// SPDX-License-Identifier: Apache-2.0
#include "buffer/buffer_plan.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "buffer/barriers.h"
#include "ir/op.h"
#include "schedule/region.h"

namespace strata::buffer {
namespace {

using ir::Expr;

class Planner {
 public:
  Planner(const schedule::ScheduledFunction& scheduled, const std::map<const ir::Function*, FunctionPlan>& callees,
          const ir::MemorySummaries& summaries, ArenaEffort effort)
      : scheduled_(scheduled),
        callees_(callees),
        effort_(effort),
        memory_([this](const Expr& value) { return views_.contains(&value); }, summaries) {
    plan_.function = scheduled.function;
    for (const schedule::ScheduledOp& op : scheduled.ops) {
      run_.insert(op.value);
      if (op.is_view()) views_[op.value] = &op.view;
    }
  }

  // `phases`: of each op the last one before the next barrier, until which what it reads last is kept.
  FunctionPlan run(const std::vector<std::int64_t>& phases = {}) {
    begin();
    plan_.lower_bound = live_peak(intervals_of(plan_.arena, phases));
    plan_.arena_bytes = lay_out_buffers(plan_.arena, phases);
    own_bytes_ = lay_out_buffers(own_, {});
    return finish();
  }

  FunctionPlan run_apart() {
    begin();
    plan_.arena_bytes = put_side_by_side(plan_.arena);
    own_bytes_ = put_side_by_side(own_);
    return finish();
  }

 private:
  void begin() {
    plan_.memory = memory_.summary(*scheduled_.function);
    place_parameters();
    place_results();
    collect_lifetimes();
  }

  static std::vector<Interval> intervals_of(const std::vector<ArenaBuffer>& buffers,
                                            const std::vector<std::int64_t>& phases) {
    std::vector<Interval> intervals;
    for (const ArenaBuffer& buffer : buffers) {
      intervals.push_back(buffer.live);
      if (!phases.empty()) intervals.back().last = phases[static_cast<std::size_t>(buffer.live.last)];
    }
    return intervals;
  }

  // The peak.
  std::int64_t lay_out_buffers(std::vector<ArenaBuffer>& buffers, const std::vector<std::int64_t>& phases) const {
    const ArenaLayout layout = lay_out(intervals_of(buffers, phases), effort_);
    for (std::size_t i = 0; i < buffers.size(); ++i) buffers[i].offset = layout.offsets[i];
    return layout.peak;
  }

  static std::int64_t put_side_by_side(std::vector<ArenaBuffer>& buffers) {
    std::int64_t end = 0;
    for (ArenaBuffer& buffer : buffers) end = (buffer.offset = end) + buffer.live.bytes;
    return end;
  }

  FunctionPlan finish() {
    for (const ArenaBuffer& buffer : plan_.arena) place_in_arena(buffer);
    for (const ArenaBuffer& buffer : own_) {
      plan_.places[buffer.tensor] = {Place::Kind::kOwn, 0, buffer.offset, buffer.live.bytes};
    }
    place_aliases();
    place_scratch();
    return std::move(plan_);
  }

  void place_parameters() {
    const auto& parameters = scheduled_.function->parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::int64_t bytes = ir::max_bytes(parameters[i]->type());
      plan_.places[{parameters[i], 0}] = {Place::Kind::kParameter, static_cast<std::int64_t>(i), 0, bytes};
    }
  }

  void place_results() {
    std::int64_t destinations = 0;
    for (const Expr* result : scheduled_.function->results) {
      const Tensor memory = memory_.root(result);
      const auto known = plan_.places.find(memory);
      if (known != plan_.places.end() && known->second.kind == Place::Kind::kParameter) {
        plan_.results.push_back({known->second.number, -1});
        continue;
      }
      STRATA_CHECK(known == plan_.places.end() && !is_constant(*memory.first),
                   "@" + scheduled_.function->name + " returns one tensor twice, or a constant");
      plan_.places[memory] = {Place::Kind::kResult, destinations, 0, ir::max_bytes(result->type())};
      plan_.results.push_back({std::nullopt, destinations++});
    }
  }

  // Of a region all that its parts read.
  static std::vector<const Expr*> read_by(const schedule::ScheduledOp& op) {
    if (op.parts.empty()) return op.value->arguments;
    std::vector<const Expr*> read;
    for (const schedule::ScheduledOp& part : op.parts) {
      read.insert(read.end(), part.value->arguments.begin(), part.value->arguments.end());
    }
    return read;
  }

  // Tensors that an op makes, which have memory: a call's own results, or the op's one result; of a region those that
  // its tree keeps in memory.
  std::vector<Tensor> made_by(const schedule::ScheduledOp& op) const {
    std::vector<Tensor> made;
    for (std::size_t i = 0; i < op.value->types.size(); ++i) add_own({op.value, static_cast<std::int64_t>(i)}, made);
    for (const schedule::ScheduledOp& part : op.parts) {
      if (part.value != op.value && schedule::is_in_memory(op, part.value)) add_own({part.value, 0}, made);
    }
    return made;
  }

  void add_own(const Tensor& tensor, std::vector<Tensor>& made) const {
    if (memory_.root(tensor.first, tensor.second) == tensor) made.push_back(tensor);
  }

  // By the numbers that stand for them.
  static std::map<std::int64_t, const schedule::TileNode*> shared_buffers(const schedule::ScheduledOp& op) {
    std::map<std::int64_t, const schedule::TileNode*> shared;
    for (const schedule::TileNode& node : op.tree.body) {
      if (node.slots != 0) shared.emplace(kFrame - 1 - std::ssize(shared), &node);
    }
    return shared;
  }

  void collect_lifetimes() {
    std::map<Tensor, ArenaBuffer> lifetimes;
    std::set<Tensor> made_by_each;  // thread
    for (std::size_t time = 0; time < scheduled_.ops.size(); ++time) {
      const schedule::ScheduledOp& op = scheduled_.ops[time];
      const Expr* value = op.value;
      const auto now = static_cast<std::int64_t>(time);
      if (op.computed_in != nullptr) continue;
      for (const Expr* argument : read_by(op)) {
        const auto found = lifetimes.find(memory_.root(argument));
        if (found != lifetimes.end()) found->second.live.last = now;
      }
      for (const Tensor& tensor : made_by(op)) {
        if (plan_.places.contains(tensor)) continue;
        if (schedule::is_in_each_thread(op.tree)) made_by_each.insert(tensor);
        lifetimes[tensor] = {tensor, {aligned(ir::max_bytes(tensor.first->types[tensor.second])), now, now}};
      }
      for (const auto& [number, node] : shared_buffers(op)) {
        const std::int64_t bytes = node->slots * node->holds.elements * dtype_size(node->holds.dtype);
        plan_.arena.push_back({{value, number}, {aligned(bytes), now, now}});
      }
      if (value->kind == Expr::Kind::kCall && callees_.at(value->callee).arena_bytes > 0) {
        plan_.arena.push_back({{value, kFrame}, {callees_.at(value->callee).arena_bytes, now, now}});
      }
    }
    for (const auto& [tensor, lifetime] : lifetimes) {
      (made_by_each.contains(tensor) ? own_ : plan_.arena).push_back(lifetime);
    }
    sort_by_time(plan_.arena);
    sort_by_time(own_);
  }

  // Pointers don't take part: the plan must not depend on addresses.
  static void sort_by_time(std::vector<ArenaBuffer>& buffers) {
    std::ranges::sort(buffers, {}, [](const ArenaBuffer& buffer) {
      return std::tuple(buffer.live.first, buffer.live.last, buffer.tensor.first->id, buffer.tensor.second);
    });
  }

  void place_in_arena(const ArenaBuffer& buffer) {
    if (buffer.is_frame()) {
      plan_.callee_frames[buffer.tensor.first] = buffer.offset;
    } else if (buffer.is_shared_buffer()) {
      shared_[buffer.tensor] = {buffer.offset, buffer.live.bytes};
    } else {
      plan_.places[buffer.tensor] = {Place::Kind::kArena, 0, buffer.offset, buffer.live.bytes};
    }
  }

  void place_aliases() {
    for (const Expr* value : ir::topological_order(*scheduled_.function)) {
      for (std::size_t i = 0; i < value->types.size(); ++i) place_alias({value, static_cast<std::int64_t>(i)});
    }
    for (const schedule::ScheduledOp& op : scheduled_.ops) {
      if (op.is_call()) plan_.callee_frames.try_emplace(op.value, 0);
    }
  }

  void place_scratch() {
    plan_.scratch_bytes = own_bytes_;
    for (const schedule::ScheduledOp& op : scheduled_.ops) {
      if (op.is_call()) {
        plan_.scratch_bytes = std::max(plan_.scratch_bytes, callees_.at(op.value->callee).scratch_bytes);
        continue;
      }
      ScratchPlan scratch = plan_scratch(op.tree, own_bytes_);
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, scratch.bytes);
      for (const auto& [number, node] : shared_buffers(op)) {
        scratch.shared[node->buffer] = shared_.at({op.value, number});
      }
      if (scratch.bytes > 0 || !scratch.shared.empty()) plan_.scratch[op.value] = std::move(scratch);
    }
  }

  bool is_constant(const Expr& value) const {
    const bool is_leaf = value.kind == Expr::Kind::kWeight || value.kind == Expr::Kind::kScalar;
    return is_leaf || (value.kind == Expr::Kind::kOp && !run_.contains(&value));
  }

  // Owners come before the values that lie in their memory.
  void place_alias(const Tensor& tensor) {
    const Expr* const value = tensor.first;
    if (value->kind == Expr::Kind::kScalar) {
      plan_.places[tensor] = {Place::Kind::kScalar, 0, 0, 0};
    } else if (is_constant(*value)) {
      const auto number = static_cast<std::int64_t>(plan_.constants.size());
      plan_.constants.push_back(value);
      plan_.places[tensor] = {Place::Kind::kWeight, number, 0, ir::max_bytes(value->type())};
    } else if (const auto memory = memory_.owner(tensor); memory && plan_.places.contains(*memory)) {
      const auto view = views_.find(value);
      plan_.places[tensor] = view == views_.end() ? plan_.places.at(*memory) : part(plan_.places.at(*memory), *value);
    }
  }

  Place part(Place memory, const Expr& view_value) const {
    const schedule::View& view = *views_.at(&view_value);
    if (view.whole) return memory;
    memory.offset += view.offset * dtype_size(view_value.type().dtype);
    memory.bytes = schedule::span_bytes(view, view_value.type());
    return memory;
  }

  const schedule::ScheduledFunction& scheduled_;
  const std::map<const ir::Function*, FunctionPlan>& callees_;
  const ArenaEffort effort_;
  std::unordered_set<const Expr*> run_;  // all ops; a constant (ir/constants.h) is none of them
  FunctionPlan plan_;
  std::map<const Expr*, const schedule::View*> views_;
  const ir::Memory memory_;
  std::vector<ArenaBuffer> own_;  // of each thread
  std::int64_t own_bytes_ = 0;
  std::map<Tensor, SharedBuffer> shared_;
};

std::string place_text(const Place& place) {
  switch (place.kind) {
    case Place::Kind::kParameter:
      return "parameter " + std::to_string(place.number);
    case Place::Kind::kResult:
      return "result " + std::to_string(place.number);
    case Place::Kind::kArena:
      return "arena [" + std::to_string(place.offset) + ", " + std::to_string(place.offset + place.bytes) + ")";
    case Place::Kind::kOwn:
      return "of each thread [" + std::to_string(place.offset) + ", " + std::to_string(place.offset + place.bytes) +
             ")";
    case Place::Kind::kWeight:
      return "weight " + std::to_string(place.number);
    case Place::Kind::kScalar:
      return "constant";
  }
  return "";
}

}  // namespace

namespace {

ir::MemorySummaries summaries_of(const std::map<const ir::Function*, FunctionPlan>& plans) {
  ir::MemorySummaries summaries;
  for (const auto& [function, plan] : plans) summaries[function] = plan.memory;
  return summaries;
}

// Of each op the last one before the next barrier.
std::vector<std::int64_t> phases_of(const schedule::ScheduledFunction& function, const FunctionPlan& apart) {
  std::vector<std::int64_t> last(function.ops.size());
  auto end = static_cast<std::int64_t>(last.size()) - 1;
  const std::vector<std::size_t> waiting = ops_behind_barriers(function, apart);
  for (std::size_t op = last.size(); op-- > 0;) {
    last[op] = end;
    if (std::ranges::binary_search(waiting, op)) end = static_cast<std::int64_t>(op) - 1;
  }
  return last;
}

}  // namespace

FunctionPlan plan_apart(const schedule::ScheduledFunction& function,
                        const std::map<const ir::Function*, FunctionPlan>& callees) {
  return Planner(function, callees, summaries_of(callees), ArenaEffort::kGreedy).run_apart();
}

FunctionPlan plan_buffers(const schedule::ScheduledFunction& function,
                          const std::map<const ir::Function*, FunctionPlan>& callees, ArenaEffort effort) {
  constexpr std::int64_t kUnnoticed = 64 * 1024;
  const ir::MemorySummaries summaries = summaries_of(callees);
  FunctionPlan tight = Planner(function, callees, summaries, effort).run();
  const FunctionPlan apart = Planner(function, callees, summaries, effort).run_apart();
  if (barriers_of(function, tight) <= barriers_of(function, apart)) return tight;
  FunctionPlan phased = Planner(function, callees, summaries, effort).run(phases_of(function, apart));
  const std::int64_t most = tight.arena_bytes + std::max(tight.arena_bytes / 20, kUnnoticed);
  return phased.arena_bytes <= most ? phased : tight;
}

std::map<const ir::Function*, FunctionPlan> plan_buffers(const std::vector<schedule::ScheduledFunction>& functions) {
  std::map<const ir::Function*, FunctionPlan> plans;
  for (const schedule::ScheduledFunction& function : functions) {
    plans[function.function] = plan_buffers(function, plans);
  }
  return plans;
}

std::string to_text(const FunctionPlan& plan) {
  std::string out = "@" + plan.function->name + ": arena " + std::to_string(plan.arena_bytes) + " bytes, lower bound " +
                    std::to_string(plan.lower_bound) + ", scratch of a thread " + std::to_string(plan.scratch_bytes) +
                    "\n";
  for (const Expr* value : ir::topological_order(*plan.function)) {
    for (std::size_t i = 0; i < value->types.size(); ++i) {
      const std::string name = value->kind == Expr::Kind::kOp ? value->op->name() : value->name;
      const bool is_placed = plan.has_place(value, static_cast<std::int64_t>(i));
      const std::string place = is_placed ? place_text(plan.place(value, static_cast<std::int64_t>(i))) : "none";
      out += "  " + name + " " + value->types[i].text() + ": " + place + "\n";
    }
  }
  return out;
}

}  // namespace strata::buffer
