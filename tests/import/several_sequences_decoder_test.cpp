// SPDX-License-Identifier: Apache-2.0
// The decoder of several sequences: caches in pages, and versions for tokens of any of them.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "import/decoder.h"
#include "ir/cache_pages.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/register.h"
#include "tests/import/checkpoint_files.h"

namespace strata::importer {
namespace {

// "tokens i32[seq], ..." without the weights.
std::string parameters(const ir::Module& module, const std::string& function) {
  std::string text;
  for (const ir::Expr* parameter : module.find(function)->parameters) {
    if (parameter->name.ends_with("weight")) continue;
    text += (text.empty() ? "" : ", ") + parameter->name + " " + parameter->type().text();
  }
  return text;
}

TEST(SeveralSequencesDecoder, SharesPagesAndHasVersionsForTokensOfAny) {
  ops::register_all();
  const strata::fixtures::CheckpointFolder folder;
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const Decoder decoder = import_decoder(checkpoint, {.sequences = 4});
  const ir::Module& module = decoder.module;
  ir::verify(module);
  for (const auto& [version, of] : {std::pair{"forward_each", "forward"}, {"layer_each", "layer"}}) {
    ASSERT_NE(module.find(version), nullptr);
    EXPECT_EQ(module.find(version)->origin, of);
  }
  const std::string layer = "x f32[seq, 64], cos f32[seq, 8], sin f32[seq, 8], positions i32[seq], rows i32[seq], ";
  const std::string caches = ", k_cache f32[2, ctx, 16], v_cache f32[2, ctx, 16]";
  EXPECT_EQ(parameters(module, "layer"), layer + "pages i32[pages]" + caches);
  EXPECT_EQ(parameters(module, "layer_each"), layer + "pages i32[seq, pages]" + caches);
  EXPECT_TRUE(parameters(module, "forward_each")
                  .starts_with("tokens i32[seq], positions i32[seq], rows i32[seq], pages_each i32[seq, pages], "));
  EXPECT_EQ(module.find("forward_each_one"), nullptr);
  for (const auto& symbol : module.symbols()) {
    if (symbol->name == "ctx") EXPECT_EQ(symbol->multiple, ir::kPageRows);
    if (symbol->name == "pages") EXPECT_EQ(symbol->max, 2) << "of 512 tokens";
  }
}

TEST(SeveralSequencesDecoder, OfOneSequenceHasNoPages) {
  ops::register_all();
  const strata::fixtures::CheckpointFolder folder;
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  const std::string text = ir::to_text(import_decoder(checkpoint, {}).module);
  EXPECT_EQ(text.find("page"), std::string::npos);
  EXPECT_EQ(text.find("_each"), std::string::npos);
}

}  // namespace
}  // namespace strata::importer
