// SPDX-License-Identifier: Apache-2.0
#include "compile/memory_use.h"

#include <gtest/gtest.h>

#include <limits>

namespace strata::compile {
namespace {

using Kind = package::Parameter::Kind;

package::Manifest example() {
  package::Manifest manifest;
  manifest.weight_bytes = 1000;
  manifest.max_context = 200;
  manifest.symbol_ranges["ctx"] = {64, 256, 64};
  const package::Parameter keys{"k_cache.0", Kind::kState, DType::kBF16, {{2, ""}, {1, "ctx"}, {8, ""}}, ""};
  const package::Parameter values{"v_cache.0", Kind::kState, DType::kF32, {{1, "ctx"}}, ""};
  const package::Parameter tokens{"tokens", Kind::kInput, DType::kI32, {{1, "seq"}}, ""};
  manifest.entries = {{"forward", "f1", {}, {tokens, keys, values}, 512, 500, 64},
                      {"forward", "f2", {}, {tokens, keys, values}, 2048, 2048, 128},
                      {"head", "h", {}, {}, 128, 128, 32}};
  return manifest;
}

TEST(MemoryUse, HasTheCachesOfAllSequencesAndTheLargestEntrysArena) {
  const MemoryUse use = memory_use(example(), {.prompt = 60, .generate = 10, .batch = 3}, 4);
  EXPECT_EQ(use.weights, 1000);
  EXPECT_EQ(use.caches, 3 * 128 * (2 * 8 * 2 + 4));
  EXPECT_EQ(use.arena, 2048);
  EXPECT_EQ(use.scratch, 4 * 128);
  EXPECT_EQ(use.total(), 1000 + 3 * 128 * 36 + 2048 + 512);
}

TEST(MemoryUse, NoCacheIsLongerThanTheModelsContext) {
  const MemoryUse use = memory_use(example(), {.prompt = 5000, .generate = 10, .batch = 1}, 1);
  EXPECT_EQ(use.caches, 256 * 36);
}

TEST(MemoryUse, TheLargestSizesSaturate) {
  package::Manifest manifest = example();
  manifest.entries[0].parameters[1].extents[0].factor = manifest.entries[1].parameters[1].extents[0].factor =
      std::int64_t{1} << 55;
  const MemoryUse use = memory_use(manifest, {.prompt = 1, .generate = 1, .batch = 1 << 24}, 1);
  EXPECT_EQ(use.caches, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(use.total(), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace strata::compile
