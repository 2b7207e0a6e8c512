// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <limits>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "encoding/encoding.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/text_scanner.h"
#include "ir/verify.h"

namespace strata::ir {
namespace {

class ModuleParser {
 public:
  ModuleParser(std::string_view text, const std::string& origin) : scan_(text, origin) {}

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
  // Runs what may throw Error of its own and adds the position to the message.
  template <class F>
  auto at(std::size_t position, F&& run) {
    try {
      return run();
    } catch (const Error& error) {
      const std::string text = error.what();
      const std::size_t split = text.rfind("; ");
      if (split == std::string::npos) scan_.fail_at(position, text);
      scan_.fail_at(position, text.substr(0, split), text.substr(split + 2));
    }
  }

  void check_count(std::size_t count, std::size_t limit, const std::string& what) const {
    if (count > limit) scan_.fail("there are too many " + what, "at most " + std::to_string(limit) + " are allowed");
  }

  // `item (, item)*` up to the closing punctuation, which is taken.
  template <class F>
  void parse_list(std::string_view close, const std::string& what, F&& item) {
    if (scan_.accept(close)) return;
    std::size_t count = 0;
    do {
      check_count(++count, TextLimits::kListItems, what);
      item();
    } while (scan_.accept(","));
    scan_.expect(close);
  }

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

  std::int64_t parse_size() {
    const std::size_t start = scan_.position();
    const std::int64_t size = scan_.integer("a size");
    if (size < 1 || size > TextLimits::kSize) {
      scan_.fail_at(start, "the size " + std::to_string(size) + " is out of range", "sizes are 1 to 2^31");
    }
    return size;
  }

  Dim parse_dim() {
    std::int64_t factor = 1;
    if (scan_.peek() >= '0' && scan_.peek() <= '9') {
      factor = parse_size();
      if (!scan_.accept("*")) return factor;
    }
    const std::size_t start = scan_.position();
    const std::string name = scan_.identifier("a size or a symbol");
    const auto found = symbols_.find(name);
    if (found == symbols_.end()) {
      scan_.fail_at(start, "the symbol " + name + " is not declared", "declare it: symbol " + name + " in 1..512");
    }
    return {factor, found->second};
  }

  Layout parse_layout() {
    scan_.expect("<");
    Layout layout;
    parse_list(">", "packs", [&] {
      if (layout.encoding != nullptr) {
        const std::string name(layout.encoding->name);
        scan_.fail_at(scan_.position(), name + " is not the layout's last word", "write <16@0, 2@1, " + name + ">");
      }
      if (std::isalpha(static_cast<unsigned char>(scan_.peek())) != 0) {
        layout.encoding = parse_encoding();
        return;
      }
      Pack pack;
      pack.lanes = scan_.integer("a number of lanes");
      pack.is_ragged = scan_.accept("~");
      scan_.expect("@");
      pack.axis = parse_axis();
      layout.packs.push_back(pack);
    });
    return layout;
  }

  const encoding::Encoding* parse_encoding() {
    const std::size_t start = scan_.position();
    const std::string name = scan_.identifier("an encoding");
    const encoding::Encoding* const found = encoding::find_encoding(name);
    if (found == nullptr) scan_.fail_at(start, "there is no encoding " + name, "use one of " + encoding::known_names());
    return found;
  }

  int parse_axis() {
    const std::size_t start = scan_.position();
    const std::int64_t axis = scan_.integer("an axis");
    if (axis < 0 || axis >= static_cast<std::int64_t>(TextLimits::kRank)) {
      scan_.fail_at(start, "there is no axis " + std::to_string(axis),
                    "axes are 0 to " + std::to_string(TextLimits::kRank - 1));
    }
    return static_cast<int>(axis);
  }

  Placement parse_placement() {
    Placement placement;
    parse_list("}", "placements", [&] {
      AxisPlacement axis;
      axis.mesh_axis = scan_.identifier("a mesh axis");
      scan_.expect(":");
      if (scan_.accept_word("S")) {
        axis.kind = AxisPlacement::Kind::kSplit;
        scan_.expect("(");
        axis.axis = parse_axis();
        scan_.expect(")");
      } else if (scan_.accept_word("P")) {
        axis.kind = AxisPlacement::Kind::kPartial;
      } else {
        scan_.expect_word("B");
      }
      placement.axes.push_back(axis);
    });
    return placement;
  }

  DType parse_element_type() {
    const std::size_t start = scan_.position();
    const std::string name = scan_.identifier("a type");
    const std::optional<DType> dtype = parse_dtype(name);
    if (!dtype) scan_.fail_at(start, name + " is no dtype", "write one of f32 f16 bf16 i8 i32 i64 u8 bool");
    return *dtype;
  }

  TensorType parse_type() {
    const std::size_t start = scan_.position();
    TensorType type;
    type.dtype = parse_element_type();
    if (scan_.accept("[")) {
      parse_list("]", "axes", [&] {
        type.shape.push_back(parse_dim());
        check_count(type.shape.size(), TextLimits::kRank, "axes");
      });
    }
    if (scan_.peek() == '<') type.layout = parse_layout();
    if (scan_.accept("{")) type.placement = parse_placement();
    at(start, [&] {
      check_layout(type, "type");
      (void)max_bytes(type);
    });
    check_placement(type, start);
    return type;
  }

  void check_placement(const TensorType& type, std::size_t start) const {
    for (const AxisPlacement& placement : type.placement.axes) {
      if (placement.axis < type.rank() || placement.kind != AxisPlacement::Kind::kSplit) continue;
      scan_.fail_at(start,
                    "axis " + std::to_string(placement.axis) + " is split, but there are " +
                        std::to_string(type.rank()) + " axes",
                    "axes count from 0");
    }
  }

  std::vector<TensorType> parse_types() {
    if (!scan_.accept("(")) return {parse_type()};
    std::vector<TensorType> types;
    parse_list(")", "types", [&] { types.push_back(parse_type()); });
    return types;
  }

  Attribute parse_number() {
    bool is_integer = false;
    std::int64_t integer = 0;
    const double value = scan_.number(is_integer, integer);
    if (is_integer) return integer;
    return value;
  }

  Attribute parse_attribute() {
    const char next = scan_.peek();
    if (next == '"') return scan_.string();
    if (next == '<') return parse_layout();
    if (scan_.accept("[")) {
      std::vector<std::int64_t> list;
      parse_list("]", "integers", [&] { list.push_back(scan_.integer("an integer")); });
      return list;
    }
    if (scan_.accept_word("inf")) return std::numeric_limits<double>::infinity();
    if (scan_.accept_word("nan")) return std::numeric_limits<double>::quiet_NaN();
    if (scan_.accept("-inf")) return -std::numeric_limits<double>::infinity();
    if (next == '-' || (next >= '0' && next <= '9')) return parse_number();
    return parse_element_type();
  }

  Attributes parse_attributes() {
    Attributes attributes;
    if (!scan_.accept("{")) return attributes;
    parse_list("}", "attributes", [&] {
      const std::size_t start = scan_.position();
      const std::string name = scan_.identifier("an attribute's name");
      scan_.expect("=");
      if (!attributes.emplace(name, parse_attribute()).second) {
        scan_.fail_at(start, "the attribute " + name + " is given twice", "remove one");
      }
    });
    return attributes;
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
    scan_.expect("{");
    while (!scan_.accept_word("return")) parse_statement();
    do {
      check_count(function.results.size() + 1, TextLimits::kListItems, "results");
      function.results.push_back(parse_tensor());
    } while (scan_.accept(","));
    scan_.expect("}");
    module_->add(std::move(function));
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

  TextScanner scan_;
  std::optional<Module> module_;
  std::unordered_map<std::string, std::shared_ptr<const Symbol>> symbols_;
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
