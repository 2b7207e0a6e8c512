// SPDX-License-Identifier: Apache-2.0
#include "import/families.h"

#include <algorithm>
#include <array>

namespace strata::importer {
namespace {

constexpr Windows kQwenWindows = {.use = WindowUse::kIfAsked, .layers = SlidingLayers::kAfterFull, .size = 4096};

// GGUF files have the two in one too.
constexpr FusedMatrix kGateUp = {"mlp.gate_up_proj", "gate_up_proj", {"gate_proj", "up_proj", ""}};
constexpr std::array kFusedMlp = {kGateUp};
constexpr std::array kFusedAll = {FusedMatrix{"self_attn.qkv_proj", "qkv_proj", {"q_proj", "k_proj", "v_proj"}},
                                  kGateUp};

constexpr std::array kFamilies = {
    Family{.architecture = "Qwen3ForCausalLM",
           .model_type = "qwen3",
           .qk_norm = QkNorm::kHead,
           .attention_bias = AttentionBias::kByConfig,
           .windows = kQwenWindows,
           .defaults = {.head_dim = 128, .max_positions = 32768}},
    Family{.architecture = "Qwen3MoeForCausalLM",
           .model_type = "qwen3_moe",
           .qk_norm = QkNorm::kHead,
           .attention_bias = AttentionBias::kByConfig,
           .windows = {.use = WindowUse::kIfAsked, .size = 4096},
           .experts = {.are_there = true},
           .defaults = {.max_positions = 32768}},
    Family{.architecture = "Qwen2ForCausalLM",
           .model_type = "qwen2",
           .attention_bias = AttentionBias::kAlwaysQkv,
           .windows = kQwenWindows,
           .defaults = {.max_positions = 32768}},
    Family{.architecture = "LlamaForCausalLM",
           .model_type = "llama",
           .attention_bias = AttentionBias::kByConfig,
           .mlp_bias_by_config = true},
    Family{.architecture = "MistralForCausalLM",
           .model_type = "mistral",
           .windows = {.use = WindowUse::kIfGiven, .size = 4096, .by_layer_types = false},
           .defaults = {.max_positions = 131072}},
    Family{.architecture = "MinistralForCausalLM",
           .model_type = "ministral",
           .windows = {.use = WindowUse::kIfGiven, .size = 4096},
           .defaults = {.max_positions = 131072}},
    Family{.architecture = "GraniteForCausalLM",
           .model_type = "granite",
           .attention_bias = AttentionBias::kByConfig,
           .mlp_bias_by_config = true,
           .multipliers = true},
    Family{.architecture = "SmolLM3ForCausalLM",
           .model_type = "smollm3",
           .attention_bias = AttentionBias::kByConfig,
           .mlp_bias_by_config = true,
           .windows = {.use = WindowUse::kIfAsked, .layers = SlidingLayers::kUnrotated},
           .rotates_by_layer = true,
           .defaults = {.max_positions = 32768, .rope_theta = 2e6, .tied_head = true}},
    Family{.architecture = "Olmo2ForCausalLM",
           .model_type = "olmo2",
           .norms = {.before_attention = "",
                     .after_attention = "post_attention_layernorm",
                     .before_mlp = "",
                     .after_mlp = "post_feedforward_layernorm"},
           .qk_norm = QkNorm::kWhole,
           .attention_bias = AttentionBias::kByConfig,
           .defaults = {.rms_eps = 1e-5}},
    Family{.architecture = "Phi3ForCausalLM",
           .model_type = "phi3",
           .windows = {.use = WindowUse::kIfGiven, .by_layer_types = false},
           .partial_rotation = true,
           .fused = kFusedAll,
           .defaults = {.max_positions = 4096, .rms_eps = 1e-5}},
    Family{.architecture = "Glm4ForCausalLM",
           .model_type = "glm4",
           .norms = {.before_attention = "input_layernorm",
                     .after_attention = "post_self_attn_layernorm",
                     .before_mlp = "post_attention_layernorm",
                     .after_mlp = "post_mlp_layernorm"},
           .attention_bias = AttentionBias::kByConfigQkv,
           .partial_rotation = true,
           .interleaved = true,
           .fused = kFusedMlp,
           .defaults = {.head_dim = 128,
                        .max_positions = 131072,
                        .rms_eps = 1.5625e-7,
                        .rotated_part = 0.5,
                        .attention_bias = true}},
    Family{.architecture = "Gemma3ForCausalLM",
           .model_type = "gemma3_text",
           .norms = {.before_attention = "input_layernorm",
                     .after_attention = "post_attention_layernorm",
                     .before_mlp = "pre_feedforward_layernorm",
                     .after_mlp = "post_feedforward_layernorm"},
           .qk_norm = QkNorm::kHead,
           .attention_bias = AttentionBias::kByConfig,
           .windows = {.use = WindowUse::kIfGiven, .layers = SlidingLayers::kAllButEach, .size = 4096},
           .local_rope = true,
           .scales_embedding = true,
           .query_scalar = true,
           .norm_offset = 1,
           .activation_key = "hidden_activation",
           .activation = "gelu_pytorch_tanh",
           .defaults = {.head_dim = 256, .max_positions = 131072, .rope_theta = 1e6, .tied_head = true}},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view architecture) {
  const auto* at = std::ranges::find(kFamilies, architecture, &Family::architecture);
  return at == kFamilies.end() ? nullptr : at;
}

const Family* find_family_of_type(std::string_view model_type) {
  const auto* at = std::ranges::find(kFamilies, model_type, &Family::model_type);
  return at == kFamilies.end() ? nullptr : at;
}

}  // namespace strata::importer
