// SPDX-License-Identifier: Apache-2.0
#include "buffer/buffer_plan.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "buffer/barriers.h"
#include "ir/constants.h"
#include "ir/op.h"
#include "schedule/region.h"

namespace strata::buffer {
namespace {

using ir::Expr;

// A tensor's memory over time: from the op that makes it to the last one that reads it, inclusive.
struct Lifetime {
  Tensor tensor;
  std::int64_t bytes = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t offset = -1;
};

bool overlap_in_time(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// The lowest offset where `item` meets none of the placed lifetimes that live at the same time.
std::int64_t lowest_free_offset(const Lifetime& item, const std::vector<Lifetime>& placed) {
  std::vector<std::pair<std::int64_t, std::int64_t>> taken;
  for (const Lifetime& other : placed) {
    if (overlap_in_time(item, other)) taken.emplace_back(other.offset, other.offset + other.bytes);
  }
  std::ranges::sort(taken);
  std::int64_t offset = 0;
  for (const auto& [begin, end] : taken) {
    if (offset + item.bytes <= begin) break;
    offset = std::max(offset, end);
  }
  return offset;
}

// Largest first. Pointers don't take part: the plan must not depend on addresses.
void sort_by_size(std::vector<Lifetime>& lifetimes) {
  std::ranges::sort(lifetimes, {}, [](const Lifetime& item) {
    return std::tuple(-item.bytes, item.first, item.last, item.tensor.first->id, item.tensor.second);
  });
}

std::int64_t assign_offsets(std::vector<Lifetime>& lifetimes) {
  sort_by_size(lifetimes);
  std::vector<Lifetime> placed;
  std::int64_t peak = 0;
  for (Lifetime& item : lifetimes) {
    item.offset = lowest_free_offset(item, placed);
    peak = std::max(peak, item.offset + item.bytes);
    placed.push_back(item);
  }
  return peak;
}

std::int64_t assign_apart(std::vector<Lifetime>& lifetimes) {
  std::int64_t end = 0;
  for (Lifetime& item : lifetimes) {
    item.offset = end;
    end += item.bytes;
  }
  return end;
}

std::int64_t largest_live_sum(const std::vector<Lifetime>& lifetimes, std::int64_t ops) {
  std::int64_t largest = 0;
  for (std::int64_t time = 0; time < ops; ++time) {
    std::int64_t live = 0;
    for (const Lifetime& item : lifetimes) {
      if (item.first <= time && time <= item.last) live += item.bytes;
    }
    largest = std::max(largest, live);
  }
  return largest;
}

class Planner {
 public:
  Planner(const schedule::ScheduledFunction& scheduled, const std::map<const ir::Function*, FunctionPlan>& callees,
          const ir::MemorySummaries& summaries)
      : scheduled_(scheduled),
        callees_(callees),
        constants_(ir::constants(*scheduled.function)),
        memory_([this](const Expr& value) { return views_.contains(&value); }, summaries) {
    plan_.function = scheduled.function;
    for (const schedule::ScheduledOp& op : scheduled.ops) {
      if (op.is_view()) views_[op.value] = &op.view;
    }
  }

  // `phases`: of each op the last one before the next barrier, until which what it reads last is kept.
  FunctionPlan run(const std::vector<std::int64_t>& phases = {}) {
    begin();
    plan_.lower_bound = largest_live_sum(lifetimes_, static_cast<std::int64_t>(scheduled_.ops.size()));
    for (Lifetime& item : lifetimes_) {
      if (!phases.empty()) item.last = phases[static_cast<std::size_t>(item.last)];
    }
    plan_.arena_bytes = aligned(assign_offsets(lifetimes_));
    own_bytes_ = aligned(assign_offsets(own_));
    return finish();
  }

  FunctionPlan run_apart() {
    begin();
    plan_.arena_bytes = aligned(assign_apart(lifetimes_));
    own_bytes_ = aligned(assign_apart(own_));
    return finish();
  }

 private:
  void begin() {
    plan_.memory = memory_.summary(*scheduled_.function);
    place_parameters();
    place_results();
    collect_lifetimes();
  }

  FunctionPlan finish() {
    for (const Lifetime& item : lifetimes_) place_in_arena(item);
    for (const Lifetime& item : own_) plan_.places[item.tensor] = {Place::Kind::kOwn, 0, item.offset, item.bytes};
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
      STRATA_CHECK(known == plan_.places.end() && !constants_.contains(memory.first),
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

  void collect_lifetimes() {
    std::map<Tensor, Lifetime> lifetimes;
    std::set<Tensor> made_by_each;  // thread
    for (std::size_t time = 0; time < scheduled_.ops.size(); ++time) {
      const schedule::ScheduledOp& op = scheduled_.ops[time];
      const Expr* value = op.value;
      const auto now = static_cast<std::int64_t>(time);
      if (op.computed_in != nullptr) continue;
      for (const Expr* argument : read_by(op)) {
        const auto found = lifetimes.find(memory_.root(argument));
        if (found != lifetimes.end()) found->second.last = now;
      }
      for (const Tensor& tensor : made_by(op)) {
        if (plan_.places.contains(tensor)) continue;
        if (schedule::is_in_each_thread(op.tree)) made_by_each.insert(tensor);
        lifetimes[tensor] = {tensor, aligned(ir::max_bytes(tensor.first->types[tensor.second])), now, now, -1};
      }
      if (value->kind == Expr::Kind::kCall && callees_.at(value->callee).arena_bytes > 0) {
        lifetimes_.push_back({{value, kFrame}, callees_.at(value->callee).arena_bytes, now, now, -1});
      }
    }
    for (const auto& [tensor, lifetime] : lifetimes) {
      (made_by_each.contains(tensor) ? own_ : lifetimes_).push_back(lifetime);
    }
  }

  void place_in_arena(const Lifetime& item) {
    if (item.tensor.second == kFrame) {
      plan_.callee_frames[item.tensor.first] = item.offset;
    } else {
      plan_.places[item.tensor] = {Place::Kind::kArena, 0, item.offset, item.bytes};
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
      if (scratch.bytes > 0) plan_.scratch[op.value] = std::move(scratch);
    }
  }

  // Owners come before the values that lie in their memory.
  void place_alias(const Tensor& tensor) {
    const Expr* const value = tensor.first;
    if (value->kind == Expr::Kind::kScalar) {
      plan_.places[tensor] = {Place::Kind::kScalar, 0, 0, 0};
    } else if (constants_.contains(value)) {
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

  static constexpr std::int64_t kFrame = -1;  // stands for a callee's frame in place of a result's number

  const schedule::ScheduledFunction& scheduled_;
  const std::map<const ir::Function*, FunctionPlan>& callees_;
  const std::unordered_set<const Expr*> constants_;
  FunctionPlan plan_;
  std::map<const Expr*, const schedule::View*> views_;
  const ir::Memory memory_;
  std::vector<Lifetime> lifetimes_;
  std::vector<Lifetime> own_;  // of each thread
  std::int64_t own_bytes_ = 0;
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
  return Planner(function, callees, summaries_of(callees)).run_apart();
}

FunctionPlan plan_buffers(const schedule::ScheduledFunction& function,
                          const std::map<const ir::Function*, FunctionPlan>& callees) {
  constexpr std::int64_t kUnnoticed = 64 * 1024;
  const ir::MemorySummaries summaries = summaries_of(callees);
  FunctionPlan tight = Planner(function, callees, summaries).run();
  const FunctionPlan apart = Planner(function, callees, summaries).run_apart();
  if (barriers_of(function, tight) <= barriers_of(function, apart)) return tight;
  FunctionPlan phased = Planner(function, callees, summaries).run(phases_of(function, apart));
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
