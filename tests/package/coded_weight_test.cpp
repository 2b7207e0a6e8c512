// SPDX-License-Identifier: Apache-2.0
#include "package/coded_weight.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "tensor/coded.h"

namespace strata::package {
namespace {

constexpr std::int64_t kPanels = 3;

// 33 x 8 in 16 lanes with exceptions in two panels.
class Code {
 public:
  Weight weight{.name = "w", .dtype = DType::kBF16, .shape = {33, 8}, .layout = "<16@0, 2@1, coded>"};
  tensor::CodedHeader header{};
  std::vector<std::uint32_t> first = {0, 1, 1, 3};

  Code() {
    header.panels = kPanels;
    header.exceptions = lists();
  }
  static std::int64_t lists() {
    return static_cast<std::int64_t>(sizeof(tensor::CodedHeader)) +
           kPanels * tensor::coded_panel_bytes<tensor::bf16>(16, 8);
  }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all(static_cast<std::size_t>(lists() + tensor::exceptions_bytes(kPanels, 3)));
    std::memcpy(all.data(), &header, sizeof(header));
    std::memcpy(all.data() + lists(), first.data(), first.size() * sizeof(first[0]));
    return all;
  }
  bool is_sound() const { return is_sound_code(weight, bytes()); }
};

bool is_sound_with(const std::function<void(Code&)>& change) {
  Code code;
  change(code);
  return code.is_sound();
}

TEST(CodedWeight, IsKnownByItsLayout) {
  EXPECT_TRUE(is_coded(Code().weight));
  Weight plain;
  plain.layout = "<16@0, 2@1>";
  EXPECT_FALSE(is_coded(plain));
  EXPECT_FALSE(is_coded({}));
}

TEST(CodedWeight, HasTheBitsOfItsCode) {
  Code code;
  EXPECT_EQ(coded_bits(code.weight), 12);
  code.weight.dtype = DType::kF32;
  EXPECT_EQ(coded_bits(code.weight), 12) << "numbers of bf16 in an f32 matrix";
  code.weight.layout = "<16@0, coded>";
  EXPECT_EQ(coded_bits(code.weight), 15);
  code.weight.layout = "<16@0, 2@1>";
  EXPECT_EQ(coded_bits(code.weight), 0);
}

TEST(CodedWeight, OfF16IsSound) {
  Weight weight{.name = "w", .dtype = DType::kF16, .shape = {33, 40}, .layout = "<16@0, coded>"};
  tensor::CodedHeader header{};
  header.panels = kPanels;
  std::vector<std::byte> bytes(sizeof(header) + kPanels * 16 * 64 * 15 / 8);
  std::memcpy(bytes.data(), &header, sizeof(header));
  EXPECT_TRUE(is_sound_code(weight, bytes));
  bytes.pop_back();
  EXPECT_FALSE(is_sound_code(weight, bytes));
  bytes.push_back({});
  weight.layout = "<16@0, 2@1, coded>";
  EXPECT_FALSE(is_sound_code(weight, bytes)) << "another code takes other bytes";
}

TEST(CodedWeight, IsSound) {
  EXPECT_TRUE(Code().is_sound());
  const Code code;
  auto bytes = code.bytes();
  bytes.resize(static_cast<std::size_t>(Code::lists()));
  EXPECT_FALSE(is_sound_code(code.weight, bytes)) << "lists that are announced and missing";
  std::memset(bytes.data() + offsetof(tensor::CodedHeader, exceptions), 0, sizeof(std::int64_t));
  EXPECT_TRUE(is_sound_code(code.weight, bytes)) << "no exceptions";
}

TEST(CodedWeight, DamageIsSeen) {
  EXPECT_FALSE(is_sound_with([](Code& c) { c.header.panels = 4; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.header.exceptions = 0; })) << "bytes that nothing speaks of";
  EXPECT_FALSE(is_sound_with([](Code& c) { c.header.exceptions += 8; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.header.exceptions = -64; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.first = {0, 2, 1, 3}; })) << "a list that ends before it begins";
  EXPECT_FALSE(is_sound_with([](Code& c) { c.first = {0, 1, 1, 4}; })) << "more exceptions than there is room for";
  EXPECT_FALSE(is_sound_with([](Code& c) { c.first = {1, 1, 1, 3}; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.weight.shape = {33, 12}; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.weight.shape = {33, std::int64_t{1} << 40}; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.weight.shape = {33}; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.weight.shape = {0, 8}; }));
  EXPECT_FALSE(is_sound_with([](Code& c) { c.weight.layout = "<3@0, 2@1, coded>"; }));
  for (const char* layout : {", coded>", "<coded>", "<16@0, 2@1>", "<16x@0, coded>", "<@0, coded>", "<16@1, coded>",
                             "16@0, 2@1, coded>", "<16@0, 2@1, 2@1, coded>"}) {
    EXPECT_FALSE(is_sound_with([&](Code& c) { c.weight.layout = layout; })) << layout;
  }
  EXPECT_FALSE(is_sound_code(Code().weight, {}));
}

}  // namespace
}  // namespace strata::package
