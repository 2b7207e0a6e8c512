// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "compile/constant_reader.h"
#include "ir/weight_code.h"

namespace strata::compile {

// A matrix as a coded layout stores it (tensor/coded.h): a header, the panels, and the lists of exceptions, which are
// made from all elements when the first of their bytes is read.
class CodedConstant {
 public:
  // `elements` must outlive this.
  CodedConstant(const ElementSource& elements, const ir::TensorType& type, const ir::WeightCode& code);

  // Bytes [begin, end) of it. From several threads at once.
  void read(std::int64_t begin, std::int64_t end, std::byte* out) const;

 private:
  struct Rows;

  std::vector<std::byte> header() const;
  std::vector<std::byte> exceptions() const;
  bool has_code(std::uint32_t word) const;
  void read_row(std::int64_t row, Rows& rows) const;
  void encode(std::int64_t panel, Rows& rows, std::byte* out) const;
  void encode_bf16(const Rows& rows, std::byte* out) const;
  void encode_f16(const Rows& rows, std::byte* out) const;

  const ElementSource& elements_;
  const DType dtype_, stored_;
  const std::int64_t n_, k_, lanes_, panels_, panel_bytes_;
  const ir::WeightCode code_;
  std::vector<std::int8_t> codes_;  // by exponent of bf16; negative where there is none
  mutable std::once_flag listed_;
  mutable std::vector<std::byte> exceptions_;
};

}  // namespace strata::compile
