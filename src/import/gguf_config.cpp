// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <ranges>
#include <utility>

#include "base/error.h"
#include "base/words.h"
#include "import/families.h"

namespace strata::importer {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array<GgufFamily, 10> kGgufFamilies = {{{"llama", "llama", true},
                                                       {"qwen2", "qwen2", false},
                                                       {"qwen3", "qwen3", false},
                                                       {"qwen3moe", "qwen3_moe", false},
                                                       {"granite", "granite", true},
                                                       {"smollm3", "smollm3", true},
                                                       {"olmo2", "olmo2", false},
                                                       {"phi3", "phi3", false},
                                                       {"glm4", "glm4", true},
                                                       {"gemma3", "gemma3_text", false}}};

enum class Value { kInteger, kNumber };

// A key of the metadata, behind "ARCHITECTURE.", and the field of config.json that says the same.
struct GgufKey {
  const char* key;
  const char* field;
  Value value;
  bool is_needed;
};

constexpr std::array<GgufKey, 9> kGgufKeys = {{
    {"embedding_length", "hidden_size", Value::kInteger, true},
    {"block_count", "num_hidden_layers", Value::kInteger, true},
    {"attention.head_count", "num_attention_heads", Value::kInteger, true},
    {"attention.head_count_kv", "num_key_value_heads", Value::kInteger, false},
    {"feed_forward_length", "intermediate_size", Value::kInteger, true},
    {"context_length", "max_position_embeddings", Value::kInteger, true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", Value::kNumber, true},
    {"rope.freq_base", "rope_theta", Value::kNumber, false},
    {"attention.sliding_window_pattern", "sliding_window_pattern", Value::kInteger, false},
}};

// A feature of some families: the key, the field of config.json that says the same of families that have it, and the
// value that switches it off in others.
struct FeatureKey {
  const char* key;
  double off;
  const char* field = nullptr;
  bool Family::* honoured = nullptr;
};

constexpr std::array<FeatureKey, 7> kFeatureKeys = {
    {{"attn_logit_softcapping", 0},
     {"final_logit_softcapping", 0},
     {"attention.clamp_kqv", 0},
     {"embedding_scale", 1, "embedding_multiplier", &Family::multipliers},
     {"residual_scale", 1, "residual_multiplier", &Family::multipliers},
     {"attention.scale", 0, "attention_multiplier", &Family::multipliers},
     {"logit_scale", 1, "logits_scaling", &Family::multipliers}}};

// A number of "rope.scaling.KEY", or of the tensors of longrope, as config.json's rope_scaling has it.
struct ScalingKey {
  const char* key;
  const char* field;
  Value value = Value::kNumber;
};

constexpr std::array<ScalingKey, 5> kScalingKeys = {
    {{"factor", "factor"},
     {"original_context_length", "original_max_position_embeddings", Value::kInteger},
     {"attn_factor", "attention_factor"},
     {"yarn_beta_fast", "beta_fast"},
     {"yarn_beta_slow", "beta_slow"}}};
constexpr std::array<std::pair<const char*, const char*>, 2> kScalingTensors = {
    {{"rope_factors_short.weight", "short_factor"}, {"rope_factors_long.weight", "long_factor"}}};

constexpr std::string_view kWeight = ".weight", kScale = ".scale", kInputScale = ".input_scale";

// The end of a role's name is kept: ".weight", ".bias".
struct TensorName {
  std::string_view role;
  std::string_view name;
};

constexpr std::array<TensorName, 22> kTensorNames = {{{"embed_tokens", "token_embd"},
                                                      {"input_layernorm", "attn_norm"},
                                                      {"q_proj", "attn_q"},
                                                      {"k_proj", "attn_k"},
                                                      {"v_proj", "attn_v"},
                                                      {"o_proj", "attn_output"},
                                                      {"q_norm", "attn_q_norm"},
                                                      {"k_norm", "attn_k_norm"},
                                                      {"post_attention_layernorm", "ffn_norm"},
                                                      {"gate_proj", "ffn_gate"},
                                                      {"up_proj", "ffn_up"},
                                                      {"down_proj", "ffn_down"},
                                                      {"router", "ffn_gate_inp"},
                                                      {"experts.gate_proj", "ffn_gate_exps"},
                                                      {"experts.up_proj", "ffn_up_exps"},
                                                      {"experts.down_proj", "ffn_down_exps"},
                                                      {"qkv_proj", "attn_qkv"},
                                                      {"gate_up_proj", "ffn_up"},
                                                      {"attention_output_norm", "post_attention_norm"},
                                                      {"mlp_output_norm", "post_ffw_norm"},
                                                      {"norm", "output_norm"},
                                                      {"lm_head", "output"}}};

// The numbers of an F32 tensor; nothing where it isn't one of positive numbers.
std::optional<std::vector<float>> positive_numbers(const GgufTensor& tensor) {
  if (tensor.type->dtype != DType::kF32 || tensor.shape.size() != 1) return std::nullopt;
  std::vector<float> numbers(tensor.bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), tensor.bytes.data(), numbers.size() * sizeof(float));
  const auto is_positive = [](float number) { return std::isfinite(number) && number > 0; };
  if (!std::ranges::all_of(numbers, is_positive)) return std::nullopt;
  return numbers;
}

// Builds the configuration from one model's metadata.
class ConfigBuilder {
 public:
  explicit ConfigBuilder(const GgufModel& model)
      : model_(model),
        metadata_(model.metadata),
        family_(gguf_family(metadata_)),
        features_(*find_family_of_type(family_.model_type)) {}

  std::string build() {
    refuse_other_kinds();
    config_["model_type"] = family_.model_type;
    for (const GgufKey& row : kGgufKeys) add(row);
    config_["vocab_size"] = vocabulary();
    add_heads();
    for (const FeatureKey& row : kFeatureKeys) add_feature(row);
    add_experts();
    add_scaling();
    add_window();
    config_["attention_bias"] = has_bias("q_proj.bias");
    config_["mlp_bias"] = has_bias("gate_proj.bias");
    config_["tie_word_embeddings"] = true;  // where there is a head, it counts
    return config_.dump();
  }

 private:
  std::string key(const std::string& name) const { return std::string(family_.architecture) + "." + name; }

  [[noreturn]] void unsupported(const std::string& what, const std::string& supported) const {
    throw model_error("unsupported " + what, metadata_.origin(), "supported: " + supported);
  }

  void add(const GgufKey& row) {
    const std::string name = key(row.key);
    if (!metadata_.has(name)) {
      if (row.is_needed) metadata_.missing(name);
      return;
    }
    add_value(config_, row.field, name, row.value);
  }

  void add_value(OrderedJson& to, const char* field, const std::string& name, Value value) const {
    if (value == Value::kInteger) {
      to[field] = *metadata_.integer(name);
    } else {
      to[field] = *metadata_.number(name);
    }
  }

  // The embedding table's rows: files of some families don't say it.
  std::int64_t vocabulary() const {
    const GgufTensor* table = model_.find(gguf_tensor_name("embed_tokens.weight", -1));
    if (table != nullptr && table->shape.size() == 2) return table->shape[0];
    const auto size = metadata_.integer(key("vocab_size"));
    if (!size) metadata_.missing(key("vocab_size"));
    return *size;
  }

  // Their dimensions, and how many of these turn.
  void add_heads() {
    const std::int64_t hidden = config_["hidden_size"], heads = config_["num_attention_heads"];
    const bool divides = heads > 0 && hidden % heads == 0;
    const auto own = metadata_.integer(key("attention.key_length"));
    if (!own && !divides) metadata_.missing(key("attention.key_length"));
    const std::int64_t dim = own ? *own : hidden / heads;
    config_["head_dim"] = dim;
    const std::int64_t value_dim = metadata_.integer(key("attention.value_length")).value_or(dim);
    if (value_dim != dim) {
      unsupported(in_quotes(key("attention.value_length")) + " " + std::to_string(value_dim),
                  "the length of a key, " + std::to_string(dim));
    }
    const std::int64_t rotated = metadata_.integer(key("rope.dimension_count")).value_or(dim);
    const bool is_part = features_.partial_rotation && rotated >= 2 && rotated < dim && rotated % 2 == 0;
    if (rotated != dim && !is_part) {
      unsupported(in_quotes(key("rope.dimension_count")) + " " + std::to_string(rotated),
                  "the length of a key, " + std::to_string(dim));
    }
    if (features_.partial_rotation) config_["partial_rotary_factor"] = part_of_dims(rotated, dim);
    if (features_.query_scalar) config_["query_pre_attn_scalar"] = query_scalar(dim, hidden, heads);
  }

  // The part of which so many dimensions are what is left when the product is truncated.
  static double part_of_dims(std::int64_t rotated, std::int64_t dim) {
    const double part = static_cast<double>(rotated) / static_cast<double>(dim);
    const bool is_exact = static_cast<std::int64_t>(static_cast<double>(dim) * part) == rotated;
    return is_exact ? part : std::nextafter(part, 2.0);
  }

  // Files don't say it. Of the models that have it, the one of 62 layers has another one than the others.
  std::int64_t query_scalar(std::int64_t dim, std::int64_t hidden, std::int64_t heads) const {
    constexpr std::int64_t kGemma27bLayers = 62;
    return config_["num_hidden_layers"] == kGemma27bLayers && heads > 0 ? hidden / heads : dim;
  }

  bool has_bias(const char* role) const { return model_.find(gguf_tensor_name(role, 0)) != nullptr; }

  void refuse_other_kinds() const {
    const std::string type = metadata_.text("general.type").value_or("model");
    if (type != "model") unsupported("kind of GGUF file, " + in_quotes(type), "a model");
  }

  // What is the same of all files isn't said: the weights of the chosen ones sum to 1.
  void add_experts() {
    constexpr std::array<GgufKey, 3> kKeys = {
        {{"expert_count", "num_experts", Value::kInteger, true},
         {"expert_used_count", "num_experts_per_tok", Value::kInteger, true},
         {"expert_feed_forward_length", "moe_intermediate_size", Value::kInteger, true}}};
    if (!features_.experts.are_there) {
      const std::string name = key(kKeys[0].key);
      if (metadata_.number(name).value_or(0) != 0)
        unsupported(in_quotes(name), std::string(family_.architecture) + " models without it");
      return;
    }
    for (const GgufKey& row : kKeys) add(row);
    config_["norm_topk_prob"] = true;
  }

  void add_feature(const FeatureKey& row) {
    const std::string name = key(row.key);
    if (row.honoured != nullptr && features_.*row.honoured) {
      if (!metadata_.has(name)) metadata_.missing(name);
      config_[row.field] = *metadata_.number(name);
    } else if (metadata_.number(name).value_or(row.off) != row.off) {
      unsupported(in_quotes(name), std::string(family_.architecture) + " models without it");
    }
  }

  // Of longrope the file has the divisors as tensors, and may leave the type away.
  void add_scaling() {
    const bool is_long = model_.find(kScalingTensors[0].first) != nullptr;
    std::string type = metadata_.text(key("rope.scaling.type")).value_or(is_long ? "longrope" : "none");
    const double linear = metadata_.number(key("rope.scale_linear")).value_or(1);
    if (type == "none" && linear == 1) return;
    OrderedJson scaling = {{"rope_type", type == "none" ? "linear" : type}};
    if (linear != 1) scaling["factor"] = linear;
    for (const ScalingKey& row : kScalingKeys) {
      const std::string name = key(std::string("rope.scaling.") + row.key);
      if (metadata_.has(name)) add_value(scaling, row.field, name, row.value);
    }
    for (const auto& [tensor, field] : kScalingTensors) {
      if (const GgufTensor* found = model_.find(tensor)) scaling[field] = numbers_of(*found);
    }
    // Of yarn the file's factor is of what follows from the others, not all of it.
    if (type == "yarn" && scaling.contains("attention_factor")) {
      if (scaling["attention_factor"] != 1.0) unsupported(in_quotes(key("rope.scaling.attn_factor")), "1 with yarn");
      scaling.erase("attention_factor");
    }
    config_["rope_scaling"] = scaling;
  }

  std::vector<float> numbers_of(const GgufTensor& tensor) const {
    const auto numbers = positive_numbers(tensor);
    if (!numbers) metadata_.fail("the tensor " + in_quotes(tensor.name) + " is not a list of positive F32");
    return *numbers;
  }

  // A window as long as the context is none.
  void add_window() {
    const std::string name = key("attention.sliding_window");
    const std::int64_t window = metadata_.integer(name).value_or(0);
    const bool has_windows = features_.windows.use == WindowUse::kIfGiven;
    if (has_windows) config_["sliding_window"] = window > 0 ? OrderedJson(window) : OrderedJson(nullptr);
    if (window > 0 && !has_windows && window < config_["max_position_embeddings"].get<std::int64_t>()) {
      unsupported(in_quotes(name), "attention to the whole context");
    }
  }

  const GgufModel& model_;
  const GgufMetadata& metadata_;
  const GgufFamily& family_;
  const Family& features_;
  OrderedJson config_;
};

}  // namespace

const GgufFamily& gguf_family(const GgufMetadata& metadata) {
  const auto name = metadata.text("general.architecture");
  if (!name) metadata.missing("general.architecture");
  const auto* family = std::ranges::find(kGgufFamilies, std::string_view(*name), &GgufFamily::architecture);
  if (family != kGgufFamilies.end()) return *family;
  throw model_error("unsupported architecture " + in_quotes(*name), metadata.origin(),
                    "supported: " + joined(kGgufFamilies | std::views::transform(&GgufFamily::architecture)));
}

std::string gguf_config(const GgufModel& model) { return ConfigBuilder(model).build(); }

std::vector<float> gguf_rope_divisors(const GgufModel& model, std::int64_t pairs) {
  const GgufTensor* tensor = model.find(kGgufRopeDivisors);
  if (tensor == nullptr) return {};
  auto divisors = positive_numbers(*tensor);
  if (!divisors || std::ssize(*divisors) != pairs) {
    model.metadata.fail("the tensor " + in_quotes(kGgufRopeDivisors) + " is not a positive F32 for each of " +
                        std::to_string(pairs) + " pairs");
  }
  return *std::move(divisors);
}

bool is_gguf_rope(std::string_view name) {
  const auto is_it = [&](const auto& row) { return row.first == name; };
  return name == kGgufRopeDivisors || std::ranges::any_of(kScalingTensors, is_it);
}

float gguf_weight_scale(const GgufModel& model, std::string_view weight) {
  if (!weight.ends_with(kWeight)) return 1;
  const std::string name = std::string(weight.substr(0, weight.size() - kWeight.size())) + std::string(kScale);
  const GgufTensor* tensor = model.find(name);
  if (tensor == nullptr) return 1;
  float scale = 0;
  const bool fits = tensor->type->dtype == DType::kF32 && tensor->bytes.size() == sizeof(scale);
  if (fits) std::memcpy(&scale, tensor->bytes.data(), sizeof(scale));
  if (!fits || !std::isfinite(scale))
    model.metadata.fail("the tensor " + in_quotes(name) + " is not one number of F32");
  return scale;
}

bool is_gguf_scale(const GgufModel& model, std::string_view name) {
  for (const std::string_view ending : {kScale, kInputScale}) {
    if (!name.ends_with(ending)) continue;
    return model.find(std::string(name.substr(0, name.size() - ending.size())) + std::string(kWeight)) != nullptr;
  }
  return false;
}

std::string gguf_tensor_name(std::string_view role, std::int64_t layer) {
  const std::size_t dot = role.rfind('.');
  const auto* row = std::ranges::find(kTensorNames, role.substr(0, dot), &TensorName::role);
  STRATA_CHECK(row != kTensorNames.end(), "GGUF has no name for " + std::string(role));
  const std::string prefix = layer < 0 ? "" : "blk." + std::to_string(layer) + ".";
  return prefix + std::string(row->name) + std::string(role.substr(dot));
}

}  // namespace strata::importer
