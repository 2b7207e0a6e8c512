// SPDX-License-Identifier: Apache-2.0
// Products of rows by one matrix of several, which each row's number says; the numbers of a row's largest elements.
// Matrices lie one behind the other, so that those of a matrix are some of the panels of all.
#pragma once

#include "tensor/matmul.h"

namespace strata::tensor {

// Of each row the numbers of its k largest elements, the largest first; of equal ones the first, and what is no number
// last. x: [rows][size], out: [rows][k].
STRATA_NOINLINE inline void largest(const float* x, std::int64_t rows, std::int64_t size, std::int64_t k,
                                    std::int32_t* out) {
  const auto is_before = [](float a, float b) { return a > b || (b != b && a == a); };
  for (std::int64_t r = 0; r < rows; ++r, x += size, out += k) {
    std::int64_t chosen = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      if (chosen == k && !is_before(x[i], x[out[k - 1]])) continue;
      std::int64_t place = chosen < k ? chosen++ : k - 1;
      for (; place > 0 && is_before(x[i], x[out[place - 1]]); --place) out[place] = out[place - 1];
      out[place] = static_cast<std::int32_t>(i);
    }
  }
}

// y[s, j] = x[s, numbers[s, j]]; x: [rows][size], y: [rows][each].
inline void take(const float* x, std::int64_t rows, std::int64_t size, const std::int32_t* numbers, std::int64_t each,
                 float* y) {
  for (std::int64_t i = 0; i < rows * each; ++i) y[i] = x[i / each * size + numbers[i]];
}

// Numbers that by_number() works in.
constexpr std::int64_t order_elements(std::int64_t rows, std::int64_t matrices) { return rows + matrices; }

// Calls f(matrix, rows, count) for each matrix that any row meets, by their numbers, with at most `most` of its rows at
// once, in order.
template <class F>
STRATA_INLINE void by_number(const std::int32_t* numbers, std::int64_t rows, std::int64_t matrices, std::int64_t most,
                             std::int32_t* order, F&& f) {
  std::int32_t* const ends = order + rows;
  for (std::int64_t m = 0; m < matrices; ++m) ends[m] = 0;
  for (std::int64_t r = 0; r < rows; ++r) ++ends[numbers[r]];
  std::int32_t before = 0;
  for (std::int64_t m = 0; m < matrices; ++m) {
    const std::int32_t count = ends[m];
    ends[m] = before;
    before += count;
  }
  for (std::int64_t r = 0; r < rows; ++r) order[ends[numbers[r]]++] = static_cast<std::int32_t>(r);
  std::int64_t begin = 0;
  for (std::int64_t m = 0; m < matrices; ++m) {
    for (const std::int64_t end = ends[m]; begin < end;) {
      const std::int64_t count = end - begin < most ? end - begin : most;
      f(m, order + begin, count);
      begin += count;
    }
  }
}

// Some columns of one of the matrices: the panels of L columns of all that have them.
template <int L>
struct ColumnPanels {
  std::int64_t begin, end;

  constexpr ColumnPanels(std::int64_t matrix, std::int64_t columns, Range part)
      : begin(matrix * columns + part.begin), end(matrix * columns + part.end) {}

  constexpr std::int64_t first() const { return begin / L; }
  constexpr std::int64_t last() const { return div_up(end, L); }
  constexpr std::int64_t all() const { return last() * L; }                // columns up to the last panel's end
  constexpr std::int64_t width() const { return (last() - first()) * L; }  // of a tile of them
  constexpr std::int64_t skipped() const { return begin - first() * L; }   // of the first panel
};

// Columns of a tile of so many columns of a matrix, wherever that begins.
constexpr std::int64_t tile_width(std::int64_t lanes, std::int64_t columns) {
  return (div_up(columns, lanes) + 1) * lanes;
}

// Rows of the first operand by their numbers, `each` of which share one, packed as the panels want them; `taken` holds
// one row tile.
template <int L, int MR>
STRATA_INLINE void pack_row_tile(const float* x, std::int64_t rows, std::int64_t k, float* out) {
  pack_rows<L, MR>(x, k, rows, k, k, out);
}
template <int L, int MR>
STRATA_INLINE void pack_row_tile(const bf16* x, std::int64_t rows, std::int64_t k, bf16* out) {
  pack_rows_pairs<L, MR>(x, k, rows, k, k, out);
}
template <int L, int MR>
STRATA_INLINE void pack_row_tile(const std::int8_t* x, std::int64_t rows, std::int64_t k, std::int8_t* out) {
  pack_rows_quads<MR, L>(x, k, rows, k, k, out);
}
template <int L, int MR, class T>
STRATA_NOINLINE void pack_rows_by_number(const T* x, std::int64_t k, std::int64_t each, const std::int32_t* rows,
                                         std::int64_t count, T* taken, T* out) {
  constexpr std::int64_t kStep = 4 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t first = 0; first < count; first += MR, out += MR * div_up(k, kStep) * kStep) {
    const std::int64_t here = count - first < MR ? count - first : MR;
    for (std::int64_t r = 0; r < here; ++r) {
      __builtin_memcpy(taken + r * k, x + rows[first + r] / each * k, static_cast<std::size_t>(k) * sizeof(T));
    }
    pack_row_tile<L, MR>(taken, here, k, out);
  }
}

// A tile's rows to their places in C: columns [begin, end) of rows of n.
template <int L>
STRATA_NOINLINE void put_rows(const float* tile, const ColumnPanels<L>& panels, const std::int32_t* rows,
                              std::int64_t count, float* c, std::int64_t n, Range part) {
  for (std::int64_t r = 0; r < count; ++r) {
    __builtin_memcpy(c + rows[r] * n + part.begin, tile + r * panels.width() + panels.skipped(),
                     static_cast<std::size_t>(part.size()) * sizeof(float));
  }
}

}  // namespace strata::tensor
