// SPDX-License-Identifier: Apache-2.0
#include "package/coded_weight.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tensor/coded.h"

namespace strata::package {
namespace {

constexpr std::int64_t kHeaderBytes = sizeof(tensor::CodedHeader);
constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;  // of an axis: far below where products overflow

// What "<16@0, 2@1, coded>" (bf16) and "<16@0, coded>" (f16) say; no lanes where a layout is neither.
struct Form {
  DType code;
  std::int64_t lanes = 0;
};

Form form_of(const std::string& layout) {
  for (const auto& [rest, code] : {std::pair("@0, 2@1, coded>", DType::kBF16), {"@0, coded>", DType::kF16}}) {
    if (!layout.starts_with('<') || !layout.ends_with(rest)) continue;
    const std::string_view digits(layout.data() + 1, layout.size() - 1 - std::string_view(rest).size());
    std::int64_t lanes = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), lanes);
    const bool is_number = error == std::errc{} && end == digits.data() + digits.size();
    if (is_number && tensor::are_coded_lanes(lanes)) return {code, lanes};
  }
  return {DType::kF32, 0};
}

}  // namespace

bool is_coded(const Weight& weight) { return weight.layout.ends_with(", coded>"); }

std::int64_t coded_bits(const Weight& weight) {
  if (!is_coded(weight)) return 0;
  return form_of(weight.layout).code == DType::kF16 ? tensor::kCodedBits<tensor::f16>
                                                    : tensor::kCodedBits<tensor::bf16>;
}

bool is_sound_code(const Weight& weight, std::span<const std::byte> bytes) {
  const auto [code, lanes] = form_of(weight.layout);
  const auto is_size = [](std::int64_t size) { return size > 0 && size < kMaxSize; };
  if (lanes == 0 || weight.shape.size() != 2 || !std::ranges::all_of(weight.shape, is_size)) return false;
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t panels = tensor::div_up(weight.shape[0], lanes);
  const std::int64_t panel_bytes = code == DType::kF16
                                       ? tensor::coded_panel_bytes<tensor::f16>(lanes, weight.shape[1])
                                       : tensor::coded_panel_bytes<tensor::bf16>(lanes, weight.shape[1]);
  if (size < kHeaderBytes || (size - kHeaderBytes) / panel_bytes < panels) return false;
  const std::int64_t lists = kHeaderBytes + panels * panel_bytes;
  tensor::CodedHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.panels != panels) return false;
  if (header.exceptions == 0) return size == lists;
  if (header.exceptions != lists || size - lists < tensor::exceptions_bytes(panels, 0)) return false;
  std::vector<std::uint32_t> first(static_cast<std::size_t>(panels + 1));
  std::memcpy(first.data(), bytes.data() + lists, first.size() * sizeof(first[0]));
  return first[0] == 0 && std::ranges::is_sorted(first) &&
         size - lists == tensor::exceptions_bytes(panels, first.back());
}

}  // namespace strata::package
