// SPDX-License-Identifier: Apache-2.0
#include "import/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ranges>

#include "base/error.h"
#include "base/words.h"

namespace strata::importer {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array<GgufFamily, 3> kGgufFamilies = {
    {{"llama", "llama", true}, {"qwen2", "qwen2", false}, {"qwen3", "qwen3", false}}};

enum class Value { kInteger, kNumber };

// A key of the metadata, behind "ARCHITECTURE.", and the field of config.json that says the same.
struct GgufKey {
  const char* key;
  const char* field;
  Value value;
  bool is_needed;
};

constexpr std::array<GgufKey, 8> kGgufKeys = {{
    {"embedding_length", "hidden_size", Value::kInteger, true},
    {"block_count", "num_hidden_layers", Value::kInteger, true},
    {"attention.head_count", "num_attention_heads", Value::kInteger, true},
    {"attention.head_count_kv", "num_key_value_heads", Value::kInteger, false},
    {"feed_forward_length", "intermediate_size", Value::kInteger, true},
    {"context_length", "max_position_embeddings", Value::kInteger, true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", Value::kNumber, true},
    {"rope.freq_base", "rope_theta", Value::kNumber, false},
}};

// A key whose feature is not supported, and the value that switches it off.
struct ForeignKey {
  const char* key;
  double off;
};

constexpr std::array<ForeignKey, 9> kForeignKeys = {{{"expert_count", 0},
                                                     {"attn_logit_softcapping", 0},
                                                     {"final_logit_softcapping", 0},
                                                     {"logit_scale", 1},
                                                     {"residual_scale", 1},
                                                     {"embedding_scale", 1},
                                                     {"attention.scale", 0},
                                                     {"attention.clamp_kqv", 0},
                                                     {"rope.scale_linear", 1}}};

constexpr std::string_view kWeight = ".weight", kScale = ".scale", kInputScale = ".input_scale";

// The end of a role's name is kept: ".weight", ".bias".
struct TensorName {
  std::string_view role;
  std::string_view name;
};

constexpr std::array<TensorName, 14> kTensorNames = {{{"embed_tokens", "token_embd"},
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
                                                      {"norm", "output_norm"},
                                                      {"lm_head", "output"}}};

// Builds the configuration from one model's metadata.
class ConfigBuilder {
 public:
  explicit ConfigBuilder(const GgufModel& model)
      : model_(model), metadata_(model.metadata), family_(gguf_family(metadata_)) {}

  std::string build() {
    refuse_other_kinds();
    config_["model_type"] = family_.model_type;
    for (const GgufKey& row : kGgufKeys) add(row);
    config_["vocab_size"] = vocabulary();
    config_["head_dim"] = head_dim();
    refuse_other_features();
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
    if (row.value == Value::kInteger) {
      config_[row.field] = *metadata_.integer(name);
    } else {
      config_[row.field] = *metadata_.number(name);
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

  std::int64_t head_dim() const {
    const std::int64_t hidden = config_["hidden_size"], heads = config_["num_attention_heads"];
    const bool divides = heads > 0 && hidden % heads == 0;
    const auto own = metadata_.integer(key("attention.key_length"));
    if (!own && !divides) metadata_.missing(key("attention.key_length"));
    const std::int64_t dim = own ? *own : hidden / heads;
    for (const char* other : {"attention.value_length", "rope.dimension_count"}) {
      const std::int64_t size = metadata_.integer(key(other)).value_or(dim);
      if (size != dim) {
        unsupported(in_quotes(key(other)) + " " + std::to_string(size), "the length of a key, " + std::to_string(dim));
      }
    }
    return dim;
  }

  bool has_bias(const char* role) const { return model_.find(gguf_tensor_name(role, 0)) != nullptr; }

  void refuse_other_kinds() const {
    const std::string type = metadata_.text("general.type").value_or("model");
    if (type != "model") unsupported("kind of GGUF file, " + in_quotes(type), "a model");
  }

  void refuse_other_features() const {
    for (const auto& [name, off] : kForeignKeys) {
      const double value = metadata_.number(key(name)).value_or(off);
      if (value != off) unsupported(in_quotes(key(name)), std::string(family_.architecture) + " models without it");
    }
    const std::string scaling = metadata_.text(key("rope.scaling.type")).value_or("none");
    if (scaling != "none")
      unsupported("rope scaling " + in_quotes(scaling), "none, and the tensor " + in_quotes(kGgufRopeDivisors));
    const auto window = metadata_.integer(key("attention.sliding_window"));
    const auto context = metadata_.integer(key("context_length"));
    if (window && *window > 0 && (!context || *window < *context)) {
      unsupported(in_quotes(key("attention.sliding_window")), "attention to the whole context");
    }
  }

  const GgufModel& model_;
  const GgufMetadata& metadata_;
  const GgufFamily& family_;
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
  const bool fits = tensor->type->dtype == DType::kF32 && tensor->shape == std::vector<std::int64_t>{pairs};
  std::vector<float> divisors(static_cast<std::size_t>(pairs));
  if (fits) std::memcpy(divisors.data(), tensor->bytes.data(), tensor->bytes.size());
  const auto divides = [](float divisor) { return std::isfinite(divisor) && divisor > 0; };
  if (!fits || !std::ranges::all_of(divisors, divides)) {
    model.metadata.fail("the tensor " + in_quotes(kGgufRopeDivisors) + " is not a positive F32 for each of " +
                        std::to_string(pairs) + " pairs");
  }
  return divisors;
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
