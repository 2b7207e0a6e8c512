// SPDX-License-Identifier: Apache-2.0
#include "cost/collective.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace strata::cost {
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

// Of an all-reduce in two halves, and in messages of all bytes.
CollectiveCost halved_reduce(const machine::MeshAxis& axis, double bytes) {
  const CollectiveCost half = gather(axis, bytes);
  return {2 * half.seconds, 2 * half.bytes};
}
CollectiveCost whole_reduce(const machine::MeshAxis& axis, double bytes) {
  const auto n = static_cast<unsigned>(axis.extent);
  return repeated(axis, bytes, std::has_single_bit(n) ? std::bit_width(n) - 1 : axis.extent - 1);
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
    case CollectiveKind::kAllReduce:
      return faster(halved_reduce(axis, bytes), whole_reduce(axis, bytes));
    case CollectiveKind::kAllToAll:
      return faster(repeated(axis, bytes / axis.extent, axis.extent - 1), repeated(axis, bytes / 2, rounds(axis)));
    case CollectiveKind::kSlice:
      return {};
  }
  return {};
}

const machine::MeshAxis* device_axis(const machine::Machine& machine, std::int64_t number) {
  for (const machine::MeshAxis& axis : machine.machines) {
    if (axis.extent > 1 && number-- == 0) return axis.link ? &axis : nullptr;
  }
  return nullptr;
}

std::int64_t whole_reduce_bytes(const machine::MeshAxis& axis) {
  const auto is_whole = [&](std::int64_t bytes) {
    const auto size = static_cast<double>(bytes);
    return whole_reduce(axis, size).seconds < halved_reduce(axis, size).seconds;
  };
  constexpr int kMostBits = 48;
  int bits = 2;
  while (bits < kMostBits && is_whole(std::int64_t{1} << (bits + 1))) ++bits;
  std::int64_t most = std::int64_t{1} << bits;
  for (std::int64_t step = most / 2; step > 0; step /= 2) {
    if (is_whole(most + step)) most += step;
  }
  return is_whole(most) ? most : 0;
}

}  // namespace strata::cost
