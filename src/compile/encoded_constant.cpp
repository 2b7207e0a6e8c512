// SPDX-License-Identifier: Apache-2.0
#include "compile/encoded_constant.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "encoding/exact_words.h"
#include "tensor/encoding.h"

namespace strata::compile {
namespace {

using encoding::kNoWord;
using tensor::EncodedException;
using tensor::EncodedHeader;

constexpr std::int64_t kHeaderBytes = sizeof(EncodedHeader);

// The bytes of `part`, which begins at `offset`, as far as they are in [begin, end) of what `out` begins.
void copy_part(const std::vector<std::byte>& part, std::int64_t offset, std::int64_t begin, std::int64_t end,
               std::byte* out) {
  const std::int64_t from = std::max(begin, offset);
  const std::int64_t to = std::min(end, offset + std::ssize(part));
  if (from < to) std::memcpy(out + (from - begin), part.data() + (from - offset), static_cast<std::size_t>(to - from));
}

}  // namespace

// The rows of a panel, each padded with zeros to whole groups.
struct EncodedConstant::Rows {
  std::vector<std::byte> elements;   // of one row
  std::vector<std::uint32_t> read;   // its words; kNoWord where it is an exception
  std::vector<std::uint16_t> words;  // [lanes][stride]; zeros where there is an exception, and beyond the matrix
  std::int64_t stride;

  Rows(DType dtype, std::int64_t lanes, std::int64_t k, std::int64_t group)
      : elements(static_cast<std::size_t>(k * dtype_size(dtype))),
        read(static_cast<std::size_t>(k)),
        words(static_cast<std::size_t>(lanes * tensor::div_up(k, group) * group)),
        stride(tensor::div_up(k, group) * group) {}
};

EncodedConstant::EncodedConstant(const ElementSource& elements, const ir::TensorType& type, const encoding::Fit& fit)
    : elements_(elements),
      dtype_(type.dtype),
      encoding_(*type.layout.encoding),
      fit_(fit),
      n_(type.shape[0].factor()),
      k_(type.shape[1].factor()),
      lanes_(type.layout.packs[0].lanes),
      panels_(tensor::div_up(n_, lanes_)),
      panel_bytes_(encoding::panel_bytes(encoding_, lanes_, k_)) {}

void EncodedConstant::read(std::int64_t begin, std::int64_t end, std::byte* out) const {
  if (begin < kHeaderBytes) copy_part(header(), 0, begin, end, out);
  Rows rows(dtype_, lanes_, k_, encoding_.panels.depth);
  std::vector<std::byte> bytes(static_cast<std::size_t>(panel_bytes_));
  const std::int64_t lists = kHeaderBytes + panels_ * panel_bytes_;
  std::int64_t panel = std::max(begin - kHeaderBytes, std::int64_t{0}) / panel_bytes_;
  for (; panel < panels_ && kHeaderBytes + panel * panel_bytes_ < end; ++panel) {
    encode(panel, rows, bytes.data());
    copy_part(bytes, kHeaderBytes + panel * panel_bytes_, begin, end, out);
  }
  if (end <= lists) return;
  std::call_once(listed_, [&] { exceptions_ = exceptions(); });
  copy_part(exceptions_, lists, begin, end, out);
}

std::vector<std::byte> EncodedConstant::header() const {
  EncodedHeader header{};
  std::ranges::copy(fit_.table, header.table);
  header.exceptions = fit_.exceptions == 0 ? 0 : kHeaderBytes + panels_ * panel_bytes_;
  header.panels = panels_;
  std::vector<std::byte> bytes(sizeof(header));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

// Into rows.elements and rows.read.
void EncodedConstant::read_row(std::int64_t row, Rows& rows) const {
  elements_.read(row * k_, k_, dtype_, rows.elements.data());
  encoding::exact_words(dtype_, rows.elements, encoding_.panels.number, rows.read);
  encoding_.select(fit_.table, rows.read);
}

void EncodedConstant::encode(std::int64_t panel, Rows& rows, std::byte* out) const {
  std::ranges::fill(rows.words, std::uint16_t{0});
  for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
    read_row(panel * lanes_ + lane, rows);
    std::uint16_t* const words = rows.words.data() + lane * rows.stride;
    for (std::size_t i = 0; i < rows.read.size(); ++i) {
      if (rows.read[i] != kNoWord) words[i] = static_cast<std::uint16_t>(rows.read[i]);
    }
  }
  encoding_.encode(fit_.table, {rows.words, lanes_, rows.stride}, out);
}

std::vector<std::byte> EncodedConstant::exceptions() const {
  Rows rows(dtype_, lanes_, k_, 1);
  std::vector<float> floats(static_cast<std::size_t>(k_));
  std::vector<std::uint32_t> first = {0};
  std::vector<EncodedException> all;
  for (std::int64_t panel = 0; panel < panels_; ++panel) {
    for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
      read_row(panel * lanes_ + lane, rows);
      if (std::ranges::find(rows.read, kNoWord) == rows.read.end()) continue;
      encoding::to_floats(dtype_, rows.elements, floats);
      for (std::int64_t i = 0; i < k_; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (rows.read[at] == kNoWord) all.push_back({static_cast<std::uint32_t>(i * lanes_ + lane), floats[at]});
      }
    }
    std::sort(all.begin() + first.back(), all.end(),
              [](const auto& a, const auto& b) { return a.position < b.position; });
    first.push_back(static_cast<std::uint32_t>(all.size()));
  }
  STRATA_CHECK(std::ssize(all) == fit_.exceptions, "a constant's elements were miscounted");
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor::exceptions_bytes(panels_, std::ssize(all))));
  std::memcpy(bytes.data(), first.data(), first.size() * sizeof(first[0]));
  std::memcpy(bytes.data() + tensor::exceptions_bytes(panels_, 0), all.data(), all.size() * sizeof(all[0]));
  return bytes;
}

}  // namespace strata::compile
