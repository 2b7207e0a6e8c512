// SPDX-License-Identifier: Apache-2.0
#include "schedule/schedule_text.h"

#include <algorithm>

#include "base/error.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/text_scanner.h"
#include "schedule/region.h"

namespace strata::schedule {
namespace {

std::string op_name(const ScheduledOp& op) {
  return op.is_call() ? "call @" + op.value->callee->name : op.value->op->name();
}

using Names = std::unordered_map<const ir::Expr*, std::string>;

std::string comment(const ScheduledOp& op, const Names& names) {
  const std::string what = op_name(op) + " " + op.value->types[0].text();
  if (op.computed_in != nullptr) return "// " + names.at(op.value) + ": " + what + ", with " + names.at(op.computed_in);
  if (!op.is_view()) return "// " + what;
  return "// " + names.at(op.value) + ": " + what + ", a view" + (op.view.whole ? "" : " " + to_text(op.view));
}

std::string block(const std::string& name, const TileTree& tree, const machine::Machine& machine) {
  return "    " + name + " {\n" + to_text(tree, machine, 6) + "    }\n";
}

// "%0", of a region "%0, %1".
std::string region_names(const ScheduledOp& op, const Names& names) {
  if (op.parts.empty()) return names.at(op.value);
  std::string text;
  for (const ScheduledOp& part : op.parts) text += (text.empty() ? "" : ", ") + names.at(part.value);
  return text;
}

std::string to_text(const ScheduledFunction& function, const machine::Machine& machine) {
  const auto names = ir::value_names(*function.function);
  std::string text = "  func @" + function.function->name + " {\n";
  for (const ScheduledOp& op : function.ops) {
    text += "    " + comment(op, names) + "\n";
    if (op.has_code()) text += block(region_names(op, names), op.tree, machine);
  }
  if (!function.end.body.empty()) text += block("end", function.end, machine);
  return text + "  }\n";
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& origin, std::vector<ScheduledFunction>& functions,
         const machine::Machine& machine)
      : in_(text, origin), functions_(functions), machine_(machine) {}

  void run() {
    in_.expect_word("schedule");
    in_.expect("{");
    while (!in_.accept("}")) function();
    if (!in_.at_end()) in_.fail("there is text after the schedule", "remove it");
  }

 private:
  void function() {
    in_.expect_word("func");
    in_.expect("@");
    const std::size_t at = in_.position();
    const std::string name = in_.identifier("a function's name");
    const auto found = std::ranges::find_if(
        functions_, [&](const ScheduledFunction& function) { return function.function->name == name; });
    if (found == functions_.end()) in_.fail_at(at, "the module has no function @" + name);
    const auto names = ir::value_names(*found->function);
    in_.expect("{");
    while (!in_.accept("}")) {
      TileTree& tree = in_.accept_word("end") ? found->end : tree_of(*found, names);
      tree.body = parse_tile_nodes(in_, tree, machine_);
    }
  }

  // Of an op, or of several that become a region; those that shared a region with them before have their own code
  // again.
  TileTree& tree_of(ScheduledFunction& function, const Names& names) {
    const std::size_t at = in_.position();
    std::vector<std::size_t> ops;
    do ops.push_back(op_of(function, names));
    while (in_.accept(","));
    std::ranges::sort(ops);
    ops.erase(std::ranges::unique(ops).begin(), ops.end());
    ScheduledOp& last = function.ops[ops.back()];
    if (members(function, ops.back()) == ops) return last.tree;
    for (const std::size_t op : ops) dissolve(function, op);
    if (ops.size() == 1) return last.tree;
    auto region = region_of(function, ops, machine_);
    if (const auto* const no = std::get_if<NoRegion>(&region)) {
      in_.fail_at(at, "these ops are no region: " + no->why, "give each a tree of its own");
    }
    enter(function, std::get<ScheduledOp>(std::move(region)));
    return last.tree;
  }

  std::size_t op_of(const ScheduledFunction& function, const Names& names) {
    const std::size_t at = in_.position();
    const std::string name = "%" + in_.value_name();
    const auto op = std::ranges::find_if(function.ops, [&](const ScheduledOp& o) { return names.at(o.value) == name; });
    if (op == function.ops.end()) in_.fail_at(at, "@" + function.function->name + " computes no " + name);
    if (op->is_view()) in_.fail_at(at, name + " is a view, which no code makes", "remove its tree");
    return static_cast<std::size_t>(op - function.ops.begin());
  }

  ir::TextScanner in_;
  std::vector<ScheduledFunction>& functions_;
  const machine::Machine& machine_;
};

}  // namespace

std::string to_text(const std::vector<ScheduledFunction>& functions, const machine::Machine& machine) {
  std::string text = "schedule {\n";
  for (const ScheduledFunction& function : functions) text += to_text(function, machine);
  return text + "}\n";
}

void read_schedule(std::string_view text, const std::string& origin, std::vector<ScheduledFunction>& functions,
                   const machine::Machine& machine) {
  Reader(text, origin, functions, machine).run();
}

}  // namespace strata::schedule
