// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "import/gguf_metadata.h"

namespace strata::fixtures {

using importer::GgufKind;

template <class T>
std::string raw(T value) {
  std::string text(sizeof(value), '\0');
  std::memcpy(text.data(), &value, sizeof(value));
  return text;
}

inline std::string raw_string(std::string_view text) { return raw<std::uint64_t>(text.size()) + std::string(text); }

// A value with its kind in front.
template <class T>
std::string value(GgufKind kind, T number) {
  return raw(static_cast<std::uint32_t>(kind)) + raw(number);
}
inline std::string value(std::uint32_t number) { return value(GgufKind::kU32, number); }
inline std::string value(float number) { return value(GgufKind::kF32, number); }
inline std::string value(bool truth) { return value(GgufKind::kBool, static_cast<std::uint8_t>(truth)); }
inline std::string value(std::string_view text) {
  return raw(static_cast<std::uint32_t>(GgufKind::kString)) + raw_string(text);
}
inline std::string value(const char* text) { return value(std::string_view(text)); }

// An array: `elements` as they lie in the file.
inline std::string array(std::uint32_t kind, std::uint64_t count, const std::string& elements) {
  return raw(static_cast<std::uint32_t>(GgufKind::kArray)) + raw(kind) + raw(count) + elements;
}
inline std::string array(const std::vector<std::string>& texts) {
  std::string elements;
  for (const std::string& text : texts) elements += raw_string(text);
  return array(static_cast<std::uint32_t>(GgufKind::kString), texts.size(), elements);
}
inline std::string array(const std::vector<std::int32_t>& numbers) {
  std::string elements;
  for (const std::int32_t number : numbers) elements += raw(number);
  return array(static_cast<std::uint32_t>(GgufKind::kI32), numbers.size(), elements);
}
inline std::string float_array(const std::vector<float>& numbers) {
  std::string elements;
  for (const float number : numbers) elements += raw(number);
  return array(static_cast<std::uint32_t>(GgufKind::kF32), numbers.size(), elements);
}

// A GGUF file, part by part, right or wrong.
struct GgufBytes {
  struct Key {
    std::string name;   // without its length
    std::string value;  // with its kind
  };
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dims;  // the innermost first
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::vector<Key> keys;
  std::vector<Tensor> tensors;
  std::uint64_t more_keys = 0, more_tensors = 0;  // than there are, in the counts
  std::uint64_t alignment = 32;

  void set(const std::string& name, const std::string& value) {
    for (Key& key : keys) {
      if (key.name == name) return void(key.value = value);
    }
    keys.push_back({name, value});
  }
  void erase(const std::string& name) {
    std::erase_if(keys, [&](const Key& key) { return key.name == name; });
  }
  Tensor& tensor(const std::string& name) {
    for (Tensor& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    return tensors.emplace_back(Tensor{name, {}, 0, 0, 0});
  }

  // Places the tensors one after another.
  void place() {
    std::uint64_t at = 0;
    for (Tensor& tensor : tensors) {
      tensor.offset = at;
      at += (tensor.bytes + alignment - 1) / alignment * alignment;
    }
  }

  std::string head() const {
    std::string text = magic + raw(version) + raw<std::uint64_t>(tensors.size() + more_tensors) +
                       raw<std::uint64_t>(keys.size() + more_keys);
    for (const Key& key : keys) text += raw_string(key.name) + key.value;
    for (const Tensor& tensor : tensors) {
      text += raw_string(tensor.name) + raw(static_cast<std::uint32_t>(tensor.dims.size()));
      for (const std::uint64_t dim : tensor.dims) text += raw(dim);
      text += raw(tensor.type) + raw(tensor.offset);
    }
    return text;
  }

  std::string text() const {
    std::string text = head();
    text.resize((text.size() + alignment - 1) / alignment * alignment);
    std::uint64_t end = 0;
    for (const Tensor& tensor : tensors) end = std::max(end, tensor.offset + tensor.bytes);
    for (std::uint64_t i = 0; i < end; ++i) text += static_cast<char>((i / 256 + i) & 0x3F);
    return text;
  }
};

// A small model: the geometry of small_config() (tests/import/checkpoint_files.h), F32.
inline GgufBytes small_gguf(const std::string& architecture = "qwen3") {
  GgufBytes file;
  const auto key = [&](const char* name) { return architecture + "." + name; };
  file.set("general.architecture", value(architecture));
  for (const auto& [name, number] : std::vector<std::pair<const char*, std::uint32_t>>{{"block_count", 2},
                                                                                       {"context_length", 512},
                                                                                       {"embedding_length", 64},
                                                                                       {"feed_forward_length", 192},
                                                                                       {"attention.head_count", 4},
                                                                                       {"attention.head_count_kv", 2},
                                                                                       {"attention.key_length", 16}}) {
    file.set(key(name), value(number));
  }
  file.set(key("attention.layer_norm_rms_epsilon"), value(1e-6F));
  file.set(key("rope.freq_base"), value(1e6F));
  const auto add = [&](const std::string& name, const std::vector<std::uint64_t>& dims) {
    std::uint64_t bytes = 4;
    for (const std::uint64_t dim : dims) bytes *= dim;
    file.tensors.push_back({name, dims, 0, 0, bytes});
  };
  add("token_embd.weight", {64, 512});
  add("output_norm.weight", {64});
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    add(prefix + "attn_norm.weight", {64});
    add(prefix + "attn_q.weight", {64, 64});
    add(prefix + "attn_k.weight", {64, 32});
    add(prefix + "attn_v.weight", {64, 32});
    add(prefix + "attn_output.weight", {64, 64});
    if (architecture == "qwen3") {
      add(prefix + "attn_q_norm.weight", {16});
      add(prefix + "attn_k_norm.weight", {16});
    }
    add(prefix + "ffn_norm.weight", {64});
    add(prefix + "ffn_gate.weight", {64, 192});
    add(prefix + "ffn_up.weight", {64, 192});
    add(prefix + "ffn_down.weight", {192, 64});
  }
  file.place();
  return file;
}

}  // namespace strata::fixtures
