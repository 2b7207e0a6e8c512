// SPDX-License-Identifier: Apache-2.0
#include "import/own_blocks.h"

#include <gtest/gtest.h>

#include <string>

#include "import/block_parts.h"
#include "import/decoder.h"
#include "ir/text.h"
#include "ops/register.h"
#include "tests/import/checkpoint_files.h"

namespace strata::importer {
namespace {

constexpr const char* kOwnQuery = "model.layers.0.self_attn.q_proj.weight";
constexpr const char* kTable = "model.embed_tokens.weight";

std::string leaves(const OwnBlocks& blocks, const std::string& name) {
  std::string text;
  for (const WeightLeaf& leaf : block_leaves("w", blocks.at(name))) {
    text += (text.empty() ? "" : ", ") + leaf.name + " " + leaf.type.text();
  }
  return text;
}

TEST(OwnBlocks, MatricesAreQuantised) {
  const strata::fixtures::CheckpointFolder folder;
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const OwnBlocks q8 = own_blocks(checkpoint, "q8"), q4 = own_blocks(checkpoint, "q4");
  EXPECT_EQ(q8.size(), 1U + 2 * 7) << "no vectors";
  EXPECT_EQ(q4.size(), q8.size());
  EXPECT_EQ(leaves(q8, kOwnQuery), "w.codes i8[64, 64], w.scales f16[64, 1]");
  EXPECT_EQ(leaves(q4, kOwnQuery), "w.codes i8[64, 64], w.scales f16[64, 1], w.scale_codes i8[64, 2]");
  EXPECT_EQ(leaves(q4, kTable), leaves(q8, kTable)) << "the table has eight bits";
  EXPECT_TRUE(q4.at(kOwnQuery).bytes.empty());
  for (const char* dtype : {"keep", "f16", "f32"}) EXPECT_TRUE(own_blocks(checkpoint, dtype).empty()) << dtype;
}

TEST(OwnBlocks, TheDecoderIsMadeOfThem) {
  ops::register_all();
  const strata::fixtures::CheckpointFolder folder;
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  DecoderOptions options;
  options.dtype = "q4";
  const Decoder decoder = import_decoder(checkpoint, options);
  EXPECT_EQ(decoder.blocks.size(), 15U);
  const std::string text = ir::to_text(decoder.module);
  for (const char* part : {".codes", ".scales", ".scale_codes", "scale_blocks"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_NE(text.find("k_cache.1: f16"), std::string::npos) << "caches have 16 bits";
}

}  // namespace
}  // namespace strata::importer
