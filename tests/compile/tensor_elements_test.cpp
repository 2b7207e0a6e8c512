// SPDX-License-Identifier: Apache-2.0
#include "compile/tensor_elements.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "blocks/decode.h"
#include "ir/text.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

using importer::TensorView;

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
    view.paired_heads = paired_heads;
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

TEST(TensorElements, BlocksOfAnotherNumberOfElementsAreRefused) {
  const Blocks blocks;
  TensorView view = blocks.view();
  view.bytes = view.bytes.first(20);
  fixtures::expect_error(ExitCode::kModel, {"w", "32 elements"}, [&] { read_tensor(weight(), view); });
}

}  // namespace
}  // namespace strata::compile
