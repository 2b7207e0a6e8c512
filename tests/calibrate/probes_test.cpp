// SPDX-License-Identifier: Apache-2.0
#include "calibrate/probes.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "machine/native.h"

namespace strata::calibrate {
namespace {

const Probes& native_probes() {
  static const Probes probes(machine::native(""));
  return probes;
}

std::vector<std::uint32_t> blocks(std::size_t count) {
  std::vector<std::uint32_t> words(count * native_probes().block_bytes() / sizeof(std::uint32_t));
  std::iota(words.begin(), words.end(), 0x7ffffff0u);
  return words;
}

TEST(Probes, ReadGivesTheSum) {
  const auto words = blocks(5);
  EXPECT_EQ(native_probes().read(words, 3), 3 * std::accumulate(words.begin(), words.end(), 0u));
}

TEST(Probes, ReadRefusesPartsOfABlock) {
  auto words = blocks(2);
  words.pop_back();
  EXPECT_THROW(native_probes().read(words, 1), std::logic_error);
}

TEST(Probes, WriteSetsTheWords) {
  auto words = blocks(3);
  const std::size_t block = words.size() / 3;
  const auto before = words;
  native_probes().write(std::span(words).subspan(block, block), 2, 7);
  for (std::size_t i = 0; i < words.size(); ++i) EXPECT_EQ(words[i], i / block == 1 ? 7 : before[i]) << i;
}

TEST(Probes, ChaseFollowsTheChain) {
  std::array<const void*, 7> chain{};
  for (std::size_t i = 0; i < chain.size(); ++i) chain[i] = &chain[(i + 3) % chain.size()];
  EXPECT_EQ(native_probes().chase(chain.data(), 8), &chain[24 % 7]);
}

TEST(Probes, StreamWholePanels) {
  const auto candidates = stream_candidates(machine::load("native"));
  const std::vector<std::byte> weights(2 * native_probes().stream_block_bytes());
  for (std::size_t i = 0; i < candidates.size(); ++i) native_probes().stream(i, weights);
  EXPECT_THROW(native_probes().stream(0, std::span(weights).subspan(1)), std::logic_error);
}

TEST(Probes, CountTheVectorsOfAFunction) {
  for (std::size_t i = 0; i < scalar_functions().size(); ++i) {
    EXPECT_GT(native_probes().run_function(i, 1), 0);
    EXPECT_EQ(native_probes().run_function(i, 6), 6 * native_probes().run_function(i, 1)) << scalar_functions()[i];
  }
}

TEST(Probes, CountTheOperationsOfAUnit) {
  const machine::Machine machine = machine::native("");
  for (std::size_t i = 0; i < machine.units.size(); ++i) {
    const machine::Unit& unit = machine.units[i];
    ASSERT_TRUE(native_probes().has_unit(i)) << unit.name;
    const double once = native_probes().run_unit(i, 1);
    EXPECT_EQ(static_cast<int>(once) % (2 * unit.lanes * unit.k), 0) << unit.name;
    EXPECT_EQ(native_probes().run_unit(i, 10), 10 * once) << unit.name;
  }
}

TEST(Probes, AUnitWithoutALoopIsSaidToHaveNone) {
  machine::Machine machine = machine::native("");
  machine.units = {machine.units[0], {"f16-fma", DType::kF16, DType::kF16, 8, 1, 1e9}};
  const Probes probes(machine);
  EXPECT_TRUE(probes.has_unit(0));
  EXPECT_FALSE(probes.has_unit(1));
  EXPECT_THROW(probes.run_unit(1, 1), std::logic_error);
}

}  // namespace
}  // namespace strata::calibrate
