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

// How the rows of a matrix whose results are rotated lie in the file. The model turns rows i and i + half of a head's
// together; the file has those that turn first, in halves or pairs, then the others.
struct HeadRows {
  std::int64_t heads = 0;       // 0: the rows are in the model's order
  std::int64_t rotated = 0;     // of a head
  bool is_interleaved = false;  // the two that turn together are neighbours, 2i and 2i + 1

  // Where the file has a row, of so many in all.
  std::int64_t stored(std::int64_t row, std::int64_t rows) const {
    const std::int64_t size = rows / heads, head = row / size * size, inside = row % size;
    const std::int64_t second = inside / (size / 2), pair = inside % (size / 2), pairs = rotated / 2;
    if (pair >= pairs) return head + rotated + second * (size / 2 - pairs) + pair - pairs;
    return head + (is_interleaved ? 2 * pair + second : second * pairs + pair);
  }
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
  float offset = 0;                        // of plain elements: what is added to their values
  HeadRows head_rows = {};
  // Of plain elements whose rows lie in several places: equal parts, one after another; `bytes` is empty then.
  std::vector<std::span<const std::byte>> pieces = {};

  // "bf16", "Q4_K".
  std::string form() const { return std::string(format != nullptr ? format->name : dtype_name(dtype)); }

  std::int64_t elements() const {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    return count;
  }

  // Of plain elements: the bytes from one on, as far as they lie together.
  std::span<const std::byte> from(std::int64_t first) const {
    const std::int64_t begin = first * dtype_size(dtype);
    if (pieces.empty()) return bytes.subspan(static_cast<std::size_t>(begin));
    const auto size = static_cast<std::int64_t>(pieces[0].size());
    return pieces[static_cast<std::size_t>(begin / size)].subspan(static_cast<std::size_t>(begin % size));
  }

  std::int64_t byte_count() const {
    return static_cast<std::int64_t>(pieces.empty() ? bytes.size() : pieces.size() * pieces[0].size());
  }

  // Elements of a row: what the file keeps in order, whatever it does with rows.
  std::int64_t row() const { return elements() / shape[0]; }

  // Where the file has a row.
  std::int64_t stored_row(std::int64_t row) const {
    return head_rows.heads == 0 ? row : head_rows.stored(row, shape[0]);
  }
};

}  // namespace strata::importer
