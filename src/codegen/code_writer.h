// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/dtype.h"
#include "encoding/encoding.h"
#include "ir/type.h"

namespace strata::codegen {

// Collects indented lines of C++.
class CodeWriter {
 public:
  void line(std::string_view text = "");

  // A line that ends in "{", and its counterpart; `tail` follows the brace: "});".
  void open(std::string_view text);
  void close(std::string_view tail = "");

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  int depth_ = 0;
};

// The tensor library's name of an element type: "float", "bf16", "std::int32_t".
std::string cpp_type(DType dtype);

// That of what a tensor's memory is made of: "bf16", "tensor::Encoded<tensor::Bf16In12>".
std::string cpp_type(const ir::TensorType& type);

// The tensor library's name of an encoding, "tensor::Bf16In12", and the header that has it.
std::string cpp_encoding(const encoding::Encoding& encoding);
std::string cpp_header(const encoding::Encoding& encoding);

// "1024", "seq", "(16 * seq)", "(16 * ctx * seq)": an expression of type std::int64_t.
std::string cpp_size(const ir::Dim& dim);

// A float literal that reads back as the same value: "0.5f", "1e-06f".
std::string cpp_float(double value);

// A C++ identifier made of an IR name: "q_proj.weight" -> "q_proj_weight".
std::string cpp_name(std::string_view name);

}  // namespace strata::codegen
