// SPDX-License-Identifier: Apache-2.0
#include "compile/coded_constant.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "tensor/coded.h"

namespace strata::compile {
namespace {

using tensor::CodedException;
using tensor::CodedHeader;

constexpr std::int64_t kHeaderBytes = sizeof(CodedHeader);
constexpr std::size_t kExponents = 256;

int exponent_of(std::uint16_t element) { return element >> 7 & 0xff; }

// The bytes of `part`, which begins at `offset`, as far as they are in [begin, end) of what `out` begins.
void copy_part(const std::vector<std::byte>& part, std::int64_t offset, std::int64_t begin, std::int64_t end,
               std::byte* out) {
  const std::int64_t from = std::max(begin, offset);
  const std::int64_t to = std::min(end, offset + std::ssize(part));
  if (from < to) std::memcpy(out + (from - begin), part.data() + (from - offset), static_cast<std::size_t>(to - from));
}

}  // namespace

CodedConstant::CodedConstant(const ElementSource& elements, const ir::TensorType& type, const ir::ExponentCode& code)
    : elements_(elements),
      n_(type.shape[0].factor()),
      k_(type.shape[1].factor()),
      lanes_(type.layout.packs[0].lanes),
      panels_(tensor::div_up(n_, lanes_)),
      panel_bytes_(tensor::coded_panel_bytes(lanes_, k_)),
      code_(code),
      codes_(kExponents, -1) {
  for (std::size_t i = code.exponents.size(); i-- > 0;) codes_[code.exponents[i]] = static_cast<std::int8_t>(i);
}

void CodedConstant::read(std::int64_t begin, std::int64_t end, std::byte* out) const {
  if (begin < kHeaderBytes) copy_part(header(), 0, begin, end, out);
  std::vector<std::uint16_t> rows(static_cast<std::size_t>(lanes_ * tensor::div_up(k_, 4) * 4));
  std::vector<std::byte> bytes(static_cast<std::size_t>(panel_bytes_));
  const std::int64_t lists = kHeaderBytes + panels_ * panel_bytes_;
  std::int64_t panel = std::max(begin - kHeaderBytes, std::int64_t{0}) / panel_bytes_;
  for (; panel < panels_ && kHeaderBytes + panel * panel_bytes_ < end; ++panel) {
    encode(panel, rows.data(), bytes.data());
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

// [lanes][k], each row padded with zeros to whole groups; lanes beyond the matrix are zeros.
void CodedConstant::read_rows(std::int64_t panel, std::uint16_t* rows) const {
  const std::int64_t stride = tensor::div_up(k_, tensor::kCodedGroup) * tensor::kCodedGroup;
  std::fill_n(rows, lanes_ * stride, std::uint16_t{0});
  for (std::int64_t lane = 0; lane < lanes_ && panel * lanes_ + lane < n_; ++lane) {
    elements_.read((panel * lanes_ + lane) * k_, k_, DType::kBF16, reinterpret_cast<std::byte*>(rows + lane * stride));
  }
}

// Two neighbours of k are two bytes side by side and the two halves of one byte of codes.
void CodedConstant::encode(std::int64_t panel, std::uint16_t* rows, std::byte* out) const {
  read_rows(panel, rows);
  const std::int64_t groups = tensor::div_up(k_, tensor::kCodedGroup);
  const std::int64_t group_bytes = tensor::coded_group_bytes(lanes_);
  const auto rest_and_code = [this](std::uint16_t element) {
    const int code = codes_[static_cast<std::size_t>(exponent_of(element))];
    const int rest = (element >> 8 & 0x80) | (element & 0x7f);
    return code < 0 ? std::pair(0, 0) : std::pair(rest, code);
  };
  for (std::int64_t lane = 0; lane < lanes_; ++lane) {
    for (std::int64_t pair = 0; pair < 2; ++pair) {
      const std::uint16_t* row = rows + lane * groups * tensor::kCodedGroup + 2 * pair;
      std::byte* to = out + tensor::coded_byte(2 * pair, lane);
      std::byte* code = out + tensor::kCodedGroup * lanes_ + tensor::coded_byte(2 * pair, lane) / 2;
      for (std::int64_t g = 0; g < groups; ++g, row += tensor::kCodedGroup, to += group_bytes, code += group_bytes) {
        const auto [even, even_code] = rest_and_code(row[0]);
        const auto [odd, odd_code] = rest_and_code(row[1]);
        to[0] = static_cast<std::byte>(even);
        to[1] = static_cast<std::byte>(odd);
        *code = static_cast<std::byte>(even_code | odd_code << 4);
      }
    }
  }
}

std::vector<std::byte> CodedConstant::exceptions() const {
  const std::int64_t stride = tensor::div_up(k_, tensor::kCodedGroup) * tensor::kCodedGroup;
  std::vector<std::uint16_t> rows(static_cast<std::size_t>(lanes_ * stride));
  std::vector<std::uint32_t> first = {0};
  std::vector<CodedException> all;
  for (std::int64_t panel = 0; panel < panels_; ++panel) {
    read_rows(panel, rows.data());
    for (std::int64_t at = 0; at < lanes_ * stride; ++at) {
      const std::uint16_t element = rows[static_cast<std::size_t>(at)];
      if (codes_[static_cast<std::size_t>(exponent_of(element))] >= 0) continue;
      all.push_back({static_cast<std::uint32_t>(at % stride * lanes_ + at / stride), element, 0});
    }
    std::sort(all.begin() + first.back(), all.end(),
              [](const auto& a, const auto& b) { return a.position < b.position; });
    first.push_back(static_cast<std::uint32_t>(all.size()));
  }
  STRATA_CHECK(std::ssize(all) == code_.exceptions, "a constant's exponents were miscounted");
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor::exceptions_bytes(panels_, std::ssize(all))));
  std::memcpy(bytes.data(), first.data(), first.size() * sizeof(first[0]));
  std::memcpy(bytes.data() + tensor::exceptions_bytes(panels_, 0), all.data(), all.size() * sizeof(all[0]));
  return bytes;
}

}  // namespace strata::compile
