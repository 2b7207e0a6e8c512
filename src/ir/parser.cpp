// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/type_parser.h"
#include "ir/verify.h"

namespace strata::ir {
namespace {

// Symbols, functions, and the values in them.
class ModuleParser : TypeParser {
 public:
  ModuleParser(std::string_view text, const std::string& origin) : TypeParser(text, origin) {}

  Module parse() {
    scan_.expect_word("module");
    module_.emplace(scan_.identifier("the module's name"));
    scan_.expect("{");
    while (scan_.accept_word("symbol")) parse_symbol();
    while (!scan_.accept("}")) parse_function();
    if (!scan_.at_end()) scan_.fail("there is text after the module", "remove it");
    return std::move(*module_);
  }

 private:
  void parse_symbol() {
    const std::size_t start = scan_.position();
    Symbol symbol;
    symbol.name = scan_.identifier("the symbol's name");
    scan_.expect_word("in");
    symbol.min = parse_size();
    scan_.expect("..");
    symbol.max = parse_size();
    if (scan_.accept_word("multiple")) symbol.multiple = parse_size();
    at(start, [&] { check_symbol(symbol); });
    if (symbols_.contains(symbol.name)) {
      scan_.fail_at(start, "the symbol " + symbol.name + " is declared twice", "give it another name");
    }
    symbols_.emplace(symbol.name, module_->symbol(symbol));
    check_count(symbols_.size(), TextLimits::kSymbols, "symbols");
  }

  void parse_function() {
    scan_.expect_word("func");
    check_count(module_->functions().size() + 1, TextLimits::kFunctions, "functions");
    const std::size_t start = scan_.position();
    scan_.expect("@");
    Function function;
    function.name = scan_.identifier("the function's name");
    if (module_->find(function.name) != nullptr) {
      scan_.fail_at(start, "the function @" + function.name + " is defined twice", "give it another name");
    }
    values_.clear();
    scan_.expect("(");
    parse_list(")", "parameters", [&] { function.parameters.push_back(parse_parameter()); });
    if (scan_.accept_word("of")) parse_origin(function);
    scan_.expect("{");
    while (!scan_.accept_word("return")) parse_statement();
    do {
      check_count(function.results.size() + 1, TextLimits::kListItems, "results");
      function.results.push_back(parse_tensor());
    } while (scan_.accept(","));
    scan_.expect("}");
    module_->add(std::move(function));
  }

  void parse_origin(Function& function) {
    const std::size_t start = scan_.position();
    scan_.expect("@");
    function.origin = scan_.identifier("a function's name");
    const Function* const origin = module_->find(function.origin);
    if (origin == nullptr) {
      scan_.fail_at(start, "there is no function @" + function.origin, "define it before its versions");
    }
    if (!origin->origin.empty()) {
      scan_.fail_at(start, "@" + function.origin + " is a version itself", "name @" + origin->origin);
    }
  }

  const Expr* parse_parameter() {
    const std::size_t start = scan_.position();
    const std::string name = scan_.value_name();
    if (!is_identifier(name)) {
      scan_.fail_at(start, "the parameter %" + name + " is called like a numbered value", "start it with a letter");
    }
    scan_.expect(":");
    const Expr* const parameter = module_->pool().parameter(name, parse_type());
    define(start, name, parameter);
    return parameter;
  }

  void define(std::size_t start, const std::string& name, const Expr* value) {
    if (values_.emplace(name, value).second) return;
    scan_.fail_at(start, "the value %" + name + " is defined twice", "give it another name");
  }

  const Expr* parse_value() {
    const std::size_t start = scan_.position();
    const std::string name = scan_.value_name();
    const auto found = values_.find(name);
    if (found == values_.end()) {
      scan_.fail_at(start, "the value %" + name + " is not defined", "define it before it is used");
    }
    return found->second;
  }

  const Expr* parse_tensor() {
    const std::size_t start = scan_.position();
    const Expr* const value = parse_value();
    if (value->types.size() != 1) scan_.fail_at(start, "a tuple is returned", "take its values with get");
    return value;
  }

  void parse_statement() {
    check_count(++value_count_, TextLimits::kValues, "values");
    const std::size_t start = scan_.position();
    const std::string name = scan_.value_name();
    scan_.expect("=");
    const std::size_t body = scan_.position();
    const Expr* const value = parse_body();
    define(start, name, value);
    if (value->kind == Expr::Kind::kWeight || value->kind == Expr::Kind::kScalar) return;
    scan_.expect(":");
    if (parse_types() != value->types) {
      std::string inferred;
      for (const TensorType& type : value->types) inferred += (inferred.empty() ? "" : ", ") + type.text();
      scan_.fail_at(body, "the written type of %" + name + " is not the inferred one", "write " + inferred);
    }
  }

  const Expr* parse_body() {
    const std::size_t start = scan_.position();
    const std::string word = scan_.identifier("an op, weight, scalar, call or get");
    if (word == "weight") return parse_weight();
    if (word == "scalar") return parse_scalar();
    if (word == "call") return parse_call();
    const Op* const op = word == "get" ? nullptr : find_op(word);
    if (op == nullptr && word != "get") scan_.fail_at(start, "there is no op " + word, "check the name's spelling");
    const std::vector<const Expr*> arguments = parse_arguments();
    const Attributes attributes = parse_attributes();
    return at(start, [&] {
      return op != nullptr ? module_->pool().op(*op, arguments, attributes) : make_get(arguments, attributes);
    });
  }

  const Expr* make_get(const std::vector<const Expr*>& arguments, const Attributes& attributes) {
    const auto index = attributes.find("index");
    if (arguments.size() != 1 || attributes.size() != 1 || index == attributes.end() ||
        !std::holds_alternative<std::int64_t>(index->second)) {
      throw usage_error("get has the wrong form", "write get(%tuple) {index = 0}");
    }
    return module_->pool().get(arguments[0], std::get<std::int64_t>(index->second));
  }

  std::vector<const Expr*> parse_arguments() {
    std::vector<const Expr*> arguments;
    scan_.expect("(");
    parse_list(")", "arguments", [&] { arguments.push_back(parse_value()); });
    return arguments;
  }

  const Expr* parse_weight() {
    const std::size_t start = scan_.position();
    const std::string name = scan_.string();
    if (name.empty()) scan_.fail_at(start, "the weight has no name", "write the tensor's name");
    scan_.expect(":");
    return module_->pool().weight(name, parse_type());
  }

  const Expr* parse_scalar() {
    const std::size_t start = scan_.position();
    const Attribute number = parse_attribute();
    double value = 0;
    if (const auto* const integer = std::get_if<std::int64_t>(&number)) {
      value = static_cast<double>(*integer);
    } else if (const auto* const real = std::get_if<double>(&number)) {
      value = *real;
    } else {
      scan_.fail_at(start, "a scalar's value is no number", "write one");
    }
    scan_.expect(":");
    const std::size_t type_start = scan_.position();
    const TensorType type = parse_type();
    if (type.rank() != 0 || !type.placement.axes.empty()) {
      scan_.fail_at(type_start, "the scalar's type is " + type.text(), "write a dtype only");
    }
    return module_->pool().scalar(value, type.dtype);
  }

  const Expr* parse_call() {
    const std::size_t start = scan_.position();
    scan_.expect("@");
    const std::string name = scan_.identifier("a function's name");
    const Function* const callee = module_->find(name);
    if (callee == nullptr) {
      scan_.fail_at(start, "the function @" + name + " is not defined", "define it before it is called");
    }
    const std::vector<const Expr*> arguments = parse_arguments();
    return at(start, [&] { return module_->pool().call(*callee, arguments); });
  }

  std::optional<Module> module_;
  std::unordered_map<std::string, const Expr*> values_;  // of the current function
  std::size_t value_count_ = 0;
};

}  // namespace

Module parse_module(std::string_view text, const std::string& origin) {
  if (text.size() > TextLimits::kBytes) {
    throw model_error("the text is larger than " + std::to_string(TextLimits::kBytes >> 20) + " MiB", origin,
                      "split the module");
  }
  return ModuleParser(text, origin).parse();
}

}  // namespace strata::ir
