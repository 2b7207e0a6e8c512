// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <type_traits>
#include <unordered_map>

#include "ir/op.h"
#include "ir/text.h"

namespace strata::ir {
namespace {

// The shortest decimal that reads back as the same double, never looking like an integer.
std::string number_text(double value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (value != value) return "nan";
  if (text.find_first_of(".ein") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string attribute_text(const Attribute& attribute) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, double>) {
          return number_text(value);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return std::to_string(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return quoted(value);
        } else if constexpr (std::is_same_v<T, DType>) {
          return std::string(dtype_name(value));
        } else if constexpr (std::is_same_v<T, Layout>) {
          return value.is_row_major() ? "<>" : value.text();
        } else {
          std::string list;
          for (const std::int64_t item : value) list += (list.empty() ? "" : ", ") + std::to_string(item);
          return "[" + list + "]";
        }
      },
      attribute);
}

std::string attributes_text(const Attributes& attributes) {
  return attributes.empty() ? "" : " " + to_text(attributes);
}

std::string types_text(const std::vector<TensorType>& types) {
  if (types.size() == 1) return types[0].text();
  std::string list;
  for (const TensorType& type : types) list += (list.empty() ? "" : ", ") + type.text();
  return "(" + list + ")";
}

using Names = std::unordered_map<const Expr*, std::string>;

std::string operands_text(const std::vector<const Expr*>& operands, const Names& names) {
  std::string list;
  for (const Expr* operand : operands) {
    const auto name = names.find(operand);
    list += (list.empty() ? "" : ", ") + (name == names.end() ? "%?" + operand->name : name->second);
  }
  return list;
}

std::string expr_text(const Expr& expr, const Names& names) {
  switch (expr.kind) {
    case Expr::Kind::kParameter:
      return "parameter";
    case Expr::Kind::kWeight:
      return "weight " + quoted(expr.name);
    case Expr::Kind::kScalar:
      return "scalar " + number_text(expr.value);
    case Expr::Kind::kOp:
      return expr.op->name() + "(" + operands_text(expr.arguments, names) + ")" + attributes_text(expr.attributes);
    case Expr::Kind::kCall:
      return "call @" + expr.callee->name + "(" + operands_text(expr.arguments, names) + ")";
    case Expr::Kind::kGet:
      return "get(" + operands_text(expr.arguments, names) + ") {index = " + std::to_string(expr.index) + "}";
  }
  return "";
}

std::string symbol_text(const Symbol& symbol) {
  std::string text = "symbol " + symbol.name + " in " + std::to_string(symbol.min) + ".." + std::to_string(symbol.max);
  return symbol.multiple == 1 ? text : text + " multiple " + std::to_string(symbol.multiple);
}

}  // namespace

Names value_names(const Function& function) {
  Names names;
  for (const Expr* parameter : function.parameters) names.emplace(parameter, "%" + parameter->name);
  std::int64_t number = 0;
  for (const Expr* expr : topological_order(function)) {
    if (expr->kind != Expr::Kind::kParameter) names.emplace(expr, "%" + std::to_string(number++));
  }
  return names;
}

std::string to_text(const Function& function) {
  const Names names = value_names(function);
  std::string parameters;
  for (const Expr* parameter : function.parameters) {
    parameters += (parameters.empty() ? "%" : ", %") + parameter->name + ": " + parameter->type().text();
  }
  const std::string origin = function.origin.empty() ? "" : " of @" + function.origin;
  std::string text = "  func @" + function.name + "(" + parameters + ")" + origin + " {\n";
  for (const Expr* expr : topological_order(function)) {
    if (expr->kind == Expr::Kind::kParameter) continue;
    text += "    " + names.at(expr) + " = " + expr_text(*expr, names) + " : " + types_text(expr->types) + "\n";
  }
  return text + "    return " + operands_text(function.results, names) + "\n  }\n";
}

std::string to_text(const Attributes& attributes) {
  std::string list;
  for (const auto& [name, value] : attributes) {
    list += (list.empty() ? "" : ", ") + name + " = " + attribute_text(value);
  }
  return "{" + list + "}";
}

std::string to_text(const Module& module) {
  std::string text = "module " + module.name() + " {\n";
  for (const auto& symbol : module.symbols()) text += "  " + symbol_text(*symbol) + "\n";
  if (!module.symbols().empty()) text += "\n";
  for (const auto& function : module.functions()) text += to_text(*function);
  return text + "}\n";
}

}  // namespace strata::ir
