// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "import/model_config.h"

namespace strata::importer {

// Where a family's attention has biases.
enum class AttentionBias {
  kByConfig,   // on q, k, v and o if attention_bias
  kAlwaysQkv,  // on q, k and v; never on o
};

// One row per architecture: what its published code does that the others' doesn't.
struct Family {
  std::string_view architecture;
  std::string_view model_type;
  bool qk_norm;
  AttentionBias attention_bias;
  bool mlp_bias_by_config;     // honours mlp_bias
  std::int64_t head_dim;       // when the config has none; 0: hidden_size / heads
  std::int64_t max_positions;  // when the config has none
  bool sliding_window;         // honours use_sliding_window
};

std::span<const Family> families();
const Family* find_family(std::string_view architecture);

// A tensor that a model with this configuration must have.
struct TensorSpec {
  std::string_view role;  // "q_proj.weight"
  std::int64_t layer;     // -1: not part of a layer
  std::string name;       // "model.layers.3.self_attn.q_proj.weight"
  std::vector<std::int64_t> shape;
};

// All of them: the embedding, the layers in order, the final norm, the head unless it is tied.
// Roles: embed_tokens.weight, norm.weight, lm_head.weight; per layer input_layernorm.weight,
// post_attention_layernorm.weight, {q,k,v,o}_proj.{weight,bias}, {q,k}_norm.weight, {gate,up,down}_proj.{weight,bias}.
std::vector<TensorSpec> tensor_specs(const ModelConfig& config);

// The roles of one layer that this configuration has, in the order of tensor_specs().
std::vector<std::string_view> layer_roles(const ModelConfig& config);

// The name of a role's tensor; the role must be one of this configuration's.
std::string tensor_name(const ModelConfig& config, std::string_view role, std::int64_t layer = -1);

}  // namespace strata::importer
