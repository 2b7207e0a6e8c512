// SPDX-License-Identifier: Apache-2.0
#include "rules/conditions.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "ir/interpreter.h"

namespace strata::rules {
namespace {

using Ints = std::vector<std::int64_t>;

const Ints& permutation(const Matched& m, const std::string& payload) {
  return std::get<Ints>(m.attributes(payload).at("perm"));
}

struct Range {
  std::int64_t axis;
  std::int64_t begin;
  std::int64_t end;
};

Range range(const Matched& m, const std::string& slice) {
  return {m.integer(slice, "axis"), m.integer(slice, "begin"), m.integer(slice, "end")};
}

ir::Attributes slice_attributes(const Range& range) {
  return {{"axis", range.axis}, {"begin", range.begin}, {"end", range.end}};
}

// The value that a tensor of this type holds.
double stored(DType dtype, double value) {
  return dtype == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : ir::round_to(dtype, value);
}

bool holds_exactly(DType wide, DType narrow) {
  if (wide == narrow) return true;
  const bool is_small = narrow == DType::kI8 || narrow == DType::kU8;
  switch (wide) {
    case DType::kF32:
      return is_small || narrow == DType::kF16 || narrow == DType::kBF16;
    case DType::kI32:
      return is_small;
    case DType::kI64:
      return is_small || narrow == DType::kI32;
    default:
      return false;
  }
}

}  // namespace

Condition all(std::vector<Condition> conditions) {
  return [conditions = std::move(conditions)](Matched& m) {
    return std::ranges::all_of(conditions, [&](const Condition& condition) { return condition(m); });
  };
}

Condition is_constant(std::string x) {
  return [x](Matched& m) { return m.facts(x).is_constant; };
}

Condition is_f32(std::string x) {
  return [x](Matched& m) { return m.type(x).dtype == DType::kF32; };
}

Condition is_float(std::string x) {
  return [x](Matched& m) { return is_floating(m.type(x).dtype); };
}

Condition has_rank(std::string x, int rank) {
  return [x, rank](Matched& m) { return m.type(x).rank() == rank; };
}

Condition same_shape(std::string x, std::string y) {
  return [x, y](Matched& m) { return m.type(x).shape == m.type(y).shape; };
}

Condition has_value(std::string x, double value) {
  return [x, value](Matched& m) { return m.facts(x).scalar == value; };
}

Condition is_moderate(std::string x) {
  return [x](Matched& m) {
    const auto& scalar = m.facts(x).scalar;
    return scalar && std::abs(*scalar) >= 0x1p-32 && std::abs(*scalar) <= 0x1p32;
  };
}

Condition is_made_by(std::string x, std::string op) {
  return [x, op](Matched& m) { return m.tensors().is_made_by(m.class_of(x), op); };
}

Condition negated(Condition condition) {
  return [condition = std::move(condition)](Matched& m) { return !condition(m); };
}

Condition is_identity(std::string perm) {
  return [perm](Matched& m) { return std::ranges::is_sorted(permutation(m, perm)); };
}

Condition is_axis_swap(std::string perm) {
  return [perm](Matched& m) {
    Ints axes = permutation(m, perm);
    if (axes.size() < 2) return false;
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    return std::ranges::is_sorted(axes);
  };
}

Condition same_axis(std::string p, std::string q) {
  return [p, q](Matched& m) { return m.integer(p, "axis") == m.integer(q, "axis"); };
}

Condition different_axes(std::string p, std::string q) { return negated(same_axis(std::move(p), std::move(q))); }

Condition on_last_axis(std::string p, std::string x) {
  return [p, x](Matched& m) { return m.integer(p, "axis") == m.type(x).rank() - 1; };
}

Condition is_broadcast_along(std::string p, std::string x, std::string y) {
  return [p, x, y](Matched& m) { return m.integer(p, "axis") < m.type(x).rank() - m.type(y).rank(); };
}

Condition is_exact_cast(std::string cast, std::string from) {
  return [cast, from](Matched& m) {
    return holds_exactly(std::get<DType>(m.attributes(cast).at("dtype")), m.type(from).dtype);
  };
}

Condition let(std::string payload, Compute make) {
  return [payload, make = std::move(make)](Matched& m) {
    const auto attributes = make(m);
    if (attributes) m.bind_payload(payload, *attributes);
    return attributes.has_value();
  };
}

Compute composed_permutation(std::string outer, std::string inner) {
  return [outer, inner](const Matched& m) {
    Ints axes;
    for (const std::int64_t axis : permutation(m, outer)) axes.push_back(permutation(m, inner)[axis]);
    return ir::Attributes{{"perm", axes}};
  };
}

Compute last_two_swapped(std::string x) {
  return [x](const Matched& m) -> std::optional<ir::Attributes> {
    const std::int64_t rank = m.type(x).rank();
    if (rank < 2) return std::nullopt;
    Ints axes;
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    std::swap(axes[rank - 1], axes[rank - 2]);
    return ir::Attributes{{"perm", axes}};
  };
}

Compute composed_slice(std::string outer, std::string inner) {
  return [outer, inner](const Matched& m) -> std::optional<ir::Attributes> {
    const Range a = range(m, outer);
    const Range b = range(m, inner);
    if (a.axis != b.axis) return std::nullopt;
    return slice_attributes({a.axis, b.begin + a.begin, b.begin + a.end});
  };
}

Compute slice_of_left_part(std::string slice, std::string a) {
  return [slice, a](const Matched& m) -> std::optional<ir::Attributes> {
    const Range part = range(m, slice);
    const ir::Dim& size = m.type(a).shape[part.axis];
    if (part.end > size.min()) return std::nullopt;
    return slice_attributes(part);
  };
}

Compute slice_of_right_part(std::string slice, std::string a) {
  return [slice, a](const Matched& m) -> std::optional<ir::Attributes> {
    const Range part = range(m, slice);
    const ir::Dim& size = m.type(a).shape[part.axis];
    if (!size.is_constant() || part.begin < size.factor()) return std::nullopt;
    return slice_attributes({part.axis, part.begin - size.factor(), part.end - size.factor()});
  };
}

Compute joined_slice(std::string first, std::string second) {
  return [first, second](const Matched& m) -> std::optional<ir::Attributes> {
    const Range a = range(m, first);
    const Range b = range(m, second);
    if (a.axis != b.axis || a.end != b.begin) return std::nullopt;
    return slice_attributes({a.axis, a.begin, b.end});
  };
}

Compute aligned_slice(std::string slice, std::string x, std::string y) {
  return [slice, x, y](const Matched& m) -> std::optional<ir::Attributes> {
    const Range part = range(m, slice);
    const std::int64_t axis = part.axis - (m.type(x).rank() - m.type(y).rank());
    if (m.type(x).rank() < m.type(y).rank() || axis < 0 || m.type(x).shape[part.axis] != m.type(y).shape[axis])
      return std::nullopt;
    return slice_attributes({axis, part.begin, part.end});
  };
}

Compute slice_of(std::string slice, std::int64_t axis) {
  return [slice, axis](const Matched& m) {
    const Range part = range(m, slice);
    return slice_attributes({axis, part.begin, part.end});
  };
}

Compute column_shape(std::string v) {
  return [v](const Matched& m) -> std::optional<ir::Attributes> {
    if (m.type(v).rank() != 1 || !m.type(v).shape[0].is_constant()) return std::nullopt;
    return ir::Attributes{{"shape", Ints{m.type(v).shape[0].factor(), 1}}};
  };
}

Compute in_blocks_of(std::string x, std::string y) {
  return [x, y](const Matched& m) -> std::optional<ir::Attributes> {
    const ir::TensorType& type = m.type(x);
    const ir::TensorType& of = m.type(y);
    const bool are_constant = std::ranges::all_of(type.shape | std::views::drop(1), &ir::Dim::is_constant);
    const bool are_rows = type.rank() == 2 || type.rank() == 3;
    if (!are_rows || !are_constant || of.rank() != 2 || !of.shape[1].is_constant()) return std::nullopt;
    const std::int64_t depth = type.shape.back().factor(), blocks = of.shape[1].factor();
    if (depth % blocks != 0) return std::nullopt;
    std::vector<std::int64_t> shape = {-1};
    if (type.rank() == 3) shape.push_back(type.shape[1].factor());
    shape.insert(shape.end(), {blocks, depth / blocks});
    return ir::Attributes{{"shape", std::move(shape)}};
  };
}

Compute matrices_of(std::string shape, std::string x) {
  return [shape, x](const Matched& m) -> std::optional<ir::Attributes> {
    const auto& sizes = std::get<std::vector<std::int64_t>>(m.attributes(shape).at("shape"));
    if (sizes.size() != 3 || sizes[0] < 1 || !(m.type(x).shape.back() == ir::Dim(sizes[2]))) return std::nullopt;
    return ir::Attributes{{"matrices", sizes[0]}};
  };
}

Compute on_axis(std::int64_t axis) {
  return [axis](const Matched&) { return ir::Attributes{{"axis", axis}}; };
}

Condition let_scalar(std::string x, std::string like, ComputeScalar make) {
  return [x, like, make = std::move(make)](Matched& m) {
    const auto value = make(m);
    if (value) m.bind(x, m.tensors().scalar(*value, m.type(like).dtype));
    return value.has_value();
  };
}

ComputeScalar exact_reciprocal(std::string x) {
  return [x](const Matched& m) -> std::optional<double> {
    const auto& scalar = m.facts(x).scalar;
    if (!scalar || !is_floating(m.type(x).dtype)) return std::nullopt;
    int exponent = 0;
    const bool is_power_of_two = std::abs(std::frexp(*scalar, &exponent)) == 0.5;
    // Both are normal numbers of every floating type.
    if (!is_power_of_two || exponent < -12 || exponent > 14) return std::nullopt;
    return 1 / *scalar;
  };
}

ComputeScalar folded(std::string op, std::vector<std::string> operands) {
  return [op, operands](const Matched& m) -> std::optional<double> {
    std::vector<ir::Value> values;
    for (const std::string& operand : operands) {
      const auto& scalar = m.facts(operand).scalar;
      if (!scalar) return std::nullopt;
      values.push_back({m.type(operand), {stored(m.type(operand).dtype, *scalar)}});
    }
    const ir::TensorType& type = values[0].type;
    const double value = stored(type.dtype, ir::get_op(op).evaluate(values, {}, type)[0]);
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
  };
}

}  // namespace strata::rules
