// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "import/model_config.h"

namespace strata::importer {

// A tensor that a model with this configuration must have.
struct TensorSpec {
  std::string_view role;  // "q_proj.weight"
  std::int64_t layer;     // -1: not part of a layer
  std::string name;       // "model.layers.3.self_attn.q_proj.weight"
  std::vector<std::int64_t> shape;
  std::int64_t experts = 1;      // whose matrices it is, one after another by rows
  bool chooses_experts = false;  // its products say which experts a token has
};

// All of them: the embedding, the layers in order, the final norm, the head unless it is tied.
// Roles: embed_tokens.weight, norm.weight, lm_head.weight; per layer, by the names of Llama's modules, the norms before
// attention and MLP, {input,post_attention}_layernorm.weight, those behind, {attention,mlp}_output_norm.weight,
// {q,k,v,o}_proj.{weight,bias}, {q,k}_norm.weight, {gate,up,down}_proj.{weight,bias}, or where there are experts
// router.weight and experts.{gate,up,down}_proj.weight.
std::vector<TensorSpec> tensor_specs(const ModelConfig& config);

// The roles of a layer, in the order of tensor_specs().
std::vector<std::string_view> layer_roles(const ModelConfig& config, std::int64_t layer);

// The name of a role's tensor; the role must be one of this configuration's.
std::string tensor_name(const ModelConfig& config, std::string_view role, std::int64_t layer = -1);

// A tensor as files have it: one of the model's, or several, one after another by rows.
struct StoredTensor {
  std::string role;  // "qkv_proj.weight"
  std::int64_t layer;
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<TensorSpec> parts;

  // Of experts: how many there are, each with a tensor of its own in folders.
  std::int64_t experts() const { return parts.front().experts; }
};

// The name that a folder has for the matrix of one expert of such a tensor.
std::string expert_name(const TensorSpec& spec, std::int64_t expert);

// The tensors of tensor_specs(), those together that the family's files have in one.
std::vector<StoredTensor> stored_tensors(const ModelConfig& config);

}  // namespace strata::importer
