// SPDX-License-Identifier: Apache-2.0
#include "import/model_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/python_json.h"
#include "base/words.h"
#include "import/families.h"

namespace strata::importer {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxHidden = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = std::int64_t{1} << 16;
constexpr std::int64_t kMaxHeadDim = std::int64_t{1} << 13;
constexpr std::int64_t kMaxProjection = std::int64_t{1} << 22;  // heads x head_dim
constexpr std::int64_t kMaxIntermediate = std::int64_t{1} << 22;
constexpr std::int64_t kMaxVocab = std::int64_t{1} << 26;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 30;

// Every weight's size then fits in an int64 with room to spare.
static_assert(kMaxVocab * kMaxHidden < (std::int64_t{1} << 50));

[[noreturn]] void unsupported(const std::string& what, const std::string& origin, const std::string& supported) {
  throw model_error("unsupported " + what, origin, "supported: " + supported);
}

std::string supported_architectures() { return joined(families() | std::views::transform(&Family::architecture)); }

const Family* find_family_by_type(const std::string& model_type) {
  for (const Family& family : families()) {
    if (family.model_type == model_type) return &family;
  }
  return nullptr;
}

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
  if (const Family* family = find_family_by_type(type)) return *family;
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
  out.max_positions = config.integer_or("max_position_embeddings", out.family->max_positions, 1, kMaxPositions);
  if (out.heads % out.kv_heads != 0) {
    config.refuse("num_key_value_heads", "a divisor of num_attention_heads = " + std::to_string(out.heads));
  }
  const bool by_division = !config.has("head_dim") && out.family->head_dim == 0;
  if (by_division && out.hidden_size % out.heads != 0) {
    config.refuse("num_attention_heads", "a divisor of hidden_size = " + std::to_string(out.hidden_size));
  }
  const std::int64_t fallback = by_division ? out.hidden_size / out.heads : out.family->head_dim;
  out.head_dim = config.integer_or("head_dim", fallback, 1, kMaxHeadDim);
  if (out.head_dim % 2 != 0 || out.heads * out.head_dim > kMaxProjection) {
    throw model_error("heads of " + std::to_string(out.head_dim) + " elements, " + std::to_string(out.heads) +
                          " of them: their size must be even and all together at most " +
                          std::to_string(kMaxProjection),
                      config.origin());
  }
}

void refuse_partial_rotation(const JsonObject& object) {
  const double factor = object.number_or("partial_rotary_factor", 1.0, 0.0, 1.0);
  if (factor != 1.0) unsupported("partial_rotary_factor " + Json(factor).dump(), object.origin(), "1.0");
}

void read_llama3_rope(const JsonObject& scaling, Rope& rope) {
  constexpr double kMaxFactor = 1e6;
  rope.kind = Rope::Kind::kLlama3;
  rope.factor = scaling.number("factor", 1.0, kMaxFactor);
  rope.low_freq_factor = scaling.number("low_freq_factor", 1e-6, kMaxFactor);
  rope.high_freq_factor = scaling.number("high_freq_factor", 1e-6, kMaxFactor);
  rope.original_max_positions = scaling.integer("original_max_position_embeddings", 1, kMaxPositions);
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    scaling.refuse("high_freq_factor", "larger than low_freq_factor");
  }
}

void read_rope_scaling(const JsonObject& scaling, Rope& rope) {
  const std::string type = scaling.text_or("rope_type", scaling.text_or("type", "default"));
  refuse_partial_rotation(scaling);
  if (type == "llama3") {
    read_llama3_rope(scaling, rope);
  } else if (type != "default") {
    unsupported("rope scaling " + in_quotes(type), scaling.origin(), "default, llama3");
  }
}

// Configurations say `rope_theta` and `rope_scaling`, since transformers 5 `rope_parameters` instead of both.
Rope read_rope(const JsonObject& config) {
  constexpr double kMaxTheta = 1e12;
  Rope rope;
  rope.theta = config.number_or("rope_theta", rope.theta, 1.0, kMaxTheta);
  refuse_partial_rotation(config);
  if (config.has("rope_scaling")) read_rope_scaling(config.object("rope_scaling"), rope);
  if (!config.has("rope_parameters")) return rope;
  const JsonObject parameters = config.object("rope_parameters");
  for (const char* per_layer : {"full_attention", "sliding_attention"}) {
    if (parameters.has(per_layer)) unsupported("rope_parameters by layer type", config.origin(), "one for all layers");
  }
  rope.theta = parameters.number_or("rope_theta", rope.theta, 1.0, kMaxTheta);
  read_rope_scaling(parameters, rope);
  return rope;
}

std::string read_activation(const JsonObject& config) {
  const std::string name = config.text_or("hidden_act", "silu");
  if (name != "silu" && name != "swish") unsupported("activation " + in_quotes(name), config.origin(), "silu");
  return "silu";
}

// Tokens that a sliding layer attends to, as the families' configuration classes have it; nullopt: all of them.
std::optional<std::int64_t> sliding_window(const JsonObject& config, const Json& document, const ModelConfig& model) {
  constexpr std::int64_t kDefaultWindow = 4096;
  if (!model.family->sliding_window || !config.boolean_or("use_sliding_window", false)) return std::nullopt;
  const bool is_null = document.contains("sliding_window") && document["sliding_window"].is_null();
  if (is_null) return std::nullopt;
  return config.integer_or("sliding_window", kDefaultWindow, 1, kMaxPositions);
}

// Which layers have a window, where the configuration names each; nullopt: it doesn't.
std::optional<std::vector<bool>> named_layers(const JsonObject& config, const ModelConfig& model, bool has_window) {
  const Json* types = config.find("layer_types");
  if (types == nullptr) return std::nullopt;
  if (!types->is_array() || static_cast<std::int64_t>(types->size()) != model.layers) {
    config.refuse("layer_types", "a list of num_hidden_layers = " + std::to_string(model.layers) + " names");
  }
  std::vector<bool> sliding;
  for (const Json& type : *types) {
    sliding.push_back(type == "sliding_attention");
    const bool is_known = type == "full_attention" || (sliding.back() && has_window);
    if (!is_known) unsupported("layer_types " + type.dump(), config.origin(), "full attention, windows of Qwen models");
  }
  return sliding;
}

// By layer, what a query sees: as many tokens, 0 all of them. A window that covers the whole context is none.
std::vector<std::int64_t> read_windows(const JsonObject& config, const Json& document, const ModelConfig& model) {
  constexpr std::int64_t kDefaultFullLayers = 28;
  const std::optional<std::int64_t> window = sliding_window(config, document, model);
  const auto named = named_layers(config, model, window.has_value());
  const std::int64_t full = window ? config.integer_or("max_window_layers", kDefaultFullLayers, 0, kMaxPositions) : 0;
  std::vector<std::int64_t> windows;
  for (std::int64_t layer = 0; layer < model.layers; ++layer) {
    const bool is_sliding = named ? (*named)[static_cast<std::size_t>(layer)] : window && layer >= full;
    windows.push_back(is_sliding && *window < model.max_positions ? *window : 0);
  }
  return windows;
}

// A field whose feature is not supported, and the value that switches it off beside null.
struct ForeignField {
  const char* key;
  std::optional<double> off;
};

void refuse_other_features(const JsonObject& config) {
  if (config.has("quantization_config")) {
    const std::string method = config.object("quantization_config").text_or("quant_method", "unknown");
    unsupported("quantization_config, method " + in_quotes(method), config.origin(), "F32, F16, BF16 weights");
  }
  constexpr std::array<ForeignField, 7> kForeignFields = {{{"attn_logit_softcapping", {}},
                                                           {"final_logit_softcapping", {}},
                                                           {"query_pre_attn_scalar", {}},
                                                           {"clip_qkv", {}},
                                                           {"logit_scale", 1},
                                                           {"num_local_experts", 0},
                                                           {"num_experts", 0}}};
  for (const auto& [key, off] : kForeignFields) {
    const Json* value = config.find(key);
    if (value == nullptr || (off && value->is_number() && value->get<double>() == *off)) continue;
    unsupported(in_quotes(key), config.origin(), supported_architectures() + " without it");
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
  refuse_other_features(config);
  read_geometry(config, out);
  out.windows = read_windows(config, document, out);
  out.activation = read_activation(config);
  out.rms_eps = config.number_or("rms_norm_eps", 1e-6, 1e-30, 1.0);
  out.rope = read_rope(config);
  out.tied_head = config.boolean_or("tie_word_embeddings", false);
  out.qk_norm = out.family->qk_norm;
  const bool attention_bias = config.boolean_or("attention_bias", false);
  const bool by_config = out.family->attention_bias == AttentionBias::kByConfig;
  out.qkv_bias = by_config ? attention_bias : true;
  out.output_bias = by_config && attention_bias;
  out.mlp_bias = out.family->mlp_bias_by_config && config.boolean_or("mlp_bias", false);
  out.torch_dtype = config.text_or("dtype", config.text_or("torch_dtype", ""));
  return out;
}

}  // namespace strata::importer
