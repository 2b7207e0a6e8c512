// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "import/gguf_model.h"

namespace strata::importer {

// A family as GGUF files have it.
struct GgufFamily {
  std::string_view architecture;  // "general.architecture"
  std::string_view model_type;    // config.json's
  bool pairs_rows;                // q's and k's rows lie so that the two that are turned together are neighbours
};

// Throws model_error for an architecture that is not supported.
const GgufFamily& gguf_family(const GgufMetadata& metadata);

// What config.json would say: the geometry from the metadata, the features from what tensors there are. Throws
// model_error for what is missing or not supported; ranges are parse_model_config's affair.
std::string gguf_config(const GgufModel& model);

// By how much each pair's frequency is divided (Llama 3's scaling), of the tensor "rope_freqs.weight"; none where there
// is none. Throws model_error where it isn't a positive number for each of `pairs`.
std::vector<float> gguf_rope_divisors(const GgufModel& model, std::int64_t pairs);
inline constexpr std::string_view kGgufRopeDivisors = "rope_freqs.weight";

// Whether a tensor says how fast heads turn: it is part of the configuration.
bool is_gguf_rope(std::string_view name);

// What the values of a weight are multiplied by: the tensor "blk.3.attn_q.scale" of "blk.3.attn_q.weight" says it, as
// NVFP4's do; 1 where there is none. Throws model_error where it isn't one number of F32.
float gguf_weight_scale(const GgufModel& model, std::string_view weight);

// Whether a tensor is such a scale of a weight of the model, or one for its operand, which the weight's values don't
// need.
bool is_gguf_scale(const GgufModel& model, std::string_view name);

// "blk.3.attn_q.weight", of a role's tensor (tensor_specs.h) of layer 3.
std::string gguf_tensor_name(std::string_view role, std::int64_t layer);

}  // namespace strata::importer
