// SPDX-License-Identifier: Apache-2.0
#include "compile/pipeline.h"

#include <algorithm>
#include <cstdio>

#include "base/atomic_file.h"
#include "base/error.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "vectorize/default_layout.h"

namespace strata::compile {
namespace {

constexpr std::int64_t kMaxHeadRows = 64;

void dump_text(PassContext& context, std::string_view name, std::string_view suffix, const std::string& text) {
  if (context.dump.empty()) return;
  char number[8];
  std::snprintf(number, sizeof(number), "%02d-", ++context.dumped);
  write_file(context.dump / (context.dump_prefix + number + std::string(name) + std::string(suffix)), text);
}

// A range of one value is a constant.
std::map<std::string, ir::SymbolValue> symbol_values(const Specialisation& specialisation) {
  std::map<std::string, ir::SymbolValue> values;
  for (const auto& [name, symbol] : specialisation.symbols) {
    values[name] = symbol.min == symbol.max ? ir::SymbolValue(symbol.min) : ir::SymbolValue(symbol);
  }
  return values;
}

}  // namespace

const std::vector<Pass>& passes() {
  static const std::vector<Pass> kPasses = {
      {"vectorize", "packs matrices and the cache's keys for the machine's vector lanes and dot-product units",
       [](const ir::Module& module, const PassContext& context) {
         return vectorize::default_layout(module, context.machine);
       }},
  };
  return kPasses;
}

void check_pass_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::find(passes(), name, &Pass::name) != passes().end()) continue;
    std::string known;
    for (const Pass& pass : passes()) known += (known.empty() ? "" : ", ") + std::string(pass.name);
    throw usage_error("there is no pass '" + name + "'", "passes are: " + known);
  }
}

ir::Module run_passes(ir::Module module, PassContext& context) {
  for (const Pass& pass : passes()) {
    if (std::ranges::find(context.without, pass.name) != context.without.end()) continue;
    const std::string before = context.dump.empty() ? "" : ir::to_text(module);
    module = pass.run(module, context);
    ir::verify(module);
    if (context.dump.empty()) continue;
    const std::string after = ir::to_text(module);
    if (after != before) dump_text(context, pass.name, ".ir", after);
  }
  return module;
}

std::vector<Specialisation> default_specialisations(const ir::Module& module) {
  for (const auto& symbol : module.symbols()) {
    if (symbol->name != "seq") continue;
    const auto up_to = [&](std::int64_t rows) { return ir::Symbol{"seq", 2, std::min(rows, symbol->max), 1}; };
    std::vector<Specialisation> all = {{"seq1", {{"seq", {"seq", 1, 1, 1}}}, {"forward", "head"}}};
    if (symbol->max == 1) return all;
    all.push_back({"chunk", {{"seq", up_to(symbol->max)}}, {"forward"}});
    all.push_back({"rows", {{"seq", up_to(kMaxHeadRows)}}, {"head"}});
    return all;
  }
  return {{"all", {}, {}}};
}

codegen::PlannedModule plan_module(const ir::Module& module, const Specialisation& specialisation,
                                   PassContext& context) {
  context.dump_prefix = specialisation.tag + "-";
  context.dumped = 0;
  ir::Module specialised = ir::specialise(module, symbol_values(specialisation));
  if (!context.dump.empty()) dump_text(context, "import", ".ir", ir::to_text(specialised));
  codegen::PlannedModule planned{run_passes(std::move(specialised), context), specialisation.tag, {}, {}, {}, {}};
  planned.schedule = schedule::default_schedule(planned.module, context.machine);
  planned.buffers = buffer::plan_buffers(planned.schedule);
  std::string schedule_text;
  std::string buffer_text;
  for (const auto& function : planned.schedule) {
    schedule_text += schedule::to_text(function);
    buffer_text += buffer::to_text(planned.buffers.at(function.function));
  }
  dump_text(context, "schedule", ".txt", schedule_text);
  dump_text(context, "buffers", ".txt", buffer_text);
  return planned;
}

}  // namespace strata::compile
