// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "buffer/arena.h"
#include "buffer/scratch_plan.h"
#include "cost/leaf.h"
#include "ir/memory.h"
#include "schedule/schedule.h"

namespace strata::buffer {

// Arena offsets are multiples of cost::kAlignment.
using cost::aligned;
using cost::kAlignment;

using ir::Tensor;

// The memory that a tensor occupies.
struct Place {
  enum class Kind {
    kParameter,  // the caller's: parameter `number`
    kResult,     // the caller's: destination `number`, counted over the function's own results
    kArena,      // the function's frame, at `offset`
    kOwn,        // each thread's scratch memory, at `offset`: what each thread makes for itself
    kWeight,     // in the package: constant `number` of the plan
    kScalar,     // a constant in the code
  };
  Kind kind = Kind::kArena;
  std::int64_t number = 0;
  std::int64_t offset =
      0;  // bytes into the frame or the scratch memory, or for a view into the parameter, result or weight
  std::int64_t bytes = 0;  // at the symbols' upper bounds, from the first element to the end of the last

  bool operator==(const Place&) const = default;
};

// A result that is a parameter's own memory (an update in place), or has a destination that the caller passes.
struct ResultPlace {
  std::optional<std::int64_t> parameter;
  std::int64_t destination = -1;
};

// Stands for a callee's frame in place of a result's number; less: for a shared buffer of the op's tree.
inline constexpr std::int64_t kFrame = -1;

// What lies in a function's arena: a tensor, from the op that makes it to the last one that reads it, by their numbers,
// the frame of a call, or a buffer that the threads share while they compute an op.
struct ArenaBuffer {
  Tensor tensor;
  Interval live;
  std::int64_t offset = 0;

  bool is_frame() const { return tensor.second == kFrame; }
  bool is_shared_buffer() const { return tensor.second < kFrame; }
};

struct FunctionPlan {
  const ir::Function* function = nullptr;
  ir::MemorySummary memory;  // which parameters are written
  std::map<Tensor, Place> places;
  std::vector<ResultPlace> results;
  std::vector<const ir::Expr*> constants;                 // that the package stores
  std::map<const ir::Expr*, std::int64_t> callee_frames;  // of a call: offset of the callee's frame in this one
  std::vector<ArenaBuffer> arena;                         // by their first and last ops
  std::int64_t arena_bytes = 0;                           // peak of the plan, the callees' frames included
  std::map<const ir::Expr*, ScratchPlan> scratch;         // of each op that works in buffers
  std::int64_t scratch_bytes = 0;  // that each thread needs, the callees' included: nothing outlives a function
  std::int64_t lower_bound = 0;    // largest sum of bytes that are kept at once: no plan can be smaller

  // Not of what a region keeps in buffers or in lanes.
  bool has_place(const ir::Expr* value, std::int64_t index = 0) const { return places.contains({value, index}); }
  const Place& place(const ir::Expr* value, std::int64_t index = 0) const { return places.at({value, index}); }
};

// Decides where every tensor of every function lies: views lie in their operand's memory, updates in place are it,
// results go straight to the caller's destinations, what a
// region keeps for itself has no place, all else gets an offset in one arena by its lifetime (buffer/arena.h, as well
// as it can). The buffers of the tile trees lie in scratch memory, of which every thread has its own, and so does what
// each thread makes for itself, below them; those that threads share lie in the arena while their op runs. Memory of
// the arena is used again behind the barrier after its last reader, where one stands there anyway, so that no thread
// waits for memory; at once, where the arena would be larger for that by more than a twentieth and than 64 KiB.
std::map<const ir::Function*, FunctionPlan> plan_buffers(const std::vector<schedule::ScheduledFunction>& functions);

// The same of one function; `callees` has the plans of all that are called.
FunctionPlan plan_buffers(const schedule::ScheduledFunction& function,
                          const std::map<const ir::Function*, FunctionPlan>& callees,
                          ArenaEffort effort = ArenaEffort::kExact);

// No memory is used for two tensors: ops that meet in such a plan hand data to one another.
FunctionPlan plan_apart(const schedule::ScheduledFunction& function,
                        const std::map<const ir::Function*, FunctionPlan>& callees);

// One line per tensor, for dumps.
std::string to_text(const FunctionPlan& plan);

}  // namespace strata::buffer
