// SPDX-License-Identifier: Apache-2.0
#include "vectorize/waits.h"

#include <algorithm>
#include <set>

#include "cost/work_counter.h"
#include "ir/constants.h"
#include "ir/rewrite.h"

namespace strata::vectorize {

using egraph::ClassId;
using egraph::ENode;

Waits::Waits(const rules::TensorGraph& tensors, const FunctionGraph& function, const machine::Machine& machine)
    : tensors_(tensors), function_(function), machine_(machine) {
  place_program();
}

void Waits::place_program() {
  const auto constants = ir::constants(*function_.function);
  int highest = 0;
  for (const ir::Expr* value : ir::topological_order(*function_.function)) {
    // Nothing is unfinished when a function is called, nor when it returns.
    if (value->kind == ir::Expr::Kind::kCall) ++highest;
    const auto found = function_.values.find(value);
    const bool is_run = value->kind != ir::Expr::Kind::kScalar && !constants.contains(value);
    if (!is_run || found == function_.values.end()) continue;
    set_place(found->second, highest);
    for (const Maker& maker : makers(found->second)) highest = std::max(highest, level(maker.node));
  }
}

// And of all that it may be a view of: made when it is first needed.
void Waits::set_place(ClassId id, int level) {
  id = tensors_.graph().find(id);
  const auto [known, is_new] = places_.try_emplace(id, level);
  if (!is_new) return;
  const egraph::NodeRange nodes = tensors_.graph().nodes(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (code({id, i}).is_view()) set_place(nodes[i].children[0], level);
  }
}

int Waits::place(ClassId id) const {
  const auto place = places_.find(tensors_.graph().find(id));
  return place == places_.end() ? 0 : place->second;
}

std::vector<Waits::Way> Waits::ways(ClassId id, std::size_t number, bool is_copy) {
  const NodeOf node = {tensors_.graph().find(id), number};
  const Code own = is_copy ? find_code(node, &cost::leaf("loops")) : code(node);
  if (!own.runs()) return {{}};
  const std::vector<Operand> operands = this->operands(node, own);
  std::set<int> barriers = {0};
  for (const Operand& operand : operands) {
    for (const auto& [barrier, maker] : operand.waited_for) barriers.insert(barrier);
  }
  std::vector<Way> ways;
  for (const int barrier : barriers) {
    Way way{barrier};
    bool is_possible = true;
    for (const Operand& operand : operands) {
      const std::size_t before = way.unless.size();
      for (const auto& [behind, maker] : operand.waited_for) {
        if (behind > barrier) way.unless.push_back(maker);
      }
      const bool is_none_left = way.unless.size() - before == operand.waited_for.size();
      is_possible = is_possible && !(operand.is_certain && is_none_left);
    }
    if (is_possible) ways.push_back(std::move(way));
  }
  return ways;
}

std::vector<Waits::Operand> Waits::operands(const NodeOf& node, const Code& code) {
  const ENode of = tensors_.graph().nodes(node.first)[node.second];
  std::vector<Operand> operands(of.children.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (tensors_.facts(of.children[i]).is_constant) continue;
    const std::vector<Maker>& made = makers(of.children[i]);
    for (const Maker& maker : made) {
      if (!code.division.operands[i].fits(maker.share))
        operands[i].waited_for.push_back({level(maker.node) + 1, maker.node});
    }
    operands[i].is_certain = !made.empty() && operands[i].waited_for.size() == made.size();
  }
  return operands;
}

const std::vector<Waits::Maker>& Waits::makers(ClassId id) {
  id = tensors_.graph().find(id);
  const auto known = makers_.find(id);
  if (known != makers_.end()) return known->second;
  std::vector<ClassId> seen;
  std::vector<Maker> found;
  find_makers(id, seen, found);
  return makers_[id] = std::move(found);
}

// Of what is there when the function starts, or what a call returns, there is none.
void Waits::find_makers(ClassId id, std::vector<ClassId>& seen, std::vector<Maker>& found) {
  id = tensors_.graph().find(id);
  if (std::ranges::find(seen, id) != seen.end()) return;
  seen.push_back(id);
  const egraph::NodeRange nodes = tensors_.graph().nodes(id);
  if (std::ranges::any_of(nodes, [&](const ENode& node) { return tensors_.is_leaf(node); })) return;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Code& code = this->code({id, i});
    if (code.runs()) found.push_back({{id, i}, code.division.result});
    if (code.is_view()) find_makers(nodes[i].children[0], seen, found);
  }
}

int Waits::level(const NodeOf& node) {
  // A cycle of classes is entered once.
  const auto [known, is_new] = levels_.try_emplace(node, 0);
  if (is_new) {
    const int found = find_level(node);
    levels_[node] = found;
    return found;
  }
  return known->second;
}

int Waits::find_level(const NodeOf& node) {
  int highest = place(node.first);
  const Code& own = code(node);
  for (const Operand& operand : operands(node, own)) {
    for (const auto& [barrier, maker] : operand.waited_for) highest = std::max(highest, barrier);
  }
  const ENode of = tensors_.graph().nodes(node.first)[node.second];
  for (const ClassId child : of.children) {
    if (tensors_.facts(child).is_constant) continue;
    const std::vector<Maker>& made = makers(child);
    if (made.empty()) highest = std::max(highest, place(child));
    for (const Maker& maker : made) highest = std::max(highest, level(maker.node));
  }
  return highest;
}

const Waits::Code& Waits::code(const NodeOf& node) {
  const auto [known, is_new] = code_.try_emplace(node);
  if (is_new) known->second = find_code(node, nullptr);
  return known->second;
}

// `leaf`: where it is known which one.
Waits::Code Waits::find_code(const NodeOf& node, const cost::Leaf* leaf) const {
  const auto [id, number] = node;
  const ENode of = tensors_.graph().nodes(id)[number];
  const ir::Op* const op = tensors_.op_of(of);
  if (op == nullptr) return {};
  std::vector<ir::TensorType> types;
  std::vector<cost::Operand> operands;
  for (const ClassId child : of.children) {
    types.push_back(tensors_.type(child));
    operands.push_back({types.back()});
  }
  const ir::Attributes& attributes = tensors_.operator_of(of).attributes;
  Code code{leaf != nullptr ? leaf : cost::find_leaf(*op, types, attributes, tensors_.type(id))};
  if (!code.runs()) return code;
  const cost::WorkCounter counter(*op, operands, attributes, tensors_.type(id), machine_, {});
  code.division = cost::division(counter, *code.leaf);
  return code;
}

}  // namespace strata::vectorize
