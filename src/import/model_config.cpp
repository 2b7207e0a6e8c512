// SPDX-License-Identifier: Apache-2.0
#include "import/model_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/python_json.h"
#include "base/words.h"
#include "import/families.h"
#include "import/rope_config.h"

namespace strata::importer {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxHidden = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = std::int64_t{1} << 16;
constexpr std::int64_t kMaxHeadDim = std::int64_t{1} << 13;
constexpr std::int64_t kMaxProjection = std::int64_t{1} << 22;  // heads x head_dim
constexpr std::int64_t kMaxIntermediate = std::int64_t{1} << 22;
constexpr std::int64_t kMaxExperts = std::int64_t{1} << 12;
constexpr std::int64_t kMaxVocab = std::int64_t{1} << 26;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 30;

// Every weight's size then fits in an int64 with room to spare.
static_assert(kMaxVocab * kMaxHidden < (std::int64_t{1} << 50));

[[noreturn]] void unsupported(const std::string& what, const std::string& origin, const std::string& supported) {
  throw model_error("unsupported " + what, origin, "supported: " + supported);
}

std::string supported_architectures() { return joined(families() | std::views::transform(&Family::architecture)); }

// The class that the checkpoint was saved from.
std::string read_architecture(const JsonObject& config) {
  const Json& list = config.at("architectures");
  if (!list.is_array() || list.size() != 1 || !list[0].is_string()) {
    config.refuse("architectures", "a list of one name");
  }
  return list[0].get<std::string>();
}

// The model's type says what it is, as in transformers; the architecture counts where there is no type.
const Family& read_family(const JsonObject& config) {
  const bool has_type = config.has("model_type") || !config.has("architectures");
  const std::string type = has_type ? config.text("model_type") : "";
  if (const Family* family = find_family_of_type(type)) return *family;
  const Json* list = config.find("architectures");
  const bool has_architecture = list != nullptr && (!list->is_array() || !list->empty());
  const std::string name = has_architecture ? read_architecture(config) : "";
  const Family* family = has_type ? nullptr : find_family(name);
  if (family == nullptr) {
    std::string what = has_type ? "model_type " + in_quotes(type) : "";
    if (has_architecture) what += (has_type ? ", architecture " : "architecture ") + in_quotes(name);
    unsupported(what, config.origin(), supported_architectures());
  }
  return *family;
}

void read_geometry(const JsonObject& config, ModelConfig& out) {
  out.hidden_size = config.integer("hidden_size", 1, kMaxHidden);
  out.layers = config.integer("num_hidden_layers", 1, kMaxLayers);
  out.heads = config.integer("num_attention_heads", 1, kMaxHeads);
  out.kv_heads = config.integer_or("num_key_value_heads", out.heads, 1, kMaxHeads);
  out.intermediate_size = config.integer("intermediate_size", 1, kMaxIntermediate);
  out.vocab_size = config.integer("vocab_size", 1, kMaxVocab);
  out.max_positions =
      config.integer_or("max_position_embeddings", out.family->defaults.max_positions, 1, kMaxPositions);
  if (out.heads % out.kv_heads != 0) {
    config.refuse("num_key_value_heads", "a divisor of num_attention_heads = " + std::to_string(out.heads));
  }
  const bool by_division = !config.has("head_dim") && out.family->defaults.head_dim == 0;
  if (by_division && out.hidden_size % out.heads != 0) {
    config.refuse("num_attention_heads", "a divisor of hidden_size = " + std::to_string(out.hidden_size));
  }
  const std::int64_t fallback = by_division ? out.hidden_size / out.heads : out.family->defaults.head_dim;
  out.head_dim = config.integer_or("head_dim", fallback, 1, kMaxHeadDim);
  if (out.head_dim % 2 != 0 || out.heads * out.head_dim > kMaxProjection) {
    throw model_error("heads of " + std::to_string(out.head_dim) + " elements, " + std::to_string(out.heads) +
                          " of them: their size must be even and all together at most " +
                          std::to_string(kMaxProjection),
                      config.origin());
  }
}

struct Activation {
  std::string_view name;  // in configurations
  std::string_view op;
};

constexpr std::array<Activation, 3> kActivations = {
    {{"silu", "silu"}, {"swish", "silu"}, {"gelu_pytorch_tanh", "gelu_tanh"}}};

std::string read_activation(const JsonObject& config, const Family& family) {
  const std::string key(family.activation_key), fallback(family.activation);
  const std::string name = config.text_or(key.c_str(), fallback);
  const auto* found = std::ranges::find(kActivations, std::string_view(name), &Activation::name);
  if (found != kActivations.end()) return std::string(found->op);
  unsupported("activation " + in_quotes(name), config.origin(),
              joined(kActivations | std::views::transform(&Activation::name)));
}

void read_scales(const JsonObject& config, ModelConfig& out) {
  constexpr double kMaxScale = 1e6, kQueryScalar = 256;
  const Family& family = *out.family;
  const double size = family.query_scalar ? config.number_or("query_pre_attn_scalar", kQueryScalar, 1e-6, kMaxScale)
                                          : static_cast<double>(out.head_dim);
  out.attention_scale = 1.0 / std::sqrt(size);
  if (family.scales_embedding) out.embedding_scale = std::sqrt(static_cast<double>(out.hidden_size));
  if (!family.multipliers) return;
  out.embedding_scale = config.number("embedding_multiplier", 1e-6, kMaxScale);
  out.attention_scale = config.number("attention_multiplier", 1e-6, kMaxScale);
  out.residual_scale = config.number("residual_multiplier", 1e-6, kMaxScale);
  out.logits_scale = 1 / config.number("logits_scaling", 1e-6, kMaxScale);
}

// Of each layer, or of each decoder_sparse_step-th one, but for mlp_only_layers.
void read_experts(const JsonObject& config, ModelConfig& out) {
  const Experts& experts = out.family->experts;
  if (!experts.are_there) return;
  constexpr std::int64_t kExperts = 128, kUsed = 8, kSize = 768;
  // Newer versions of transformers call it as other families do.
  out.experts = config.integer_or("num_experts", kExperts, 0, kMaxExperts);
  if (config.has("num_local_experts")) {
    const std::int64_t local = config.integer("num_local_experts", 0, kMaxExperts);
    if (config.has("num_experts") && local != out.experts)
      config.refuse("num_local_experts", "num_experts = " + std::to_string(out.experts));
    out.experts = local;
  }
  if (out.experts == 0) return;
  out.experts_used = config.integer_or("num_experts_per_tok", kUsed, 1, out.experts);
  out.expert_size = config.integer_or("moe_intermediate_size", kSize, 1, kMaxIntermediate);
  out.normalises_experts = config.boolean_or("norm_topk_prob", experts.normalises);
  const std::int64_t step = config.integer_or("decoder_sparse_step", 1, 1, kMaxLayers);
  for (std::int64_t i = 0; i < out.layers; ++i)
    out.kinds[static_cast<std::size_t>(i)].has_experts = (i + 1) % step == 0;
  const Json* const dense = config.find("mlp_only_layers");
  if (dense == nullptr) return;
  if (!dense->is_array()) config.refuse("mlp_only_layers", "a list of layers");
  for (const Json& layer : *dense) {
    if (!layer.is_number_integer() || layer < 0 || layer >= out.layers)
      config.refuse("mlp_only_layers", "a list of layers from 0 to " + std::to_string(out.layers - 1));
    out.kinds[layer.get<std::size_t>()].has_experts = false;
  }
}

void read_biases(const JsonObject& config, ModelConfig& out) {
  const Family& family = *out.family;
  const bool asked = config.boolean_or("attention_bias", family.defaults.attention_bias);
  const bool by_config =
      family.attention_bias == AttentionBias::kByConfig || family.attention_bias == AttentionBias::kByConfigQkv;
  out.qkv_bias = by_config ? asked : family.attention_bias == AttentionBias::kAlwaysQkv;
  out.output_bias = family.attention_bias == AttentionBias::kByConfig && asked;
  out.mlp_bias = family.mlp_bias_by_config && config.boolean_or("mlp_bias", false);
}

// A field whose feature is not supported but of families that honour it, and the value that switches it off beside
// null.
struct ForeignField {
  const char* key;
  std::optional<double> off;
  bool Family::* honoured = nullptr;
  bool is_of_experts = false;  // honoured where there are any
};

void refuse_other_features(const JsonObject& config, const Family& family) {
  if (config.has("quantization_config")) {
    const std::string method = config.object("quantization_config").text_or("quant_method", "unknown");
    unsupported("quantization_config, method " + in_quotes(method), config.origin(), "F32, F16, BF16 weights");
  }
  constexpr std::array<ForeignField, 12> kForeignFields = {{{"attn_logit_softcapping", {}},
                                                            {"final_logit_softcapping", {}},
                                                            {"query_pre_attn_scalar", {}, &Family::query_scalar},
                                                            {"clip_qkv", {}},
                                                            {"logit_scale", 1},
                                                            {"embedding_multiplier", 1, &Family::multipliers},
                                                            {"attention_multiplier", {}, &Family::multipliers},
                                                            {"residual_multiplier", 1, &Family::multipliers},
                                                            {"logits_scaling", 1, &Family::multipliers},
                                                            {"use_bidirectional_attention", {}},
                                                            {"num_local_experts", 0, nullptr, true},
                                                            {"num_experts", 0, nullptr, true}}};
  for (const auto& [key, off, honoured, is_of_experts] : kForeignFields) {
    const Json* value = config.find(key);
    if (is_of_experts && family.experts.are_there) continue;
    if (value == nullptr || *value == false || (honoured != nullptr && family.*honoured)) continue;
    if (off && value->is_number() && value->get<double>() == *off) continue;
    unsupported(in_quotes(key), config.origin(), std::string(family.architecture) + " models without it");
  }
}

}  // namespace

ModelConfig parse_model_config(std::string_view json, const std::string& origin) {
  const Json document =
      parse_json(quote_python_constants(json), origin, {.max_bytes = std::size_t{16} << 20, .unique_keys = false});
  const JsonObject config(document, origin);
  ModelConfig out;
  out.family = &read_family(config);
  out.architecture = out.family->architecture;
  out.model_type = out.family->model_type;
  refuse_other_features(config, *out.family);
  read_geometry(config, out);
  out.kinds = read_layer_kinds(config, *out.family, out.layers, out.max_positions);
  read_experts(config, out);
  out.ropes = read_ropes(config, *out.family, {out.head_dim, out.max_positions});
  out.activation = read_activation(config, *out.family);
  out.rms_eps = config.number_or("rms_norm_eps", out.family->defaults.rms_eps, 1e-30, 1.0);
  out.tied_head = config.boolean_or("tie_word_embeddings", out.family->defaults.tied_head);
  out.qk_norm = out.family->qk_norm != QkNorm::kNone;
  read_scales(config, out);
  read_biases(config, out);
  out.torch_dtype = config.text_or("dtype", config.text_or("torch_dtype", ""));
  return out;
}

int rope_of(const ModelConfig& config, std::int64_t layer) {
  const LayerKind& kind = config.kinds[static_cast<std::size_t>(layer)];
  if (!kind.rotates) return -1;
  return kind.slides && config.ropes.size() > 1 ? 1 : 0;
}

}  // namespace strata::importer
