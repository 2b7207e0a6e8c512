// SPDX-License-Identifier: Apache-2.0
#include "codegen/code_writer.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace strata::codegen {

// A name with a line break, or a backslash at a comment's end, would turn text into code or code into text.
void CodeWriter::line(std::string_view text) {
  STRATA_CHECK(text.find_first_of("\n\r") == std::string_view::npos && !text.ends_with('\\'),
               "a line of code that is none: " + std::string(text));
  if (!text.empty()) text_.append(static_cast<std::size_t>(2 * depth_), ' ').append(text);
  text_ += '\n';
}

void CodeWriter::open(std::string_view text) {
  line(text);
  ++depth_;
}

void CodeWriter::close(std::string_view tail) {
  --depth_;
  line("}" + std::string(tail));
}

std::string cpp_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kI8:
      return "std::int8_t";
    case DType::kI32:
      return "std::int32_t";
    case DType::kI64:
      return "std::int64_t";
    case DType::kU8:
      return "std::uint8_t";
    case DType::kBool:
      return "bool";
  }
  return "";
}

std::string cpp_type(const ir::TensorType& type) {
  const encoding::Encoding* const encoding = type.layout.encoding;
  return encoding == nullptr ? cpp_type(type.dtype) : "tensor::Encoded<" + cpp_encoding(*encoding) + ">";
}

std::string cpp_encoding(const encoding::Encoding& encoding) {
  return "tensor::" + std::string(encoding.panels.cpp_type);
}

std::string cpp_header(const encoding::Encoding& encoding) {
  return "tensor/encoding/" + std::string(encoding.name) + ".h";
}

std::string cpp_size(const ir::Dim& dim) {
  if (dim.is_constant()) return std::to_string(dim.factor());
  std::string product = dim.factor() == 1 ? "" : std::to_string(dim.factor());
  for (const auto& symbol : dim.symbols()) product += (product.empty() ? "" : " * ") + cpp_name(symbol->name);
  return product.find(' ') == std::string::npos ? product : "(" + product + ")";
}

std::string cpp_float(double value) {
  const auto number = static_cast<float>(value);
  if (std::isnan(number)) return "__builtin_nanf(\"\")";
  if (std::isinf(number)) return number > 0 ? "__builtin_inff()" : "-__builtin_inff()";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

std::string cpp_name(std::string_view name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out[0])) != 0) out.insert(out.begin(), 'v');
  return out;
}

}  // namespace strata::codegen
