// SPDX-License-Identifier: Apache-2.0
// Numbers of bf16 in 12 bits: bf16 spends eight bits on an exponent of which a trained matrix uses a handful.
#include <algorithm>
#include <numeric>

#include "encoding/encoding.h"
#include "encoding/exact_words.h"
#include "tensor/encoding/bf16_12.h"

namespace strata::encoding {
namespace {

using Panels = tensor::Bf16In12;

constexpr DType kMatrices[] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr std::size_t kExponents = 256;

std::size_t exponent_of(std::uint32_t word) { return word >> 7 & 0xff; }

// Neighbours often have one exponent: counting them in turn in four tables, no addition waits for the one before.
void count_exponents(std::span<const std::uint32_t> words, std::span<std::int64_t> bins) {
  constexpr std::size_t kNone = kNoWord >> 7;  // sign and exponent of what is no word
  std::array<std::array<std::uint32_t, kNone + 1>, 4> tables{};
  for (std::size_t i = 0; i < words.size(); ++i) ++tables[i % 4][words[i] >> 7];
  for (const auto& table : tables) {
    for (std::size_t i = 0; i < kNone; ++i) bins[i % kExponents] += table[i];
  }
}

constexpr Statistic kStatistics[] = {{"bf16 exponents", DType::kBF16, kExponents, count_exponents}};

// The 15 most frequent exponents beside 0 are in the table.
Fit fit(const Statistics& statistics) {
  const std::vector<std::int64_t> counts = statistics.of(kStatistics[0]);
  std::array<std::uint8_t, kExponents - 1> ranked;
  std::iota(ranked.begin(), ranked.end(), std::uint8_t{1});
  std::ranges::stable_sort(ranked, [&](std::uint8_t a, std::uint8_t b) { return counts[a] > counts[b]; });
  Fit found;
  std::copy_n(ranked.begin(), found.table.size() - 1, found.table.begin() + 1);
  found.exceptions = statistics.elements;
  for (const std::uint8_t exponent : found.table) found.exceptions -= counts[exponent];
  return found;
}

// By exponent; negative where the table hasn't it. Padding is zeros: of an exponent that is there twice, the first.
std::array<std::int8_t, kExponents> indices_of(const Table& table) {
  std::array<std::int8_t, kExponents> indices;
  indices.fill(-1);
  for (std::size_t i = table.size(); i-- > 0;) indices[table[i]] = static_cast<std::int8_t>(i);
  return indices;
}

// Most rows need no change: whether one does is a sign, found without a branch for each word.
void select(const Table& table, std::span<std::uint32_t> words) {
  const auto indices = indices_of(table);
  std::int8_t signs = 0;
  for (const std::uint32_t word : words) signs |= indices[exponent_of(word)];
  if (signs >= 0) return;
  for (std::uint32_t& word : words) {
    if (indices[exponent_of(word)] < 0) word = kNoWord;
  }
}

// Two neighbours of k are two bytes side by side and the two halves of one byte of indices.
void encode(const Table& table, const PanelWords& panel, std::byte* out) {
  const auto indices = indices_of(table);
  const std::int64_t groups = panel.stride / Panels::kDepth;
  const std::int64_t group_bytes = Panels::bytes(panel.lanes);
  const auto rest = [](std::uint16_t word) { return static_cast<std::byte>((word >> 8 & 0x80) | (word & 0x7f)); };
  for (std::int64_t lane = 0; lane < panel.lanes; ++lane) {
    for (std::int64_t pair = 0; pair < 2; ++pair) {
      const std::uint16_t* word = panel.words.data() + lane * panel.stride + 2 * pair;
      std::byte* to = out + Panels::byte(2 * pair, lane);
      std::byte* index = out + Panels::kDepth * panel.lanes + Panels::byte(2 * pair, lane) / 2;
      for (std::int64_t g = 0; g < groups; ++g, word += Panels::kDepth, to += group_bytes, index += group_bytes) {
        to[0] = rest(word[0]);
        to[1] = rest(word[1]);
        *index = static_cast<std::byte>(indices[exponent_of(word[0])] | indices[exponent_of(word[1])] << 4);
      }
    }
  }
}

// Padding must decode to zeros.
bool is_sound(const Table& table) { return table[0] == 0; }

}  // namespace

const Encoding& bf16_12_encoding();

// Nine instructions decode two vectors of words. They are shuffles and logic, which other ports take beside the
// multiply-adds: they go by as three for each vector.
const Encoding& bf16_12_encoding() {
  static const Encoding kEncoding = {.name = "bf16_12",
                                     .panels = panel_format<Panels>("Bf16In12", DType::kBF16),
                                     .matrices = kMatrices,
                                     .is_exact = true,
                                     .looks_up = true,
                                     .decode_instructions = 3,
                                     .statistics = kStatistics,
                                     .fit = fit,
                                     .select = select,
                                     .encode = encode,
                                     .is_sound = is_sound};
  return kEncoding;
}

}  // namespace strata::encoding
