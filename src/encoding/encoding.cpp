// SPDX-License-Identifier: Apache-2.0
#include "encoding/encoding.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tensor/encoding.h"

namespace strata::encoding {
namespace {

constexpr std::int64_t kHeaderBytes = sizeof(tensor::EncodedHeader);
constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;  // of an axis: far below where products overflow

// Whether the lists of exceptions fill `bytes`.
bool are_sound_lists(std::int64_t panels, std::span<const std::byte> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size < tensor::exceptions_bytes(panels, 0)) return false;
  std::vector<std::uint32_t> first(static_cast<std::size_t>(panels + 1));
  std::memcpy(first.data(), bytes.data(), first.size() * sizeof(first[0]));
  return first[0] == 0 && std::ranges::is_sorted(first) && size == tensor::exceptions_bytes(panels, first.back());
}

}  // namespace

const Encoding* find_encoding(std::string_view name) {
  const auto all = all_encodings();
  const auto found = std::ranges::find(all, name, [](const Encoding* encoding) { return encoding->name; });
  return found == all.end() ? nullptr : *found;
}

std::string known_names() {
  std::string names;
  for (const Encoding* encoding : all_encodings()) names += (names.empty() ? "" : ", ") + std::string(encoding->name);
  return names;
}

bool are_rare(std::int64_t exceptions, std::int64_t elements) { return exceptions <= elements / 1024; }

bool encodes(const Encoding& encoding, const Statistics& statistics) {
  return are_rare(encoding.fit(statistics).exceptions, statistics.elements);
}

bool is_encodable(const Statistics& statistics) {
  return std::ranges::any_of(all_encodings(), [&](const Encoding* encoding) { return encodes(*encoding, statistics); });
}

std::int64_t panel_bytes(const Encoding& encoding, std::int64_t lanes, std::int64_t k) {
  return tensor::div_up(k, encoding.panels.depth) * encoding.panels.group_bytes(lanes);
}

std::string form_text(DType matrix, const Encoding* encoding) {
  const std::string type(dtype_name(matrix));
  return encoding == nullptr ? type : type + " in " + std::to_string(encoding->panels.bits()) + " bits";
}

std::string layout_text(const Encoding& encoding, std::int64_t lanes) {
  const int together = encoding.panels.together;
  return "<" + std::to_string(lanes) + "@0, " + (together > 1 ? std::to_string(together) + "@1, " : "") +
         std::string(encoding.name) + ">";
}

bool names_encoding(std::string_view layout) {
  const std::size_t last = layout.find_last_of("<,");
  return last != std::string_view::npos && layout.find('@', last) == std::string_view::npos;
}

EncodedLayout parse_layout(std::string_view text) {
  for (const Encoding* encoding : all_encodings()) {
    for (std::int64_t lanes = 1; lanes <= 64; lanes *= 2) {
      if (tensor::are_encoded_lanes(lanes) && text == layout_text(*encoding, lanes)) return {encoding, lanes};
    }
  }
  return {};
}

bool is_sound(const EncodedLayout& layout, std::int64_t n, std::int64_t k, std::span<const std::byte> bytes) {
  const auto is_size = [](std::int64_t size) { return size > 0 && size < kMaxSize; };
  if (layout.encoding == nullptr || !is_size(n) || !is_size(k)) return false;
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t panels = tensor::div_up(n, layout.lanes);
  const std::int64_t one_panel = panel_bytes(*layout.encoding, layout.lanes, k);
  if (size < kHeaderBytes || (size - kHeaderBytes) / one_panel < panels) return false;
  const std::int64_t lists = kHeaderBytes + panels * one_panel;
  tensor::EncodedHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.panels != panels || !layout.encoding->is_sound(std::to_array(header.table))) return false;
  if (header.exceptions == 0) return size == lists;
  return header.exceptions == lists && are_sound_lists(panels, bytes.subspan(static_cast<std::size_t>(lists)));
}

}  // namespace strata::encoding
