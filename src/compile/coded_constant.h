// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "compile/constant_reader.h"
#include "ir/exponent_code.h"

namespace strata::compile {

// A bf16 matrix as a coded layout stores it (tensor/coded.h): a header, the panels, and the lists of exceptions, which
// are made from all elements when the first of their bytes is read.
class CodedConstant {
 public:
  // `elements` must outlive this.
  CodedConstant(const ElementSource& elements, const ir::TensorType& type, const ir::ExponentCode& code);

  // Bytes [begin, end) of it. From several threads at once.
  void read(std::int64_t begin, std::int64_t end, std::byte* out) const;

 private:
  std::vector<std::byte> header() const;
  std::vector<std::byte> exceptions() const;
  void read_rows(std::int64_t panel, std::uint16_t* rows) const;
  void encode(std::int64_t panel, std::uint16_t* rows, std::byte* out) const;

  const ElementSource& elements_;
  const std::int64_t n_, k_, lanes_, panels_, panel_bytes_;
  const ir::ExponentCode code_;
  std::vector<std::int8_t> codes_;  // by exponent; negative where there is none
  mutable std::once_flag listed_;
  mutable std::vector<std::byte> exceptions_;
};

}  // namespace strata::compile
