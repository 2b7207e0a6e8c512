// SPDX-License-Identifier: Apache-2.0
#include "compile/tensor_elements.h"

#include <algorithm>
#include <array>
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
    convert(view_.dtype, view_.bytes.data() + first * dtype_size(view_.dtype), count, to, out);
  }
  bool needs_memory() const override { return false; }

 private:
  TensorView view_;
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
  const auto bytes = static_cast<std::int64_t>(view.bytes.size());
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
  if (view.format != nullptr) {
    elements = std::make_unique<BlockElements>(view);
  } else {
    elements = std::make_unique<PlainElements>(view);
  }
  if (view.paired_heads == 0) return elements;
  return std::make_unique<OrderedRows>(std::move(elements), std::move(view));
}

}  // namespace strata::compile
