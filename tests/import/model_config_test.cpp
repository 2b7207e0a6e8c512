// SPDX-License-Identifier: Apache-2.0
#include "import/model_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "import/families.h"
#include "import/tensor_specs.h"
#include "import/tensor_view.h"
#include "tests/base/expect_error.h"
#include "tests/import/checkpoint_files.h"

namespace strata::importer {
namespace {

using strata::fixtures::expect_error;
using strata::fixtures::Json;
using strata::fixtures::small_config;

ModelConfig parse(const Json& json) { return parse_model_config(json.dump(), "config.json"); }

Json with(const std::string& key, const Json& value) {
  Json config = small_config();
  config[key] = value;
  return config;
}
Json without(const std::string& key) {
  Json config = small_config();
  config.erase(key);
  return config;
}

Json untyped(const Json& architectures) {
  Json config = with("architectures", architectures);
  config.erase("model_type");
  return config;
}
Json sliding(std::int64_t full_layers, const Json& window) {
  Json config = with("use_sliding_window", true);
  config["max_window_layers"] = full_layers;
  config["sliding_window"] = window;
  return config;
}
// The text with a number written otherwise.
std::string python(const std::string& number, const std::string& other) {
  std::string text = small_config().dump();
  return text.replace(text.find(number), number.size(), other);
}

std::vector<std::int64_t> windows(const Json& json) {
  std::vector<std::int64_t> windows;
  for (const LayerKind& kind : parse(json).kinds) windows.push_back(kind.window);
  return windows;
}
// A configuration of another family with the same geometry.
Json of_family(const std::string& model_type) {
  Json config = with("model_type", model_type);
  config.erase("architectures");
  return config;
}

struct BadConfig {
  std::string name;
  std::string text;
  std::vector<std::string> message;
};
void PrintTo(const BadConfig& config, std::ostream* out) { *out << config.name; }

std::vector<BadConfig> bad_configs() {
  const std::string families = "supported: Qwen3ForCausalLM, Qwen3MoeForCausalLM, Qwen2ForCausalLM";
  const auto longrope = [](const Json& factors) {
    Json config = of_family("phi3");
    config["rope_scaling"] = {{"type", "longrope"}, {"short_factor", factors}, {"long_factor", factors}};
    return config.dump();
  };
  const auto of = [](const std::string& family, const std::string& key, const Json& value) {
    Json config = of_family(family);
    config[key] = value;
    return config.dump();
  };
  const auto scaling = [](const Json& value) { return with("rope_scaling", value).dump(); };
  std::vector<BadConfig> cases = {
      {"NotJson", "{", {"not valid JSON"}},
      {"EmptyObject", "{}", {"\"model_type\" is missing"}},
      {"List", "[]", {"a JSON object is needed"}},
      {"Nested",
       [] {
         std::string s;
         for (int i = 0; i < 100'000; ++i) s += "{\"a\":";
         return s;
       }(),
       {"nested deeper"}},
      {"Architecture", untyped({"NoSuchModel"}).dump(), {"architecture \"NoSuchModel\"", families}},
      {"ArchitectureMultimodal", untyped({"Qwen2VLForConditionalGeneration"}).dump(), {families}},
      {"ArchitecturesTwo", untyped({"A", "B"}).dump(), {"a list of one name"}},
      {"ArchitecturesText", untyped("Qwen3ForCausalLM").dump(), {"a list of one name"}},
      {"ModelTypeCounts", with("model_type", "nosuch").dump(), {"model_type \"nosuch\"", "Qwen3ForCausalLM", families}},
      {"InfiniteEps", python("1e-06", "Infinity"), {"\"rms_norm_eps\"", "not \"Infinity\""}},
      {"ModelTypeAlone", Json{{"model_type", "nosuch"}}.dump(), {"model_type \"nosuch\"", families}},
      {"HiddenZero", with("hidden_size", 0).dump(), {"\"hidden_size\"", "not 0"}},
      {"HiddenNegative", with("hidden_size", -64).dump(), {"\"hidden_size\"", "not -64"}},
      {"HiddenString", with("hidden_size", "64").dump(), {"\"hidden_size\"", "not \"64\""}},
      {"HiddenFloat", with("hidden_size", 64.0).dump(), {"\"hidden_size\"", "not 64.0"}},
      {"HiddenBoolean", with("hidden_size", true).dump(), {"\"hidden_size\"", "not true"}},
      {"HiddenHuge", with("hidden_size", 1LL << 40).dump(), {"\"hidden_size\"", "1048576"}},
      {"HiddenBeyondInt64", with("hidden_size", 18446744073709551615ULL).dump(), {"\"hidden_size\""}},
      {"HiddenMissing", without("hidden_size").dump(), {"\"hidden_size\" is missing"}},
      {"LayersMany", with("num_hidden_layers", 1'000'000'000).dump(), {"\"num_hidden_layers\"", "4096"}},
      {"LayersZero", with("num_hidden_layers", 0).dump(), {"\"num_hidden_layers\""}},
      {"KvHeadsDoNotDivide", with("num_key_value_heads", 3).dump(), {"\"num_key_value_heads\"", "a divisor"}},
      {"KvHeadsZero", with("num_key_value_heads", 0).dump(), {"\"num_key_value_heads\""}},
      {"KvHeadsMore", with("num_key_value_heads", 8).dump(), {"\"num_key_value_heads\"", "a divisor"}},
      {"HeadDimOdd", with("head_dim", 15).dump(), {"15", "even"}},
      {"ProjectionHuge",
       [] {
         Json c = with("head_dim", 8192);
         c["num_attention_heads"] = 65536;
         return c.dump();
       }(),
       {"at most 4194304"}},
      {"VocabHuge", with("vocab_size", 1LL << 40).dump(), {"\"vocab_size\""}},
      {"PositionsZero", with("max_position_embeddings", 0).dump(), {"\"max_position_embeddings\""}},
      {"Activation", with("hidden_act", "nosuch").dump(), {"activation \"nosuch\"", "supported: silu"}},
      {"ActivationGelu", with("hidden_act", "gelu").dump(), {"activation \"gelu\""}},
      {"EpsList", with("rms_norm_eps", {1}).dump(), {"\"rms_norm_eps\"", "a number"}},
      {"EpsZero", with("rms_norm_eps", 0).dump(), {"\"rms_norm_eps\""}},
      {"EpsNegative", with("rms_norm_eps", -1e-6).dump(), {"\"rms_norm_eps\""}},
      {"ThetaZero", with("rope_theta", 0).dump(), {"\"rope_theta\""}},
      {"ThetaString", with("rope_theta", "1e6").dump(), {"\"rope_theta\""}},
      {"TiedNumber", with("tie_word_embeddings", 1).dump(), {"\"tie_word_embeddings\"", "true or false"}},
      {"RopeLlama3Incomplete", scaling({{"rope_type", "llama3"}, {"factor", 8.0}}), {"\"low_freq_factor\" is missing"}},
      {"RopeLlama3Reversed",
       scaling({{"rope_type", "llama3"},
                {"factor", 8.0},
                {"low_freq_factor", 4.0},
                {"high_freq_factor", 1.0},
                {"original_max_position_embeddings", 8192}}),
       {"\"high_freq_factor\""}},
      {"RopeFactorHuge", scaling({{"rope_type", "llama3"}, {"factor", 1e300}}), {"\"factor\""}},
      {"RopeList", with("rope_scaling", Json::array()).dump(), {"\"rope_scaling\"", "an object"}},
      {"RopeParametersByLayer",
       with("rope_parameters",
            {{"full_attention", {{"rope_theta", 1e4}}}, {"sliding_attention", {{"rope_theta", 1e5}}}})
           .dump(),
       {"by layer type"}},
      {"RopeParametersType",
       with("rope_parameters", {{"rope_type", "mrope"}, {"rope_theta", 1e4}}).dump(),
       {"\"mrope\"", "supported: default, linear"}},
      {"RopeLinearWithoutFactor", scaling({{"rope_type", "linear"}}), {"\"factor\" is missing"}},
      {"RopeLinearFactor", scaling({{"type", "linear"}, {"factor", 0.5}}), {"\"factor\""}},
      {"RopeYarnTurns",
       scaling({{"type", "yarn"}, {"factor", 2.0}, {"beta_fast", 1}, {"beta_slow", 32}}),
       {"\"beta_fast\"", "larger than beta_slow"}},
      {"RopeLongrope", scaling({{"type", "longrope"}, {"factor", 2.0}}), {"\"short_factor\" is missing"}},
      {"RopeLongropeFew", longrope({1.0, 2.0}), {"\"short_factor\"", "each of 8 pairs"}},
      {"RopeLongropeZero", longrope({1, 1, 1, 1, 1, 1, 1, 0}), {"\"short_factor\"", "a positive number"}},
      {"PartialRotationOdd", of("phi3", "partial_rotary_factor", 0.2), {"partial_rotary_factor", "an even number"}},
      {"MissingMultiplier", of_family("granite").dump(), {"\"embedding_multiplier\" is missing"}},
      {"ForeignMultiplier", with("residual_multiplier", 0.5).dump(), {"\"residual_multiplier\""}},
      {"ForeignQueryScalar", with("query_pre_attn_scalar", 256).dump(), {"\"query_pre_attn_scalar\""}},
      {"RotatedLayersFew", of("smollm3", "no_rope_layers", {1}), {"no_rope_layers", "num_hidden_layers = 2"}},
      {"RotatedLayersTwo", of("smollm3", "no_rope_layers", {1, 2}), {"no_rope_layers", "ones and zeros"}},
      {"WindowsContradict",
       [] {
         Json config = of_family("gemma3_text");
         config["sliding_window"] = 8;
         config["sliding_window_pattern"] = 2;
         config["layer_types"] = {"full_attention", "full_attention"};
         return config.dump();
       }(),
       {"layer_types", "layer 0", "the other fields say otherwise"}},
      {"WindowsOfMistralContradict",
       [] {
         Json config = of_family("mistral");
         config["sliding_window"] = 8;
         config["layer_types"] = {"sliding_attention", "full_attention"};
         return config.dump();
       }(),
       {"layer_types", "layer 1"}},
      {"PartialRotation", with("partial_rotary_factor", 0.5).dump(), {"partial_rotary_factor 0.5"}},
      {"PartialRotationInside",
       with("rope_parameters", {{"partial_rotary_factor", 0.25}}).dump(),
       {"partial_rotary_factor 0.25"}},
      {"SlidingWindow", sliding(1, 0).dump(), {"sliding_window"}},
      {"LayerTypes", with("layer_types", {"full_attention", "linear_attention"}).dump(), {"layer_types \"linear"}},
      {"LayerTypesWithoutWindow", with("layer_types", {"full_attention", "sliding_attention"}).dump(), {"layer_types"}},
      {"TooFewLayerTypes", with("layer_types", {"full_attention"}).dump(), {"layer_types", "num_hidden_layers = 2"}},
      {"Quantized", with("quantization_config", {{"quant_method", "gptq"}}).dump(), {"quantization_config", "gptq"}},
      {"SoftcapAttention", with("attn_logit_softcapping", 50.0).dump(), {"attn_logit_softcapping"}},
      {"SoftcapFinal", with("final_logit_softcapping", 30.0).dump(), {"final_logit_softcapping"}},
      {"Experts", with("num_experts", 8).dump(), {"num_experts"}},
  };
  for (const char* type : {"nosuch", "mrope"}) {
    cases.push_back({std::string("Rope_") + type,
                     scaling({{"rope_type", type}, {"factor", 2.0}}),
                     {"rope scaling \"" + std::string(type) + "\"", "supported: default, linear"}});
  }
  return cases;
}

class BadModelConfig : public ::testing::TestWithParam<BadConfig> {};
INSTANTIATE_TEST_SUITE_P(Configs, BadModelConfig, ::testing::ValuesIn(bad_configs()),
                         [](const auto& test) { return test.param.name; });

TEST_P(BadModelConfig, IsRefused) {
  std::vector<std::string> parts = GetParam().message;
  parts.push_back("config.json");
  expect_error(ExitCode::kModel, parts, [&] { parse_model_config(GetParam().text, "config.json"); });
}

TEST(ModelConfig, Qwen3) {
  const ModelConfig config = parse(Json::parse(R"({"architectures": ["Qwen3ForCausalLM"], "attention_bias": false,
    "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
    "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
    "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
    "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true,
    "use_sliding_window": false, "vocab_size": 151936})"));
  EXPECT_EQ(config.architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(config.model_type, "qwen3");
  EXPECT_EQ(config.hidden_size, 1024);
  EXPECT_EQ(config.layers, 28);
  EXPECT_EQ(config.heads, 16);
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_EQ(config.intermediate_size, 3072);
  EXPECT_EQ(config.vocab_size, 151936);
  EXPECT_EQ(config.max_positions, 40960);
  EXPECT_EQ(config.rms_eps, 1e-6);
  EXPECT_EQ(config.ropes[0].kind, Rope::Kind::kDefault);
  EXPECT_EQ(config.ropes[0].theta, 1e6);
  EXPECT_TRUE(config.tied_head);
  EXPECT_TRUE(config.qk_norm);
  EXPECT_FALSE(config.qkv_bias || config.output_bias || config.mlp_bias);
  EXPECT_EQ(config.activation, "silu");
  EXPECT_EQ(config.torch_dtype, "bfloat16");
}

TEST(ModelConfig, Qwen2HasBiasesOfItsOwn) {
  const ModelConfig config = parse(Json::parse(R"({"architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu",
    "hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21,
    "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
    "torch_dtype": "bfloat16", "use_sliding_window": false, "vocab_size": 151936})"));
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_FALSE(config.output_bias || config.mlp_bias || config.qk_norm);
}

TEST(ModelConfig, Llama3ScalesItsFrequencies) {
  const ModelConfig config = parse(Json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
    "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
    "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
    "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 500000.0,
    "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 128256})"));
  EXPECT_EQ(config.rms_eps, 1e-5);
  EXPECT_EQ(config.ropes[0].kind, Rope::Kind::kLlama3);
  EXPECT_EQ(config.ropes[0].theta, 500000.0);
  EXPECT_EQ(config.ropes[0].factor, 32.0);
  EXPECT_EQ(config.ropes[0].low_freq_factor, 1.0);
  EXPECT_EQ(config.ropes[0].high_freq_factor, 4.0);
  EXPECT_EQ(config.ropes[0].original_max_positions, 8192);
  EXPECT_FALSE(config.qkv_bias || config.output_bias || config.mlp_bias || config.qk_norm);
}

TEST(ModelConfig, BiasesFollowTheFamily) {
  Json llama = small_config();
  llama["model_type"] = "llama";
  llama["attention_bias"] = true;
  llama["mlp_bias"] = true;
  const ModelConfig config = parse(llama);
  EXPECT_TRUE(config.qkv_bias && config.output_bias && config.mlp_bias);
  const ModelConfig qwen3 = parse(with("attention_bias", true));
  EXPECT_TRUE(qwen3.qkv_bias && qwen3.output_bias);
  EXPECT_FALSE(parse(with("mlp_bias", true)).mlp_bias);
}

TEST(ModelConfig, NewSpellingsAreRead) {
  Json json = without("rope_theta");
  json.erase("torch_dtype");
  json.erase("rope_scaling");
  json["dtype"] = "float16";
  json["layer_types"] = {"full_attention", "full_attention"};
  json["rope_parameters"] = {{"rope_type", "llama3"},   {"rope_theta", 2e5},
                             {"factor", 8.0},           {"low_freq_factor", 1.0},
                             {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 4096}};
  const ModelConfig config = parse(json);
  EXPECT_EQ(config.torch_dtype, "float16");
  EXPECT_EQ(config.ropes[0].theta, 2e5);
  EXPECT_EQ(config.ropes[0].kind, Rope::Kind::kLlama3);
  EXPECT_EQ(config.ropes[0].original_max_positions, 4096);
}

TEST(ModelConfig, DefaultsOfTheFamilies) {
  EXPECT_EQ(parse(without("head_dim")).head_dim, 128);  // Qwen3's own default, not hidden_size / heads
  EXPECT_EQ(parse(without("num_key_value_heads")).kv_heads, 4);
  EXPECT_EQ(parse(without("rope_theta")).ropes[0].theta, 10000.0);
  EXPECT_FALSE(parse(without("tie_word_embeddings")).tied_head);
  EXPECT_EQ(parse(without("max_position_embeddings")).max_positions, 32768);
  Json llama = without("head_dim");
  llama["model_type"] = "llama";
  llama.erase("max_position_embeddings");
  EXPECT_EQ(parse(llama).max_positions, 2048);
  EXPECT_EQ(parse(llama).head_dim, 16);
  llama["num_attention_heads"] = 6;
  expect_error(ExitCode::kModel, {"a divisor of hidden_size = 64"}, [&] { parse(llama); });
}

TEST(ModelConfig, ModelTypeStandsInForTheArchitecture) {
  EXPECT_EQ(parse(without("architectures")).architecture, "Qwen3ForCausalLM");
}

TEST(ModelConfig, ModelTypeCountsWhereTheArchitectureDisagrees) {
  EXPECT_EQ(parse(with("architectures", {"LlamaForCausalLM"})).architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(parse(with("architectures", {"Qwen3Model"})).architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(parse(with("architectures", Json::array())).architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(parse(untyped({"LlamaForCausalLM"})).architecture, "LlamaForCausalLM");
}

TEST(ModelConfig, WindowsAreThoseOfTheLayers) {
  using Windows = std::vector<std::int64_t>;
  const ModelConfig config = parse(small_config());
  EXPECT_EQ(windows(small_config()), (Windows{0, 0}));
  EXPECT_EQ(windows(sliding(0, 8)), (Windows{8, 8}));
  EXPECT_EQ(windows(sliding(1, 8)), (Windows{0, 8}));
  EXPECT_EQ(windows(sliding(config.layers, 8)), (Windows{0, 0}));
  EXPECT_EQ(windows(sliding(0, nullptr)), (Windows{0, 0}));
  EXPECT_EQ(windows(sliding(0, config.max_positions)), (Windows{0, 0}));
  EXPECT_EQ(windows(sliding(0, config.max_positions - 1)), Windows(2, config.max_positions - 1));
  // Qwen's default: the first 28 layers have none.
  EXPECT_EQ(windows(with("use_sliding_window", true)), (Windows{0, 0}));
  Json layers = sliding(0, 8);
  layers["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_EQ(windows(layers), (Windows{8, 0}));
  Json llama = sliding(0, 8);
  llama["model_type"] = "llama";
  EXPECT_EQ(windows(llama), (Windows{0, 0}));
}

TEST(ModelConfig, PythonsConstantsDoNoHarmWhereNobodyReadsThem) {
  std::string text = with("initializer_range", "X").dump();
  text.replace(text.find("\"X\""), 3, "Infinity");
  EXPECT_NO_THROW(parse_model_config(text, "config.json"));
}

TEST(ModelConfig, HarmlessFeaturesAreAccepted) {
  EXPECT_NO_THROW(parse(with("num_experts", 0)));
  EXPECT_NO_THROW(parse(with("num_local_experts", 0)));
  EXPECT_NO_THROW(parse(with("logit_scale", 1.0)));

  EXPECT_NO_THROW(parse(with("attention_dropout", 0.1)));
  EXPECT_NO_THROW(parse(with("sliding_window", 4096)));
  EXPECT_NO_THROW(parse(with("partial_rotary_factor", 1.0)));
  EXPECT_NO_THROW(parse(with("quantization_config", nullptr)));
  EXPECT_NO_THROW(parse(with("rope_scaling", {{"type", "default"}})));
  EXPECT_EQ(parse(with("hidden_act", "swish")).activation, "silu");
}

TEST(ModelConfig, WindowsOfOtherFamilies) {
  using Windows = std::vector<std::int64_t>;
  Json mistral = of_family("mistral");
  EXPECT_EQ(windows(mistral), (Windows{0, 0}));
  mistral["sliding_window"] = 8;
  EXPECT_EQ(windows(mistral), (Windows{8, 8}));
  mistral["model_type"] = "ministral";
  mistral["layer_types"] = {"full_attention", "sliding_attention"};
  EXPECT_EQ(windows(mistral), (Windows{0, 8}));
  Json gemma = of_family("gemma3_text");
  gemma["sliding_window"] = 8;
  gemma["sliding_window_pattern"] = 2;
  EXPECT_EQ(windows(gemma), (Windows{8, 0}));
  Json smol = of_family("smollm3");
  smol["use_sliding_window"] = true;
  smol["sliding_window"] = 8;
  smol["no_rope_layers"] = {0, 1};
  EXPECT_EQ(windows(smol), (Windows{8, 0}));
}

TEST(ModelConfig, LayersThatDoNotRotate) {
  Json json = of_family("smollm3");
  json["num_hidden_layers"] = 9;
  const ModelConfig config = parse(json);
  for (std::int64_t layer = 0; layer < 9; ++layer) EXPECT_EQ(rope_of(config, layer), layer % 4 == 3 ? -1 : 0) << layer;
}

TEST(ModelConfig, SlidingLayersMayHaveARopeOfTheirOwn) {
  Json json = of_family("gemma3_text");
  json["sliding_window_pattern"] = 2;
  json["sliding_window"] = 512;  // slides, although it sees all
  json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  const ModelConfig config = parse(json);
  ASSERT_EQ(config.ropes.size(), 2U);
  EXPECT_EQ(config.ropes[0].theta, 1e6);
  EXPECT_EQ(config.ropes[0].kind, Rope::Kind::kLinear);
  EXPECT_EQ(config.ropes[1].theta, 1e4);
  EXPECT_EQ(config.ropes[1].kind, Rope::Kind::kDefault);
  json["query_pre_attn_scalar"] = 64;
  EXPECT_EQ(parse(json).attention_scale, 0.125);
  EXPECT_EQ(rope_of(config, 0), 1);
  EXPECT_EQ(rope_of(config, 1), 0);
}

TEST(Rope, LongropeTakesTheFactorsOfTheLongestContext) {
  Json json = of_family("phi3");
  json["partial_rotary_factor"] = 0.5;
  json["rope_scaling"] = {{"type", "longrope"}, {"short_factor", {1, 1, 1, 1}}, {"long_factor", {2, 2, 2, 2}}};
  json["original_max_position_embeddings"] = 512;
  const Rope shorter = parse(json).ropes[0];
  EXPECT_EQ(shorter.amplitude, 1.0);
  json["original_max_position_embeddings"] = 64;
  const Rope longer = parse(json).ropes[0];
  EXPECT_DOUBLE_EQ(longer.amplitude, std::sqrt(1.5));  // 1 + log 8 / log 64
  const std::vector<float> before = rope_frequencies(shorter, 16), after = rope_frequencies(longer, 16);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(after[i], before[i] / 2);
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(after[i], 0);
  EXPECT_EQ(rope_amplitudes(longer, 16)[3], static_cast<float>(longer.amplitude));
  EXPECT_EQ(rope_amplitudes(longer, 16)[4], 1.0F);
}

TEST(HeadRows, HalvesAndPairsOfTheRotatedRowsAndTheOthers) {
  const HeadRows halves = {2, 4, false}, pairs = {2, 4, true};
  const auto order = [](const HeadRows& rows) {
    std::vector<std::int64_t> stored;
    for (std::int64_t row = 8; row < 16; ++row) stored.push_back(rows.stored(row, 16));
    return stored;
  };
  EXPECT_EQ(order(halves), (std::vector<std::int64_t>{8, 9, 12, 13, 10, 11, 14, 15}));
  EXPECT_EQ(order(pairs), (std::vector<std::int64_t>{8, 10, 12, 13, 9, 11, 14, 15}));
}

TEST(Families, NamesAndShapesOfEveryTensor) {
  const ModelConfig config = parse(small_config());
  strata::fixtures::Tensors mine;
  for (const TensorSpec& spec : tensor_specs(config)) mine.emplace_back(spec.name, spec.shape);
  strata::fixtures::Tensors published = strata::fixtures::small_tensors();
  std::sort(mine.begin(), mine.end());
  std::sort(published.begin(), published.end());
  EXPECT_EQ(mine, published);
}

TEST(Families, OptionalTensorsComeWithTheirFeatures) {
  Json json = with("attention_bias", true);
  json["model_type"] = "llama";
  json["mlp_bias"] = true;
  json["tie_word_embeddings"] = false;
  json["num_hidden_layers"] = 1;
  strata::fixtures::Tensors biases;
  for (const TensorSpec& spec : tensor_specs(parse(json))) {
    if (spec.role.ends_with(".bias") || spec.role == "lm_head.weight") biases.emplace_back(spec.name, spec.shape);
  }
  const strata::fixtures::Tensors expected = {
      {"model.layers.0.self_attn.q_proj.bias", {64}}, {"model.layers.0.self_attn.k_proj.bias", {32}},
      {"model.layers.0.self_attn.v_proj.bias", {32}}, {"model.layers.0.self_attn.o_proj.bias", {64}},
      {"model.layers.0.mlp.gate_proj.bias", {192}},   {"model.layers.0.mlp.up_proj.bias", {192}},
      {"model.layers.0.mlp.down_proj.bias", {64}},    {"lm_head.weight", {512, 64}}};
  EXPECT_EQ(biases, expected);
}

Json of_experts() {
  Json config = of_family("qwen3_moe");
  config["num_experts"] = 6;
  config["num_experts_per_tok"] = 2;
  config["moe_intermediate_size"] = 48;
  config["num_hidden_layers"] = 4;
  return config;
}

std::vector<bool> have_experts(const Json& json) {
  std::vector<bool> have;
  for (const LayerKind& kind : parse(json).kinds) have.push_back(kind.has_experts);
  return have;
}

TEST(Families, LayersHaveExpertsOrOneMlp) {
  Json json = of_experts();
  EXPECT_EQ(have_experts(json), (std::vector{true, true, true, true}));
  json["mlp_only_layers"] = {2};
  EXPECT_EQ(have_experts(json), (std::vector{true, true, false, true}));
  json["decoder_sparse_step"] = 2;
  EXPECT_EQ(have_experts(json), (std::vector{false, true, false, true}));
  const ModelConfig config = parse(json);
  EXPECT_EQ(tensor_name(config, "gate_proj.weight", 2), "model.layers.2.mlp.gate_proj.weight");
  EXPECT_EQ(tensor_name(config, "router.weight", 1), "model.layers.1.mlp.gate.weight");
  EXPECT_THROW(tensor_name(config, "gate_proj.weight", 1), std::logic_error);
  for (const TensorSpec& spec : tensor_specs(config)) {
    if (spec.role != "experts.down_proj.weight" || spec.layer != 3) continue;
    EXPECT_EQ(spec.shape, (std::vector<std::int64_t>{6 * 64, 48}));
    EXPECT_EQ(spec.experts, 6);
    EXPECT_EQ(expert_name(spec, 4), "model.layers.3.mlp.experts.4.down_proj.weight");
  }
  json["num_experts"] = 0;
  EXPECT_EQ(have_experts(json), (std::vector{false, false, false, false}));
}

TEST(Families, ExpertsHaveTwoNames) {
  Json json = of_experts();
  json["num_local_experts"] = 6;
  EXPECT_EQ(parse(json).experts, 6);
  json["num_experts_per_tok"] = 5;
  json["num_local_experts"] = 5;
  expect_error(ExitCode::kModel, {"num_local_experts", "num_experts = 6"}, [&] { parse(json); });
  json.erase("num_experts");
  EXPECT_EQ(parse(json).experts, 5);
}

TEST(Families, MistakesInExpertsAreNamed) {
  const auto expect = [](const char* key, const Json& value) {
    Json json = of_experts();
    json[key] = value;
    expect_error(ExitCode::kModel, {key}, [&] { parse(json); });
  };
  expect("num_experts_per_tok", 7);
  expect("num_experts_per_tok", 0);
  expect("num_experts", -1);
  expect("num_experts", 1 << 20);
  expect("moe_intermediate_size", 0);
  expect("decoder_sparse_step", 0);
  expect("mlp_only_layers", "1");
  expect("mlp_only_layers", {4});
  expect("mlp_only_layers", {-1});
  expect("mlp_only_layers", {0.5});
}

TEST(Families, RolesLeadToNames) {
  const ModelConfig config = parse(small_config());
  EXPECT_EQ(tensor_name(config, "q_norm.weight", 1), "model.layers.1.self_attn.q_norm.weight");
  EXPECT_EQ(tensor_name(config, "embed_tokens.weight"), "model.embed_tokens.weight");
  EXPECT_EQ(layer_roles(config, 0).size(), 11U);
  EXPECT_THROW(tensor_name(config, "lm_head.weight"), std::logic_error);
  EXPECT_THROW(tensor_name(config, "q_proj.weight"), std::logic_error);
}

}  // namespace
}  // namespace strata::importer
