// SPDX-License-Identifier: Apache-2.0
#include "codegen/function_emitter.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/error.h"
#include "codegen/tree_emitter.h"
#include "ir/op.h"
#include "schedule/numbered_tree.h"
#include "schedule/region.h"

namespace strata::codegen {
namespace {

using buffer::Place;
using ir::Expr;

std::string time_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g us", seconds * 1e6);
  return text;
}

}  // namespace

FunctionEmitter::FunctionEmitter(const PlannedVersion& planned, const schedule::ScheduledFunction& scheduled,
                                 const std::vector<std::string>& symbols, const WeightMap& weights,
                                 const machine::Machine& machine)
    : planned_(planned), scheduled_(scheduled), symbols_(symbols), weights_(weights), machine_(machine) {
  for (const Expr* parameter : scheduled.function->parameters) {
    names_[parameter] = cpp_name(parameter->name) + "_";
  }
  for (std::size_t i = 0; i < scheduled.ops.size(); ++i) names_[scheduled.ops[i].value] = "v" + std::to_string(i);
}

Unit FunctionEmitter::run(bool is_entry) {
  emit_prologue();
  emit_body();
  if (is_entry) emit_entry();
  out_.line();
  out_.line("}  // namespace strata_program");
  return {scheduled_.function->name + "." + planned_.version.tag + ".cpp", out_.text()};
}

int first_op_id(const PlannedVersion& planned, const ir::Function& function) {
  int id = 0;
  for (const schedule::ScheduledFunction& scheduled : planned.schedule) {
    if (scheduled.function == &function) return id;
    id += static_cast<int>(scheduled.ops.size());
  }
  STRATA_CHECK(false, "@" + function.name + " is not scheduled");
  return 0;
}

std::string entry_symbol(const std::string& function, const std::string& tag) {
  return "strata_" + cpp_name(function) + "_" + tag;
}

std::string FunctionEmitter::function_name(const ir::Function& function) const {
  return cpp_name(function.name) + "_" + planned_.version.tag;
}

bool FunctionEmitter::is_written(const ir::Function& function, std::size_t parameter) const {
  return planned_.buffers.at(&function).memory.writes[parameter];
}

std::string FunctionEmitter::parameter_type(const ir::Function& function, std::size_t index) const {
  const std::string type = cpp_type(function.parameters[index]->type()) + "*";
  return is_written(function, index) ? type : "const " + type;
}

std::string FunctionEmitter::signature(const ir::Function& function) const {
  std::string text =
      "void " + function_name(function) +
      "(const tensor::Team& team, const std::int64_t* symbols, std::byte* arena, const std::byte* weights";
  for (std::size_t i = 0; i < function.parameters.size(); ++i) {
    text += ", " + parameter_type(function, i) + " " + cpp_name(function.parameters[i]->name) + "_";
  }
  const auto& results = planned_.buffers.at(&function).results;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].parameter) continue;
    text += ", " + cpp_type(function.results[i]->type().dtype) + "* result" + std::to_string(results[i].destination);
  }
  return text + ")";
}

// Of the encodings that the program's weights, or parameters, lie in, and of leaves.
std::set<std::string> FunctionEmitter::headers() const {
  std::set<std::string> headers;
  const auto add = [&](const ir::TensorType& type) {
    if (type.layout.encoding != nullptr) headers.insert(cpp_header(*type.layout.encoding));
  };
  for (const WeightMap::Entry& entry : weights_.entries()) add(entry.type);
  for (const Expr* parameter : scheduled_.function->parameters) add(parameter->type());
  for (const schedule::ScheduledOp& op : scheduled_.ops) {
    if (op.leaf != nullptr && !op.leaf->header.empty()) headers.insert(std::string(op.leaf->header));
    if (op.one && !op.one->op.leaf->header.empty()) headers.insert(std::string(op.one->op.leaf->header));
    if (schedule::has_copies(op.tree.body)) headers.insert("tensor/copy.h");
  }
  return headers;
}

void FunctionEmitter::emit_prologue() {
  out_.line("// @" + scheduled_.function->name + ", " + planned_.version.tag + ": predicted " +
            time_text(scheduled_.predicted_s) + " on one thread of " + machine_.name);
  for (const std::string& header : headers()) out_.line("#include \"" + header + "\"");
  out_.line("#include \"tensor/tensor.h\"");
  out_.line();
  out_.line("namespace strata_program {");
  out_.line();
  out_.line("namespace tensor = strata::tensor;");
  out_.line("using tensor::bf16;");
  out_.line("using tensor::f16;");
  std::vector<const ir::Function*> declared;
  for (const schedule::ScheduledOp& op : scheduled_.ops) {
    const ir::Function* callee = op.value->callee;
    if (callee == nullptr || std::ranges::find(declared, callee) != declared.end()) continue;
    out_.line();
    out_.line(signature(*callee) + ";");
    declared.push_back(callee);
  }
  out_.line();
}

void FunctionEmitter::emit_body() {
  out_.line("// Arena: " + std::to_string(plan().arena_bytes) + " bytes, lower bound " +
            std::to_string(plan().lower_bound) + "; scratch of a thread: " + std::to_string(plan().scratch_bytes) +
            ".");
  out_.open(signature(*scheduled_.function) + " {");
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    out_.line("[[maybe_unused]] const std::int64_t " + cpp_name(symbols_[i]) + " = symbols[" + std::to_string(i) +
              "];");
  }
  out_.line("(void)team, (void)arena, (void)weights;");
  out_.line("team.resume();");
  for (const schedule::ScheduledOp& op : scheduled_.ops) emit_op(op);
  if (schedule::first_barrier(scheduled_.end) != nullptr) out_.line("team.sync();");
  mark_last_op();
  out_.close();
}

std::string FunctionEmitter::value_name(const Expr* value) const {
  const bool is_stored = value->kind == Expr::Kind::kWeight || value->kind == Expr::Kind::kOp;
  if (is_stored && !names_.contains(value)) return "\"" + weights_.at(*value).name + "\"";
  if (value->kind == Expr::Kind::kScalar) return cpp_float(value->value);
  if (value->kind == Expr::Kind::kGet) return value_name(value->arguments[0]) + ":" + std::to_string(value->index);
  if (value->kind == Expr::Kind::kParameter) return "%" + value->name;
  return "%" + names_.at(value);
}

std::string FunctionEmitter::comment(const schedule::ScheduledOp& op) const {
  const Expr& value = *op.value;
  std::string text = "// " + value_name(&value) + " = ";
  text += value.kind == Expr::Kind::kCall ? "call @" + value.callee->name : value.op->name();
  for (std::size_t i = 0; i < value.arguments.size(); ++i) {
    text += (i == 0 ? "(" : ", ") + value_name(value.arguments[i]);
  }
  text += ") : " + value.types[0].text();
  if (op.computed_in != nullptr) return text + ", computed with " + value_name(op.computed_in);
  if (!op.is_view()) return text + "; predicted " + time_text(op.predicted_s);
  return text + ", a view" + (op.view.whole ? "" : " with strides " + schedule::to_text(op.view));
}

// A pointer to a tensor's first element.
std::string FunctionEmitter::pointer(const Expr* value, std::int64_t index, bool writable) const {
  const Place& place = plan().place(value, index);
  const std::string type = (writable ? "" : "const ") + cpp_type(value->types[index]) + "*";
  const std::int64_t elements = place.offset / dtype_size(value->types[index].dtype);
  const std::string begin = elements == 0 ? "" : " + " + std::to_string(elements);
  switch (place.kind) {
    case Place::Kind::kParameter:
      return cpp_name(scheduled_.function->parameters[place.number]->name) + "_" + begin;
    case Place::Kind::kResult:
      return "result" + std::to_string(place.number) + begin;
    case Place::Kind::kArena:
      return "reinterpret_cast<" + type + ">(arena + " + std::to_string(place.offset) + ")";
    case Place::Kind::kOwn:
      return "reinterpret_cast<" + type + ">(team.scratch + " + std::to_string(place.offset) + ")";
    case Place::Kind::kWeight: {
      const Expr& constant = *plan().constants[static_cast<std::size_t>(place.number)];
      return "reinterpret_cast<" + type + ">(weights + " + std::to_string(weights_.at(constant).offset + place.offset) +
             ")";
    }
    case Place::Kind::kScalar:
      break;
  }
  STRATA_CHECK(false, "a constant has no address");
  return "";
}

OperandCode FunctionEmitter::operand(const Expr* value) const {
  if (value->kind == Expr::Kind::kScalar) return {"", cpp_float(value->value)};
  return {names_.contains(value) && value->kind == Expr::Kind::kParameter ? names_.at(value) : pointer(value, 0, false),
          ""};
}

// An op ends where the next one may start: behind the barrier between them, if there is one.
void FunctionEmitter::mark_last_op() {
  if (unmarked_) out_.line("team.mark(" + std::to_string(*unmarked_) + ");");
  unmarked_.reset();
}

void FunctionEmitter::emit_op(const schedule::ScheduledOp& op) {
  if (!op.has_code()) return out_.line(comment(op));
  if (schedule::first_barrier(op.tree) != nullptr) out_.line("team.sync();");
  mark_last_op();
  out_.line(comment(op));
  if (op.is_call()) return emit_call(op);
  unmarked_ = first_op_id(planned_, *scheduled_.function) + static_cast<int>(&op - scheduled_.ops.data());
  out_.open("{");
  const RegionCode code = region(op);
  const auto scratch = plan().scratch.find(op.value);
  emit_tree(out_, op, code, scratch == plan().scratch.end() ? buffer::ScratchPlan{} : scratch->second, machine_);
  out_.close();
}

// Names what a region reads and writes.
RegionCode FunctionEmitter::region(const schedule::ScheduledOp& op) {
  RegionCode code;
  const bool has_leaf = op.leaf->domain != cost::Leaf::Domain::kOwn;
  for (const Expr* input : op.inputs) code.inputs.push_back(named(input, "a" + std::to_string(code.inputs.size())));
  if (has_leaf) {
    for (const Expr* argument : op.value->arguments) {
      const std::string name = (op.nest ? "l" : "a") + std::to_string(code.operands.size());
      code.operands.push_back(plan().has_place(argument) ? named(argument, name).pointer : "");
    }
  }
  for (const schedule::ProductStage& product : op.products) {
    std::vector<std::string>& operands = code.products.emplace_back();
    for (const Expr* argument : op.parts[product.part].value->arguments) {
      const std::string name = "p" + std::to_string(product.stage) + "_" + std::to_string(operands.size());
      operands.push_back(named(argument, name).pointer);
    }
  }
  for (int stage = 0; stage < static_cast<int>(op.made.size()); ++stage) {
    const Expr* const value = op.made[static_cast<std::size_t>(stage)];
    if (value == nullptr || value == op.value || !plan().has_place(value)) continue;
    // A stretch of a product may be in a buffer alone, and others in memory.
    if (!schedule::is_in_memory(op, value)) continue;
    const std::string name = "o" + std::to_string(stage);
    out_.line("auto* const " + name + " = " + pointer(value, 0, true) + ";");
    code.values[stage] = name;
  }
  code.result = "out";
  out_.line("auto* const out = " + pointer(op.value, 0, true) + ";");
  return code;
}

// An operand by a name of its own; a constant stands for itself.
OperandCode FunctionEmitter::named(const Expr* value, const std::string& name) {
  OperandCode code = operand(value);
  if (!code.scalar.empty()) return code;
  out_.line("const " + cpp_type(value->type()) + "* const " + name + " = " + code.pointer + ";");
  return {name, ""};
}

void FunctionEmitter::emit_call(const schedule::ScheduledOp& op) {
  const Expr& call = *op.value;
  const std::string frame = std::to_string(plan().callee_frames.at(&call));
  std::string text = function_name(*call.callee) + "(team, symbols, arena + " + frame + ", weights";
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    text += ", " + pointer(call.arguments[i], 0, is_written(*call.callee, i));
  }
  const auto& results = planned_.buffers.at(call.callee).results;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].parameter) text += ", " + pointer(&call, static_cast<std::int64_t>(i), true);
  }
  out_.line(text + ");");
  out_.line("team.resume();");
}

// The C function that the runtime calls with an array of pointers.
void FunctionEmitter::emit_entry() {
  const ir::Function& function = *scheduled_.function;
  out_.line();
  out_.line("extern \"C\" __attribute__((visibility(\"default\")))");
  out_.open("void " + entry_symbol(function.name, planned_.version.tag) +
            "(const tensor::Team& team, void* const* parameters, const std::int64_t* symbols, std::byte* arena, "
            "const std::byte* weights) {");
  std::string text = function_name(function) + "(team, symbols, arena, weights";
  for (std::size_t i = 0; i < function.parameters.size(); ++i) {
    text += ", static_cast<" + parameter_type(function, i) + ">(parameters[" + std::to_string(i) + "])";
  }
  std::size_t next = function.parameters.size();
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    if (plan().results[i].parameter) continue;
    text += ", static_cast<" + cpp_type(function.results[i]->type().dtype) + "*>(parameters[" + std::to_string(next++) +
            "])";
  }
  out_.line(text + ");");
  out_.close();
}

std::vector<Unit> generate(const PlannedVersion& planned, const std::vector<std::string>& entries,
                           const std::vector<std::string>& symbols, const WeightMap& weights,
                           const machine::Machine& machine) {
  std::vector<Unit> units;
  std::map<std::string, std::size_t> unit_of;  // by function, of which versions stand in the same unit
  const std::set<const ir::Function*> needed = reachable(planned.module, entries);
  for (const schedule::ScheduledFunction& function : planned.schedule) {
    if (!needed.contains(function.function)) continue;
    const bool is_entry = std::ranges::find(entries, function.function->name) != entries.end();
    Unit made = FunctionEmitter(planned, function, symbols, weights, machine).run(is_entry);
    const std::string& origin = function.function->origin;
    const auto [unit, is_new] = unit_of.try_emplace(origin.empty() ? function.function->name : origin, units.size());
    if (is_new) {
      units.push_back(std::move(made));
    } else {
      units[unit->second].source += "\n" + made.source;
    }
  }
  return units;
}

}  // namespace strata::codegen
