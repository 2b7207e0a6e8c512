// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/temp_dir.h"

namespace strata::fixtures {

using Json = nlohmann::ordered_json;

// A configuration of published form with a small geometry.
inline Json small_config() {
  return Json::parse(R"({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu",
    "attention_bias": false, "attention_dropout": 0.0, "rms_norm_eps": 1e-6, "rope_scaling": null,
    "rope_theta": 1000000, "sliding_window": null, "use_sliding_window": false, "max_window_layers": 28,
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "intermediate_size": 192, "vocab_size": 512, "tie_word_embeddings": true, "max_position_embeddings": 512,
    "torch_dtype": "float32"})");
}

using Tensors = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

// The tensors of small_config(), in the order in which transformers stores them.
inline Tensors small_tensors() {
  Tensors tensors = {{"model.embed_tokens.weight", {512, 64}}};
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const Tensors block = {{"input_layernorm.weight", {64}},      {"self_attn.q_proj.weight", {64, 64}},
                           {"self_attn.k_proj.weight", {32, 64}}, {"self_attn.v_proj.weight", {32, 64}},
                           {"self_attn.o_proj.weight", {64, 64}}, {"self_attn.q_norm.weight", {16}},
                           {"self_attn.k_norm.weight", {16}},     {"post_attention_layernorm.weight", {64}},
                           {"mlp.gate_proj.weight", {192, 64}},   {"mlp.up_proj.weight", {192, 64}},
                           {"mlp.down_proj.weight", {64, 192}}};
    for (const auto& [name, shape] : block) tensors.emplace_back(prefix + name, shape);
  }
  tensors.emplace_back("model.norm.weight", std::vector<std::int64_t>{64});
  return tensors;
}

// The header of tensors that follow each other.
inline Json header_of(const Tensors& tensors, const std::string& dtype = "F32", std::int64_t element = 4) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::int64_t at = 0;
  for (const auto& [name, shape] : tensors) {
    std::int64_t bytes = element;
    for (const std::int64_t extent : shape) bytes *= extent;
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  return header;
}

inline std::int64_t body_bytes(const Json& header) {
  std::int64_t end = 0;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") end = std::max(end, entry["data_offsets"][1].get<std::int64_t>());
  }
  return end;
}

inline std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string text(sizeof(length), '\0');
  std::memcpy(text.data(), &length, sizeof(length));
  return text + rest;
}

// The body counts upwards, so that every tensor's bytes can be told apart.
inline std::byte body_byte(std::uint64_t position) {
  return static_cast<std::byte>((position / 256 + position) & 0xff);
}

inline std::string safetensors(const std::string& header, std::int64_t body) {
  std::string text = with_length(header.size(), header);
  for (std::int64_t i = 0; i < body; ++i) text += static_cast<char>(body_byte(static_cast<std::uint64_t>(i)));
  return text;
}
inline std::string safetensors(const Json& header) { return safetensors(header.dump(), body_bytes(header)); }

// A folder that holds small_config() and its weights.
class CheckpointFolder {
 public:
  CheckpointFolder() {
    write("config.json", small_config().dump());
    write("model.safetensors", safetensors(header_of(small_tensors())));
  }
  const std::filesystem::path& path() const { return dir_.path(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path() / name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove(path() / name); }

 private:
  TempDir dir_{std::filesystem::temp_directory_path(), "checkpoint-test"};
};

}  // namespace strata::fixtures
