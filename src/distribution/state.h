// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cost/traffic.h"
#include "distribution/mesh.h"
#include "ir/type.h"

namespace strata::distribution {

// What the devices have of a value, by axis of the mesh. The program is that of one sequence; of several ones, which
// have nothing to do with one another, a value exists for each, so that it has one more axis: kSequences.
using State = std::vector<ir::Sbp>;

inline constexpr int kSequences = -1;

State whole(const Mesh& mesh);

// "{node: S(1), gpu: P}", "{node: S(sequences)}", "B" where every device has all.
std::string text_of(const State& state, const Mesh& mesh);

// The same as the type's placement says it, without sequences.
std::string text_of(const ir::Sbp& sbp);

// Steps of one kind: so many rows of each of so many sequences.
struct Phase {
  std::string name;  // "decode"
  double runs = 1;   // in the workload
  std::int64_t sequences = 1;
  cost::Sizes sizes = {};       // of symbols: what a step has, or sees
  cost::Sizes room = {};        // of symbols that have more room than a step sees: that is what is divided
  cost::Sizes last_sizes = {};  // of symbols, behind the function where only the last row is wanted
  // What code is made for: axes of constant size are divided alone, into equal parts.
  bool equal_parts = false;
};

// A value as it is in a step of a phase, before it is divided.
struct Extents {
  ir::TensorType type;             // constant sizes
  std::vector<std::int64_t> room;  // of its axes, at least the type's size
  std::int64_t sequences = 1;      // that it exists for; of a constant 1
  bool is_constant = false;
  std::vector<std::int64_t> granules = {};  // of its axes; empty: 1 each
  bool equal_parts = false;                 // as Phase's
  std::vector<bool> is_fixed = {};          // by axis: of constant size
};

Extents extents_of(const ir::TensorType& type, bool is_constant, const Phase& phase, bool is_last);

// Into how many parts the mesh divides an axis.
std::int64_t parts_of(const State& state, int axis, const Mesh& mesh);

// What an axis is divided into by so many parts: granules if there are enough, else elements.
std::int64_t units_of(const Extents& extents, int axis, std::int64_t parts);

// What the device with the most of it has. Where parts don't divide the units without rest, the last ones are smaller.
struct Share {
  ir::TensorType type;  // what a step touches
  std::int64_t sequences = 1;
  double bytes = 0;  // of all sequences
};
Share share_of(const Extents& extents, const State& state, const Mesh& mesh);

// Bytes that are kept for it, its room included.
double room_bytes(const Extents& extents, const State& state, const Mesh& mesh);

// Whether no axis has more parts than elements, or unequal parts where these must be equal, nor a constant parts by
// sequence. Of several sequences there may be more parts than there are: some devices have none.
bool is_possible(const Extents& extents, const State& state, const Mesh& mesh);

// The type of what one device has of a value whose divided axes have equal parts.
ir::TensorType local_type(const ir::TensorType& type, const State& state, const Mesh& mesh);

}  // namespace strata::distribution
