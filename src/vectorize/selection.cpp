// SPDX-License-Identifier: Apache-2.0
#include "vectorize/selection.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "base/error.h"
#include "cost/leaf.h"
#include "extract/greedy.h"
#include "ir/constants.h"
#include "ir/memory.h"

namespace strata::vectorize {
namespace {

using egraph::ClassId;
using egraph::ENode;

// Breaks ties: of two plans of equal time the one with fewer ops, and of two constants the one with fewer steps.
constexpr double kStepSeconds = 1e-12;

// Two thirds of the outermost memory: the rest is the system's and the activations'.
constexpr double kMemoryShare = 2.0 / 3.0;

constexpr std::size_t kMemoryLimit = 0;

// Whether a node changes only how its operand's memory is read.
bool is_view(const rules::TensorGraph& tensors, const ENode& node, ClassId id) {
  const ir::Op* const op = tensors.op_of(node);
  if (op == nullptr || node.children.size() != 1) return false;
  const ir::TensorType operand = tensors.type(node.children[0]);
  const auto& attributes = tensors.operator_of(node).attributes;
  return cost::is_view(*op, {&operand, 1}, attributes, tensors.type(id));
}

bool is_view(const ir::Expr& op) {
  if (op.arguments.size() != 1) return false;
  const ir::TensorType operand = op.arguments[0]->type();
  return cost::is_view(*op.op, {&operand, 1}, op.attributes, op.type());
}

}  // namespace

Selection::Selection(const ProgramGraph& program, const machine::Machine& machine, int threads, Costs costs)
    : tensors_(program.tensors()), machine_(machine), threads_(threads), costs_(costs) {
  problem_.limits.push_back(
      {"memory for constants", kMemoryShare * static_cast<double>(machine.memory.back().capacity_bytes), {}});
  cost::FunctionTraffic traffic;
  for (const FunctionGraph& function : program.functions()) find_state_layouts(function);
  for (const FunctionGraph& function : program.functions()) {
    cost::ProgramOrder order(*function.function, traffic);
    traffic[function.function] = order.total();
    times_.try_emplace(&function, tensors_, function, std::move(order));
    add_function(function);
  }
  exclude_parts();
  exclude_short_waits();
  check_code();
}

void Selection::solve(const extract::Options& options) { solution_ = extract::solve(problem_, options); }

std::vector<int> Selection::improved(std::vector<int> choice) const {
  STRATA_CHECK(choice.size() == problem_.classes.size(), "a choice of another problem");
  const std::vector<int> others = extract::cheapest_first(problem_, extract::own_costs(problem_));
  for (std::size_t cls = 0; cls < choice.size(); ++cls) {
    if (choice[cls] < 0) choice[cls] = others[cls];
  }
  extract::LocalSearch(problem_).improve(choice);
  return extract::only_needed(problem_, choice);
}

void Selection::choose(std::vector<int> choice) {
  extract::check(problem_, choice);
  solution_ = {};
  solution_.objective = extract::dag_cost(problem_, choice);
  solution_.choice = std::move(choice);
}

// A text of the IR may hold ops on operands that lie as no kernel takes them.
void Selection::check_code() const {
  const std::vector<int> buildable = extract::cheapest_first(problem_, extract::own_costs(problem_), 0);
  const auto is_buildable = [&](int cls) { return buildable[static_cast<std::size_t>(cls)] >= 0; };
  if (std::ranges::all_of(problem_.roots, is_buildable)) return;
  for (const NodeWithoutCode& lacking : without_code_) {
    if (is_buildable(lacking.cls)) continue;
    const ENode node = tensors_.graph().nodes(lacking.id)[lacking.node];
    std::string operands;
    for (const ClassId child : node.children) {
      operands += (operands.empty() ? "" : ", ") + tensors_.type(child).text();
    }
    throw model_error("there is no code for " + tensors_.op_of(node)->name() + "(" + operands + ")",
                      "function @" + lacking.function->function->name,
                      "unpack its operands, or switch rules on that find another form");
  }
}

void Selection::add_node(int cls, double cost, std::vector<int> children, Option option) {
  problem_.classes[static_cast<std::size_t>(cls)].push_back({cost, std::move(children)});
  options_[static_cast<std::size_t>(cls)].push_back(option);
}

void Selection::add_function(const FunctionGraph& function) {
  function_ = &function;
  waits_.reset();
  if (threads_ > 1) {
    waits_.emplace(tensors_, function, machine_);
    add_barriers_around_calls();
  }
  for (const ClassId call : function.updates) problem_.roots.push_back(running(tensors_.graph().find(call)));
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    if (!function.results[i]) continue;
    const ClassId result = tensors_.graph().find(*function.results[i]);
    if (function.roles->state_results[i]) {
      add_state_forms(result);
    } else if (!tensors_.facts(result).scalar) {
      problem_.roots.push_back(tensors_.facts(result).is_constant ? stored(result) : running(result));
    }
  }
}

int Selection::running(ClassId id) {
  const auto [found, is_new] = running_.try_emplace(id, 0);
  if (!is_new) return found->second;
  const int cls = add_class();
  running_[id] = cls;
  add_running_nodes(id, cls);
  return cls;
}

void Selection::add_running_nodes(ClassId id, int cls) {
  const egraph::NodeRange nodes = tensors_.graph().nodes(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ENode node = nodes[i];
    if (tensors_.is_leaf(node)) {
      const bool is_state = tensors_.facts(id).is_state;
      add_node(cls, 0, is_state ? std::vector<int>{state_memory(id, {})} : std::vector<int>{},
               {{Choice::Kind::kStored}});
      continue;
    }
    // A packed state is not computed by packing: it is kept so.
    const bool is_packed_state = tensors_.facts(id).is_state && tensors_.is_pack(node);
    if (is_packed_state) {
      const egraph::NodeRange sources = tensors_.graph().nodes(node.children[0]);
      const bool is_leaf = std::ranges::any_of(sources, [&](const ENode& source) { return tensors_.is_leaf(source); });
      if (is_leaf) {
        add_node(cls, 0, {state_memory(node.children[0], tensors_.type(id).layout)}, {{Choice::Kind::kStored}});
      }
      continue;
    }
    add_node_of(id, i, cls);
  }
}

void Selection::add_node_of(ClassId id, std::size_t number, int cls) {
  const ENode node = tensors_.graph().nodes(id)[number];
  const double seconds = workload_seconds(node, id);
  if (!std::isfinite(seconds)) {
    without_code_.push_back({cls, id, number, function_});
    return;
  }
  std::vector<int> children;
  for (const ClassId child : node.children) {
    const rules::Facts& facts = tensors_.facts(child);
    if (!facts.scalar) children.push_back(facts.is_constant ? stored(child) : running(child));
  }
  const Option option{{Choice::Kind::kNode, number}};
  const bool is_shared = is_result(*function_, id) && is_view(tensors_, node, id) && !is_part(node, id);
  if (is_shared && may_be_part(node.children[0])) {
    add_waiting(id, cls, copy_seconds(id) + kStepSeconds, children, option, true);
    free_views_.push_back({{cls, node_count(cls)}, node.children[0]});
  }
  add_waiting(id, cls, seconds + kStepSeconds, children, option, is_copied_part(node, id, *function_));
}

void Selection::add_waiting(ClassId id, int cls, double cost, const std::vector<int>& children, Option option,
                            bool is_copy) {
  if (!waits_) return add_node(cls, cost, children, option);
  for (Waits::Way& way : waits_->ways(id, option.choice.node, is_copy)) {
    std::vector<int> needed = children;
    if (way.barrier != 0) needed.push_back(barrier(way.barrier));
    if (!way.unless.empty()) short_waits_.push_back({{cls, node_count(cls)}, std::move(way.unless)});
    add_node(cls, cost, std::move(needed), option);
  }
}

// `node` and the options of the problem's class `cls` that choose an e-node of these.
template <typename IsIt>
void Selection::exclude(extract::Exclusions& exclusions, extract::Exclusions::NodeOf node, int cls, IsIt is_it) const {
  const auto& options = options_[static_cast<std::size_t>(cls)];
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool is_node = options[i].choice.kind == Choice::Kind::kNode;
    if (is_node && is_it(options[i].choice.node)) exclusions.add(node, {cls, static_cast<int>(i)});
  }
}

void Selection::exclude_short_waits() {
  extract::Exclusions exclusions;
  for (const ShortWait& wait : short_waits_) {
    for (const auto& [id, number] : wait.unless) {
      const auto found = running_.find(id);
      if (found == running_.end()) continue;
      exclude(exclusions, wait.node, found->second, [&](std::size_t node) { return node == number; });
    }
  }
  std::ranges::move(exclusions.limits("an op that waits too little"), std::back_inserter(problem_.limits));
}

double Selection::barrier_seconds(const FunctionGraph& function) const {
  return std::accumulate(function.runs.begin(), function.runs.end(), 0.0) * machine_.barrier_s;
}

int Selection::barrier(int number) {
  const auto [known, is_new] = barriers_.try_emplace({function_, number}, 0);
  if (!is_new) return known->second;
  const int cls = add_class();
  known->second = cls;
  add_node(cls, barrier_seconds(*function_), {}, {});
  return cls;
}

// Whatever the plan: before a call, and at the end, where an op ran since the last one.
void Selection::add_barriers_around_calls() {
  const auto constants = ir::constants(*function_->function);
  int count = 0;
  bool is_finished = true;
  for (const ir::Expr* value : ir::topological_order(*function_->function)) {
    if (value->kind == ir::Expr::Kind::kCall) {
      count += is_finished ? 0 : 1;
      is_finished = true;
    } else if (value->kind == ir::Expr::Kind::kOp && !constants.contains(value)) {
      is_finished = is_finished && is_view(*value);
    }
  }
  count += is_finished ? 0 : 1;
  const int cls = add_class();
  add_node(cls, count * barrier_seconds(*function_), {}, {});
  problem_.roots.push_back(cls);
}

// A view of some of its operand's elements.
bool Selection::is_part(const ENode& node, ClassId id) const {
  const ir::Op* const op = tensors_.op_of(node);
  const bool is_all_of_it = op->changes_layout() || op->aliased_operand();
  return !is_all_of_it && is_view(tensors_, node, id);
}

// A result is memory of its own: what is a part of another value's is copied there.
bool Selection::is_copied_part(const ENode& node, ClassId id, const FunctionGraph& function) const {
  return tensors_.op_of(node) != nullptr && is_result(function, id) && is_part(node, id);
}

// Whether a choice for the class may be a part of another value, or a view of one.
bool Selection::may_be_part(ClassId id) {
  id = tensors_.graph().find(id);
  const auto [known, is_new] = may_be_part_.try_emplace(id, false);
  if (!is_new) return known->second;
  for (const ENode node : tensors_.graph().nodes(id)) {
    if (!is_view(tensors_, node, id)) continue;
    if (is_part(node, id) || may_be_part(node.children[0])) return may_be_part_[id] = true;
  }
  return false;
}

// A result that is a view of a part is copied: the view is free only where its operand is no part.
void Selection::exclude_parts() {
  extract::Exclusions exclusions;
  for (const FreeView& view : free_views_) {
    const ClassId of = tensors_.graph().find(view.of);
    exclude(exclusions, view.node, running_.at(of), [&](std::size_t number) {
      const ENode node = tensors_.graph().nodes(of)[number];
      return is_view(tensors_, node, of) && (is_part(node, of) || may_be_part(node.children[0]));
    });
  }
  std::ranges::move(exclusions.limits("a result that is a part"), std::back_inserter(problem_.limits));
}

int Selection::constant(ClassId id) {
  const auto [found, is_new] = constant_.try_emplace(id, 0);
  if (!is_new) return found->second;
  const int cls = add_class();
  constant_[id] = cls;
  const egraph::NodeRange nodes = tensors_.graph().nodes(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ENode node = nodes[i];
    const bool is_constant =
        std::ranges::all_of(node.children, [&](ClassId child) { return tensors_.facts(child).is_constant; });
    if (!is_constant) continue;
    std::vector<int> children;
    for (const ClassId child : node.children) children.push_back(constant(tensors_.graph().find(child)));
    add_node(cls, node.children.empty() ? 0 : kStepSeconds, std::move(children), {{Choice::Kind::kNode, i}});
  }
  return cls;
}

int Selection::stored(ClassId id) {
  id = tensors_.graph().find(id);
  const auto [found, is_new] = stored_.try_emplace(id, 0);
  if (!is_new) return found->second;
  const int cls = add_class();
  stored_[id] = cls;
  add_stored(id, cls);
  return cls;
}

void Selection::add_stored(ClassId id, int cls) {
  const egraph::NodeRange nodes = tensors_.graph().nodes(id);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ENode node = nodes[i];
    if (!is_view(tensors_, node, id) || !tensors_.facts(node.children[0]).is_constant) continue;
    // A step of every run, where the other way takes its step once.
    add_node(cls, 2 * kStepSeconds, {stored(node.children[0])}, {{Choice::Kind::kNode, i}});
  }
  const ir::TensorType& type = tensors_.type(id);
  const double copies = function_->copies;
  problem_.limits[kMemoryLimit].uses.push_back(
      {cls, node_count(cls), copies * static_cast<double>(ir::max_bytes(type))});
  add_node(cls, copies * load_seconds(type), {constant(id)}, {{Choice::Kind::kStored}});
}

double Selection::load_seconds(const ir::TensorType& type) const {
  return static_cast<double>(ir::max_bytes(type)) / machine_.storage_read_bytes_per_s;
}

int Selection::state_memory(ClassId leaf, const ir::Layout& layout) {
  leaf = tensors_.graph().find(leaf);
  const auto [found, is_new] = state_memory_.try_emplace({leaf, layout.text()}, 0);
  if (!is_new) return found->second;
  const auto [limit, is_first] = state_limits_.try_emplace(leaf, problem_.limits.size());
  if (is_first) problem_.limits.push_back({"layouts of a state", 1, {}});
  const int cls = add_class();
  found->second = cls;
  problem_.limits[limit->second].uses.push_back({cls, 0, 1});
  add_node(cls, kStepSeconds, {}, {{Choice::Kind::kStored}});
  return cls;
}

namespace {

// The leaf whose memory a state's class is, by its updates.
std::optional<ClassId> state_leaf(const rules::TensorGraph& tensors, ClassId id) {
  while (true) {
    std::optional<ClassId> next;
    for (const ENode node : tensors.graph().nodes(id)) {
      if (tensors.is_leaf(node)) return tensors.graph().find(id);
      const ir::Op* const op = tensors.op_of(node);
      if (op == nullptr || next) continue;
      if (const auto updated = ir::updated_operand(*op)) next = node.children[*updated];
    }
    if (!next) return std::nullopt;
    id = *next;
  }
}

}  // namespace

// The result stays where its state lies: in whatever layout that is kept.
void Selection::add_state_forms(ClassId result) {
  const auto leaf = state_leaf(tensors_, result);
  STRATA_CHECK(leaf.has_value(), "a state that nothing updates");
  const int cls = add_class();
  state_results_[result] = cls;
  problem_.roots.push_back(cls);
  add_node(cls, 0, {running(result), state_memory(*leaf, {})}, {{}, result});
  std::set<ClassId> forms = packed_by_readers(result);
  for (const ENode node : tensors_.graph().nodes(result)) {
    if (!tensors_.is_unpack(node)) continue;
    const ClassId made = tensors_.graph().find(node.children[0]);
    if (state_layouts_.at(*leaf).contains(tensors_.type(made).layout.text())) forms.insert(made);
  }
  for (const ClassId packed : forms) {
    add_node(cls, 0, {running(packed), state_memory(*leaf, tensors_.type(packed).layout)}, {{}, packed});
  }
}

// A state packed as readers want it.
std::set<ClassId> Selection::packed_by_readers(ClassId id) const {
  std::set<ClassId> forms;
  for (const egraph::NodeId parent : tensors_.graph().parent_ids(id)) {
    if (!tensors_.is_pack(tensors_.graph().node(parent))) continue;
    const ClassId packed = tensors_.graph().find(parent);
    if (tensors_.type(packed).dtype == tensors_.type(id).dtype) forms.insert(packed);
  }
  return forms;
}

// A function that reads nothing of a state keeps it as the others want it.
void Selection::find_state_layouts(const FunctionGraph& function) {
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    if (!function.results[i] || !function.roles->state_results[i]) continue;
    const ClassId result = tensors_.graph().find(*function.results[i]);
    const auto leaf = state_leaf(tensors_, result);
    STRATA_CHECK(leaf.has_value(), "a state that nothing updates");
    auto& layouts = state_layouts_[*leaf];
    for (const ClassId packed : packed_by_readers(result)) layouts.insert(tensors_.type(packed).layout.text());
  }
}

double Selection::workload_seconds(const ENode& node, ClassId id) const {
  double seconds = 0;
  for (std::size_t i = 0; i < function_->runs.size(); ++i) {
    const double once = node_seconds(node, id, *function_, function_->version->steps[i].sizes);
    if (!std::isfinite(once)) return once;  // also where it is never run
    seconds += function_->runs[i] * once;
  }
  return seconds;
}

double Selection::copy_seconds(ClassId id) const {
  double seconds = 0;
  for (std::size_t i = 0; i < function_->runs.size(); ++i) {
    const cost::Run run = {
        .sizes = function_->version->steps[i].sizes, .threads = threads_, .is_only_one = function_->calls == 1};
    seconds += function_->runs[i] * cost::copy_cost(tensors_.type(id), machine_, run).seconds;
  }
  return seconds;
}

bool Selection::is_result(const FunctionGraph& function, ClassId id) const {
  return std::ranges::any_of(function.results, [&](const std::optional<ClassId>& result) {
    return result && tensors_.graph().find(*result) == tensors_.graph().find(id);
  });
}

double Selection::node_seconds(const ENode& node, ClassId id, const FunctionGraph& function,
                               const cost::Sizes& sizes) const {
  const ir::Op* const op = tensors_.op_of(node);
  if (op == nullptr) return 0;
  cost::Run run = {.sizes = sizes, .threads = threads_, .is_only_one = function.calls == 1};
  if (is_copied_part(node, id, function)) return cost::copy_cost(tensors_.type(id), machine_, run).seconds;
  std::vector<cost::Operand> operands;
  for (const ClassId child : node.children) {
    const rules::Facts& facts = tensors_.facts(child);
    const bool streams = facts.is_state || (facts.is_constant && !facts.scalar);
    const bool is_near = streams || facts.scalar;
    operands.push_back({tensors_.type(child), streams ? cost::Residence::kStream : cost::Residence::kActivation,
                        is_near ? cost::Traffic() : times_.at(&function).since(child, id)});
  }
  const ir::Attributes& attributes = tensors_.operator_of(node).attributes;
  std::vector<ir::TensorType> types;
  for (const cost::Operand& operand : operands) types.push_back(operand.type);
  const cost::Leaf* const leaf = cost::find_leaf(*op, types, attributes, tensors_.type(id));
  if (leaf == nullptr) return std::numeric_limits<double>::infinity();
  const bool joins = leaf->domain == cost::Leaf::Domain::kOwn || leaf->loop.takes_row_tiles;
  if (costs_ == Costs::kInRegions && joins) {
    run.continues = true;
    for (cost::Operand& operand : operands) {
      if (operand.residence == cost::Residence::kActivation) operand.residence = cost::Residence::kRegion;
    }
  }
  return cost::leaf_cost(*leaf, *op, operands, attributes, tensors_.type(id), machine_, run).seconds;
}

Choice Selection::of(ClassId id) const {
  id = tensors_.graph().find(id);
  const auto& classes = tensors_.facts(id).is_constant ? stored_ : running_;
  const auto cls = classes.find(id);
  if (cls == classes.end()) return {};
  const int chosen = solution_.choice[static_cast<std::size_t>(cls->second)];
  return chosen < 0 ? Choice{}
                    : options_[static_cast<std::size_t>(cls->second)][static_cast<std::size_t>(chosen)].choice;
}

std::size_t Selection::constant_node(ClassId id) const {
  const int cls = constant_.at(tensors_.graph().find(id));
  const int chosen = solution_.choice[static_cast<std::size_t>(cls)];
  STRATA_CHECK(chosen >= 0, "a constant that wasn't chosen");
  return options_[static_cast<std::size_t>(cls)][static_cast<std::size_t>(chosen)].choice.node;
}

ClassId Selection::state_form(ClassId result) const {
  const int cls = state_results_.at(tensors_.graph().find(result));
  const int chosen = solution_.choice[static_cast<std::size_t>(cls)];
  STRATA_CHECK(chosen >= 0, "a state that wasn't chosen");
  return options_[static_cast<std::size_t>(cls)][static_cast<std::size_t>(chosen)].form;
}

}  // namespace strata::vectorize
