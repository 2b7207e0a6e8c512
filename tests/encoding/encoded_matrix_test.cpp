// SPDX-License-Identifier: Apache-2.0
// Encoded matrices that come from a file.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <tuple>
#include <vector>

#include "encoding/encoding.h"
#include "tensor/encoding.h"

namespace strata::encoding {
namespace {

constexpr std::int64_t kPanels = 3;
constexpr auto kHeaderBytes = static_cast<std::int64_t>(sizeof(tensor::EncodedHeader));

// 33 x 8 in 16 lanes with exceptions in two panels.
class Matrix {
 public:
  std::string layout;
  std::int64_t n = 33, k = 8;
  tensor::EncodedHeader header{};
  std::vector<std::uint32_t> first = {0, 1, 1, 3};

  explicit Matrix(const Encoding& encoding)
      : layout(layout_text(encoding, 16)), lists_(kHeaderBytes + kPanels * panel_bytes(encoding, 16, k)) {
    header.panels = kPanels;
    header.exceptions = lists_;
  }
  std::int64_t lists() const { return lists_; }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all(static_cast<std::size_t>(lists_ + tensor::exceptions_bytes(kPanels, 3)));
    std::memcpy(all.data(), &header, sizeof(header));
    std::memcpy(all.data() + lists_, first.data(), first.size() * sizeof(first[0]));
    return all;
  }
  bool is_sound() const { return is_sound(bytes()); }
  bool is_sound(const std::vector<std::byte>& content) const {
    return encoding::is_sound(parse_layout(layout), n, k, content);
  }

 private:
  std::int64_t lists_;
};

const Encoding& bf16_12() { return *find_encoding("bf16_12"); }

bool is_sound_with(const std::function<void(Matrix&)>& change) {
  Matrix matrix(bf16_12());
  change(matrix);
  return matrix.is_sound();
}

TEST(EncodedLayout, IsReadAsItIsWritten) {
  EXPECT_EQ(layout_text(bf16_12(), 16), "<16@0, 2@1, bf16_12>");
  EXPECT_EQ(layout_text(*find_encoding("i8_4"), 8), "<8@0, 4@1, i8_4>");
  EXPECT_EQ(layout_text(*find_encoding("i8_6"), 16), "<16@0, 4@1, i8_6>");
  for (const Encoding* encoding : all_encodings()) {
    for (const std::int64_t lanes : {4, 8, 16}) {
      const EncodedLayout read = parse_layout(layout_text(*encoding, lanes));
      EXPECT_EQ(read.encoding, encoding);
      EXPECT_EQ(read.lanes, lanes);
      EXPECT_TRUE(names_encoding(layout_text(*encoding, lanes)));
    }
    for (const std::int64_t lanes : {0, 1, 3, 32, 64}) {
      EXPECT_EQ(parse_layout(layout_text(*encoding, lanes)).encoding, nullptr) << lanes;
    }
  }
}

TEST(EncodedLayout, OfOtherTextIsNone) {
  for (const char* layout :
       {", bf16_12>", "<bf16_12>", "<16x@0, 2@1, bf16_12>", "<@0, 2@1, bf16_12>", "<16@1, 2@1, bf16_12>",
        "16@0, 2@1, bf16_12>", "<16@0, 2@1, 2@1, bf16_12>", "<16@0, 2@1, coded>", "<16@0, bf16_12>",
        "<16@0, 2@1, f16_15>", "<16@0, i8_4>", "<16@0, 2@1, i8_4>", "<16@0, 4@1, i8_7>", "<16@0, 2@1, i8_5>"}) {
    EXPECT_EQ(parse_layout(layout).encoding, nullptr) << layout;
    EXPECT_TRUE(names_encoding(layout) || layout[0] != '<') << layout;
  }
  for (const char* layout : {"", "<16@0>", "<16@0, 2@1>", "<16~@1>"}) {
    EXPECT_EQ(parse_layout(layout).encoding, nullptr) << layout;
    EXPECT_FALSE(names_encoding(layout)) << layout;
  }
}

TEST(EncodedMatrix, OfEveryEncodingIsSound) {
  for (const Encoding* encoding : all_encodings()) {
    const Matrix matrix(*encoding);
    EXPECT_TRUE(matrix.is_sound()) << encoding->name;
    auto bytes = matrix.bytes();
    bytes.pop_back();
    EXPECT_FALSE(matrix.is_sound(bytes)) << encoding->name;
    bytes.resize(static_cast<std::size_t>(matrix.lists()));
    EXPECT_FALSE(matrix.is_sound(bytes)) << "lists that are announced and missing";
    std::memset(bytes.data() + offsetof(tensor::EncodedHeader, exceptions), 0, sizeof(std::int64_t));
    EXPECT_TRUE(matrix.is_sound(bytes)) << "no exceptions";
    for (const Encoding* other : all_encodings()) {
      if (panel_bytes(*other, 16, matrix.k) == panel_bytes(*encoding, 16, matrix.k)) continue;
      Matrix mistaken = matrix;
      mistaken.layout = layout_text(*other, 16);
      EXPECT_FALSE(mistaken.is_sound(bytes)) << "another encoding takes other bytes";
    }
  }
}

// Every digit has a code, and there is nothing else in the table.
TEST(EncodedMatrix, OfCodesInARowHasTheFirstInItsTable) {
  for (const auto& [name, bits, group] : {std::tuple("i8_small_4", 4, 8), {"i8_5", 5, 32}, {"i8_6", 6, 16}}) {
    Matrix matrix(*find_encoding(name));
    EXPECT_EQ(matrix.lists(), 64 + 3 * 16 * group * bits / 8) << name;
    const int last = 128 - (1 << bits);
    for (const int low : {-128, -1, 0, 17, last}) {
      matrix.header.table[0] = static_cast<std::uint8_t>(low);
      EXPECT_TRUE(matrix.is_sound()) << name << " " << low;
    }
    for (const int low : {last + 1, 127}) {
      matrix.header.table[0] = static_cast<std::uint8_t>(low);
      EXPECT_FALSE(matrix.is_sound()) << name << " " << low;
    }
    for (std::size_t i = 1; i < 16; ++i) {
      Matrix damaged(*find_encoding(name));
      damaged.header.table[i] = 1;
      EXPECT_FALSE(damaged.is_sound()) << name << " " << i;
    }
    Matrix longer(*find_encoding(name));
    longer.k = group;
    EXPECT_TRUE(longer.is_sound()) << name << ": a group is whole";
    longer.k = group + 1;
    EXPECT_FALSE(longer.is_sound()) << name << ": another group";
  }
}

// Any table is one of bytes, and every index is inside: what remains is how many bytes there are.
TEST(EncodedMatrix, OfBytesIsSoundWithAnyTable) {
  Matrix matrix(*find_encoding("i8_4"));
  EXPECT_EQ(matrix.lists(), 64 + 3 * 64);
  for (std::size_t i = 0; i < 16; ++i) matrix.header.table[i] = static_cast<std::uint8_t>(255 - 16 * i);
  EXPECT_TRUE(matrix.is_sound());
  matrix.k = 9;
  EXPECT_FALSE(matrix.is_sound()) << "another group";
  matrix.k = 1;
  EXPECT_TRUE(matrix.is_sound()) << "a group is whole";
  matrix.n = 49;
  EXPECT_FALSE(matrix.is_sound()) << "another panel";
}

TEST(EncodedMatrix, DamageIsSeen) {
  EXPECT_TRUE(is_sound_with([](Matrix&) {}));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.header.panels = 4; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.header.exceptions = 0; })) << "bytes that nothing speaks of";
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.header.exceptions += 8; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.header.exceptions = -64; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.header.table[0] = 255; })) << "padding that is infinite";
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.first = {0, 2, 1, 3}; })) << "a list that ends before it begins";
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.first = {0, 1, 1, 4}; })) << "more exceptions than there is room for";
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.first = {1, 1, 1, 3}; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.k = 12; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.k = std::int64_t{1} << 40; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.k = -8; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.n = 0; }));
  EXPECT_FALSE(is_sound_with([](Matrix& m) { m.layout = "<16@0, 2@1>"; }));
  EXPECT_FALSE(Matrix(bf16_12()).is_sound({}));
}

}  // namespace
}  // namespace strata::encoding
