// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "compile/constant_reader.h"
#include "encoding/encoding.h"

namespace strata::compile {

// A matrix as an encoding stores it (tensor/encoding.h): a header, the panels, and the lists of exceptions, which are
// made from all elements when the first of their bytes is read.
class EncodedConstant {
 public:
  // `elements` must outlive this.
  EncodedConstant(const ElementSource& elements, const ir::TensorType& type, const encoding::Fit& fit);

  // Bytes [begin, end) of it. From several threads at once.
  void read(std::int64_t begin, std::int64_t end, std::byte* out) const;

 private:
  struct Rows;

  std::vector<std::byte> header() const;
  std::vector<std::byte> exceptions() const;
  void read_row(std::int64_t row, Rows& rows) const;
  void encode(std::int64_t panel, Rows& rows, std::byte* out) const;

  const ElementSource& elements_;
  const DType dtype_;
  const encoding::Encoding& encoding_;
  const encoding::Fit fit_;
  const std::int64_t n_, k_, lanes_, panels_, panel_bytes_;
  mutable std::once_flag listed_;
  mutable std::vector<std::byte> exceptions_;
};

}  // namespace strata::compile
