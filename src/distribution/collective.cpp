// SPDX-License-Identifier: Apache-2.0
#include "distribution/collective.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace strata::distribution {
namespace {

class Messages {
 public:
  explicit Messages(const machine::Link& link) : link_(link) {}

  void send(double bytes, int times = 1) {
    cost_.seconds += times * (link_.latency(bytes) + bytes / link_.bytes_per_s);
    cost_.bytes += times * bytes;
  }
  const CollectiveCost& cost() const { return cost_; }

 private:
  const machine::Link& link_;
  CollectiveCost cost_;
};

// Halving and doubling send the same messages in reversed order.
CollectiveCost doubling(const machine::MeshAxis& axis, double bytes) {
  Messages messages(*axis.link);
  for (int have = 1; have < axis.extent; have *= 2) {
    messages.send(bytes * std::min(have, axis.extent - have) / axis.extent);
  }
  return messages.cost();
}

CollectiveCost repeated(const machine::MeshAxis& axis, double bytes, int times) {
  Messages messages(*axis.link);
  messages.send(bytes, times);
  return messages.cost();
}

CollectiveCost faster(const CollectiveCost& a, const CollectiveCost& b) { return b.seconds < a.seconds ? b : a; }

CollectiveCost gather(const machine::MeshAxis& axis, double bytes) {
  return faster(doubling(axis, bytes), repeated(axis, bytes / axis.extent, axis.extent - 1));
}

int rounds(const machine::MeshAxis& axis) { return std::bit_width(static_cast<unsigned>(axis.extent - 1)); }

}  // namespace

std::string name_of(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllGather:
      return "all-gather";
    case CollectiveKind::kReduceScatter:
      return "reduce-scatter";
    case CollectiveKind::kAllReduce:
      return "all-reduce";
    case CollectiveKind::kAllToAll:
      return "all-to-all";
    case CollectiveKind::kSlice:
      return "local slice";
  }
  return "";
}

CollectiveCost collective_cost(CollectiveKind kind, const machine::MeshAxis& axis, double bytes) {
  STRATA_CHECK(axis.link && axis.extent > 1, "a collective needs devices with links");
  switch (kind) {
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
      return gather(axis, bytes);
    case CollectiveKind::kAllReduce: {
      const CollectiveCost half = gather(axis, bytes);
      return faster({2 * half.seconds, 2 * half.bytes}, repeated(axis, bytes, rounds(axis)));
    }
    case CollectiveKind::kAllToAll:
      return faster(repeated(axis, bytes / axis.extent, axis.extent - 1), repeated(axis, bytes / 2, rounds(axis)));
    case CollectiveKind::kSlice:
      return {};
  }
  return {};
}

}  // namespace strata::distribution
