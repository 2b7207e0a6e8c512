// SPDX-License-Identifier: Apache-2.0
#include "compile/tensor_elements.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "blocks/decode.h"
#include "import/block_parts.h"
#include "ir/text.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

using importer::BlockPart;
using importer::TensorView;

constexpr BlockPart kParts[] = {BlockPart::kCodes, BlockPart::kScales, BlockPart::kScaleCodes, BlockPart::kShifts,
                                BlockPart::kShiftCodes};

const ir::Module& module() {
  static const ir::Module kModule = ir::parse_module(
      "module m {\n  func @f() {\n    %0 = weight \"w\" : f32[16, 288]\n    return %0\n  }\n}\n", "test");
  return kModule;
}

const ir::Expr& weight() { return *module().find("f")->results[0]; }

const blocks::Format& format_named(std::string_view name) {
  for (const blocks::Format& format : blocks::all_formats()) {
    if (format.name == name) return format;
  }
  throw std::out_of_range(std::string(name));
}

// 16 rows of 288 elements in blocks of 32 with an offset, at an odd address.
class Blocks {
 public:
  Blocks() : bytes_(1 + 16 * 288 / 32 * 20) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i * 37 % 61);
    view_ = {"w", DType::kF16, {16, 288}, std::span(bytes_).subspan(1), &format_named("Q4_1")};
    values_.resize(16 * 288);
    blocks::decode(*view_.format, view_.bytes.data(), 16 * 288 / 32, values_.data());
  }

  TensorView view(std::int64_t paired_heads = 0) const {
    TensorView view = view_;
    if (paired_heads > 0) view.head_rows = {paired_heads, 16 / paired_heads, true};
    return view;
  }
  // Elements as they lie in the file.
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<std::byte> bytes_;
  TensorView view_;
  std::vector<float> values_;
};

std::vector<float> read(const ElementSource& elements, std::int64_t first, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  elements.read(first, count, DType::kF32, reinterpret_cast<std::byte*>(values.data()));
  return values;
}

std::vector<float> part(const std::vector<float>& values, std::int64_t first, std::int64_t count) {
  return {values.begin() + first, values.begin() + first + count};
}

TEST(TensorElements, BlocksAreReadInAnyPieces) {
  const Blocks blocks;
  const auto elements = read_tensor(weight(), blocks.view());
  for (const std::int64_t first : {0, 1, 31, 32, 33, 287, 1000, 2049}) {
    for (const std::int64_t count : {1, 2, 31, 32, 33, 64, 1023, 1024, 1025, 2559}) {
      EXPECT_EQ(read(*elements, first, count), part(blocks.values(), first, count)) << first << " " << count;
    }
  }
  EXPECT_EQ(elements->element(77), blocks.values()[77]);
}

TEST(TensorElements, BlocksAreMultipliedByTheirTensorsScale) {
  const Blocks blocks;
  TensorView view = blocks.view();
  view.scale = 0.3F;
  EXPECT_EQ(read(*read_tensor(weight(), view), 100, 1)[0], blocks.values()[100] * 0.3F);
}

TEST(TensorElements, AnOffsetIsAddedInF32AndThenRounded) {
  std::vector<float> stored(16 * 288);
  for (std::size_t i = 0; i < stored.size(); ++i) stored[i] = 0.001F * static_cast<float>(i) - 0.3F;
  TensorView view;
  view.shape = {16, 288};
  view.bytes = std::as_bytes(std::span(stored));
  view.offset = 1;
  const auto elements = read_tensor(weight(), view);
  for (const std::int64_t first : {0, 3, 300}) {
    const std::vector<float> got = read(*elements, first, 600);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], stored[static_cast<std::size_t>(first) + i] + 1);
  }
  std::vector<std::uint16_t> rounded(2);
  elements->read(3, 2, DType::kBF16, reinterpret_cast<std::byte*>(rounded.data()));
  EXPECT_EQ(rounded[0], std::bit_cast<std::uint32_t>(0.703125F) >> 16);  // the nearest to 0.703
}

// A head of 8 rows, the first 4 of which turn: the model's first half is 0 1 | 4 5, its second 2 3 | 6 7.
TEST(TensorElements, RowsThatDoNotTurnStandBehindThoseThatDo) {
  const Blocks blocks;
  TensorView view = blocks.view();
  view.head_rows = {2, 4, false};
  const auto elements = read_tensor(weight(), view);
  std::vector<float> want;
  for (const std::int64_t row : {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}) {
    const std::vector<float> stored = part(blocks.values(), row * 288, 288);
    want.insert(want.end(), stored.begin(), stored.end());
  }
  EXPECT_EQ(read(*elements, 0, 16 * 288), want);
}

// Of 4 rows of a head, 0 1 2 3, the file has 0 2 1 3.
TEST(TensorElements, PairedRowsComeInTheirOrder) {
  const Blocks blocks;
  const auto elements = read_tensor(weight(), blocks.view(4));
  std::vector<float> want;
  for (const std::int64_t row : {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15}) {
    const std::vector<float> stored = part(blocks.values(), row * 288, 288);
    want.insert(want.end(), stored.begin(), stored.end());
  }
  EXPECT_EQ(read(*elements, 0, 16 * 288), want);
  for (const std::int64_t first : {5, 287, 288, 700}) {
    EXPECT_EQ(read(*elements, first, 900), part(want, first, 900)) << first;
  }
}

// Weights of two heads in every format, 4 rows of 512 elements each, of random bytes. The numbers of f16 are finite.
class PartsOf {
 public:
  explicit PartsOf(const blocks::Format& format) : bytes_(static_cast<std::size_t>(kRows * kRow / format.elements)) {
    std::mt19937 random(7);
    bytes_.resize(bytes_.size() * static_cast<std::size_t>(format.bytes));
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random());
    for (std::size_t block = 0; block < bytes_.size(); block += static_cast<std::size_t>(format.bytes)) {
      make_finite(format.scale, block);
      if (format.has_offset != blocks::Offset::kNone) make_finite(format.offset, block);
    }
    view_ = {.name = "w", .dtype = format.dtype, .shape = {kRows, kRow}, .bytes = bytes_, .format = &format};
  }
  explicit PartsOf(const blocks::Format& format, std::int64_t paired_heads) : PartsOf(format) {
    view_.head_rows = {paired_heads, kRows / paired_heads, true};
  }

  const TensorView& view() const { return view_; }

  // All of a part, in f32; empty: the format lacks it.
  std::vector<float> part(BlockPart wanted) const {
    for (const importer::WeightLeaf& leaf : importer::block_leaves("w", view_)) {
      if (leaf.part == wanted) return read(*source(leaf), 0, ir::max_element_count(leaf.type.shape));
    }
    return {};
  }

  // Of its leaf, in pieces of so many elements.
  void expect_same_in_pieces(BlockPart wanted, std::int64_t piece) const {
    for (const importer::WeightLeaf& leaf : importer::block_leaves("w", view_)) {
      if (leaf.part != wanted) continue;
      const std::vector<float> all = part(wanted);
      for (std::int64_t first = 0; first < std::ssize(all); first += piece) {
        const std::int64_t count = std::min(piece, std::ssize(all) - first);
        EXPECT_EQ(read(*source(leaf), first, count), strata::compile::part(all, first, count)) << leaf.name;
      }
    }
  }

  // The weight as its parts make it: scale * code + shift, each product and the sum rounded to f32.
  std::vector<float> assembled() const {
    const auto numbers = [&](BlockPart codes, BlockPart scales) {
      std::vector<float> integers = part(codes), all = part(scales);
      if (integers.empty()) return all;
      const std::size_t shared = integers.size() / all.size();
      for (std::size_t i = 0; i < integers.size(); ++i) integers[i] = all[i / shared] * integers[i];
      return integers;
    };
    std::vector<float> values = part(BlockPart::kCodes);
    const std::vector<float> scales = numbers(BlockPart::kScaleCodes, BlockPart::kScales);
    const std::vector<float> shifts = numbers(BlockPart::kShiftCodes, BlockPart::kShifts);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = scales[i * scales.size() / values.size()] * values[i];
      if (!shifts.empty()) values[i] += shifts[i * shifts.size() / values.size()];
    }
    return values;
  }

 private:
  static constexpr std::int64_t kRows = 8, kRow = 512;

  void make_finite(const blocks::GroupNumbers& numbers, std::size_t block) {
    if (numbers.number != blocks::NumberFormat::kF16) return;
    bytes_[block + static_cast<std::size_t>(numbers.first) + 1] &= std::byte{0xBF};
  }

  std::unique_ptr<ElementSource> source(const importer::WeightLeaf& leaf) const {
    ir::ExprPool pool;
    return read_tensor(*pool.weight(leaf.name, leaf.type), importer::part_of(view_, leaf.part));
  }

  std::vector<std::byte> bytes_;
  TensorView view_;
};

// Every value that the definition of a format gives, to the bit; what is no number there is none here.
TEST(TensorElements, PartsOfBlocksMakeTheirValues) {
  for (const blocks::Format& format : blocks::all_formats()) {
    SCOPED_TRACE(format.name);
    const PartsOf parts(format);
    const std::vector<float> values = parts.assembled();
    std::vector<float> expected(values.size());
    blocks::decode(format, parts.view().bytes.data(), std::ssize(values) / format.elements, expected.data());
    ASSERT_EQ(values.size(), 8U * 512U);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(expected[i]) && std::isnan(values[i])) continue;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i])) << i;
    }
  }
}

// What groups and blocks share goes with their rows.
TEST(TensorElements, PartsOfPairedRowsComeInTheirOrder) {
  for (const blocks::Format& format : blocks::all_formats()) {
    SCOPED_TRACE(format.name);
    const PartsOf stored(format), paired(format, 2);
    for (const BlockPart of : kParts) {
      const std::vector<float> there = stored.part(of), here = paired.part(of);
      ASSERT_EQ(there.size(), here.size());
      const auto row = static_cast<std::int64_t>(there.size()) / 8;
      std::vector<float> want;
      for (const std::int64_t from : {0, 2, 1, 3, 4, 6, 5, 7}) {
        const std::vector<float> one = part(there, from * row, row);
        want.insert(want.end(), one.begin(), one.end());
      }
      EXPECT_EQ(here, want);
    }
    EXPECT_NE(paired.part(BlockPart::kCodes), stored.part(BlockPart::kCodes));
  }
}

TEST(TensorElements, PartsOfBlocksAreReadInAnyPieces) {
  for (const blocks::Format& format : blocks::all_formats()) {
    for (const BlockPart of : kParts) {
      for (const std::int64_t piece : {1, 7, 40}) PartsOf(format, 2).expect_same_in_pieces(of, piece);
    }
  }
}

TEST(TensorElements, BlocksOfAnotherNumberOfElementsAreRefused) {
  const Blocks blocks;
  TensorView view = blocks.view();
  view.bytes = view.bytes.first(20);
  fixtures::expect_error(ExitCode::kModel, {"w", "32 elements"}, [&] { read_tensor(weight(), view); });
}

}  // namespace
}  // namespace strata::compile
