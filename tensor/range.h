// SPDX-License-Identifier: Apache-2.0
// Parts of loops.
#pragma once

#include "tensor/vec.h"

namespace strata::tensor {

struct Range {
  std::int64_t begin;
  std::int64_t end;

  constexpr std::int64_t size() const { return end - begin; }
};

constexpr std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// n in equal parts of at most `limit`, each a multiple of `unit` but for the last.
constexpr std::int64_t equal_part(std::int64_t n, std::int64_t limit, std::int64_t unit) {
  return n <= 0 ? unit : div_up(n, div_up(n, limit) * unit) * unit;
}

// A range in such parts: for (const Range part : Parts(whole, limit, unit)).
class Parts {
 public:
  constexpr Parts(Range whole, std::int64_t limit, std::int64_t unit)
      : whole_(whole), step_(equal_part(whole.size(), limit, unit)) {}

  struct Iterator {
    std::int64_t at, end, step;
    constexpr Range operator*() const { return {at, at + step < end ? at + step : end}; }
    constexpr Iterator& operator++() {
      at += step;
      return *this;
    }
    constexpr bool operator!=(const Iterator& other) const { return at < other.end; }
  };
  constexpr Iterator begin() const { return {whole_.begin, whole_.end, step_}; }
  constexpr Iterator end() const { return {whole_.end, whole_.end, step_}; }

 private:
  Range whole_;
  std::int64_t step_;
};

// Part `number` of `count` of a range, each of whole units but for the last one, which differ by at most one unit; the
// last parts are empty where there are fewer units.
constexpr Range even_part(Range whole, std::int64_t number, std::int64_t count, std::int64_t unit) {
  const std::int64_t units = whole.size() <= 0 ? 0 : div_up(whole.size(), unit);
  const std::int64_t base = units / count, larger = units % count;
  const std::int64_t first = number * base + (number < larger ? number : larger);
  const std::int64_t begin = whole.begin + first * unit;
  const std::int64_t end = begin + (base + (number < larger ? 1 : 0)) * unit;
  return {begin < whole.end ? begin : whole.end, end < whole.end ? end : whole.end};
}

}  // namespace strata::tensor
