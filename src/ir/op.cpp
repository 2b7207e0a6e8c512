// SPDX-License-Identifier: Apache-2.0
#include "ir/op.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace strata::ir {
namespace {

using Registry = std::map<std::string, std::unique_ptr<Op>, std::less<>>;

Registry& registry() {
  static Registry ops;
  return ops;
}

template <class T>
const T& typed_attribute(const Op& op, const Attributes& attributes, const std::string& name, const char* kind) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) {
    throw usage_error(op.name() + ": the attribute " + name + " is missing", std::string("give it as ") + kind);
  }
  const T* const value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw usage_error(op.name() + ": the attribute " + name + " has the wrong type", std::string("give ") + kind);
  }
  return *value;
}

}  // namespace

TensorType Op::infer(std::span<const TensorType> operands, const Attributes& attributes) const {
  TensorType result = infer_unplaced(operands, attributes);
  result.placement = {};
  const bool is_placed = std::ranges::any_of(operands, [](const TensorType& type) { return !type.placement.empty(); });
  if (is_placed) result.placement = implied_placement(*this, operands, sbp_signatures(operands, attributes, result));
  return result;
}

std::vector<SbpSignature> Op::sbp_signatures(std::span<const TensorType> operands, const Attributes& attributes,
                                             const TensorType& result) const {
  const std::shared_ptr<const LoopNest> nest = loops(operands, attributes);
  return nest ? loop_signatures(*nest, operands, result) : std::vector<SbpSignature>{};
}

std::int64_t int_attribute(const Op& op, const Attributes& attributes, const std::string& name) {
  return typed_attribute<std::int64_t>(op, attributes, name, "an integer");
}

double float_attribute(const Op& op, const Attributes& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  if (found != attributes.end() && std::holds_alternative<std::int64_t>(found->second)) {
    return static_cast<double>(std::get<std::int64_t>(found->second));
  }
  return typed_attribute<double>(op, attributes, name, "a number");
}

std::optional<DType> dtype_attribute(const Attributes& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return std::nullopt;
  if (const DType* const dtype = std::get_if<DType>(&found->second)) return *dtype;
  throw usage_error("the attribute " + name + " is no dtype", "give one of f32 f16 bf16 i8 i32 i64 u8 bool");
}

const std::vector<std::int64_t>& ints_attribute(const Op& op, const Attributes& attributes, const std::string& name) {
  return typed_attribute<std::vector<std::int64_t>>(op, attributes, name, "a list of integers such as [0, 1]");
}

const Layout& layout_attribute(const Op& op, const Attributes& attributes, const std::string& name) {
  return typed_attribute<Layout>(op, attributes, name, "a layout such as <16@0>");
}

void check_attribute_names(const Op& op, const Attributes& attributes, std::span<const std::string> known) {
  for (const auto& [name, value] : attributes) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string list;
    for (const std::string& item : known) list += (list.empty() ? "" : ", ") + item;
    throw usage_error(op.name() + " has no attribute " + name, list.empty() ? "remove it" : "it knows " + list);
  }
}

const Op* find_op(std::string_view name) {
  const auto found = registry().find(name);
  return found == registry().end() ? nullptr : found->second.get();
}

const Op& get_op(std::string_view name) {
  const Op* const op = find_op(name);
  STRATA_CHECK(op != nullptr, "there is no op " + std::string(name) + "; has ops::register_all() run?");
  return *op;
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops;
  for (const auto& [name, op] : registry()) ops.push_back(op.get());
  return ops;
}

void register_op(std::unique_ptr<Op> op) {
  const std::string name = op->name();
  STRATA_CHECK(registry().emplace(name, std::move(op)).second, "the op " + name + " is registered twice");
}

}  // namespace strata::ir
