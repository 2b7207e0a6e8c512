// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "base/temp_dir.h"
#include "import/checkpoint.h"
#include "import/gguf_model.h"
#include "import/model_folder.h"
#include "tests/base/expect_error.h"
#include "tests/import/gguf_bytes.h"

namespace strata::importer {
namespace {

using fixtures::array;
using fixtures::expect_error;
using fixtures::GgufBytes;
using fixtures::raw;
using fixtures::small_gguf;
using fixtures::value;

class GgufCheckpoint : public ::testing::Test {
 protected:
  std::filesystem::path write(const GgufBytes& file, const std::string& name = "model.gguf") const {
    const std::filesystem::path path = dir_.path() / name;
    std::ofstream(path, std::ios::binary) << file.text();
    return path;
  }
  Checkpoint open(const GgufBytes& file) const { return Checkpoint::open(write(file)); }
  void refused(const GgufBytes& file, std::vector<std::string> parts) const {
    parts.emplace_back("model.gguf");
    expect_error(ExitCode::kModel, parts, [&] { open(file); });
  }

  TempDir dir_{std::filesystem::temp_directory_path(), "gguf-test"};
};

void add_tensor(GgufBytes& file, const std::string& name, const std::vector<std::uint64_t>& dims) {
  GgufBytes::Tensor& tensor = file.tensor(name);
  tensor.dims = dims;
  tensor.bytes = 4;
  for (const std::uint64_t dim : dims) tensor.bytes *= dim;
  file.place();
}

void remove_tensor(GgufBytes& file, const std::string& name) {
  std::erase_if(file.tensors, [&](const GgufBytes::Tensor& tensor) { return tensor.name == name; });
}

TEST_F(GgufCheckpoint, HasTheGeometryOfItsMetadata) {
  const Checkpoint checkpoint = open(small_gguf());
  const ModelConfig& config = checkpoint.config();
  EXPECT_TRUE(checkpoint.is_gguf());
  EXPECT_EQ(config.architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.intermediate_size, 192);
  EXPECT_EQ(config.vocab_size, 512);
  EXPECT_EQ(config.max_positions, 512);
  EXPECT_EQ(config.rms_eps, 1e-6);
  EXPECT_EQ(config.ropes[0].theta, 1e6);
  EXPECT_TRUE(config.tied_head);
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
}

TEST_F(GgufCheckpoint, TensorsHaveTheNamesOfAFolder) {
  const Checkpoint checkpoint = open(small_gguf());
  const TensorView& view = checkpoint.at("model.layers.1.mlp.down_proj.weight");
  EXPECT_EQ(view.name, "blk.1.ffn_down.weight");
  EXPECT_EQ(view.shape, (std::vector<std::int64_t>{64, 192}));
  EXPECT_EQ(view.dtype, DType::kF32);
  EXPECT_EQ(view.head_rows.heads, 0);
  EXPECT_EQ(checkpoint.at("model.embed_tokens.weight").shape, (std::vector<std::int64_t>{512, 64}));
}

TEST_F(GgufCheckpoint, AHeadOfItsOwnCounts) {
  GgufBytes file = small_gguf();
  add_tensor(file, "output.weight", {64, 512});
  EXPECT_FALSE(open(file).config().tied_head);
}

TEST_F(GgufCheckpoint, BiasesAreThereWhereTheirTensorsAre) {
  GgufBytes file = small_gguf("llama");
  EXPECT_FALSE(open(file).config().qkv_bias);
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const auto& [name, size] :
         std::vector<std::pair<const char*, std::uint64_t>>{{"q", 64}, {"k", 32}, {"v", 32}, {"output", 64}}) {
      add_tensor(file, std::string(layer) + "attn_" + name + ".bias", {size});
    }
  }
  const Checkpoint checkpoint = open(file);
  EXPECT_TRUE(checkpoint.config().qkv_bias);
  EXPECT_FALSE(checkpoint.config().mlp_bias);
  EXPECT_EQ(checkpoint.at("model.layers.0.self_attn.k_proj.bias").head_rows.heads, 2);
}

// Rows 0 1 2 3 | 4 5 6 7 of a head, as a llama's file has them: 0 4 1 5 2 6 3 7.
TEST_F(GgufCheckpoint, ALlamasRowsAreInPairs) {
  const Checkpoint checkpoint = open(small_gguf("llama"));
  const TensorView& q = checkpoint.at("model.layers.0.self_attn.q_proj.weight");
  const TensorView& k = checkpoint.at("model.layers.0.self_attn.k_proj.weight");
  EXPECT_EQ(q.head_rows.heads, 4);
  EXPECT_EQ(k.head_rows.heads, 2);
  EXPECT_EQ(q.stored_row(0), 0);
  EXPECT_EQ(q.stored_row(1), 2);
  EXPECT_EQ(q.stored_row(7), 14);
  EXPECT_EQ(q.stored_row(8), 1);
  EXPECT_EQ(q.stored_row(15), 15);
  EXPECT_EQ(q.stored_row(16 + 9), 16 + 3);
  EXPECT_EQ(checkpoint.at("model.layers.0.self_attn.v_proj.weight").head_rows.heads, 0);
}

TEST_F(GgufCheckpoint, BlocksAreKnownByTheirFormat) {
  GgufBytes file = small_gguf();
  GgufBytes::Tensor& down = file.tensor("blk.0.ffn_down.weight");
  down.type = 8;
  down.bytes = 64 * 192 / 32 * 34;
  file.place();
  const Checkpoint checkpoint = open(file);
  const TensorView& view = checkpoint.at("model.layers.0.mlp.down_proj.weight");
  EXPECT_EQ(view.form(), "Q8_0");
  EXPECT_EQ(view.dtype, DType::kF16);
}

TEST_F(GgufCheckpoint, RopeFrequenciesAreDivided) {
  GgufBytes file = small_gguf("llama");
  const std::vector<float> whole = rope_frequencies(open(file).config().ropes[0], 16);
  add_tensor(file, "rope_freqs.weight", {8});
  std::string text = file.text();
  for (int i = 0; i < 8; ++i)
    text.replace(text.size() - 32 + 4 * static_cast<std::size_t>(i), 4, raw(static_cast<float>(i + 1)));
  std::ofstream(dir_.path() / "scaled.gguf", std::ios::binary) << text;
  const Checkpoint checkpoint = Checkpoint::open(dir_.path() / "scaled.gguf");
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
  const std::vector<float> divided = rope_frequencies(checkpoint.config().ropes[0], 16);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(divided[i], whole[i] / static_cast<float>(i + 1));
  text.replace(text.size() - 4, 4, raw(-1.0F));
  std::ofstream(dir_.path() / "negative.gguf", std::ios::binary) << text;
  expect_error(ExitCode::kModel, {"rope_freqs.weight", "a positive F32"},
               [&] { Checkpoint::open(dir_.path() / "negative.gguf"); });
  add_tensor(file, "rope_freqs.weight", {4});
  refused(file, {"rope_freqs.weight", "each of 8 pairs"});
}

TEST_F(GgufCheckpoint, ScalingsAreThoseOfAFolder) {
  GgufBytes file = small_gguf("llama");
  file.set("llama.rope.scaling.type", value("yarn"));
  file.set("llama.rope.scaling.factor", value(4.0F));
  file.set("llama.rope.scaling.original_context_length", value(128U));
  const Rope rope = open(file).config().ropes[0];
  EXPECT_EQ(rope.kind, Rope::Kind::kYarn);
  EXPECT_EQ(rope.factor, 4.0);
  EXPECT_EQ(rope.original_max_positions, 128);
  file.set("llama.rope.scaling.attn_factor", value(0.5F));
  refused(file, {"llama.rope.scaling.attn_factor"});
  file = small_gguf("llama");
  file.set("llama.rope.scale_linear", value(2.0F));
  EXPECT_EQ(open(file).config().ropes[0].kind, Rope::Kind::kLinear);
}

TEST_F(GgufCheckpoint, AFamilysMultipliersAreNeeded) {
  GgufBytes file = small_gguf("granite");
  for (const auto& [key, number] : std::vector<std::pair<const char*, float>>{{"granite.embedding_scale", 12.0F},
                                                                              {"granite.residual_scale", 0.25F},
                                                                              {"granite.attention.scale", 0.125F},
                                                                              {"granite.logit_scale", 8.0F}}) {
    refused(file, {key, "is missing"});
    file.set(key, value(number));
  }
  const Checkpoint checkpoint = open(file);
  EXPECT_EQ(checkpoint.config().embedding_scale, 12.0);
  EXPECT_EQ(checkpoint.config().residual_scale, 0.25);
  EXPECT_EQ(checkpoint.config().attention_scale, 0.125);
  EXPECT_EQ(checkpoint.config().logits_scale, 0.125);
}

TEST_F(GgufCheckpoint, FusedMatricesAreTakenApart) {
  GgufBytes file = small_gguf("phi3");
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const char* part : {"attn_q.weight", "attn_k.weight", "attn_v.weight", "ffn_gate.weight", "ffn_up.weight"}) {
      remove_tensor(file, std::string(layer) + part);
    }
    add_tensor(file, std::string(layer) + "attn_qkv.weight", {64, 128});
    add_tensor(file, std::string(layer) + "ffn_up.weight", {64, 384});
  }
  const Checkpoint checkpoint = open(file);
  const TensorView& q = checkpoint.at("model.layers.1.self_attn.q_proj.weight");
  const TensorView& v = checkpoint.at("model.layers.1.self_attn.v_proj.weight");
  EXPECT_EQ(v.name, "blk.1.attn_qkv.weight");
  EXPECT_EQ(v.shape, (std::vector<std::int64_t>{32, 64}));
  EXPECT_EQ(v.bytes.data() - q.bytes.data(), (64 + 32) * 64 * 4);
  EXPECT_EQ(checkpoint.at("model.layers.0.mlp.up_proj.weight").bytes.size(), 192U * 64 * 4);
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
  remove_tensor(file, "blk.1.attn_qkv.weight");
  refused(file, {"\"blk.1.attn_qkv.weight\" is missing"});
  add_tensor(file, "blk.1.attn_qkv.weight", {64, 120});
  refused(file, {"\"blk.1.attn_qkv.weight\" has the shape [120, 64], the metadata want [128, 64]"});
}

TEST_F(GgufCheckpoint, AWeightsScaleGoesWithIt) {
  GgufBytes file = small_gguf();
  GgufBytes::Tensor& down = file.tensor("blk.0.ffn_down.weight");
  down.type = 40;  // NVFP4
  down.bytes = 64 * 192 / 64 * 36;
  add_tensor(file, "blk.0.ffn_down.input_scale", {1});
  add_tensor(file, "blk.0.ffn_down.scale", {1});
  std::string text = file.text();
  text.replace(text.size() - 4, 4, raw(0.25F));
  std::ofstream(dir_.path() / "scaled.gguf", std::ios::binary) << text;
  const Checkpoint checkpoint = Checkpoint::open(dir_.path() / "scaled.gguf");
  EXPECT_EQ(checkpoint.at("model.layers.0.mlp.down_proj.weight").scale, 0.25F);
  EXPECT_EQ(checkpoint.at("model.layers.1.mlp.down_proj.weight").scale, 1.0F);
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
  add_tensor(file, "blk.0.ffn_down.scale", {2});
  refused(file, {"\"blk.0.ffn_down.scale\" is not one number"});
  file = small_gguf();
  add_tensor(file, "blk.0.ffn_down.scale", {1});
  refused(file, {"\"blk.0.ffn_down.weight\" has a scale, but no blocks"});
}

// A name that a folder's tensor would have says nothing.
TEST_F(GgufCheckpoint, NamesOfFoldersAreNotTaken) {
  GgufBytes file = small_gguf();
  remove_tensor(file, "output_norm.weight");
  add_tensor(file, "model.norm.weight", {64});
  refused(file, {"\"output_norm.weight\" is missing"});
}

TEST_F(GgufCheckpoint, TensorsThatNothingUsesAreNamed) {
  GgufBytes file = small_gguf();
  add_tensor(file, "blk.0.attn_sinks.weight", {4});
  EXPECT_EQ(open(file).unused_tensors(), std::vector<std::string>{"blk.0.attn_sinks.weight"});
}

TEST_F(GgufCheckpoint, WhatIsMissingIsNamed) {
  for (const char* key :
       {"general.architecture", "qwen3.block_count", "qwen3.embedding_length", "qwen3.feed_forward_length",
        "qwen3.attention.head_count", "qwen3.attention.layer_norm_rms_epsilon", "qwen3.context_length"}) {
    GgufBytes file = small_gguf();
    file.erase(key);
    refused(file, {"the key \"" + std::string(key) + "\" is missing"});
  }
  for (const GgufBytes::Tensor& tensor : small_gguf().tensors) {
    GgufBytes file = small_gguf();
    remove_tensor(file, tensor.name);
    refused(file, {tensor.name == "token_embd.weight" ? "qwen3.vocab_size" : tensor.name, "is missing"});
  }
}

struct BadKey {
  const char* key;
  std::string value;
  const char* message;
};

TEST_F(GgufCheckpoint, WhatIsNotSupportedIsNamed) {
  const std::vector<BadKey> cases = {
      {"general.architecture", value("gemma2"), "unsupported architecture \"gemma2\""},
      {"general.architecture", value(3U), "\"general.architecture\" is not a string"},
      {"general.type", value("adapter"), "\"adapter\""},
      {"llama.expert_count", value(8U), "\"llama.expert_count\""},
      {"llama.attn_logit_softcapping", value(50.0F), "\"llama.attn_logit_softcapping\""},
      {"llama.final_logit_softcapping", value(30.0F), "\"llama.final_logit_softcapping\""},
      {"llama.logit_scale", value(0.5F), "\"llama.logit_scale\""},
      {"llama.attention.scale", value(0.5F), "\"llama.attention.scale\""},
      {"llama.attention.sliding_window", value(16U), "\"llama.attention.sliding_window\""},
      {"llama.attention.value_length", value(32U), "\"llama.attention.value_length\" 32"},
      {"llama.rope.dimension_count", value(8U), "\"llama.rope.dimension_count\" 8"},
      {"llama.rope.scaling.type", value("nosuch"), "rope scaling \"nosuch\""},
      {"llama.embedding_scale", value(12.0F), "\"llama.embedding_scale\""},
      {"llama.block_count", value("two"), "\"llama.block_count\" is not an integer"},
      {"llama.block_count", value(0U), "num_hidden_layers"},
      {"llama.block_count", value(3U), "\"blk.2.attn_norm.weight\" is missing"},
      {"llama.embedding_length", value(~0U), "hidden_size"},
      {"llama.embedding_length", value(32U), "\"token_embd.weight\" has the shape [512, 64], the metadata want"},
      {"llama.attention.head_count", array({4, 4}), "is not an integer"},
      {"llama.attention.head_count_kv", value(3U), "num_key_value_heads"},
      {"llama.attention.key_length", value(15U), "must be even"},
      {"llama.attention.layer_norm_rms_epsilon", value("small"), "is not a number"},
      {"llama.rope.freq_base", value(-1.0F), "rope_theta"},
  };
  for (const auto& [key, bytes, message] : cases) {
    GgufBytes file = small_gguf("llama");
    file.set(key, bytes);
    refused(file, {message});
  }
}

TEST_F(GgufCheckpoint, TypesThatAreNotSupportedAreNamed) {
  GgufBytes file = small_gguf();
  GgufBytes::Tensor& tensor = file.tensor("blk.1.attn_v.weight");
  tensor.type = 28;  // F64
  tensor.bytes *= 2;
  file.place();
  refused(file, {"blk.1.attn_v.weight", "unsupported dtype F64", "Q4_K"});
}

TEST_F(GgufCheckpoint, IdentityIsTheContent) {
  GgufBytes file = small_gguf();
  const std::string before = open(file).identity();
  EXPECT_EQ(Checkpoint::open(write(file, "other.gguf")).identity(), before);
  file.set("qwen3.rope.freq_base", value(1e5F));
  EXPECT_NE(open(file).identity(), before);
}

// small_gguf() in two parts: the embedding table in the second.
std::pair<GgufBytes, GgufBytes> in_parts() {
  GgufBytes first = small_gguf(), second;
  second.tensors = {first.tensor("token_embd.weight")};
  remove_tensor(first, "token_embd.weight");
  for (GgufBytes* part : {&first, &second}) {
    part->set("split.count", value(GgufKind::kU16, std::uint16_t{2}));
    part->set("split.no", value(GgufKind::kU16, static_cast<std::uint16_t>(part == &first ? 0 : 1)));
    part->place();
  }
  return {first, second};
}

constexpr const char* kFirstPart = "m-00001-of-00002.gguf";
constexpr const char* kSecondPart = "m-00002-of-00002.gguf";

TEST_F(GgufCheckpoint, PartsAreOneModel) {
  const auto [first, second] = in_parts();
  const auto first_path = write(first, kFirstPart), second_path = write(second, kSecondPart);
  EXPECT_EQ(Checkpoint::open(first_path).parameters(), open(small_gguf()).parameters());
  EXPECT_EQ(Checkpoint::open(second_path).identity(), Checkpoint::open(first_path).identity());
  EXPECT_EQ(gguf_parts(second_path), (std::vector{first_path, second_path}));
  EXPECT_EQ(gguf_parts("other.gguf"), std::vector<std::filesystem::path>{"other.gguf"});
}

TEST_F(GgufCheckpoint, PartsThatDontBelongTogetherAreRefused) {
  auto [first, second] = in_parts();
  const auto path = write(first, kFirstPart);
  const auto open_refused = [&](const std::filesystem::path& file, std::vector<std::string> parts) {
    expect_error(ExitCode::kModel, parts, [&] { Checkpoint::open(file); });
  };
  open_refused(path, {"a part of the model is missing", kSecondPart});
  open_refused(write(first, "renamed.gguf"), {"split in 2 files", "renamed.gguf"});
  open_refused(write(first, "m-00001-of-00003.gguf"), {"split in 2 files", "m-00001-of-00003.gguf"});
  write(first, kSecondPart);
  open_refused(path, {"part 1 of 2", "2 of 2", kSecondPart});
  write(small_gguf(), kSecondPart);
  open_refused(path, {"part 1 of 1", kSecondPart});
  second.tensors.push_back(first.tensor("output_norm.weight"));
  second.place();
  write(second, kSecondPart);
  open_refused(path, {"\"output_norm.weight\" is in two parts"});
}

TEST_F(GgufCheckpoint, NamesForPeople) {
  EXPECT_EQ(model_name("/models/SmolLM2-135M.Q4_K_M.gguf"), "SmolLM2-135M.Q4_K_M");
  EXPECT_EQ(model_name("/models/Big-00002-of-00012.gguf"), "Big");
}

}  // namespace
}  // namespace strata::importer
