// SPDX-License-Identifier: Apache-2.0
#include "compile/coded_constant.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "compile/exact_words.h"
#include "tensor/coded.h"

namespace strata::compile {
namespace {

using tensor::CodedException;
using tensor::CodedHeader;
using Bf16Group = tensor::CodedGroup<tensor::bf16>;
using F16Group = tensor::CodedGroup<tensor::f16>;

constexpr std::int64_t kHeaderBytes = sizeof(CodedHeader);
constexpr std::size_t kExponents = 256;

std::size_t exponent_of(std::uint32_t bf16) { return bf16 >> 7 & 0xff; }

// The bytes of `part`, which begins at `offset`, as far as they are in [begin, end) of what `out` begins.
void copy_part(const std::vector<std::byte>& part, std::int64_t offset, std::int64_t begin, std::int64_t end,
               std::byte* out) {
  const std::int64_t from = std::max(begin, offset);
  const std::int64_t to = std::min(end, offset + std::ssize(part));
  if (from < to) std::memcpy(out + (from - begin), part.data() + (from - offset), static_cast<std::size_t>(to - from));
}

}  // namespace

// The rows of a panel, each padded with zeros to whole groups.
struct CodedConstant::Rows {
  std::vector<std::byte> elements;   // of one row
  std::vector<std::uint32_t> read;   // its words; kNoWord where there is none
  std::vector<std::uint16_t> words;  // [lanes][stride]; zeros where there is no code, and beyond the matrix
  std::int64_t stride;

  Rows(DType dtype, std::int64_t lanes, std::int64_t k, std::int64_t group)
      : elements(static_cast<std::size_t>(k * dtype_size(dtype))),
        read(static_cast<std::size_t>(k)),
        words(static_cast<std::size_t>(lanes * tensor::div_up(k, group) * group)),
        stride(tensor::div_up(k, group) * group) {}
};

CodedConstant::CodedConstant(const ElementSource& elements, const ir::TensorType& type, const ir::WeightCode& code)
    : elements_(elements),
      dtype_(type.dtype),
      stored_(ir::stored_dtype(type)),
      n_(type.shape[0].factor()),
      k_(type.shape[1].factor()),
      lanes_(type.layout.packs[0].lanes),
      panels_(tensor::div_up(n_, lanes_)),
      panel_bytes_(ir::coded_panel_bytes(stored_, lanes_, k_)),
      code_(code),
      codes_(kExponents, -1) {
  for (std::size_t i = code.exponents.size(); i-- > 0;) codes_[code.exponents[i]] = static_cast<std::int8_t>(i);
}

void CodedConstant::read(std::int64_t begin, std::int64_t end, std::byte* out) const {
  if (begin < kHeaderBytes) copy_part(header(), 0, begin, end, out);
  Rows rows(dtype_, lanes_, k_, stored_ == DType::kF16 ? F16Group::kDepth : Bf16Group::kDepth);
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

std::vector<std::byte> CodedConstant::header() const {
  CodedHeader header{};
  std::ranges::copy(code_.exponents, header.exponents);
  header.exceptions = code_.exceptions == 0 ? 0 : kHeaderBytes + panels_ * panel_bytes_;
  header.panels = panels_;
  std::vector<std::byte> bytes(sizeof(header));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

bool CodedConstant::has_code(std::uint32_t word) const {
  if (word == kNoWord) return false;
  return stored_ == DType::kF16 ? (word >> F16Group::kHole & 1) == 0 : codes_[exponent_of(word)] >= 0;
}

// Into rows.elements and rows.read.
void CodedConstant::read_row(std::int64_t row, Rows& rows) const {
  elements_.read(row * k_, k_, dtype_, rows.elements.data());
  exact_words(dtype_, rows.elements, stored_, rows.read);
}

void CodedConstant::encode(std::int64_t panel, Rows& rows, std::byte* out) const {
  std::ranges::fill(rows.words, std::uint16_t{0});
  for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
    read_row(panel * lanes_ + lane, rows);
    std::uint16_t* const words = rows.words.data() + lane * rows.stride;
    for (std::size_t i = 0; i < rows.read.size(); ++i) {
      if (has_code(rows.read[i])) words[i] = static_cast<std::uint16_t>(rows.read[i]);
    }
  }
  stored_ == DType::kF16 ? encode_f16(rows, out) : encode_bf16(rows, out);
}

// Two neighbours of k are two bytes side by side and the two halves of one byte of codes.
void CodedConstant::encode_bf16(const Rows& rows, std::byte* out) const {
  const std::int64_t groups = rows.stride / Bf16Group::kDepth;
  const std::int64_t group_bytes = Bf16Group::bytes(lanes_);
  const auto rest = [](std::uint16_t word) { return static_cast<std::byte>((word >> 8 & 0x80) | (word & 0x7f)); };
  for (std::int64_t lane = 0; lane < lanes_; ++lane) {
    for (std::int64_t pair = 0; pair < 2; ++pair) {
      const std::uint16_t* word = rows.words.data() + lane * rows.stride + 2 * pair;
      std::byte* to = out + Bf16Group::byte(2 * pair, lane);
      std::byte* code = out + Bf16Group::kDepth * lanes_ + Bf16Group::byte(2 * pair, lane) / 2;
      for (std::int64_t g = 0; g < groups; ++g, word += Bf16Group::kDepth, to += group_bytes, code += group_bytes) {
        to[0] = rest(word[0]);
        to[1] = rest(word[1]);
        *code = static_cast<std::byte>(codes_[exponent_of(word[0])] | codes_[exponent_of(word[1])] << 4);
      }
    }
  }
}

void CodedConstant::encode_f16(const Rows& rows, std::byte* out) const {
  constexpr std::int64_t kDepth = F16Group::kDepth, kLast = 2 * F16Group::kStored;
  std::vector<std::uint16_t> words(static_cast<std::size_t>(kLast * lanes_));
  for (std::int64_t first = 0; first < rows.stride; first += kDepth, out += F16Group::bytes(lanes_)) {
    for (std::int64_t lane = 0; lane < lanes_; ++lane) {
      const std::uint16_t* const row = rows.words.data() + lane * rows.stride + first;
      for (std::int64_t i = 0; i < kLast; ++i) {
        const int bit = row[kLast + i % 2] >> F16Group::bit_of(static_cast<int>(i / 2)) & 1;
        words[static_cast<std::size_t>(i * lanes_ + lane)] =
            static_cast<std::uint16_t>(row[i] | bit << F16Group::kHole);
      }
    }
    std::memcpy(out, words.data(), words.size() * sizeof(words[0]));
  }
}

std::vector<std::byte> CodedConstant::exceptions() const {
  Rows rows(dtype_, lanes_, k_, 1);
  std::vector<float> floats(static_cast<std::size_t>(k_));
  std::vector<std::uint32_t> first = {0};
  std::vector<CodedException> all;
  for (std::int64_t panel = 0; panel < panels_; ++panel) {
    for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
      read_row(panel * lanes_ + lane, rows);
      if (std::ranges::all_of(rows.read, [&](std::uint32_t word) { return has_code(word); })) continue;
      to_floats(dtype_, rows.elements, floats);
      for (std::int64_t i = 0; i < k_; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!has_code(rows.read[at])) all.push_back({static_cast<std::uint32_t>(i * lanes_ + lane), floats[at]});
      }
    }
    std::sort(all.begin() + first.back(), all.end(),
              [](const auto& a, const auto& b) { return a.position < b.position; });
    first.push_back(static_cast<std::uint32_t>(all.size()));
  }
  STRATA_CHECK(std::ssize(all) == code_.exceptions, "a constant's elements were miscounted");
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor::exceptions_bytes(panels_, std::ssize(all))));
  std::memcpy(bytes.data(), first.data(), first.size() * sizeof(first[0]));
  std::memcpy(bytes.data() + tensor::exceptions_bytes(panels_, 0), all.data(), all.size() * sizeof(all[0]));
  return bytes;
}

}  // namespace strata::compile
