// SPDX-License-Identifier: Apache-2.0
#include "ir/type.h"

#include <algorithm>

#include "base/error.h"
#include "ir/weight_code.h"
#include "tensor/coded.h"

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

std::string placement_text(const AxisPlacement& placement) {
  switch (placement.kind) {
    case AxisPlacement::Kind::kBroadcast:
      return placement.mesh_axis + ": B";
    case AxisPlacement::Kind::kSplit:
      return placement.mesh_axis + ": S(" + std::to_string(placement.axis) + ")";
    case AxisPlacement::Kind::kPartial:
      return placement.mesh_axis + ": P";
  }
  return "";
}

std::int64_t checked_product(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 62;
  if (a != 0 && b > kLimit / a) {
    throw model_error("a tensor has more than 2^62 bytes", "its shape", "check the model's geometry");
  }
  return a * b;
}

// Positions in a panel are counted in 32 bits. Numbers of bf16 are no numbers of f16, as a rule: bf16 has one code.
bool can_be_coded(const TensorType& type) {
  const auto& packs = type.layout.packs;
  if (!is_floating(type.dtype) || type.rank() != 2 || packs.empty() || packs.size() > 2) return false;
  if (!type.shape[0].is_constant() || !type.shape[1].is_constant()) return false;
  const std::int64_t lanes = packs[0].lanes;
  const bool has_lanes = packs[0].axis == 0 && !packs[0].is_ragged && tensor::are_coded_lanes(lanes);
  const bool has_form = packs.size() == 1 ? type.dtype != DType::kBF16 : packs[1].axis == 1 && packs[1].lanes == 2;
  return has_lanes && has_form && type.shape[1].factor() < (std::int64_t{1} << 31) / lanes;
}

std::int64_t coded_bytes(const TensorType& type) {
  const std::int64_t lanes = type.layout.packs[0].lanes;
  const std::int64_t panels = (type.shape[0].factor() + lanes - 1) / lanes;
  const std::int64_t panel = coded_panel_bytes(stored_dtype(type), lanes, type.shape[1].factor());
  return static_cast<std::int64_t>(sizeof(tensor::CodedHeader)) + checked_product(panels, panel);
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
         (is_coded ? ", coded>" : ">");
}

std::string Placement::text() const { return axes.empty() ? "" : "{" + join(axes, placement_text) + "}"; }

std::string TensorType::text() const {
  std::string out(dtype_name(dtype));
  if (!shape.empty()) out += "[" + join(shape, [](const Dim& d) { return d.text(); }) + "]";
  out += layout.text();
  return placement.axes.empty() ? out : out + " " + placement.text();
}

bool is_row_major_in_memory(const TensorType& type) {
  const auto& packs = type.layout.packs;
  if (type.layout.is_coded) return false;
  if (packs.empty()) return true;
  if (packs.size() > 1 || packs[0].axis != type.rank() - 1) return false;
  return packs[0].is_ragged || type.shape.back().multiple() % packs[0].lanes == 0;
}

DType stored_dtype(const TensorType& type) {
  if (!type.layout.is_coded) return type.dtype;
  return type.layout.packs.size() == 2 ? DType::kBF16 : DType::kF16;
}

int stored_bits(const TensorType& type) {
  if (!type.layout.is_coded) return static_cast<int>(dtype_size(type.dtype)) * 8;
  return stored_dtype(type) == DType::kBF16 ? tensor::kCodedBits<tensor::bf16> : tensor::kCodedBits<tensor::f16>;
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
  if (type.layout.is_coded) return coded_bytes(type);
  std::int64_t bytes = dtype_size(type.dtype);
  for (const std::int64_t size : max_physical_shape(type)) bytes = checked_product(bytes, size);
  return bytes;
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
  if (type.layout.is_coded && !can_be_coded(type)) {
    throw usage_error(who + ": the layout " + type.layout.text() + " is none of " + type.text(),
                      "code a matrix of constant sizes, in lanes of axis 0 and pairs of axis 1 as bf16 "
                      "(<16@0, 2@1, coded>) or in lanes alone as f16 (<16@0, coded>)");
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

}  // namespace strata::ir
