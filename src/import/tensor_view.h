// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "blocks/format.h"

namespace strata::importer {

// What a reader wants of a tensor in quantised blocks (blocks::Format): its values, or what they are made of, which are
// tensors by themselves, of a number per element, or per group or block.
enum class BlockPart {
  kValues,
  kCodes,       // [n, k]: i8
  kScales,      // [n, groups]; of a format whose scales have integers too, [n, blocks]
  kScaleCodes,  // [n, groups]: i8
  kShifts,      // as kScales: what is added, negative where the format subtracts it
  kShiftCodes,
};

// A weight where it lies in the mapped file. Its address may be unaligned: read elements with memcpy.
struct TensorView {
  std::string name;           // in the file
  DType dtype = DType::kF32;  // of plain elements; of blocks, what their values are stored in unless asked otherwise
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
  const blocks::Format* format = nullptr;  // of elements in quantised blocks
  BlockPart part = BlockPart::kValues;     // of blocks
  float scale = 1;                         // of blocks: what their values are multiplied by, in f32
  // Above 0: the rows are those of so many heads, and the file has each head's rows i and i + rows/2 side by side
  // (2i and 2i + 1).
  std::int64_t paired_heads = 0;

  // "bf16", "Q4_K".
  std::string form() const { return std::string(format != nullptr ? format->name : dtype_name(dtype)); }

  std::int64_t elements() const {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    return count;
  }

  // Elements of a row: what the file keeps in order, whatever it does with rows.
  std::int64_t row() const { return elements() / shape[0]; }

  // Where the file has a row.
  std::int64_t stored_row(std::int64_t row) const {
    if (paired_heads == 0) return row;
    const std::int64_t rows = shape[0] / paired_heads, head = row / rows, inside = row % rows;
    return head * rows + 2 * (inside % (rows / 2)) + inside / (rows / 2);
  }
};

}  // namespace strata::importer
