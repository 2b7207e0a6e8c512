// SPDX-License-Identifier: Apache-2.0
#include "compile/tensor_elements.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <utility>

#include "base/error.h"
#include "blocks/decode.h"
#include "compile/convert.h"

namespace strata::compile {
namespace {

using importer::TensorView;

// Elements one after another.
class PlainElements : public ElementSource {
 public:
  explicit PlainElements(TensorView view) : view_(std::move(view)) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    while (count > 0) {
      const std::span<const std::byte> here = view_.from(first);
      const std::int64_t together = std::min(count, std::ssize(here) / dtype_size(view_.dtype));
      convert(view_.dtype, here.data(), together, to, out);
      first += together, count -= together, out += together * dtype_size(to);
    }
  }
  bool needs_memory() const override { return false; }

 private:
  TensorView view_;
};

// Elements to which a number is added, in f32.
class OffsetElements : public ElementSource {
 public:
  OffsetElements(std::unique_ptr<ElementSource> stored, float offset) : stored_(std::move(stored)), offset_(offset) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    std::array<float, kElements> values;
    while (count > 0) {
      const std::int64_t here = std::min(count, kElements);
      stored_->read(first, here, DType::kF32, reinterpret_cast<std::byte*>(values.data()));
      for (std::int64_t i = 0; i < here; ++i) values[static_cast<std::size_t>(i)] += offset_;
      convert(DType::kF32, reinterpret_cast<const std::byte*>(values.data()), here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return false; }

 private:
  static constexpr std::int64_t kElements = 256;

  std::unique_ptr<ElementSource> stored_;
  float offset_;
};

// Elements in blocks.
class BlockElements : public ElementSource {
 public:
  explicit BlockElements(TensorView view) : view_(std::move(view)), format_(*view_.format) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    std::array<float, kElements> values;
    const std::int64_t most = kElements / format_.elements;  // blocks decoded at a time
    while (count > 0) {
      const std::int64_t block = first / format_.elements, inside = first % format_.elements;
      const std::int64_t blocks = std::min(most, (inside + count + format_.elements - 1) / format_.elements);
      decode(block, blocks, values.data());
      const std::int64_t here = std::min(count, blocks * format_.elements - inside);
      convert(DType::kF32, reinterpret_cast<const std::byte*>(values.data() + inside), here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return false; }

 private:
  static constexpr std::int64_t kElements = 4 * blocks::kMaxElements;

  void decode(std::int64_t first, std::int64_t count, float* out) const {
    blocks::decode(format_, view_.bytes.data() + first * format_.bytes, count, out);
    if (view_.scale == 1) return;
    for (std::int64_t i = 0; i < count * format_.elements; ++i) out[i] *= view_.scale;
  }

  TensorView view_;
  const blocks::Format& format_;
};

// A part of elements in blocks: codes, or numbers of groups or blocks.
class PartElements : public ElementSource {
 public:
  explicit PartElements(TensorView view) : view_(std::move(view)), format_(*view_.format) {
    using Part = importer::BlockPart;
    const bool is_scale = view_.part == Part::kScales || view_.part == Part::kScaleCodes;
    numbers_ = is_scale ? &format_.scale : &format_.offset;
    if (view_.part == Part::kCodes) integers_ = &format_.codes;
    if (view_.part == Part::kScaleCodes || view_.part == Part::kShiftCodes) integers_ = &*numbers_->integers;
    is_negative_ = view_.part == Part::kShifts && format_.has_offset == blocks::Offset::kSubtracted;
    if (integers_ != nullptr) {
      size_ = integers_->count();
    } else {
      size_ = numbers_->integers ? 1 : format_.groups();
    }
  }

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    while (count > 0) {
      const std::int64_t block = first / size_, inside = first % size_, here = std::min(count, size_ - inside);
      read_block(view_.bytes.data() + block * format_.bytes, inside, here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return false; }

 private:
  void read_block(const std::byte* block, std::int64_t first, std::int64_t count, DType to, std::byte* out) const {
    if (integers_ != nullptr) {
      std::array<std::int8_t, blocks::kMaxElements> codes;
      blocks::unpack(*integers_, block, codes);
      return convert(DType::kI8, reinterpret_cast<const std::byte*>(codes.data() + first), count, to, out);
    }
    std::array<float, blocks::kMaxGroups> values;
    const std::span<float> all(values.data(), static_cast<std::size_t>(size_));
    blocks::read_numbers(*numbers_, block, all);
    if (is_negative_) std::ranges::transform(all, all.begin(), std::negate());
    convert(DType::kF32, reinterpret_cast<const std::byte*>(values.data() + first), count, to, out);
  }

  TensorView view_;
  const blocks::Format& format_;
  const blocks::GroupNumbers* numbers_ = nullptr;
  const blocks::Integers* integers_ = nullptr;  // null: numbers are read
  bool is_negative_ = false;
  std::int64_t size_ = 1;  // of a block
};

// Rows that the file has in another order.
class OrderedRows : public ElementSource {
 public:
  OrderedRows(std::unique_ptr<ElementSource> stored, TensorView view)
      : stored_(std::move(stored)), view_(std::move(view)), row_(view_.row()) {}

  void read(std::int64_t first, std::int64_t count, DType to, std::byte* out) const override {
    while (count > 0) {
      const std::int64_t row = first / row_, inside = first % row_;
      const std::int64_t here = std::min(count, row_ - inside);
      stored_->read(view_.stored_row(row) * row_ + inside, here, to, out);
      first += here, count -= here, out += here * dtype_size(to);
    }
  }
  bool needs_memory() const override { return false; }

 private:
  std::unique_ptr<ElementSource> stored_;
  TensorView view_;
  std::int64_t row_;
};

std::int64_t stored_elements(const TensorView& view) {
  if (view.part != importer::BlockPart::kValues) return view.elements();
  const std::int64_t bytes = view.byte_count();
  return view.format != nullptr ? bytes / view.format->bytes * view.format->elements : bytes / dtype_size(view.dtype);
}

}  // namespace

std::unique_ptr<ElementSource> read_tensor(const ir::Expr& weight, TensorView view) {
  const std::int64_t found = stored_elements(view);
  if (found != ir::max_element_count(weight.type().shape)) {
    throw model_error("the tensor has " + std::to_string(found) + " elements, not those of " + weight.type().text(),
                      weight.name, "check the checkpoint");
  }
  std::unique_ptr<ElementSource> elements;
  if (view.part != importer::BlockPart::kValues) {
    elements = std::make_unique<PartElements>(view);
  } else if (view.format != nullptr) {
    elements = std::make_unique<BlockElements>(view);
  } else {
    elements = std::make_unique<PlainElements>(view);
  }
  if (view.offset != 0) elements = std::make_unique<OffsetElements>(std::move(elements), view.offset);
  if (view.head_rows.heads == 0) return elements;
  return std::make_unique<OrderedRows>(std::move(elements), std::move(view));
}

}  // namespace strata::compile
