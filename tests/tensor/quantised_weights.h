// SPDX-License-Identifier: Apache-2.0
// Random quantised weights as kernels take them, with their values.
#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "reference.h"
#include "tensor/encoding/i8_4.h"
#include "tensor/encoding/i8_5.h"
#include "tensor/encoding/i8_6.h"
#include "tensor/encoding/i8_small_4.h"
#include "tensor/scaled.h"

namespace strata::tensor {

// How many different codes a matrix of such elements may have.
template <class Codes>
inline constexpr int kDifferent = 16;  // so that bytes are what 4 bits are
template <int Bits>
inline constexpr int kDifferent<Encoded<CodesIn<Bits, Digits::kDistances>>> = 1 << Bits;

// Codes [n][k] of so many different ones at most, among them the first two columns' alone, which are the extremes.
inline std::vector<std::int8_t> random_codes(std::int64_t n, std::int64_t k, int low, int high, int different) {
  std::mt19937 random(static_cast<unsigned>(n * 1000 + k));
  std::vector<std::int8_t> table = {static_cast<std::int8_t>(low), static_cast<std::int8_t>(high)};
  const int width = high - low + 1;
  while (std::ssize(table) < different) {
    const int any = width <= different ? static_cast<int>(table.size()) % width : static_cast<int>(random()) % width;
    table.push_back(static_cast<std::int8_t>(low + std::abs(any)));
  }
  std::vector<std::int8_t> codes(static_cast<std::size_t>(n * k));
  for (std::int64_t i = 0; i < n * k; ++i)
    codes[i] = table[i / k < 2 ? i / k : static_cast<std::int64_t>(random() % table.size())];
  return codes;
}

template <int L>
std::vector<std::int8_t> packed_codes(const std::vector<std::int8_t>& codes, std::int64_t n, std::int64_t k,
                                      std::int8_t) {
  std::vector<std::int8_t> out(static_cast<std::size_t>(packed_b_elements<L, BLayout::kQuads>(n, k)));
  pack_panels<L, BLayout::kQuads>(codes.data(), n, k, out.data());
  return out;
}

// The same in fewer bits, element by element.
template <int L, int Bits, Digits Are>
std::vector<Encoded<CodesIn<Bits, Are>>> packed_codes(const std::vector<std::int8_t>& codes, std::int64_t n,
                                                      std::int64_t k, Encoded<CodesIn<Bits, Are>>) {
  using E = CodesIn<Bits, Are>;
  EncodedHeader header{};
  std::vector<std::int8_t> table = codes;
  std::sort(table.begin(), table.end());
  table.erase(std::unique(table.begin(), table.end()), table.end());
  std::memcpy(header.table, table.data(), E::kHasTable ? table.size() : 1);
  header.panels = div_up(n, L);
  const std::int64_t panel_bytes = encoded_panel_bytes<E>(L, k);
  std::vector<Encoded<E>> out(sizeof(header) + static_cast<std::size_t>(header.panels * panel_bytes));
  std::memcpy(out.data(), &header, sizeof(header));
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto place = std::lower_bound(table.begin(), table.end(), codes[row * k + i]) - table.begin();
      const auto digit = static_cast<unsigned>(E::kHasTable ? place : codes[row * k + i] - table[0]);
      Encoded<E>* const group = &out[sizeof(header) + row / L * panel_bytes + i / E::kDepth * E::bytes(L)];
      const std::int64_t quad = i % E::kDepth / 4, byte = row % L * 4 + i % 4;
      group[quad / 2 * 4 * L + byte].byte |= static_cast<std::uint8_t>((digit & 15) << quad % 2 * 4);
      if (Bits == 4) continue;
      group[E::kDepth / 2 * L + byte].byte |= static_cast<std::uint8_t>(digit >> 4 << quad * (Bits - 4));
    }
  }
  return out;
}

// Scales of [n][blocks], in panels of L, and the value of each.
template <int L, class Scales>
struct PackedScales;

template <int L, class T>
struct PackedScales<L, BlockScales<T>> {
  std::int64_t blocks;
  std::vector<T> packed;

  PackedScales(std::int64_t n, std::int64_t of_blocks)
      : blocks(of_blocks), packed(random_values<T>(div_up(n, L) * L * blocks, 3)) {
    if (packed.size() > 5) packed[5] = T(0.0f);
  }
  BlockScales<T> scales() const { return {packed.data()}; }
  float value(std::int64_t row, std::int64_t block) const {
    return static_cast<float>(packed[(row / L * blocks + block) * L + row % L]);
  }
};

template <int L, class C, class T, int Ratio>
struct PackedScales<L, NestedScales<C, T, Ratio>> {
  std::vector<C> codes;
  PackedScales<L, BlockScales<T>> outer;

  PackedScales(std::int64_t n, std::int64_t blocks)
      : codes(static_cast<std::size_t>(div_up(n, L) * L * blocks)), outer(n, blocks / Ratio) {
    std::mt19937 random(5);
    for (C& code : codes) code = static_cast<C>(random() % 256);
  }
  NestedScales<C, T, Ratio> scales() const { return {codes.data(), outer.packed.data()}; }
  float value(std::int64_t row, std::int64_t block) const {
    const std::int64_t blocks = outer.blocks * Ratio;
    return static_cast<float>(codes[(row / L * blocks + block) * L + row % L]) * outer.value(row, block / Ratio);
  }
};

// W[n, k] = scale[n, k / Block] * code[n, k], codes in [low, high].
template <int L, std::int64_t Block, class Codes, class Scales>
struct QuantisedWeights {
  std::int64_t n, k;
  int low, high;
  std::vector<std::int8_t> codes = random_codes(n, k, low, high, kDifferent<Codes>);  // [n][k]
  std::vector<Codes> packed = packed_codes<L>(codes, n, k, Codes{});
  PackedScales<L, Scales> scale{n, k / Block};

  static int bits(std::int8_t) { return 8; }
  template <class E>
  static int bits(Encoded<E>) {
    return kEncodedBits<E>;
  }

  std::string describe() const {
    return "lanes " + std::to_string(L) + " block " + std::to_string(Block) + " n " + std::to_string(n) + " k " +
           std::to_string(k) + " codes " + std::to_string(low) + " to " + std::to_string(high) + " in " +
           std::to_string(bits(Codes{})) + " bits";
  }
};

// The sum over the blocks of a row and column, `part(block)` giving the exact sum of each but for its scale.
template <class Weights, class Part>
testing::AssertionResult near_blocks(const Weights& weights, std::int64_t column, std::int64_t blocks, double roundings,
                                     float actual, Part&& part) {
  double value = 0, magnitude = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const double scale = weights.scale.value(column, block);
    const auto [sum, largest] = part(block);
    value += sum * scale;
    magnitude += largest * std::abs(scale);
  }
  const double bound = roundings * kUnit * magnitude;
  if (std::abs(value - static_cast<double>(actual)) <= bound) return testing::AssertionSuccess();
  return testing::AssertionFailure() << weights.describe() << " column " << column << ": expected " << value << " +- "
                                     << bound << ", actual " << actual;
}

}  // namespace strata::tensor
