// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "ir/placement.h"

namespace strata::encoding {
struct Encoding;
}

namespace strata::ir {

// A run-time size with an inclusive range: seq in 1..512. `multiple` holds for every value (packed axes need it).
struct Symbol {
  std::string name;
  std::int64_t min = 1;
  std::int64_t max = 1;
  std::int64_t multiple = 1;

  bool operator==(const Symbol&) const = default;
};

// A size: factor, or factor x symbol. The distance of two elements in memory may have more symbols: that of
// neighbouring matrices in f32[3, seq, seq] is seq x seq.
class Dim {
 public:
  using Symbols = std::vector<std::shared_ptr<const Symbol>>;

  Dim(std::int64_t value = 1) : factor_(value) {}  // NOLINT(google-explicit-constructor): sizes are mostly constants
  Dim(std::int64_t factor, std::shared_ptr<const Symbol> symbol);
  Dim(std::int64_t factor, Symbols symbols);

  bool is_constant() const { return symbols_.empty(); }
  std::int64_t factor() const { return factor_; }
  const Symbols& symbols() const { return symbols_; }  // by name; a square has its symbol twice
  std::int64_t min() const { return product(&Symbol::min); }
  std::int64_t max() const { return product(&Symbol::max); }

  // The symbol of a size that is no product of several; none where it is constant.
  std::shared_ptr<const Symbol> symbol() const;

  // What divides every value of this size.
  std::int64_t multiple() const { return product(&Symbol::multiple); }

  bool has_symbols_of(const Dim& other) const;
  bool operator==(const Dim& other) const { return factor_ == other.factor_ && has_symbols_of(other); }

  // "1024", "seq", "16*seq", "16*ctx*seq".
  std::string text() const;

 private:
  std::int64_t product(std::int64_t Symbol::* part) const;

  std::int64_t factor_;
  Symbols symbols_;
};

using Shape = std::vector<Dim>;

Dim operator*(const Dim& a, const Dim& b);

// Product of a shape's sizes, and of their upper bounds.
Dim element_count(const Shape& shape);
std::int64_t max_element_count(const Shape& shape);

// One level of packing: `lanes` consecutive indices of `axis` lie together, innermost. `16@1` in the text form. A
// ragged one (`16~@1`) is a way of reading a row-major tensor's last axis: its last group has fewer lanes, and no
// padding.
struct Pack {
  std::int64_t lanes = 1;
  int axis = 0;
  bool is_ragged = false;

  bool operator==(const Pack&) const = default;
};

// How a tensor's elements lie in memory. Without packs: row-major. With packs: each packed axis is divided by its lanes
// (rounded up, padded with zeros) and the lanes follow the other axes, in the order of the packs. So bf16[n, k]<16@0,
// 2@1> lies as [ceil(n/16), ceil(k/2), 16, 2].
//
// With an encoding (encoding/encoding.h) it holds the elements of such a matrix in fewer bits: a form of constants
// only. The packs are then those that the encoding decodes to: `<16@0, 2@1, bf16_12>` takes 12 bits an element where
// nearly all are numbers of bf16. The matrix itself may be f32.
struct Layout {
  std::vector<Pack> packs;
  const encoding::Encoding* encoding = nullptr;

  bool is_row_major() const { return packs.empty() && encoding == nullptr; }
  std::int64_t lanes(int axis) const;  // product of the packs of that axis; 1 when it is not packed
  std::int64_t group() const;          // neighbours that lie together in each lane: the second pack's, else 1
  bool operator==(const Layout&) const = default;
  std::string text() const;  // "<16@0, 2@1>", "<16@0, 2@1, bf16_12>", or ""
};

struct TensorType {
  DType dtype = DType::kF32;
  Shape shape = {};
  Layout layout = {};
  Placement placement = {};

  int rank() const { return static_cast<int>(shape.size()); }
  bool operator==(const TensorType&) const = default;

  // "bf16[seq, 3072]<16@1> {core: S(1)}"; "f32" for a scalar.
  std::string text() const;
};

// Whether the elements lie in row-major order: no packs, or one pack of the last axis that is ragged or has no padding.
// Packing and unpacking such a type is a view.
bool is_row_major_in_memory(const TensorType& type);

// The layout that reads the last axis of a row-major tensor of this shape in groups of `lanes`: exact where the lanes
// divide every value of its size, ragged elsewhere.
Layout vector_layout(const Shape& shape, std::int64_t lanes);

// The layout of a matrix in an encoding.
Layout encoded_layout(const encoding::Encoding& encoding, std::int64_t lanes);

// The type of the numbers in memory: of an encoded tensor that of its encoding.
DType stored_dtype(const TensorType& type);

// Bits of an element in memory, padding and exceptions apart.
int stored_bits(const TensorType& type);

// The sizes in memory, lanes last, at the symbols' upper bounds.
std::vector<std::int64_t> max_physical_shape(const TensorType& type);

// Bytes in memory at the symbols' upper bounds, padding included; of an encoded tensor without its exceptions. Throws
// Error when they exceed 2^62.
std::int64_t max_bytes(const TensorType& type);

// Bytes of the lists of exceptions of an encoded tensor, which follow those that max_bytes() counts.
std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions);

// Throws Error (usage) naming `who` unless each pack has lanes >= 1 on an axis of the tensor, and the lanes of a
// symbolic axis divide every value of its size. The outermost axis may be padded: that moves no other element. A ragged
// pack is the only one, on the last axis. An encoded tensor is a matrix of constant sizes and of a type and packs that
// its encoding is for.
void check_layout(const TensorType& type, const std::string& who);

// Whether tensors of this element type may lie so: summands and factors are of f32, since the sum of rounded summands
// is not the rounded sum.
bool can_hold(DType dtype, const Sbp& sbp);

// Throws Error (usage) naming `who` unless the placement splits axes of the tensor, has parts that its element type can
// hold, and is written as Placement says.
void check_placement(const TensorType& type, const std::string& who);

}  // namespace strata::ir
