// SPDX-License-Identifier: Apache-2.0
#include "import/tensor_specs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "import/families.h"

namespace strata::importer {
namespace {

enum class Axis {
  kVocab,
  kHidden,
  kQuery,
  kKeyValue,
  kQueryNorm,
  kKeyNorm,
  kIntermediate,
  kExperts,
  kExpertSize,
  kExpertsSize,    // of all experts
  kExpertsHidden,  // the same
};
enum class Place { kModel, kLayer };

// The layers that have a tensor, by their MLP.
enum class Mlp { kAny, kOne, kRouter, kExperts };

// A tensor of a checkpoint: where its name has a layer's number there is "{}"; a norm's name is the family's. `when`
// names the feature that it belongs to, nullptr: always there.
struct Row {
  Place place;
  std::string_view role;
  std::string_view pattern;
  std::array<Axis, 2> axes;
  std::size_t rank;
  bool ModelConfig::* when;
  bool present = true;  // the feature's value with which the tensor is there
  std::string_view Norms::* norm = nullptr;
  Mlp mlp = Mlp::kAny;
};

constexpr Row layer_row(std::string_view role, std::string_view pattern, std::array<Axis, 2> axes,
                        bool ModelConfig::* when = nullptr) {
  return {Place::kLayer, role, pattern, axes, 2, when};
}
constexpr Row layer_row(std::string_view role, std::string_view pattern, Axis axis,
                        bool ModelConfig::* when = nullptr) {
  return {Place::kLayer, role, pattern, {axis, axis}, 1, when};
}
constexpr Row norm_row(std::string_view role, std::string_view Norms::* norm) {
  return {Place::kLayer, role, "", {Axis::kHidden, Axis::kHidden}, 1, nullptr, true, norm};
}

constexpr Row mlp_row(Row row, Mlp mlp = Mlp::kOne) {
  row.mlp = mlp;
  return row;
}
constexpr Row experts_row(std::string_view role, std::string_view pattern, std::array<Axis, 2> axes) {
  return mlp_row(layer_row(role, pattern, axes), Mlp::kExperts);
}

constexpr std::array<Row, 27> kRows = {{
    {Place::kModel, "embed_tokens.weight", "model.embed_tokens.weight", {Axis::kVocab, Axis::kHidden}, 2, nullptr},
    norm_row("input_layernorm.weight", &Norms::before_attention),
    layer_row("q_proj.weight", "model.layers.{}.self_attn.q_proj.weight", {Axis::kQuery, Axis::kHidden}),
    layer_row("q_proj.bias", "model.layers.{}.self_attn.q_proj.bias", Axis::kQuery, &ModelConfig::qkv_bias),
    layer_row("k_proj.weight", "model.layers.{}.self_attn.k_proj.weight", {Axis::kKeyValue, Axis::kHidden}),
    layer_row("k_proj.bias", "model.layers.{}.self_attn.k_proj.bias", Axis::kKeyValue, &ModelConfig::qkv_bias),
    layer_row("v_proj.weight", "model.layers.{}.self_attn.v_proj.weight", {Axis::kKeyValue, Axis::kHidden}),
    layer_row("v_proj.bias", "model.layers.{}.self_attn.v_proj.bias", Axis::kKeyValue, &ModelConfig::qkv_bias),
    layer_row("q_norm.weight", "model.layers.{}.self_attn.q_norm.weight", Axis::kQueryNorm, &ModelConfig::qk_norm),
    layer_row("k_norm.weight", "model.layers.{}.self_attn.k_norm.weight", Axis::kKeyNorm, &ModelConfig::qk_norm),
    layer_row("o_proj.weight", "model.layers.{}.self_attn.o_proj.weight", {Axis::kHidden, Axis::kQuery}),
    layer_row("o_proj.bias", "model.layers.{}.self_attn.o_proj.bias", Axis::kHidden, &ModelConfig::output_bias),
    norm_row("attention_output_norm.weight", &Norms::after_attention),
    norm_row("post_attention_layernorm.weight", &Norms::before_mlp),
    mlp_row(
        layer_row("gate_proj.weight", "model.layers.{}.mlp.gate_proj.weight", {Axis::kIntermediate, Axis::kHidden})),
    mlp_row(
        layer_row("gate_proj.bias", "model.layers.{}.mlp.gate_proj.bias", Axis::kIntermediate, &ModelConfig::mlp_bias)),
    mlp_row(layer_row("up_proj.weight", "model.layers.{}.mlp.up_proj.weight", {Axis::kIntermediate, Axis::kHidden})),
    mlp_row(layer_row("up_proj.bias", "model.layers.{}.mlp.up_proj.bias", Axis::kIntermediate, &ModelConfig::mlp_bias)),
    mlp_row(
        layer_row("down_proj.weight", "model.layers.{}.mlp.down_proj.weight", {Axis::kHidden, Axis::kIntermediate})),
    mlp_row(layer_row("down_proj.bias", "model.layers.{}.mlp.down_proj.bias", Axis::kHidden, &ModelConfig::mlp_bias)),
    mlp_row(layer_row("router.weight", "model.layers.{}.mlp.gate.weight", {Axis::kExperts, Axis::kHidden}),
            Mlp::kRouter),
    experts_row("experts.gate_proj.weight", "model.layers.{}.mlp.experts.gate_proj.weight",
                {Axis::kExpertsSize, Axis::kHidden}),
    experts_row("experts.up_proj.weight", "model.layers.{}.mlp.experts.up_proj.weight",
                {Axis::kExpertsSize, Axis::kHidden}),
    experts_row("experts.down_proj.weight", "model.layers.{}.mlp.experts.down_proj.weight",
                {Axis::kExpertsHidden, Axis::kExpertSize}),
    norm_row("mlp_output_norm.weight", &Norms::after_mlp),
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
  const bool is_whole = config.family->qk_norm == QkNorm::kWhole;
  switch (axis) {
    case Axis::kVocab:
      return config.vocab_size;
    case Axis::kHidden:
      return config.hidden_size;
    case Axis::kQuery:
      return config.heads * config.head_dim;
    case Axis::kKeyValue:
      return config.kv_heads * config.head_dim;
    case Axis::kQueryNorm:
      return (is_whole ? config.heads : 1) * config.head_dim;
    case Axis::kKeyNorm:
      return (is_whole ? config.kv_heads : 1) * config.head_dim;
    case Axis::kExperts:
      return config.experts;
    case Axis::kExpertSize:
      return config.expert_size;
    case Axis::kExpertsSize:
      return config.experts * config.expert_size;
    case Axis::kExpertsHidden:
      return config.experts * config.hidden_size;
    case Axis::kIntermediate:
      break;
  }
  return config.intermediate_size;
}

bool is_present(const ModelConfig& config, const Row& row, std::int64_t layer) {
  if (row.mlp != Mlp::kAny && config.kinds[static_cast<std::size_t>(layer)].has_experts != (row.mlp != Mlp::kOne))
    return false;
  if (row.norm != nullptr) return !(config.family->norms.*row.norm).empty();
  return row.when == nullptr || config.*row.when == row.present;
}

std::string layer_name(std::int64_t layer, std::string_view name) {
  return "model.layers." + std::to_string(layer) + "." + std::string(name);
}

std::string fill(const ModelConfig& config, const Row& row, std::int64_t layer) {
  if (row.norm != nullptr) return layer_name(layer, config.family->norms.*row.norm) + ".weight";
  std::string name(row.pattern);
  if (row.place == Place::kLayer) name.replace(name.find("{}"), 2, std::to_string(layer));
  return name;
}

TensorSpec spec(const ModelConfig& config, const Row& row, std::int64_t layer) {
  TensorSpec result{.role = row.role, .layer = layer, .name = fill(config, row, layer), .shape = {}};
  if (row.mlp == Mlp::kExperts) result.experts = config.experts;
  result.chooses_experts = row.mlp == Mlp::kRouter;
  for (std::size_t i = 0; i < row.rank; ++i) result.shape.push_back(extent(config, row.axes[i]));
  return result;
}

// The family's matrix that a role ("q_proj.weight") is part of; nullptr: it has one of its own.
const FusedMatrix* fused_with(const ModelConfig& config, std::string_view role) {
  const std::string_view stem = role.substr(0, role.rfind('.'));
  for (const FusedMatrix& matrix : config.family->fused) {
    if (std::ranges::find(matrix.parts, stem) != matrix.parts.end()) return &matrix;
  }
  return nullptr;
}

}  // namespace

std::vector<TensorSpec> tensor_specs(const ModelConfig& config) {
  const auto first_layer =
      std::find_if(kRows.begin(), kRows.end(), [](const Row& r) { return r.place == Place::kLayer; });
  const auto after_layers =
      std::find_if(first_layer, kRows.end(), [](const Row& r) { return r.place == Place::kModel; });
  std::vector<TensorSpec> specs;
  const auto add = [&](auto begin, auto end, std::int64_t layer) {
    for (auto row = begin; row != end; ++row) {
      if (is_present(config, *row, layer)) specs.push_back(spec(config, *row, layer));
    }
  };
  add(kRows.begin(), first_layer, -1);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) add(first_layer, after_layers, layer);
  add(after_layers, kRows.end(), -1);
  return specs;
}

std::vector<std::string_view> layer_roles(const ModelConfig& config, std::int64_t layer) {
  std::vector<std::string_view> roles;
  for (const Row& row : kRows) {
    if (row.place == Place::kLayer && is_present(config, row, layer)) roles.push_back(row.role);
  }
  return roles;
}

std::string tensor_name(const ModelConfig& config, std::string_view role, std::int64_t layer) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.role == role; });
  STRATA_CHECK(row != kRows.end(), "no such role: " + std::string(role));
  STRATA_CHECK((row->place == Place::kLayer) == (layer >= 0), "a layer is needed, or must not be given");
  STRATA_CHECK(is_present(config, *row, layer), "no such role: " + std::string(role));
  return fill(config, *row, layer);
}

std::string expert_name(const TensorSpec& spec, std::int64_t expert) {
  constexpr std::string_view kAll = ".experts.";
  std::string name = spec.name;
  return name.insert(name.find(kAll) + kAll.size(), std::to_string(expert) + ".");
}

std::vector<StoredTensor> stored_tensors(const ModelConfig& config) {
  std::vector<StoredTensor> stored;
  std::size_t first_of_layer = 0;
  std::int64_t layer = -1;
  std::vector<TensorSpec> specs = tensor_specs(config);
  for (TensorSpec& part : specs) {
    if (std::exchange(layer, part.layer) != part.layer) first_of_layer = stored.size();
    const FusedMatrix* matrix = fused_with(config, part.role);
    if (matrix == nullptr) {
      stored.push_back({std::string(part.role), part.layer, part.name, part.shape, {}});
      stored.back().parts.push_back(std::move(part));
      continue;
    }
    const std::string ending(part.role.substr(part.role.rfind('.')));
    const std::string name = layer_name(part.layer, matrix->name) + ending;
    auto whole = std::find_if(stored.begin() + static_cast<std::ptrdiff_t>(first_of_layer), stored.end(),
                              [&](const StoredTensor& tensor) { return tensor.name == name; });
    if (whole == stored.end()) {
      stored.push_back({std::string(matrix->role) + ending, part.layer, name, part.shape, {}});
      stored.back().shape[0] = 0;
      whole = std::prev(stored.end());
    }
    whole->shape[0] += part.shape[0];
    whole->parts.push_back(std::move(part));
  }
  return stored;
}

}  // namespace strata::importer
