// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "import/layer_kinds.h"
#include "import/rope.h"

namespace strata::importer {

struct Family;

// The geometry and the features of a decoder, as config.json tells them. Every figure is within limits that let all
// sizes be computed in int64 without overflow.
struct ModelConfig {
  std::string architecture;  // "Qwen3ForCausalLM"
  std::string model_type;    // "qwen3"
  const Family* family = nullptr;
  std::int64_t hidden_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // divides heads
  std::int64_t head_dim = 0;  // even
  std::int64_t intermediate_size = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;
  double rms_eps = 0;
  std::vector<LayerKind> kinds;  // by layer
  std::vector<Rope> ropes;       // of all layers; where there are two, the second one is that of layers that slide
  double attention_scale = 1;    // of scores
  double embedding_scale = 1;    // of a token's row
  double residual_scale = 1;     // of what attention and the MLP add
  double logits_scale = 1;
  bool tied_head = false;           // the output head is the embedding table
  bool qkv_bias = false;            // biases of q_proj, k_proj, v_proj
  bool output_bias = false;         // bias of o_proj
  bool mlp_bias = false;            // biases of gate_proj, up_proj, down_proj
  bool qk_norm = false;             // RMSNorms of q and k, which span what the family says
  std::int64_t experts = 0;         // of a layer that has any (LayerKind)
  std::int64_t experts_used = 0;    // by each token
  std::int64_t expert_size = 0;     // as intermediate_size
  bool normalises_experts = false;  // the weights of the chosen ones sum to 1
  std::string activation;           // the op: "silu"
  std::string torch_dtype;          // as the file says: "bfloat16"; empty when it says nothing
};

// The rope of a layer; -1: it has none.
int rope_of(const ModelConfig& config, std::int64_t layer);

// Parses a config.json. Throws model_error naming `origin` for what is malformed, out of range, or not supported; the
// latter by name, with the list of what is.
ModelConfig parse_model_config(std::string_view json, const std::string& origin);

}  // namespace strata::importer
