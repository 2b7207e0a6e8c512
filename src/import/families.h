// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace strata::importer {

// Where a family's attention has biases.
enum class AttentionBias {
  kNever,
  kByConfig,     // on q, k, v and o if attention_bias
  kByConfigQkv,  // on q, k and v if attention_bias; never on o
  kAlwaysQkv,    // on q, k and v; never on o
};

// What an RMSNorm of q, and one of k, spans.
enum class QkNorm {
  kNone,
  kHead,   // each head by itself, with weights that all share
  kWhole,  // all heads together
};

// When sliding layers have a window.
enum class WindowUse {
  kNever,
  kIfAsked,  // use_sliding_window
  kIfGiven,  // sliding_window, or its default, isn't null
};

// Which layers slide unless layer_types names them.
enum class SlidingLayers {
  kAfterFull,  // those behind the first max_window_layers
  kAll,
  kUnrotated,   // those without rotary embedding
  kAllButEach,  // but each sliding_window_pattern-th
};

struct Windows {
  WindowUse use = WindowUse::kNever;
  SlidingLayers layers = SlidingLayers::kAll;
  std::int64_t size = 0;       // when the config has none; 0: no window
  bool by_layer_types = true;  // layer_types counts; else it may only say the same
};

// A layer's RMSNorms, by the names of their tensors; empty: there is none there.
struct Norms {
  std::string_view before_attention;
  std::string_view after_attention;  // of its result, before that is added
  std::string_view before_mlp;
  std::string_view after_mlp;
};

// Mixtures of experts, where a family's MLP is one.
struct Experts {
  bool are_there = false;
  bool normalises = false;  // norm_topk_prob where the config doesn't say: the weights of the chosen ones sum to 1
};

// A matrix of the files that is several of the model's, one after another by rows.
struct FusedMatrix {
  std::string_view name;                  // "self_attn.qkv_proj"
  std::string_view role;                  // "qkv_proj"
  std::array<std::string_view, 3> parts;  // "q_proj", ...; empty: no more
};

// What counts where the config doesn't say.
struct FamilyDefaults {
  std::int64_t head_dim = 0;  // 0: hidden_size / heads
  std::int64_t max_positions = 2048;
  double rms_eps = 1e-6;
  double rope_theta = 10000.0;
  double rotated_part = 1.0;
  bool attention_bias = false;
  bool tied_head = false;
};

// One row per architecture: what its published code does that the others' doesn't.
struct Family {
  std::string_view architecture;
  std::string_view model_type;
  Norms norms = {.before_attention = "input_layernorm",
                 .after_attention = "",
                 .before_mlp = "post_attention_layernorm",
                 .after_mlp = ""};
  QkNorm qk_norm = QkNorm::kNone;
  AttentionBias attention_bias = AttentionBias::kNever;
  bool mlp_bias_by_config = false;  // honours mlp_bias
  Windows windows = {};
  bool partial_rotation = false;  // honours partial_rotary_factor
  bool interleaved = false;  // dimensions 2i and 2i + 1 of a head turn together, not i and i + half of the rotated ones
  bool rotates_by_layer = false;  // honours no_rope_layers and no_rope_layer_interval
  bool local_rope = false;        // sliding layers have a RoPE of their own
  bool multipliers = false;       // needs embedding_, attention_ and residual_multiplier, and logits_scaling
  bool scales_embedding = false;  // by sqrt(hidden_size)
  bool query_scalar = false;      // honours query_pre_attn_scalar
  std::span<const FusedMatrix> fused = {};
  Experts experts = {};
  float norm_offset = 0;  // added to the norms' weights as folders have them
  std::string_view activation_key = "hidden_act";
  std::string_view activation = "silu";  // when the config has none
  FamilyDefaults defaults = {};
};

std::span<const Family> families();
// nullptr: there is none.
const Family* find_family(std::string_view architecture);
const Family* find_family_of_type(std::string_view model_type);

}  // namespace strata::importer
