// SPDX-License-Identifier: Apache-2.0
#include "compile/lone_op.h"

#include <algorithm>
#include <unordered_map>

#include "base/ranges.h"
#include "buffer/barriers.h"
#include "ir/op.h"
#include "ir/rewrite.h"
#include "schedule/region.h"
#include "schedule/verify.h"

namespace strata::compile {
namespace {

using ir::Expr;
using schedule::ScheduledFunction;
using schedule::ScheduledOp;

constexpr const char* kName = "lone";

// The ops of a region, or the one op.
std::vector<const ScheduledOp*> members_of(const ScheduledOp& op) {
  std::vector<const ScheduledOp*> members;
  for (const ScheduledOp& part : op.parts) members.push_back(&part);
  return members.empty() ? std::vector{&op} : members;
}

// Copies what an op needs into a function of its own.
class Copier {
 public:
  Copier(const ScheduledFunction& from, const ScheduledOp& op, ir::Module& into) : from_(from), op_(op), into_(into) {}

  ir::Function run(const std::vector<const Expr*>& leaving) {
    for (const ScheduledOp* const member : members_of(op_)) {
      for (std::size_t i = 0; i < member->sources.size(); ++i) {
        if (member->sources[i].residence == cost::Residence::kStream)
          streamed_.push_back(memory_of(member->value->arguments[i]));
      }
    }
    ir::Function function{kName, {}, {}};
    const Expr* const result = copy(*op_.value);
    for (const Expr* value : leaving) {
      if (op_.makes(value)) function.results.push_back(copy(*value));
    }
    function.results.push_back(result);
    function.parameters = parameters_;
    return function;
  }

  const Expr* at(const Expr* value) const { return copies_.at(value); }
  const std::vector<bool>& is_streamed() const { return is_streamed_; }

 private:
  const Expr* copy(const Expr& value) {
    if (const auto found = copies_.find(&value); found != copies_.end()) return found->second;
    const Expr* const made = make(value);
    copies_[&value] = made;
    return made;
  }

  const Expr* make(const Expr& value) {
    if (value.kind == Expr::Kind::kScalar) return into_.pool().scalar(value.value, value.type().dtype);
    if (!op_.makes(&value) && !is_view(value)) return parameter(value);
    std::vector<const Expr*> arguments;
    for (const Expr* argument : value.arguments) arguments.push_back(copy(*argument));
    return ir::copy_expr(into_, value, std::move(arguments));
  }

  const Expr* memory_of(const Expr* value) const {
    while (is_view(*value)) value = value->arguments[0];
    return value;
  }

  bool is_view(const Expr& value) const {
    const auto op = std::ranges::find(from_.ops, &value, &ScheduledOp::value);
    return op != from_.ops.end() && !op->is_call() && op->is_view();
  }

  const Expr* parameter(const Expr& value) {
    parameters_.push_back(into_.pool().parameter("p" + std::to_string(parameters_.size()), value.type()));
    is_streamed_.push_back(contains(streamed_, &value));
    return parameters_.back();
  }

  const ScheduledFunction& from_;
  const ScheduledOp& op_;
  ir::Module& into_;
  std::unordered_map<const Expr*, const Expr*> copies_;
  std::vector<const Expr*> parameters_, streamed_;
  std::vector<bool> is_streamed_;
};

std::string tree_text(const ScheduledOp& op, const machine::Machine& machine) {
  return schedule::to_text(op.tree, machine);
}

// With the copies of the op's parts as one region; false: they are none here, or more than it has code.
bool schedule_alone(const ScheduledOp& op, const Copier& copier, const machine::Machine& machine, LoneOp& lone) {
  ScheduledFunction& function = lone.planned.schedule.front();
  std::vector<std::size_t> numbers;
  for (const ScheduledOp* const member : members_of(op)) {
    const auto found = std::ranges::find(function.ops, copier.at(member->value), &ScheduledOp::value);
    if (found == function.ops.end()) return false;
    numbers.push_back(static_cast<std::size_t>(found - function.ops.begin()));
  }
  std::ranges::sort(numbers);
  if (!op.parts.empty()) {
    auto region = schedule::region_of(function, numbers, machine);
    if (!std::holds_alternative<ScheduledOp>(region)) return false;
    schedule::enter(function, std::get<ScheduledOp>(std::move(region)));
  }
  lone.op = numbers.back();
  const auto has_code = [](const ScheduledOp& each) { return each.is_call() || each.has_code(); };
  return std::ranges::count_if(function.ops, has_code) == 1 && has_code(function.ops[lone.op]);
}

}  // namespace

std::optional<LoneOp> lone_op(const codegen::PlannedVersion& planned, const ScheduledFunction& function,
                              const ScheduledOp& op, const machine::Machine& machine) {
  for (const ScheduledOp* const member : members_of(op)) {
    if (member->value->op->writes_alias()) return std::nullopt;
  }
  LoneOp lone;
  for (const auto& symbol : planned.module.symbols()) lone.planned.module.symbol(*symbol);
  const std::vector<const Expr*> leaving = schedule::leaving(function, op);
  Copier copier(function, op, lone.planned.module);
  lone.planned.module.add(copier.run(leaving));
  lone.is_streamed = copier.is_streamed();
  for (const Expr* value : leaving) {
    if (op.makes(value)) lone.leaving.push_back(copier.at(value));
  }
  lone.planned.version.entries = {kName};
  lone.planned.schedule = schedule::default_schedule(lone.planned.module, machine);
  if (!schedule_alone(op, copier, machine, lone)) return std::nullopt;
  const ScheduledOp& own = lone.planned.schedule.front().ops[lone.op];
  schedule::TileChoice predicted = schedule::predicted_choice(op, machine);
  if (predicted.rows != 0) {  // by itself it is scheduled for one thread, which shares no rows
    predicted.rows = 0;
    predicted.columns = schedule::predicted_choice(own, machine).columns;
  }
  const std::string alone = tree_text(own, machine);
  const std::string in_place = tree_text(schedule::with_tiles(op, machine, leaving, predicted), machine);
  return alone == in_place ? std::optional(std::move(lone)) : std::nullopt;
}

void set_tiles(LoneOp& lone, const schedule::TileChoice& choice, const std::string& tag,
               const machine::Machine& machine) {
  std::vector<ScheduledFunction>& functions = lone.planned.schedule;
  ScheduledFunction& function = functions.front();
  lone.planned.version.tag = tag;
  function.ops[lone.op] = schedule::with_tiles(function.ops[lone.op], machine, lone.leaving, choice);
  function.end = {};
  lone.planned.buffers = buffer::plan_buffers(functions);
  buffer::place_barriers(functions, lone.planned.buffers);
  schedule::verify(function, machine);
  function.predicted_s = 0;
  for (ScheduledOp& op : function.ops) op.predicted_s = 0;
}

}  // namespace strata::compile
