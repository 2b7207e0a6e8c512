// SPDX-License-Identifier: Apache-2.0
#include "tensor/probe.h"

#include <array>
#include <numeric>

#include "reference.h"

namespace strata::tensor {
namespace {

TEST(Probe, ReadAddsEveryWordAsOftenAsAsked) {
  for_each_width([](auto lanes) {
    constexpr int kLanes = decltype(lanes)::count;
    constexpr int kBlock = probe::kStreams * kLanes;
    std::vector<std::uint32_t> words(3 * kBlock);
    std::iota(words.begin(), words.end(), 0x7ffffff0u);
    const std::uint32_t once = std::accumulate(words.begin(), words.end(), 0u);
    EXPECT_EQ(probe::read<kLanes>(words.data(), 3 * kBlock, 1), once) << kLanes;
    EXPECT_EQ(probe::read<kLanes>(words.data(), 3 * kBlock, 5), 5 * once) << kLanes;
    EXPECT_EQ(probe::read<kLanes>(words.data(), 2 * kBlock, 1),
              std::accumulate(words.begin(), words.begin() + 2 * kBlock, 0u));
  });
}

TEST(Probe, WriteSetsTheWordsAskedForAndNoOthers) {
  for_each_width([](auto lanes) {
    constexpr int kLanes = decltype(lanes)::count;
    constexpr int kBlock = probe::kStreams * kLanes;
    std::vector<std::uint32_t> words(3 * kBlock, 1);
    probe::write<kLanes>(words.data() + kBlock, kBlock, 2, 0xdeadbeef);
    for (int i = 0; i < 3 * kBlock; ++i) EXPECT_EQ(words[i], i / kBlock == 1 ? 0xdeadbeef : 1u) << kLanes << " " << i;
  });
}

TEST(Probe, ChaseFollowsTheChain) {
  std::array<const void*, 5> chain{};
  for (std::size_t i = 0; i < chain.size(); ++i) chain[i] = &chain[(i + 2) % chain.size()];
  EXPECT_EQ(probe::chase(chain.data(), 0), chain.data());
  EXPECT_EQ(probe::chase(chain.data(), 4), &chain[3]);
}

TEST(Probe, MultiplyAddAdvancesEveryChain) {
  for_each_width([](auto lanes) {
    constexpr int kLanes = decltype(lanes)::count;
    std::vector<float> state(6 * kLanes);
    std::iota(state.begin(), state.end(), -7.0f);
    probe::multiply_add<6, kLanes>(state.data(), 4, 2.0f, 1.0f);
    // x -> 2 x + 1 four times: 16 x + 15.
    for (int i = 0; i < 6 * kLanes; ++i) EXPECT_EQ(state[i], 16.0f * static_cast<float>(i - 7) + 15) << kLanes;
  });
}

TEST(Probe, Bf16PairsAddsBothProducts) {
  for_each_width([](auto lanes) {
    constexpr int kLanes = decltype(lanes)::count;
    std::vector<float> state(4 * kLanes);
    std::iota(state.begin(), state.end(), 1.0f);
    const std::uint32_t a = 0x40003f80;  // 1, 2
    const std::uint32_t b = 0xc0a04040;  // 3, -5
    probe::bf16_pairs<4, kLanes>(state.data(), 3, a, b);
    for (int i = 0; i < 4 * kLanes; ++i) EXPECT_EQ(state[i], static_cast<float>(i + 1 + 3 * (3 - 10))) << kLanes;
  });
}

TEST(Probe, I8QuadsAddsAllFourProducts) {
  for_each_width([](auto lanes) {
    constexpr int kLanes = decltype(lanes)::count;
    std::vector<std::int32_t> state(5 * kLanes);
    std::iota(state.begin(), state.end(), -7);
    const std::int32_t a = 0x7f020100;                      // 0, 1, 2, 127
    const auto b = static_cast<std::int32_t>(0x80fd057fu);  // 127, 5, -3, -128
    probe::i8_quads<5, kLanes>(state.data(), 3, a, b);
    for (int i = 0; i < 5 * kLanes; ++i) EXPECT_EQ(state[i], i - 7 + 3 * (5 - 6 - 127 * 128)) << kLanes;
  });
}

TEST(Probe, SmallOpsGoToAndFro) {
  std::vector<float> x(16, 1.0f), y(16, -1.0f);
  probe::small_ops<8>(Team{}, x.data(), y.data(), 16, 5);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(y[i], 6.0f);
    EXPECT_EQ(x[i], 5.0f);
  }
}

}  // namespace
}  // namespace strata::tensor
