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

// The lanes of "<16@0, 2@1, coded>"; 0 for none.
std::int64_t lanes_of(const std::string& layout) {
  std::int64_t lanes = 0;
  const char* const end = layout.data() + layout.size();
  if (layout.empty() || std::from_chars(layout.data() + 1, end, lanes).ec != std::errc{}) return 0;
  return tensor::are_coded_lanes(lanes) ? lanes : 0;
}

}  // namespace

bool is_coded(const Weight& weight) { return weight.layout.ends_with(", coded>"); }

bool is_sound_code(const Weight& weight, std::span<const std::byte> bytes) {
  const std::int64_t lanes = lanes_of(weight.layout);
  const auto is_size = [](std::int64_t size) { return size > 0 && size < kMaxSize; };
  if (lanes == 0 || weight.shape.size() != 2 || !std::ranges::all_of(weight.shape, is_size)) return false;
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t panels = tensor::div_up(weight.shape[0], lanes);
  const std::int64_t panel_bytes = tensor::coded_panel_bytes(lanes, weight.shape[1]);
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
