// SPDX-License-Identifier: Apache-2.0
#include "distribution/state.h"

#include <algorithm>

#include "base/error.h"
#include "cost/work_counter.h"

namespace strata::distribution {
namespace {

std::int64_t divided_up(std::int64_t size, std::int64_t parts) { return (size + parts - 1) / parts; }

// The largest part where the mesh's axes divide one after the other.
std::int64_t largest_part(std::int64_t size, const State& state, int axis, const Mesh& mesh) {
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    if (state[i] == ir::Sbp::split(axis)) size = divided_up(size, mesh[i].extent);
  }
  return size;
}

// Of an axis, or of the sequences.
std::int64_t largest_part(const Extents& extents, const State& state, int axis, const Mesh& mesh) {
  if (axis == kSequences) return largest_part(extents.sequences, state, axis, mesh);
  const std::int64_t size = extents.room[static_cast<std::size_t>(axis)];
  const std::int64_t units = units_of(extents, axis, parts_of(state, axis, mesh));
  return largest_part(units, state, axis, mesh) * (size / units);
}

double bytes_of(const ir::TensorType& type, const std::vector<std::int64_t>& shape) {
  double bytes = ir::stored_bits(type) / 8.0;
  for (const std::int64_t size : shape) bytes *= static_cast<double>(size);
  return bytes;
}

}  // namespace

State whole(const Mesh& mesh) { return State(mesh.size()); }

std::string text_of(const ir::Sbp& sbp) { return sbp == ir::Sbp::split(kSequences) ? "S(sequences)" : sbp.text(); }

std::string text_of(const State& state, const Mesh& mesh) {
  std::string text;
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    if (state[i].is_broadcast()) continue;
    text += (text.empty() ? "{" : ", ") + mesh[i].name + ": " + text_of(state[i]);
  }
  return text.empty() ? "B" : text + "}";
}

Extents extents_of(const ir::TensorType& type, bool is_constant, const Phase& phase, bool is_last) {
  cost::Sizes sizes = phase.sizes;
  if (is_last) {
    for (const auto& [symbol, value] : phase.last_sizes) sizes[symbol] = value;
  }
  Extents extents{cost::sized(type, sizes), {}, is_constant ? 1 : phase.sequences, is_constant};
  extents.equal_parts = phase.equal_parts;
  for (const ir::Dim& dim : type.shape) extents.is_fixed.push_back(dim.is_constant());
  cost::Sizes room = sizes;
  for (const auto& [symbol, value] : phase.room) room[symbol] = std::max(room[symbol], value);
  for (const ir::Dim& dim : cost::sized(type, room).shape) extents.room.push_back(dim.factor());
  return extents;
}

std::int64_t parts_of(const State& state, int axis, const Mesh& mesh) {
  std::int64_t parts = 1;
  for (std::size_t i = 0; i < mesh.size(); ++i) {
    if (state[i] == ir::Sbp::split(axis)) parts *= mesh[i].extent;
  }
  return parts;
}

std::int64_t units_of(const Extents& extents, int axis, std::int64_t parts) {
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t size = extents.room[at], granules = extents.granules.empty() ? size : size / extents.granules[at];
  return parts <= granules ? granules : size;
}

Share share_of(const Extents& extents, const State& state, const Mesh& mesh) {
  Share share{extents.type, largest_part(extents, state, kSequences, mesh), 0};
  std::vector<std::int64_t> shape;
  for (std::size_t axis = 0; axis < extents.room.size(); ++axis) {
    const std::int64_t part = largest_part(extents, state, static_cast<int>(axis), mesh);
    shape.push_back(std::min(part, extents.type.shape[axis].factor()));
    share.type.shape[axis] = shape.back();
  }
  share.bytes = bytes_of(extents.type, shape) * static_cast<double>(share.sequences);
  return share;
}

double room_bytes(const Extents& extents, const State& state, const Mesh& mesh) {
  std::vector<std::int64_t> shape;
  for (std::size_t axis = 0; axis < extents.room.size(); ++axis) {
    shape.push_back(largest_part(extents, state, static_cast<int>(axis), mesh));
  }
  return bytes_of(extents.type, shape) * static_cast<double>(largest_part(extents, state, kSequences, mesh));
}

bool is_possible(const Extents& extents, const State& state, const Mesh& mesh) {
  const auto is_equal = [&](int axis, std::int64_t parts) {
    return extents.is_fixed[static_cast<std::size_t>(axis)] && units_of(extents, axis, parts) % parts == 0;
  };
  const std::int64_t sequences = parts_of(state, kSequences, mesh);
  if (sequences > 1 && (extents.is_constant || extents.sequences == 1)) return false;
  for (std::size_t axis = 0; axis < extents.room.size(); ++axis) {
    const std::int64_t parts = parts_of(state, static_cast<int>(axis), mesh);
    if (parts > extents.room[axis]) return false;
    if (extents.equal_parts && parts > 1 && !is_equal(static_cast<int>(axis), parts)) return false;
  }
  return true;
}

ir::TensorType local_type(const ir::TensorType& type, const State& state, const Mesh& mesh) {
  ir::TensorType local = type;
  for (int axis = 0; axis < type.rank(); ++axis) {
    const std::int64_t parts = parts_of(state, axis, mesh);
    ir::Dim& size = local.shape[static_cast<std::size_t>(axis)];
    if (parts == 1) continue;
    STRATA_CHECK(size.is_constant() && size.factor() % parts == 0, type.text() + " has no equal parts");
    size = size.factor() / parts;
  }
  return local;
}

}  // namespace strata::distribution
