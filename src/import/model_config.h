// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strata::importer {

struct Family;

// Rotary position embedding. The llama3 fields scale the frequencies as Llama 3.1 does.
struct Rope {
  enum class Kind { kDefault, kLlama3 };
  Kind kind = Kind::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 1.0;
  std::int64_t original_max_positions = 0;
  std::vector<float> divisors;  // of each pair's frequency, where the model has such a tensor
};

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
  Rope rope;
  std::vector<std::int64_t> windows;  // by layer: tokens up to its own that a query sees; 0: all
  bool tied_head = false;             // the output head is the embedding table
  bool qkv_bias = false;              // biases of q_proj, k_proj, v_proj
  bool output_bias = false;           // bias of o_proj
  bool mlp_bias = false;              // biases of gate_proj, up_proj, down_proj
  bool qk_norm = false;               // RMSNorm of each head of q and k
  std::string activation;             // "silu"
  std::string torch_dtype;            // as the file says: "bfloat16"; empty when it says nothing
};

// Parses a config.json. Throws model_error naming `origin` for what is malformed, out of range, or not supported; the
// latter by name, with the list of what is.
ModelConfig parse_model_config(std::string_view json, const std::string& origin);

}  // namespace strata::importer
