// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "package/manifest.h"

namespace strata::fixtures {

inline std::string small_code() { return std::string(3000, 'c'); }

// A manifest in which every field has a value of its own.
inline package::Manifest small_manifest() {
  using package::Parameter;
  package::Manifest manifest;
  manifest.producer = "strata 0.1.0";
  manifest.model_name = "small";
  manifest.architecture = "Qwen3ForCausalLM";
  manifest.model_type = "qwen3 0.6B BF16";
  manifest.dtype = "bf16";
  manifest.parameters = 40;
  manifest.weight_bytes = 112;
  manifest.layers = 2;
  manifest.hidden_size = 64;
  manifest.heads = 4;
  manifest.kv_heads = 1;
  manifest.head_dim = 16;
  manifest.intermediate_size = 192;
  manifest.vocab_size = 512;
  manifest.max_context = 4096;
  manifest.machine = "native";
  manifest.target = "x86_64";
  manifest.features = {"avx2", "fma"};
  manifest.compiler = "clang++ 19";
  manifest.options = {"--without=fusion"};
  manifest.symbols = {"seq", "past"};
  manifest.symbol_ranges = {{"seq", {.min = 1, .max = 512, .multiple = 1}}, {"past", {.min = 0, .max = 4096}}};
  manifest.entries = {{.function = "forward",
                       .symbol = "forward_1",
                       .ranges = {{"seq", {.min = 1, .max = 1, .multiple = 1}}},
                       .parameters = {{.name = "tokens",
                                       .kind = Parameter::Kind::kInput,
                                       .dtype = DType::kI32,
                                       .extents = {{1, "seq"}},
                                       .layout = ""},
                                      {.name = "keys",
                                       .kind = Parameter::Kind::kState,
                                       .dtype = DType::kF32,
                                       .extents = {{4, ""}, {2, "past"}},
                                       .layout = "<16@1>"},
                                      {.name = "logits",
                                       .kind = Parameter::Kind::kOutput,
                                       .dtype = DType::kF32,
                                       .extents = {{512, ""}},
                                       .layout = ""}},
                       .arena_bytes = 128,
                       .arena_lower_bound = 96,
                       .scratch_bytes = 64}};
  manifest.weights = {
      {.name = "a", .dtype = DType::kBF16, .shape = {2, 4}, .layout = "<16@1>", .offset = 0, .bytes = 64},
      {.name = "b", .dtype = DType::kF32, .shape = {8}, .layout = "", .offset = 64, .bytes = 32}};
  const std::string code = small_code();
  manifest.code = package::code_digest(std::as_bytes(std::span(code)));
  return manifest;
}

}  // namespace strata::fixtures
