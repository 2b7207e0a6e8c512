// SPDX-License-Identifier: Apache-2.0
#include "distribution/reshard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace strata::distribution {
namespace {

using ir::Sbp;

const Sbp kWhole, kRows = Sbp::split(0), kColumns = Sbp::split(1), kSum = Sbp::partial(ir::Combiner::kSum);

machine::MeshAxis axis(const std::string& name, int extent, double latency_s, double bytes_per_s) {
  return {name, extent, machine::Link{{{0, latency_s}}, bytes_per_s}};
}

Extents matrix(std::int64_t rows, std::int64_t columns) {
  return {{DType::kF32, {rows, columns}}, {rows, columns}, 1, false};
}

Reshards reshards(const Extents& extents, const Mesh& mesh) { return {extents, mesh, {ir::Combiner::kSum}, 1, 0}; }

TEST(Collectives, CostWhatTheirAlgorithmsSend) {
  const machine::MeshAxis eight = axis("gpu", 8, 1e-6, 1e9);
  const double bytes = 8e6;
  const CollectiveCost gather = collective_cost(CollectiveKind::kAllGather, eight, bytes);
  EXPECT_DOUBLE_EQ(gather.bytes, 7e6);
  EXPECT_NEAR(gather.seconds, 3e-6 + 7e-3, 1e-12) << "three messages, of one, two and four eighths";
  const CollectiveCost scatter = collective_cost(CollectiveKind::kReduceScatter, eight, bytes);
  EXPECT_DOUBLE_EQ(scatter.seconds, gather.seconds);
  const CollectiveCost reduce = collective_cost(CollectiveKind::kAllReduce, eight, bytes);
  EXPECT_NEAR(reduce.seconds, gather.seconds + scatter.seconds, 1e-12);
  const CollectiveCost small = collective_cost(CollectiveKind::kAllReduce, eight, 8);
  EXPECT_NEAR(small.seconds, 3e-6 + 24e-9, 1e-12) << "three messages of all";
  EXPECT_DOUBLE_EQ(small.bytes, 24);
  const CollectiveCost exchange = collective_cost(CollectiveKind::kAllToAll, eight, bytes);
  EXPECT_NEAR(exchange.seconds, 7e-6 + 7e-3, 1e-12);
  EXPECT_NEAR(collective_cost(CollectiveKind::kAllToAll, eight, 8).seconds, 3e-6 + 12e-9, 1e-12);
  EXPECT_EQ(collective_cost(CollectiveKind::kSlice, eight, bytes).seconds, 0);
}

TEST(Collectives, MessagesHaveTheLatencyOfTheirSize) {
  machine::MeshAxis two = axis("node", 2, 1e-6, 1e9);
  two.link->latency_s[1000] = 5e-6;
  EXPECT_NEAR(collective_cost(CollectiveKind::kAllGather, two, 1998).seconds, 1e-6 + 999e-9, 1e-12);
  EXPECT_NEAR(collective_cost(CollectiveKind::kAllGather, two, 2000).seconds, 5e-6 + 1000e-9, 1e-12);
  EXPECT_NEAR(collective_cost(CollectiveKind::kAllReduce, two, 1998).seconds, 2e-6 + 1998e-9, 1e-12)
      << "two halves rather than all at once, which is a longer message";
}

TEST(Collectives, AnyNumberOfDevices) {
  for (int n = 2; n <= 17; ++n) {
    const machine::MeshAxis ring = axis("node", n, 1e-6, 1e9);
    const CollectiveCost cost = collective_cost(CollectiveKind::kAllGather, ring, n * 1e3);
    EXPECT_NEAR(cost.bytes, (n - 1) * 1e3, 1e-6) << n;
    EXPECT_NEAR(cost.seconds, std::ceil(std::log2(n)) * 1e-6 + (n - 1) * 1e-6, 1e-11) << n;
  }
}

TEST(Reshards, OfOneAxis) {
  const Mesh mesh = {axis("node", 4, 1e-6, 1e9)};
  Reshards ways = reshards(matrix(64, 64), mesh);
  const auto kind = [&](const Sbp& from, const Sbp& to) {
    const auto path = ways.path({from}, {to});
    return path.size() == 1 ? name_of(path[0].kind) : std::to_string(path.size()) + " hops";
  };
  EXPECT_EQ(kind(kSum, kWhole), "all-reduce");
  EXPECT_EQ(kind(kSum, kRows), "reduce-scatter");
  EXPECT_EQ(kind(kRows, kWhole), "all-gather");
  EXPECT_EQ(kind(kRows, kColumns), "all-to-all");
  EXPECT_EQ(kind(kWhole, kColumns), "local slice");
  EXPECT_EQ(kind(kRows, kRows), "0 hops");
  EXPECT_EQ(ways.seconds({kWhole}, {kColumns}), 0);
  EXPECT_EQ(ways.seconds({kRows}, {kSum}), std::numeric_limits<double>::infinity());
}

// Between slow nodes only what a device of each still has to send.
TEST(Reshards, ASumOverTwoAxesIsScatteredInsideFirst) {
  const Mesh mesh = {axis("node", 4, 1e-6, 1e9), axis("gpu", 8, 1e-6, 1e11)};
  Reshards ways = reshards(matrix(1024, 1024), mesh);
  const auto path = ways.path({kSum, kSum}, {kWhole, kWhole});
  ASSERT_EQ(path.size(), 3u);
  EXPECT_EQ(path[0].kind, CollectiveKind::kReduceScatter);
  EXPECT_EQ(path[0].axis, 1);
  EXPECT_EQ(path[1].kind, CollectiveKind::kAllReduce);
  EXPECT_EQ(path[1].axis, 0);
  EXPECT_EQ(path[2].kind, CollectiveKind::kAllGather);
  EXPECT_EQ(path[2].axis, 1);
  double bytes = 0;
  for (const Hop& hop : path) bytes += hop.axis == 0 ? hop.cost.bytes : 0;
  EXPECT_NEAR(bytes, 2 * 0.75 * 4 * 1024 * 1024 / 8, 1);
}

TEST(Reshards, TheOutermostAxisHasTheLargestParts) {
  const Mesh mesh = {axis("node", 2, 1e-6, 1e9), axis("gpu", 2, 1e-6, 1e9)};
  Reshards ways = reshards(matrix(64, 1), mesh);
  const auto path = ways.path({kRows, kRows}, {kWhole, kRows});
  ASSERT_EQ(path.size(), 3u) << "gathered inside, gathered, cut again: a device's half isn't that of its quarter";
  EXPECT_EQ(path[0].axis, 1);
  EXPECT_EQ(path[1].axis, 0);
  EXPECT_EQ(path[2].kind, CollectiveKind::kSlice);
}

// Of random values no way is cheaper than the one that was found, over any state between.
TEST(Reshards, AreClosedOverSeveralHops) {
  const Mesh mesh = {axis("node", 2, 3e-6, 1e9), axis("gpu", 4, 1e-6, 1e10)};
  for (const auto& [rows, columns] : {std::pair(1, 4096), {8, 8}, {512, 512}, {5, 7}}) {
    const Extents extents = matrix(rows, columns);
    Reshards ways = reshards(extents, mesh);
    std::vector<State> states;
    for (const Sbp& node : {kWhole, kRows, kColumns, kSum}) {
      for (const Sbp& gpu : {kWhole, kRows, kColumns, kSum}) {
        if (is_possible(extents, {node, gpu}, mesh)) states.push_back({node, gpu});
      }
    }
    for (const State& a : states) {
      for (const State& b : states) {
        for (const State& c : states) {
          EXPECT_LE(ways.seconds(a, c), ways.seconds(a, b) + ways.seconds(b, c) + 1e-15);
        }
        double sum = 0;
        if (ways.seconds(a, b) == std::numeric_limits<double>::infinity()) continue;
        for (const Hop& hop : ways.path(a, b)) sum += hop.cost.seconds;
        EXPECT_NEAR(sum, ways.seconds(a, b), 1e-15);
      }
    }
  }
}

TEST(Shares, AreOfTheDeviceWithTheMost) {
  const Mesh mesh = {axis("node", 2, 0, 1), axis("gpu", 2, 0, 1)};
  const Extents extents = matrix(10, 7);
  EXPECT_EQ(share_of(extents, {kRows, kColumns}, mesh).bytes, 5 * 4 * 4);
  EXPECT_EQ(share_of(extents, {kRows, kRows}, mesh).bytes, 3 * 7 * 4);
  EXPECT_EQ(share_of(extents, {kSum, kWhole}, mesh).bytes, 10 * 7 * 4);
  EXPECT_FALSE(is_possible(matrix(3, 7), {kRows, kRows}, mesh));
  EXPECT_TRUE(is_possible(matrix(4, 7), {kRows, kRows}, mesh));
}

// What a step sees of a cache is divided as its room is.
TEST(Shares, OfACacheAreThoseOfItsRoom) {
  const Mesh mesh = {axis("node", 4, 0, 1)};
  const Extents cache = {{DType::kBF16, {2, 100, 64}}, {2, 256, 64}, 3, false};
  EXPECT_EQ(share_of(cache, {kWhole}, mesh).bytes, 2 * 100 * 64 * 2 * 3);
  EXPECT_EQ(share_of(cache, {kColumns}, mesh).bytes, 2 * 64 * 64 * 2 * 3);
  EXPECT_EQ(room_bytes(cache, {kColumns}, mesh), 2 * 64 * 64 * 2 * 3);
  EXPECT_EQ(room_bytes(cache, {kWhole}, mesh), 2 * 256 * 64 * 2 * 3);
  EXPECT_TRUE(is_possible(cache, {Sbp::split(kSequences)}, mesh)) << "3 sequences: a device has none";
  EXPECT_FALSE(is_possible(matrix(8, 8), {Sbp::split(kSequences)}, mesh));
}

}  // namespace
}  // namespace strata::distribution
