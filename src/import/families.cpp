// SPDX-License-Identifier: Apache-2.0
#include "import/families.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace strata::importer {
namespace {

constexpr std::array<Family, 3> kFamilies = {{
    {.architecture = "Qwen3ForCausalLM",
     .model_type = "qwen3",
     .qk_norm = true,
     .attention_bias = AttentionBias::kByConfig,
     .mlp_bias_by_config = false,
     .head_dim = 128,
     .max_positions = 32768,
     .sliding_window = true},
    {.architecture = "Qwen2ForCausalLM",
     .model_type = "qwen2",
     .qk_norm = false,
     .attention_bias = AttentionBias::kAlwaysQkv,
     .mlp_bias_by_config = false,
     .head_dim = 0,
     .max_positions = 32768,
     .sliding_window = true},
    {.architecture = "LlamaForCausalLM",
     .model_type = "llama",
     .qk_norm = false,
     .attention_bias = AttentionBias::kByConfig,
     .mlp_bias_by_config = true,
     .head_dim = 0,
     .max_positions = 2048,
     .sliding_window = false},
}};

enum class Axis { kVocab, kHidden, kQuery, kKeyValue, kHeadDim, kIntermediate };
enum class Place { kModel, kLayer };

// A tensor of a checkpoint: where its name has a layer's number there is "{}"; `when` names the feature that it belongs
// to, nullptr: always there.
struct Row {
  Place place;
  std::string_view role;
  std::string_view pattern;
  std::array<Axis, 2> axes;
  std::size_t rank;
  bool ModelConfig::* when;
  bool present = true;  // the feature's value with which the tensor is there
};

constexpr Row layer_row(std::string_view role, std::string_view pattern, std::array<Axis, 2> axes,
                        bool ModelConfig::* when = nullptr) {
  return {Place::kLayer, role, pattern, axes, 2, when};
}
constexpr Row layer_row(std::string_view role, std::string_view pattern, Axis axis,
                        bool ModelConfig::* when = nullptr) {
  return {Place::kLayer, role, pattern, {axis, axis}, 1, when};
}

constexpr std::array<Row, 21> kRows = {{
    {Place::kModel, "embed_tokens.weight", "model.embed_tokens.weight", {Axis::kVocab, Axis::kHidden}, 2, nullptr},
    layer_row("input_layernorm.weight", "model.layers.{}.input_layernorm.weight", Axis::kHidden),
    layer_row("q_proj.weight", "model.layers.{}.self_attn.q_proj.weight", {Axis::kQuery, Axis::kHidden}),
    layer_row("q_proj.bias", "model.layers.{}.self_attn.q_proj.bias", Axis::kQuery, &ModelConfig::qkv_bias),
    layer_row("k_proj.weight", "model.layers.{}.self_attn.k_proj.weight", {Axis::kKeyValue, Axis::kHidden}),
    layer_row("k_proj.bias", "model.layers.{}.self_attn.k_proj.bias", Axis::kKeyValue, &ModelConfig::qkv_bias),
    layer_row("v_proj.weight", "model.layers.{}.self_attn.v_proj.weight", {Axis::kKeyValue, Axis::kHidden}),
    layer_row("v_proj.bias", "model.layers.{}.self_attn.v_proj.bias", Axis::kKeyValue, &ModelConfig::qkv_bias),
    layer_row("q_norm.weight", "model.layers.{}.self_attn.q_norm.weight", Axis::kHeadDim, &ModelConfig::qk_norm),
    layer_row("k_norm.weight", "model.layers.{}.self_attn.k_norm.weight", Axis::kHeadDim, &ModelConfig::qk_norm),
    layer_row("o_proj.weight", "model.layers.{}.self_attn.o_proj.weight", {Axis::kHidden, Axis::kQuery}),
    layer_row("o_proj.bias", "model.layers.{}.self_attn.o_proj.bias", Axis::kHidden, &ModelConfig::output_bias),
    layer_row("post_attention_layernorm.weight", "model.layers.{}.post_attention_layernorm.weight", Axis::kHidden),
    layer_row("gate_proj.weight", "model.layers.{}.mlp.gate_proj.weight", {Axis::kIntermediate, Axis::kHidden}),
    layer_row("gate_proj.bias", "model.layers.{}.mlp.gate_proj.bias", Axis::kIntermediate, &ModelConfig::mlp_bias),
    layer_row("up_proj.weight", "model.layers.{}.mlp.up_proj.weight", {Axis::kIntermediate, Axis::kHidden}),
    layer_row("up_proj.bias", "model.layers.{}.mlp.up_proj.bias", Axis::kIntermediate, &ModelConfig::mlp_bias),
    layer_row("down_proj.weight", "model.layers.{}.mlp.down_proj.weight", {Axis::kHidden, Axis::kIntermediate}),
    layer_row("down_proj.bias", "model.layers.{}.mlp.down_proj.bias", Axis::kHidden, &ModelConfig::mlp_bias),
    {Place::kModel, "norm.weight", "model.norm.weight", {Axis::kHidden, Axis::kHidden}, 1, nullptr},
    {Place::kModel,
     "lm_head.weight",
     "lm_head.weight",
     {Axis::kVocab, Axis::kHidden},
     2,
     &ModelConfig::tied_head,
     false},
}};

std::int64_t extent(const ModelConfig& config, Axis axis) {
  switch (axis) {
    case Axis::kVocab:
      return config.vocab_size;
    case Axis::kHidden:
      return config.hidden_size;
    case Axis::kQuery:
      return config.heads * config.head_dim;
    case Axis::kKeyValue:
      return config.kv_heads * config.head_dim;
    case Axis::kHeadDim:
      return config.head_dim;
    case Axis::kIntermediate:
      break;
  }
  return config.intermediate_size;
}

bool is_present(const ModelConfig& config, const Row& row) {
  return row.when == nullptr || config.*row.when == row.present;
}

std::string fill(const Row& row, std::int64_t layer) {
  std::string name(row.pattern);
  if (row.place == Place::kLayer) name.replace(name.find("{}"), 2, std::to_string(layer));
  return name;
}

TensorSpec spec(const ModelConfig& config, const Row& row, std::int64_t layer) {
  TensorSpec result{.role = row.role, .layer = layer, .name = fill(row, layer), .shape = {}};
  for (std::size_t i = 0; i < row.rank; ++i) result.shape.push_back(extent(config, row.axes[i]));
  return result;
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view architecture) {
  const auto* at = std::find_if(kFamilies.begin(), kFamilies.end(),
                                [&](const Family& family) { return family.architecture == architecture; });
  return at == kFamilies.end() ? nullptr : at;
}

std::vector<TensorSpec> tensor_specs(const ModelConfig& config) {
  const auto first_layer =
      std::find_if(kRows.begin(), kRows.end(), [](const Row& r) { return r.place == Place::kLayer; });
  const auto after_layers =
      std::find_if(first_layer, kRows.end(), [](const Row& r) { return r.place == Place::kModel; });
  std::vector<TensorSpec> specs;
  const auto add = [&](auto begin, auto end, std::int64_t layer) {
    for (auto row = begin; row != end; ++row) {
      if (is_present(config, *row)) specs.push_back(spec(config, *row, layer));
    }
  };
  add(kRows.begin(), first_layer, -1);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) add(first_layer, after_layers, layer);
  add(after_layers, kRows.end(), -1);
  return specs;
}

std::vector<std::string_view> layer_roles(const ModelConfig& config) {
  std::vector<std::string_view> roles;
  for (const Row& row : kRows) {
    if (row.place == Place::kLayer && is_present(config, row)) roles.push_back(row.role);
  }
  return roles;
}

std::string tensor_name(const ModelConfig& config, std::string_view role, std::int64_t layer) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.role == role; });
  STRATA_CHECK(row != kRows.end() && is_present(config, *row), "no such role: " + std::string(role));
  STRATA_CHECK((row->place == Place::kLayer) == (layer >= 0), "a layer is needed, or must not be given");
  return fill(*row, layer);
}

}  // namespace strata::importer
