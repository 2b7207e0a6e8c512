// SPDX-License-Identifier: Apache-2.0
#include "ir/type.h"

#include <algorithm>

#include "base/error.h"
#include "encoding/encoding.h"
#include "tensor/encoding.h"

namespace strata::ir {
namespace {

template <class T, class F>
std::string join(const std::vector<T>& items, F&& text_of) {
  std::string out;
  for (const T& item : items) {
    if (!out.empty()) out += ", ";
    out += text_of(item);
  }
  return out;
}

std::int64_t checked_product(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 62;
  if (a != 0 && b > kLimit / a) {
    throw model_error("a tensor has more than 2^62 bytes", "its shape", "check the model's geometry");
  }
  return a * b;
}

// Positions in a panel are counted in 32 bits.
bool can_be_encoded(const TensorType& type) {
  const encoding::Encoding& encoding = *type.layout.encoding;
  const std::int64_t lanes = type.layout.packs.empty() ? 0 : type.layout.packs[0].lanes;
  return type.rank() == 2 && type.shape[0].is_constant() && type.shape[1].is_constant() &&
         std::ranges::find(encoding.matrices, type.dtype) != encoding.matrices.end() &&
         tensor::are_encoded_lanes(lanes) && type.layout == encoded_layout(encoding, lanes) &&
         type.shape[1].factor() < (std::int64_t{1} << 31) / lanes;
}

// Of the matrix' rows.
std::int64_t panels_of(const TensorType& type) {
  return tensor::div_up(type.shape[0].factor(), type.layout.packs[0].lanes);
}

std::int64_t encoded_bytes(const TensorType& type) {
  const std::int64_t panel =
      encoding::panel_bytes(*type.layout.encoding, type.layout.packs[0].lanes, type.shape[1].factor());
  return static_cast<std::int64_t>(sizeof(tensor::EncodedHeader)) + checked_product(panels_of(type), panel);
}

}  // namespace

Dim::Dim(std::int64_t factor, std::shared_ptr<const Symbol> symbol) : factor_(factor) {
  if (symbol != nullptr) symbols_.push_back(std::move(symbol));
}

Dim::Dim(std::int64_t factor, Symbols symbols) : factor_(factor), symbols_(std::move(symbols)) {
  std::ranges::sort(symbols_, {}, &Symbol::name);
}

std::shared_ptr<const Symbol> Dim::symbol() const {
  STRATA_CHECK(symbols_.size() <= 1, "a size is the product of several symbols: " + text());
  return symbols_.empty() ? nullptr : symbols_[0];
}

bool Dim::has_symbols_of(const Dim& other) const {
  return std::ranges::equal(symbols_, other.symbols_, [](const auto& a, const auto& b) { return a == b || *a == *b; });
}

std::int64_t Dim::product(std::int64_t Symbol::* part) const {
  std::int64_t product = factor_;
  for (const auto& symbol : symbols_) product *= (*symbol).*part;
  return product;
}

std::string Dim::text() const {
  std::string out = is_constant() || factor_ != 1 ? std::to_string(factor_) : "";
  for (const auto& symbol : symbols_) out += (out.empty() ? "" : "*") + symbol->name;
  return out;
}

Dim operator*(const Dim& a, const Dim& b) {
  Dim::Symbols symbols = a.symbols();
  symbols.insert(symbols.end(), b.symbols().begin(), b.symbols().end());
  return {checked_product(a.factor(), b.factor()), std::move(symbols)};
}

Dim element_count(const Shape& shape) {
  Dim count = 1;
  for (const Dim& dim : shape) count = count * dim;
  return count;
}

std::int64_t max_element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const Dim& dim : shape) count = checked_product(count, dim.max());
  return count;
}

std::int64_t Layout::group() const { return packs.size() > 1 ? packs[1].lanes : 1; }

std::int64_t Layout::lanes(int axis) const {
  std::int64_t product = 1;
  for (const Pack& pack : packs) {
    if (pack.axis == axis) product *= pack.lanes;
  }
  return product;
}

std::string Layout::text() const {
  if (is_row_major()) return "";
  return "<" +
         join(packs,
              [](const Pack& p) {
                return std::to_string(p.lanes) + (p.is_ragged ? "~@" : "@") + std::to_string(p.axis);
              }) +
         (encoding == nullptr ? "" : ", " + std::string(encoding->name)) + ">";
}

std::string TensorType::text() const {
  std::string out(dtype_name(dtype));
  if (!shape.empty()) out += "[" + join(shape, [](const Dim& d) { return d.text(); }) + "]";
  out += layout.text();
  return placement.empty() ? out : out + " " + placement.text();
}

bool is_row_major_in_memory(const TensorType& type) {
  const auto& packs = type.layout.packs;
  if (type.layout.encoding != nullptr) return false;
  if (packs.empty()) return true;
  if (packs.size() > 1 || packs[0].axis != type.rank() - 1) return false;
  return packs[0].is_ragged || type.shape.back().multiple() % packs[0].lanes == 0;
}

Layout encoded_layout(const encoding::Encoding& encoding, std::int64_t lanes) {
  Layout layout{{{lanes, 0}}, &encoding};
  if (encoding.panels.together > 1) layout.packs.push_back({encoding.panels.together, 1});
  return layout;
}

DType stored_dtype(const TensorType& type) {
  return type.layout.encoding == nullptr ? type.dtype : type.layout.encoding->panels.number;
}

int stored_bits(const TensorType& type) {
  if (type.layout.encoding != nullptr) return type.layout.encoding->panels.bits();
  return static_cast<int>(dtype_size(type.dtype)) * 8;
}

Layout vector_layout(const Shape& shape, std::int64_t lanes) {
  const bool exact = shape.back().multiple() % lanes == 0;
  return {{{lanes, static_cast<int>(shape.size()) - 1, !exact}}};
}

std::vector<std::int64_t> max_physical_shape(const TensorType& type) {
  std::vector<std::int64_t> sizes;
  if (!type.layout.packs.empty() && type.layout.packs[0].is_ragged) {
    for (const Dim& dim : type.shape) sizes.push_back(dim.max());
    return sizes;
  }
  for (int axis = 0; axis < type.rank(); ++axis) {
    const std::int64_t lanes = type.layout.lanes(axis);
    sizes.push_back((type.shape[axis].max() + lanes - 1) / lanes);
  }
  for (const Pack& pack : type.layout.packs) sizes.push_back(pack.lanes);
  return sizes;
}

std::int64_t max_bytes(const TensorType& type) {
  if (type.layout.encoding != nullptr) return encoded_bytes(type);
  std::int64_t bytes = dtype_size(type.dtype);
  for (const std::int64_t size : max_physical_shape(type)) bytes = checked_product(bytes, size);
  return bytes;
}

std::int64_t exceptions_bytes(const TensorType& type, std::int64_t exceptions) {
  return exceptions == 0 ? 0 : tensor::exceptions_bytes(panels_of(type), exceptions);
}

void check_layout(const TensorType& type, const std::string& who) {
  constexpr std::int64_t kMaxLanes = 4096;
  std::int64_t all_lanes = 1;
  for (const Pack& pack : type.layout.packs) {
    if (pack.axis < 0 || pack.axis >= type.rank()) {
      throw usage_error(who + ": the layout " + type.layout.text() + " packs axis " + std::to_string(pack.axis) +
                            " of " + std::to_string(type.rank()) + " axes",
                        "axes count from 0");
    }
    if (pack.lanes < 1 || pack.lanes > kMaxLanes / all_lanes) {
      throw usage_error(who + ": the layout " + type.layout.text() + " has a wrong number of lanes",
                        "lanes are positive and their product is at most " + std::to_string(kMaxLanes));
    }
    all_lanes *= pack.lanes;
    if (!pack.is_ragged || (type.layout.packs.size() == 1 && pack.axis == type.rank() - 1)) continue;
    throw usage_error(who + ": the layout " + type.layout.text() + " has a ragged pack that is not the last axis' only",
                      "read the last axis in ragged groups, or pad");
  }
  if (type.layout.encoding != nullptr && !can_be_encoded(type)) {
    const encoding::Encoding& encoding = *type.layout.encoding;
    std::string types = join(std::vector<DType>(encoding.matrices.begin(), encoding.matrices.end()),
                             [](DType dtype) { return std::string(dtype_name(dtype)); });
    throw usage_error(
        who + ": the layout " + type.layout.text() + " is none of " + type.text(),
        "encode a matrix of constant sizes and a type among " + types + ", as " + encoding::layout_text(encoding, 16));
  }
  if (is_row_major_in_memory(type)) return;
  for (int axis = 0; axis < type.rank(); ++axis) {
    const Dim& dim = type.shape[axis];
    const std::int64_t lanes = type.layout.lanes(axis);
    if (axis == 0 || dim.is_constant() || dim.multiple() % lanes == 0) continue;
    throw usage_error(who + ": " + std::to_string(lanes) + " lanes don't divide every value of " + dim.text(),
                      "declare the symbol as a multiple of the lanes");
  }
}

bool can_hold(DType dtype, const Sbp& sbp) {
  const bool is_rounded = sbp.combiner == Combiner::kSum || sbp.combiner == Combiner::kProduct;
  return !sbp.is_partial() || !is_rounded || dtype == DType::kF32;
}

void check_placement(const TensorType& type, const std::string& who) {
  const auto& axes = type.placement.axes;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Sbp& sbp = axes[i].sbp;
    if (sbp.is_split() && (sbp.axis < 0 || sbp.axis >= type.rank())) {
      throw usage_error(who + ": axis " + std::to_string(sbp.axis) + " is split, but there are " +
                            std::to_string(type.rank()) + " axes",
                        "axes count from 0");
    }
    if (i > 0 && axes[i].mesh_axis <= axes[i - 1].mesh_axis) {
      throw usage_error(who + ": the mesh axis " + axes[i].mesh_axis + " is out of order", "set() keeps the order");
    }
    if (!can_hold(type.dtype, sbp)) {
      throw usage_error(who + ": " + std::string(dtype_name(type.dtype)) + " would round the parts " + sbp.text(),
                        "keep them in f32");
    }
    if (sbp.is_broadcast()) throw usage_error(who + ": a copy on every device is placed", "leave it out");
  }
}

}  // namespace strata::ir
