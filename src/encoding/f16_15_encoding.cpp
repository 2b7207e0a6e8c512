// SPDX-License-Identifier: Apache-2.0
// Numbers of f16 in 15 bits: f16 spends a bit of its exponent on numbers of 2 and more.
#include <algorithm>
#include <cstring>

#include "encoding/encoding.h"
#include "encoding/exact_words.h"
#include "tensor/encoding/f16_15.h"

namespace strata::encoding {
namespace {

using Panels = tensor::F16In15;

// Numbers of bf16 are no numbers of f16, as a rule.
constexpr DType kMatrices[] = {DType::kF32, DType::kF16};

constexpr std::uint32_t kHole = 1u << Panels::kHole;

void count_small(std::span<const std::uint32_t> words, std::span<std::int64_t> bins) {
  bins[0] += std::ranges::count_if(words, [](std::uint32_t word) { return (word & (kNoWord | kHole)) == 0; });
}

constexpr Statistic kStatistics[] = {{"f16 below 2", DType::kF16, 1, count_small}};

Fit fit(const Statistics& statistics) { return {{}, statistics.elements - statistics.of(kStatistics[0])[0]}; }

void select(const Table&, std::span<std::uint32_t> words) {
  for (std::uint32_t& word : words) {
    if ((word & kHole) != 0) word = kNoWord;
  }
}

void encode(const Table&, const PanelWords& panel, std::byte* out) {
  constexpr std::int64_t kLast = 2 * Panels::kStored;
  std::vector<std::uint16_t> words(static_cast<std::size_t>(kLast * panel.lanes));
  for (std::int64_t first = 0; first < panel.stride; first += Panels::kDepth, out += Panels::bytes(panel.lanes)) {
    for (std::int64_t lane = 0; lane < panel.lanes; ++lane) {
      const std::uint16_t* const row = panel.words.data() + lane * panel.stride + first;
      for (std::int64_t i = 0; i < kLast; ++i) {
        const int bit = row[kLast + i % 2] >> Panels::bit_of(static_cast<int>(i / 2)) & 1;
        words[static_cast<std::size_t>(i * panel.lanes + lane)] =
            static_cast<std::uint16_t>(row[i] | bit << Panels::kHole);
      }
    }
    std::memcpy(out, words.data(), words.size() * sizeof(words[0]));
  }
}

bool is_sound(const Table& table) { return table == Table{}; }

}  // namespace

const Encoding& f16_15_encoding();

// Four instructions decode a vector of words. They are shifts and logic, which other ports take beside the
// multiply-adds: they go by as two.
const Encoding& f16_15_encoding() {
  static const Encoding kEncoding = {.name = "f16_15",
                                     .panels = panel_format<Panels>("F16In15", DType::kF16),
                                     .matrices = kMatrices,
                                     .is_exact = true,
                                     .looks_up = false,
                                     .decode_instructions = 2,
                                     .statistics = kStatistics,
                                     .fit = fit,
                                     .select = select,
                                     .encode = encode,
                                     .is_sound = is_sound};
  return kEncoding;
}

}  // namespace strata::encoding
