// SPDX-License-Identifier: Apache-2.0
#include "compile/fusion.h"

#include <algorithm>
#include <map>
#include <set>

#include "buffer/barriers.h"
#include "schedule/op_cost.h"
#include "schedule/region.h"

namespace strata::compile {
namespace {

using ir::Expr;
using schedule::ScheduledFunction;
using schedule::ScheduledOp;
using Plans = std::map<const ir::Function*, buffer::FunctionPlan>;

// What it must save, in seconds, so that rounding does not decide.
constexpr double kLeastSaving = 1e-12;

class Fuser {
 public:
  Fuser(ScheduledFunction& function, const Plans& callees, const machine::Machine& machine, int threads, Fusion fusion)
      : function_(function), callees_(callees), machine_(machine), threads_(threads), fusion_(fusion) {}

  void run() {
    seconds_ = seconds(function_);
    for (std::size_t op = 0; op < function_.ops.size(); ++op) {
      while (join_one(op)) {
      }
    }
  }

 private:
  // With one of the regions that it reads from.
  bool join_one(std::size_t op) {
    if (!may_join(function_.ops[op])) return false;
    return std::ranges::any_of(sources(op), [&](std::size_t source) { return join(source, op); });
  }

  static bool may_join(const ScheduledOp& op) { return !op.is_call() && op.has_code(); }

  // The regions that make what this one reads, by their last ops; the nearest first.
  std::vector<std::size_t> sources(std::size_t op) const {
    std::set<std::size_t, std::greater<>> found;
    for (const std::size_t member : schedule::members(function_, op)) {
      for (const Expr* value : function_.ops[member].value->arguments) {
        const std::size_t source = maker(value);
        if (source < op && may_join(function_.ops[source])) found.insert(source);
      }
    }
    return {found.begin(), found.end()};
  }

  // The op with the code that makes a value or what it is a view of; all ops: there is none.
  std::size_t maker(const Expr* value) const {
    for (;;) {
      const auto op = std::ranges::find(function_.ops, value, &ScheduledOp::value);
      if (op == function_.ops.end()) return function_.ops.size();
      if (!op->is_view())
        return schedule::members(function_, static_cast<std::size_t>(op - function_.ops.begin())).back();
      value = value->arguments[0];
    }
  }

  bool join(std::size_t source, std::size_t op) {
    std::vector<std::size_t> ops = schedule::members(function_, source);
    for (const std::size_t member : schedule::members(function_, op)) ops.push_back(member);
    std::ranges::sort(ops);
    auto region = schedule::region_of(function_, ops, machine_);
    if (!std::holds_alternative<ScheduledOp>(region)) return false;
    ScheduledFunction joined = function_;
    enter(joined, std::get<ScheduledOp>(std::move(region)));
    ScheduledOp& made = joined.ops[op];
    made.predicted_s = schedule::op_cost(made, machine_, {}, threads_).seconds;
    const double seconds = this->seconds(joined);
    if (fusion_ == Fusion::kWherePaid && seconds > seconds_ - kLeastSaving) return false;
    function_ = std::move(joined);
    seconds_ = seconds;
    return true;
  }

  // Predicted, with the barriers that it needs.
  double seconds(ScheduledFunction function) const {
    buffer::place_barriers(function, buffer::plan_buffers(function, callees_));
    double sum = 0;
    int barriers = function.end.body.empty() ? 0 : 1;
    for (const ScheduledOp& op : function.ops) {
      if (op.has_code()) sum += op.predicted_s;
      if (schedule::first_barrier(op.tree) != nullptr) ++barriers;
    }
    return threads_ > 1 ? sum + barriers * machine_.barrier_s : sum;
  }

  ScheduledFunction& function_;
  const Plans& callees_;
  const machine::Machine& machine_;
  const int threads_;
  const Fusion fusion_;
  double seconds_ = 0;
};

}  // namespace

void fuse(std::vector<ScheduledFunction>& functions, const machine::Machine& machine, int threads, Fusion fusion) {
  if (fusion == Fusion::kNone) return;
  Plans plans;
  for (ScheduledFunction& function : functions) {
    Fuser(function, plans, machine, threads, fusion).run();
    plans[function.function] = buffer::plan_buffers(function, plans);
  }
}

}  // namespace strata::compile
