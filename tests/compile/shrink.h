// SPDX-License-Identifier: Apache-2.0
// Makes a failing module smaller for as long as it fails.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "ir/interpreter.h"
#include "ir/rewrite.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace strata::compile {

// Which of these modules fail. All are given at once, so that they can be compiled together.
using FailureTest = std::function<std::vector<bool>(const std::vector<std::string>& texts)>;

// All modules that are one step smaller: each is its original with one edit.
class Shrinker {
 public:
  // Each is well formed; the boldest steps come first.
  static std::vector<std::string> smaller(const std::string& text) {
    const ir::Module module = ir::parse_module(text, "shrinking");
    Shrinker shrinker(module);
    shrinker.collect();
    return std::move(shrinker.found_);
  }

 private:
  using Expr = ir::Expr;

  explicit Shrinker(const ir::Module& module) : module_(module), main_(*module.find("main")) {}

  struct Edit {
    const ir::Function* function = nullptr;  // that the first four are about
    std::vector<const Expr*> results = {};
    const Expr* cut = nullptr;  // becomes a parameter, or in main a weight where it is a constant
    std::map<const Expr*, const Expr*> replaced = {};
    bool binds_weights = false;  // to a callee's new parameter; otherwise parameters of main
    bool inlines = false;
    std::map<std::int64_t, std::int64_t> sizes = {};
    bool widens = false;  // 16-bit parameters and weights to f32
  };

  using Size = std::tuple<std::size_t, std::size_t, double, std::size_t>;

  // Ops, results, bytes of parameters and weights, length of the text.
  static Size size_of(const ir::Module& module, const std::string& text) {
    std::size_t ops = 0;
    std::size_t results = 0;
    double bytes = 0;
    for (const auto& function : module.functions()) {
      results += function->results.size();
      for (const Expr* value : ir::topological_order(*function)) {
        ops += value->kind == Expr::Kind::kOp || value->kind == Expr::Kind::kCall;
        if (is_leaf(*value)) bytes += static_cast<double>(ir::max_bytes(value->type()));
      }
    }
    return {ops, results, bytes, text.size()};
  }

  static bool is_leaf(const Expr& value) {
    return value.kind == Expr::Kind::kParameter || value.kind == Expr::Kind::kWeight;
  }

  static bool is_floating_op(const Expr& value) {
    const bool is_value = value.kind == Expr::Kind::kOp || value.kind == Expr::Kind::kGet ||
                          (value.kind == Expr::Kind::kCall && value.types.size() == 1);
    return is_value && is_floating(value.type().dtype) && value.type().layout.is_row_major();
  }

  static Edit edit_of(const ir::Function& function) { return {.function = &function, .results = function.results}; }

  void collect() {
    for (const Expr* value : ir::topological_order(main_)) {
      if (is_floating_op(*value)) add({.function = &main_, .results = {value}});
    }
    Edit inlining = edit_of(main_);
    inlining.inlines = true;
    add(inlining);
    for (auto function = module_.functions().rbegin(); function != module_.functions().rend(); ++function) {
      drop_results(**function);
      const auto order = ir::topological_order(**function);
      for (auto value = order.rbegin(); value != order.rend(); ++value) simplify(**function, **value);
    }
    for (const auto& symbol : module_.symbols()) narrow(*symbol);
    for (const std::int64_t size : constant_sizes()) resize(size);
    Edit widening = edit_of(main_);
    widening.widens = true;
    add(widening);
  }

  void drop_results(const ir::Function& function) {
    for (std::size_t i = 0; i < function.results.size() && function.results.size() > 1; ++i) {
      Edit edit = edit_of(function);
      edit.results.erase(edit.results.begin() + static_cast<std::ptrdiff_t>(i));
      add(edit);
    }
  }

  void simplify(const ir::Function& function, const Expr& value) {
    if (!is_floating_op(value)) return;
    Edit cut = edit_of(function);
    cut.cut = &value;
    add(cut);
    cut.binds_weights = true;
    if (&function != &main_) add(cut);
    for (const Expr* argument : value.arguments) {
      if (argument->types != value.types) continue;
      Edit bypass = edit_of(function);
      bypass.replaced[&value] = argument;
      add(bypass);
    }
  }

  void narrow(const ir::Symbol& symbol) {
    const auto try_value = [&](const ir::SymbolValue& value) {
      try {
        add_module(ir::specialise(module_, {{symbol.name, value}}));
      } catch (const Error&) {
        return;
      }
    };
    try_value(symbol.min);
    try_value(symbol.max);
    const std::int64_t half = (symbol.max / symbol.multiple + 1) / 2 * symbol.multiple;
    if (half < symbol.max) try_value(ir::Symbol{symbol.name, symbol.min, half, symbol.multiple});
    if (half > symbol.min) try_value(ir::Symbol{symbol.name, half, symbol.max, symbol.multiple});
  }

  std::set<std::int64_t, std::greater<>> constant_sizes() const {
    std::set<std::int64_t, std::greater<>> sizes;
    for (const auto& function : module_.functions()) {
      for (const Expr* value : ir::topological_order(*function)) {
        if (!is_leaf(*value)) continue;
        for (const ir::Dim& dim : value->type().shape) {
          if (dim.is_constant() && dim.factor() > 1) sizes.insert(dim.factor());
        }
      }
    }
    return sizes;
  }

  void resize(std::int64_t size) {
    for (const std::int64_t less : {std::int64_t{1}, std::int64_t{2}, (size + 1) / 2, size - 1}) {
      Edit edit = edit_of(main_);
      edit.sizes[size] = less;
      if (less < size) add(edit);
    }
  }

  void add(const Edit& edit) {
    try {
      add_module(Rewriter(module_, edit).run());
    } catch (const std::exception&) {
      return;  // the edit doesn't fit
    }
  }

  // The compiler takes functions whose results are computed, each by a value of its own.
  static bool has_proper_results(const ir::Function& function) {
    const std::set<const Expr*> different(function.results.begin(), function.results.end());
    const auto is_constant = [](const Expr* result) {
      const auto leaves = ir::topological_order({"", {}, {result}});
      return std::ranges::none_of(leaves, [](const Expr* v) { return v->kind == Expr::Kind::kParameter; });
    };
    return different.size() == function.results.size() && std::ranges::none_of(function.results, is_constant);
  }

  void add_module(const ir::Module& made) {
    ir::verify(made);
    if (!has_proper_results(*made.find("main"))) return;
    const std::string text = ir::to_text(made);
    if (size_of(made, text) >= size_of(module_, ir::to_text(module_))) return;
    if (std::ranges::find(found_, text) == found_.end()) found_.push_back(text);
  }

  // One module made from another.
  class Rewriter {
   public:
    Rewriter(const ir::Module& from, const Edit& edit) : from_(from), edit_(edit), into_(from.name()) {}

    ir::Module run() {
      for (const auto& symbol : from_.symbols()) into_.symbol(*symbol);
      collect_callees(*from_.find("main"));
      for (const auto& function : from_.functions()) {
        const bool is_main = function->name == "main";
        if (is_main || (!edit_.inlines && callees_.contains(function.get()))) write(*function);
      }
      return std::move(into_);
    }

   private:
    using Values = std::map<const Expr*, const Expr*>;

    struct NewFunction {
      const ir::Function* made = nullptr;
      std::vector<std::size_t> kept;                 // parameters of the original
      std::vector<const Expr*> added;                // parameters
      std::map<std::int64_t, std::int64_t> results;  // numbers in the original to those here
    };

    bool is_edited(const ir::Function& function) const { return &function == edit_.function; }

    const std::vector<const Expr*>& results_of(const ir::Function& function) const {
      return is_edited(function) ? edit_.results : function.results;
    }

    // The functions that this one still calls after the edit, directly or not.
    void collect_callees(const ir::Function& function) {
      for (const Expr* result : results_of(function)) collect_callees(result);
    }

    void collect_callees(const Expr* value) {
      if (value == edit_.cut || !reached_.insert(value).second) return;
      const auto other = edit_.replaced.find(value);
      if (other != edit_.replaced.end()) return collect_callees(other->second);
      for (const Expr* argument : value->arguments) collect_callees(argument);
      if (value->callee != nullptr && callees_.insert(value->callee).second) collect_callees(*value->callee);
    }

    void write(const ir::Function& old) {
      current_ = &old;
      NewFunction& record = functions_[&old];
      Values values;
      ir::Function made{old.name, {}, {}};
      for (const Expr* result : results_of(old)) made.results.push_back(copy(result, values, true));
      for (std::size_t i = 0; i < results_of(old).size(); ++i) {
        const auto number = std::ranges::find(old.results, results_of(old)[i]) - old.results.begin();
        record.results[number] = static_cast<std::int64_t>(i);
      }
      const auto order = ir::topological_order({old.name, {}, made.results});
      const auto is_used = [&](const Expr* value) { return std::ranges::find(order, value) != order.end(); };
      for (std::size_t i = 0; i < old.parameters.size(); ++i) {
        const Expr* const parameter = leaf(*old.parameters[i]);
        if (!is_used(parameter)) continue;
        record.kept.push_back(i);
        made.parameters.push_back(parameter);
      }
      record.added.swap(added_);
      made.parameters.insert(made.parameters.end(), record.added.begin(), record.added.end());
      record.made = into_.add(std::move(made));
    }

    std::int64_t resized(std::int64_t size) const {
      const auto found = edit_.sizes.find(size);
      return found == edit_.sizes.end() ? size : found->second;
    }

    const Expr* leaf(const Expr& old) {
      ir::TensorType type = old.type();
      for (ir::Dim& dim : type.shape) {
        if (dim.is_constant()) dim = resized(dim.factor());
      }
      if (edit_.widens && is_floating(type.dtype)) type.dtype = DType::kF32;
      if (old.kind == Expr::Kind::kWeight) return into_.pool().weight(old.name, type);
      return into_.pool().parameter(old.name, type);
    }

    ir::Attributes attributes(const Expr& old) const {
      ir::Attributes changed = old.attributes;
      if (const auto shape = changed.find("shape"); shape != changed.end()) {
        for (std::int64_t& size : std::get<std::vector<std::int64_t>>(shape->second)) size = resized(size);
      }
      if (const auto end = changed.find("end"); end != changed.end()) {
        end->second = resized(std::get<std::int64_t>(end->second));
      }
      return changed;
    }

    // `is_body`: of the function itself, not of one that is inlined into it.
    const Expr* copy(const Expr* old, Values& values, bool is_body) {
      if (const auto known = values.find(old); known != values.end()) return known->second;
      const Expr* const made = copied(*old, values, is_body);
      values.emplace(old, made);
      return made;
    }

    const Expr* copied(const Expr& old, Values& values, bool is_body) {
      const bool is_place = is_body && is_edited(*current_);
      if (is_place && edit_.cut == &old) return cut(old);
      if (const auto other = edit_.replaced.find(&old); is_place && other != edit_.replaced.end()) {
        return copy(other->second, values, is_body);
      }
      if (old.kind == Expr::Kind::kCall) return call_result(old, 0, values, is_body);
      if (old.kind == Expr::Kind::kGet) return call_result(*old.arguments[0], old.index, values, is_body);
      if (is_leaf(old)) return leaf(old);
      std::vector<const Expr*> arguments;
      for (const Expr* argument : old.arguments) arguments.push_back(copy(argument, values, is_body));
      if (old.kind == Expr::Kind::kOp) return into_.pool().op(*old.op, std::move(arguments), attributes(old));
      return ir::copy_expr(into_, old, std::move(arguments));
    }

    const Expr* call_result(const Expr& call, std::int64_t index, Values& values, bool is_body) {
      if (edit_.inlines) return inlined(call, index, values, is_body);
      const NewFunction& callee = functions_.at(call.callee);
      auto& made = values[&call];
      if (made == nullptr) {
        std::vector<const Expr*> arguments;
        for (const std::size_t i : callee.kept) arguments.push_back(copy(call.arguments[i], values, is_body));
        for (const Expr* added : callee.added) {
          arguments.push_back(edit_.binds_weights ? new_weight(added->type()) : new_parameter(added->type()));
        }
        made = into_.pool().call(*callee.made, std::move(arguments));
      }
      return into_.pool().get(values[&call], callee.results.at(index));
    }

    const Expr* inlined(const Expr& call, std::int64_t index, Values& values, bool is_body) {
      Values& body = bodies_[&call];
      for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        body[call.callee->parameters[i]] = copy(call.arguments[i], values, is_body);
      }
      return copy(call.callee->results[static_cast<std::size_t>(index)], body, false);
    }

    const Expr* cut(const Expr& old) {
      const auto leaves = ir::topological_order({"", {}, {&old}});
      const bool is_constant = std::ranges::none_of(leaves, [](const Expr* value) {
        return value->kind == Expr::Kind::kParameter || value->kind == Expr::Kind::kCall;
      });
      return is_constant ? new_weight(old.type()) : new_parameter(old.type());
    }

    const Expr* new_weight(const ir::TensorType& type) { return into_.pool().weight(unused_name(), type); }
    const Expr* new_parameter(const ir::TensorType& type) {
      added_.push_back(into_.pool().parameter(unused_name(), type));
      return added_.back();
    }

    std::string unused_name() {
      static const std::string kPrefix = "cut";
      const std::string text = ir::to_text(from_);
      while (text.find(kPrefix + std::to_string(number_)) != std::string::npos) ++number_;
      return kPrefix + std::to_string(number_++);
    }

    const ir::Module& from_;
    const Edit& edit_;
    ir::Module into_;
    const ir::Function* current_ = nullptr;
    std::map<const ir::Function*, NewFunction> functions_;
    std::set<const Expr*> reached_;
    std::set<const ir::Function*> callees_;
    std::vector<const Expr*> added_;        // parameters of the current function
    std::map<const Expr*, Values> bodies_;  // of inlined calls
    int number_ = 0;
  };

  const ir::Module& module_;
  const ir::Function& main_;
  std::vector<std::string> found_;
};

// The smallest failing module that single steps lead to. The text must fail.
inline std::string shrink(std::string text, const FailureTest& fails) {
  while (true) {
    const std::vector<std::string> candidates = Shrinker::smaller(text);
    bool is_smaller = false;
    constexpr std::size_t kTogether = 24;
    for (std::size_t begin = 0; begin < candidates.size() && !is_smaller; begin += kTogether) {
      const std::vector<std::string> some(
          candidates.begin() + static_cast<std::ptrdiff_t>(begin),
          candidates.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kTogether, candidates.size())));
      const std::vector<bool> failing = fails(some);
      const auto first = std::ranges::find(failing, true);
      if (first == failing.end()) continue;
      text = some[static_cast<std::size_t>(first - failing.begin())];
      is_smaller = true;
    }
    if (!is_smaller) return text;
  }
}

}  // namespace strata::compile
