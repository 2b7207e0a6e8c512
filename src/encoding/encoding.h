// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/dtype.h"
#include "encoding/statistics.h"

namespace strata::encoding {

// What an encoding keeps of a whole matrix, beside its panels.
using Table = std::array<std::uint8_t, 16>;

// How an encoding holds one matrix.
struct Fit {
  Table table{};
  std::int64_t exceptions = 0;  // elements that it has no form for; they are stored beside the panels
};

// The words of a panel: [lanes][stride], the stride being k padded with zeros to whole groups. All have a form.
struct PanelWords {
  std::span<const std::uint16_t> words;
  std::int64_t lanes = 0;
  std::int64_t stride = 0;
};

// What the file tensor/encoding/NAME.h says of the panels (see tensor/encoding.h).
struct PanelFormat {
  std::string_view cpp_type;  // "Bf16In12", of the tensor library
  DType number;               // what kernels decode to
  int together;               // values of k that lie side by side, as in <16@0, 2@1>; 1: none, as in <16@0>
  std::int64_t depth;         // values of k of a group
  std::int64_t (*group_bytes)(std::int64_t lanes);

  int bits() const { return static_cast<int>(group_bytes(1) * 8 / depth); }  // of an element
};

// That of tensor::E.
template <class E>
constexpr PanelFormat panel_format(std::string_view cpp_type, DType number) {
  return {cpp_type, number, E::kQuads ? 4 : E::kPairs ? 2 : 1, E::kDepth, E::bytes};
}

// A way of holding the elements of a constant matrix in fewer bits, named in its layout: `<16@0, 2@1, bf16_12>`. It
// takes a matrix in panels of so many rows, a form that kernels decode as they read it. The matrix' own type may be
// wider than the numbers that it holds: what is encoded are the numbers, not their type.
struct Encoding {
  std::string_view name;  // "bf16_12"; the decoder is tensor/encoding/NAME.h
  PanelFormat panels;
  std::span<const DType> matrices;  // element types of the matrices that it is tried for

  // Whether every element comes back to the bit. The compiler chooses only such encodings by itself.
  bool is_exact;

  // Whether decoding looks bytes up in a table, which takes an instruction that not all machines have.
  bool looks_up;

  // Vector instructions that decoding a vector of words takes beside the multiply-adds: where no machine file knows
  // better, each a slot of a vector unit.
  double decode_instructions;

  // What it must know of the elements, and how it then holds them. Of a part of the elements it says how many
  // exceptions there are at least.
  std::span<const Statistic> statistics;
  Fit (*fit)(const Statistics& statistics);

  // Replaces by kNoWord each word that it has no form for.
  void (*select)(const Table& table, std::span<std::uint32_t> words);

  // A panel's bytes.
  void (*encode)(const Table& table, const PanelWords& panel, std::byte* out);

  // Whether a table that was read from a file is one that fit() makes.
  bool (*is_sound)(const Table& table);
};

// Every encoding, by name; generated from the list of *_encoding.cpp files.
std::span<const Encoding* const> all_encodings();

// Null for an unknown name.
const Encoding* find_encoding(std::string_view name);

// "bf16_12, f16_15".
std::string known_names();

// Whether exceptions are so rare that kernels needn't mind them: at most one element in 1024, which costs 8 bytes where
// encoding saves 128 or more.
bool are_rare(std::int64_t exceptions, std::int64_t elements);
bool encodes(const Encoding& encoding, const Statistics& statistics);

// Whether any encoding does.
bool is_encodable(const Statistics& statistics);

// Bytes of a panel of k values in so many lanes.
std::int64_t panel_bytes(const Encoding& encoding, std::int64_t lanes, std::int64_t k);

// "bf16 in 12 bits", of a matrix of that type.
std::string form_text(DType matrix, const Encoding* encoding);

// The text of a layout: "<16@0, 2@1, bf16_12>".
std::string layout_text(const Encoding& encoding, std::int64_t lanes);

// Whether the text of a layout ends in a name, known or not.
bool names_encoding(std::string_view layout);

// What such a text says: no encoding, and no lanes, where it is not one that layout_text() gives.
struct EncodedLayout {
  const Encoding* encoding = nullptr;
  std::int64_t lanes = 0;
};
EncodedLayout parse_layout(std::string_view text);

// Whether `bytes` can be the matrix [n, k] in the encoding: the header, the table and the lists of exceptions fit the
// shape and the number of bytes, so a kernel that follows them reads nothing else. The elements themselves may be
// anything.
bool is_sound(const EncodedLayout& layout, std::int64_t n, std::int64_t k, std::span<const std::byte> bytes);

}  // namespace strata::encoding
