// SPDX-License-Identifier: Apache-2.0
// Bytes in 4 bits: the codes of a quantised matrix are few, in steps of one or of a codebook.
#include <algorithm>

#include "encoding/encoding.h"
#include "encoding/exact_words.h"
#include "tensor/encoding/i8_4.h"

namespace strata::encoding {
namespace {

using Panels = tensor::I8In4;

constexpr DType kMatrices[] = {DType::kI8};
constexpr std::size_t kBytes = 256;

void count_bytes(std::span<const std::uint32_t> words, std::span<std::int64_t> bins) {
  for (const std::uint32_t word : words) ++bins[word % kBytes];
}

constexpr Statistic kStatistics[] = {{"i8 numbers", DType::kI8, kBytes, count_bytes}};

// In the table are the matrix's numbers, the smallest first; the last stands in the places that are left. Kernels know
// no exceptions: with one number more, or elements that nobody counted, none has a form.
Fit fit(const Statistics& statistics) {
  const std::vector<std::int64_t> counts = statistics.of(kStatistics[0]);
  Fit found{{}, statistics.elements};
  std::size_t size = 0;
  for (int number = -128; number < 128; ++number) {
    const auto byte = static_cast<std::uint8_t>(number);
    if (counts[byte] == 0) continue;
    if (size == found.table.size()) return {{}, statistics.elements};
    found.table[size++] = byte;
    found.exceptions -= counts[byte];
  }
  if (found.exceptions != 0) return {{}, statistics.elements};
  std::fill(found.table.begin() + static_cast<std::ptrdiff_t>(size), found.table.end(),
            size == 0 ? std::uint8_t{0} : found.table[size - 1]);
  return found;
}

// By byte; 0 where the table hasn't it, as padding may be.
std::array<std::uint8_t, kBytes> indices_of(const Table& table) {
  std::array<std::uint8_t, kBytes> indices{};
  for (std::size_t i = table.size(); i-- > 0;) indices[table[i]] = static_cast<std::uint8_t>(i);
  return indices;
}

void select(const Table& table, std::span<std::uint32_t> words) {
  for (std::uint32_t& word : words) {
    if (std::ranges::find(table, static_cast<std::uint8_t>(word)) == table.end()) word = kNoWord;
  }
}

// A byte has the indices of a value of k and of the fourth one behind it.
void encode(const Table& table, const PanelWords& panel, std::byte* out) {
  constexpr std::int64_t kQuad = 4;
  const auto indices = indices_of(table);
  for (std::int64_t first = 0; first < panel.stride; first += Panels::kDepth) {
    for (std::int64_t lane = 0; lane < panel.lanes; ++lane) {
      const std::uint16_t* const row = panel.words.data() + lane * panel.stride + first;
      for (std::int64_t i = 0; i < kQuad; ++i, ++out)
        *out = static_cast<std::byte>(indices[row[i] % kBytes] | indices[row[i + kQuad] % kBytes] << 4);
    }
  }
}

// Any bytes are numbers.
bool is_sound(const Table&) { return true; }

}  // namespace

const Encoding& i8_4_encoding();

// Two vectors of four bytes a lane come of one: a mask, a shift and two look-ups, an instruction for each eight of a
// lane's elements.
const Encoding& i8_4_encoding() {
  static const Encoding kEncoding = {.name = "i8_4",
                                     .panels = panel_format<Panels>("I8In4", DType::kI8),
                                     .matrices = kMatrices,
                                     .is_exact = true,
                                     .looks_up = true,
                                     .decode_instructions = 0.5,
                                     .statistics = kStatistics,
                                     .fit = fit,
                                     .select = select,
                                     .encode = encode,
                                     .is_sound = is_sound};
  return kEncoding;
}

}  // namespace strata::encoding
