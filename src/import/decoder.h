// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "import/checkpoint.h"
#include "import/own_blocks.h"
#include "ir/expr.h"

namespace strata::importer {

struct DecoderOptions {
  std::string dtype = "keep";       // of the matrices: keep, f32, f16, bf16, q8, q4
  std::string cache_type = "keep";  // of the caches: keep (as the matrices), f32, f16, bf16
  bool exact_activations = false;   // of quantised matrices the caches are f32, unless their type is chosen
  std::int64_t max_chunk = 512;     // tokens in one forward pass
  std::int64_t sequences = 1;       // more: caches in pages, and versions for rows of several sequences
  bool wanted_rows = true;          // also versions that make only the rows that are asked for (import/wanted_rows.h)
};

// A decoder-only transformer as a module, and the tensors of it that the checkpoint doesn't hold.
//
//   @layer(x, cos, sin, positions, k_cache, v_cache, weights...) -> (x, k_cache, v_cache)    (cos, sin: if it rotates)
//   @forward(tokens i32[seq], positions i32[seq], caches...) -> (hidden f32[seq, hidden], caches...)
//   @head(hidden f32[seq, hidden]) -> logits f32[seq, vocab]
//
// Of several sequences the caches are in pages of ir::kPageRows rows, which these share. Then every forward and layer
// has two more inputs, `rows i32[seq]`, the rows of the caches that the tokens' keys and values go to, and `pages`, the
// numbers of the pages that hold the tokens before: of one sequence i32[pages], or, in versions for tokens of any
// sequences
// (@forward_each, @layer_each), of each token i32[seq, pages].
//
// Layers whose tensors have equal types share one function, so that compiling doesn't get slower with depth. Vectors
// (norm weights, biases) are f32 whatever the matrices are.
struct Decoder {
  ir::Module module;
  std::map<std::string, std::vector<float>> computed;  // "rope.frequencies", "rope.amplitudes": f32[head_dim / 2]
  OwnBlocks blocks;  // matrices that the module has in blocks that are still to be made
};

Decoder import_decoder(const Checkpoint& checkpoint, const DecoderOptions& options);

}  // namespace strata::importer
