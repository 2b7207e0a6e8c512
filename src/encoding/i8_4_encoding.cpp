// SPDX-License-Identifier: Apache-2.0
// Bytes in 4 bits: the codes of a quantised matrix are few, in steps of one or of a codebook.
#include "encoding/codes.h"
#include "tensor/encoding/i8_4.h"

namespace strata::encoding {
namespace {

using Panels = tensor::I8In4;

constexpr DType kMatrices[] = {DType::kI8};

// In the table are the matrix's numbers, the smallest first; the last stands in the places that are left.
Fit fit(const Statistics& statistics) {
  const auto codes = codes_of(statistics);
  Fit found;
  if (!codes || codes->size() > found.table.size()) return no_fit(statistics);
  if (codes->empty()) return found;
  found.table.fill(static_cast<std::uint8_t>(codes->back()));
  std::ranges::copy(*codes, found.table.begin());
  return found;
}

void select(const Table& table, std::span<std::uint32_t> words) {
  for (std::uint32_t& word : words) {
    if (std::ranges::find(table, static_cast<std::uint8_t>(word)) == table.end()) word = kNoWord;
  }
}

void encode(const Table& table, const PanelWords& panel, std::byte* out) {
  DigitsOfCodes digits{};
  for (std::size_t i = table.size(); i-- > 0;) digits[table[i]] = static_cast<std::uint8_t>(i);
  encode_digits<Panels>(digits, panel, out);
}

// Any bytes are numbers.
bool is_sound(const Table&) { return true; }

}  // namespace

const Encoding& i8_4_encoding();

// Two vectors of four bytes a lane come of one: two masks, a shift and two look-ups for four vectors of words. All of
// them go to other ports than the multiply-adds: they go by as half an instruction for each.
const Encoding& i8_4_encoding() {
  static const Encoding kEncoding = {.name = "i8_4",
                                     .panels = panel_format<Panels>("I8In4", DType::kI8),
                                     .matrices = kMatrices,
                                     .is_exact = true,
                                     .looks_up = true,
                                     .decode_instructions = 0.5,
                                     .statistics = code_statistics(),
                                     .fit = fit,
                                     .select = select,
                                     .encode = encode,
                                     .is_sound = is_sound};
  return kEncoding;
}

}  // namespace strata::encoding
