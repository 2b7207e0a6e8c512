// SPDX-License-Identifier: Apache-2.0
#include "import/decoder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "import/block_parts.h"
#include "import/families.h"
#include "import/wanted_rows.h"
#include "ir/op.h"

namespace strata::importer {
namespace {

using ir::Attributes;
using ir::Dim;
using ir::Expr;
using ir::TensorType;

// Keys of one head lie together; keys of consecutive positions fill lanes once a layout is chosen, so the context is
// always a multiple of the widest lanes of any machine.
constexpr std::int64_t kContextMultiple = 64;

// Builds the functions of one decoder. Names of values follow Hugging Face's modules.
class DecoderBuilder {
 public:
  DecoderBuilder(const Checkpoint& checkpoint, const DecoderOptions& options)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        options_(options),
        module_(config_.model_type),
        pool_(module_.pool()),
        seq_(1, module_.symbol({"seq", 1, options.max_chunk, 1})),
        ctx_(1, module_.symbol({"ctx", kContextMultiple, padded_context(), kContextMultiple})) {}

  ir::Module build() {
    forward();
    head();
    if (options_.wanted_rows) add_wanted_rows(module_);
    return std::move(module_);
  }

 private:
  std::int64_t padded_context() const {
    return (config_.max_positions + kContextMultiple - 1) / kContextMultiple * kContextMultiple;
  }

  const Expr* op(const std::string& name, std::vector<const Expr*> arguments, Attributes attributes = {}) {
    return pool_.op(ir::get_op(name), std::move(arguments), std::move(attributes));
  }

  // The element type in which a tensor of the checkpoint is stored in the package.
  DType stored_dtype(const TensorView& tensor) const {
    if (tensor.shape.size() < 2) return DType::kF32;
    return options_.dtype == "keep" ? tensor.dtype : *parse_dtype(options_.dtype);
  }

  TensorType weight_type(const std::string& name) const {
    const TensorView& tensor = checkpoint_.at(name);
    TensorType type{.dtype = stored_dtype(tensor)};
    for (const std::int64_t size : tensor.shape) type.shape.emplace_back(size);
    return type;
  }

  bool is_plain(const std::string& name) const { return leaves(name).front().part == BlockPart::kValues; }

  // The leaves that a weight is made of: itself, or where it is kept in its blocks the parts of these.
  std::vector<WeightLeaf> leaves(const std::string& name) const {
    const TensorView& tensor = checkpoint_.at(name);
    if (options_.dtype == "keep" && is_kept_in_blocks(tensor)) return block_leaves(name, tensor);
    return {{name, weight_type(name), BlockPart::kValues}};
  }

  // The weight of its leaves' values.
  const Expr* assembled(const std::vector<WeightLeaf>& leaves, const std::vector<const Expr*>& values) {
    const auto find = [&](BlockPart part) -> const Expr* {
      const auto found = std::ranges::find(leaves, part, &WeightLeaf::part);
      return found == leaves.end() ? nullptr : values[static_cast<std::size_t>(found - leaves.begin())];
    };
    const auto nested = [&](const Expr* codes, const Expr* numbers) {
      return codes == nullptr ? numbers : op("scale_blocks", {codes, numbers});
    };
    if (const Expr* const whole = find(BlockPart::kValues)) return whole;
    const Expr* const scales = nested(find(BlockPart::kScaleCodes), find(BlockPart::kScales));
    const Expr* const codes = find(BlockPart::kCodes);
    const Expr* const shifts = find(BlockPart::kShifts);
    if (shifts == nullptr) return op("scale_blocks", {codes, scales});
    return op("affine_blocks", {codes, scales, nested(find(BlockPart::kShiftCodes), shifts)});
  }

  const Expr* weight(const std::string& name) {
    const std::vector<WeightLeaf> parts = leaves(name);
    std::vector<const Expr*> values;
    for (const WeightLeaf& leaf : parts) values.push_back(pool_.weight(leaf.name, leaf.type));
    return assembled(parts, values);
  }

  TensorType hidden_type() const { return {DType::kF32, {seq_, config_.hidden_size}}; }
  TensorType positions_type() const { return {DType::kI32, {seq_}}; }
  TensorType rotation_type() const { return {DType::kF32, {seq_, config_.head_dim / 2}}; }

  // The cache has the matrices' element type: its rounding is of the size of theirs. That of quantised ones is far
  // larger, but where no row is to be rounded.
  TensorType cache_type(std::int64_t layer) const {
    const bool is_exact = options_.exact_activations && !is_plain(tensor_name(config_, "k_proj.weight", layer));
    const DType dtype = is_exact ? DType::kF32 : weight_type(tensor_name(config_, "k_proj.weight", layer)).dtype;
    return {dtype, {config_.kv_heads, ctx_, config_.head_dim}};
  }

  using Tensors = std::map<std::string, const Expr*, std::less<>>;  // by role

  // y = x * w^T (+ b), for the projection `name` of a layer.
  const Expr* linear(const Expr* x, const Tensors& tensors, const std::string& name) {
    const Expr* y = op("matmul_nt", {x, tensors.at(name + ".weight")});
    const auto bias = tensors.find(name + ".bias");
    return bias == tensors.end() ? y : op("add", {y, bias->second});
  }

  const Expr* rms_norm(const Expr* x, const Expr* weight) {
    return op("rms_norm", {x, weight}, {{"eps", config_.rms_eps}});
  }

  const Expr* reshape(const Expr* x, std::vector<std::int64_t> shape) {
    return op("reshape", {x}, {{"shape", std::move(shape)}});
  }

  // [seq, heads * dim] -> [seq, heads, dim], normalised per head where the family does so, rotated by position.
  const Expr* rotated_heads(const Expr* x, std::int64_t heads, const Expr* norm_weight, const Expr* cos,
                            const Expr* sin) {
    const std::int64_t dim = config_.head_dim;
    if (norm_weight != nullptr) x = rms_norm(reshape(x, {-1, heads, dim}), norm_weight);
    const Expr* rotated = op("rope", {reshape(x, {-1, heads, 2, dim / 2}), cos, sin});
    return reshape(rotated, {-1, heads, dim});
  }

  struct LayerInputs {
    const Expr *x, *cos, *sin, *positions, *k_cache, *v_cache;
  };

  // Over the whole context, or a window of it.
  const Expr* attention(std::vector<const Expr*> operands, std::int64_t window) {
    Attributes attributes = {{"scale", 1.0 / std::sqrt(static_cast<double>(config_.head_dim))}};
    if (window == 0) return op("attention", std::move(operands), std::move(attributes));
    attributes["window"] = window;
    return op("windowed_attention", std::move(operands), std::move(attributes));
  }

  std::int64_t window(std::int64_t layer) const { return config_.windows[static_cast<std::size_t>(layer)]; }

  std::vector<const Expr*> layer_body(const LayerInputs& in, const Tensors& tensors, std::int64_t window) {
    const std::int64_t dim = config_.head_dim;
    const auto tensor_or_null = [&](const std::string& name) {
      const auto found = tensors.find(name);
      return found == tensors.end() ? nullptr : found->second;
    };
    const Expr* normed = rms_norm(in.x, tensors.at("input_layernorm.weight"));
    const Expr* q = rotated_heads(linear(normed, tensors, "q_proj"), config_.heads, tensor_or_null("q_norm.weight"),
                                  in.cos, in.sin);
    const Expr* k = rotated_heads(linear(normed, tensors, "k_proj"), config_.kv_heads, tensor_or_null("k_norm.weight"),
                                  in.cos, in.sin);
    const Expr* v = reshape(linear(normed, tensors, "v_proj"), {-1, config_.kv_heads, dim});
    const Expr* k_cache = op("cache_append", {in.k_cache, k, in.positions});
    const Expr* v_cache = op("cache_append", {in.v_cache, v, in.positions});
    const Expr* attended = attention({q, k_cache, v_cache, in.positions}, window);
    attended = reshape(attended, {-1, config_.heads * dim});
    const Expr* x = op("add", {in.x, linear(attended, tensors, "o_proj")});
    normed = rms_norm(x, tensors.at("post_attention_layernorm.weight"));
    const Expr* gate = op("silu", {linear(normed, tensors, "gate_proj")});
    const Expr* product = op("mul", {gate, linear(normed, tensors, "up_proj")});
    return {op("add", {x, linear(product, tensors, "down_proj")}), k_cache, v_cache};
  }

  // The function of a layer; layers with equal types and windows share it.
  const ir::Function* layer_function(std::int64_t layer) {
    std::string signature = std::to_string(window(layer)) + cache_type(layer).text();
    for (const std::string_view role : layer_roles(config_)) {
      for (const WeightLeaf& leaf : leaves(tensor_name(config_, role, layer)))
        signature += std::to_string(static_cast<int>(leaf.part)) + leaf.type.text();
    }
    const ir::Function*& function = layer_functions_[signature];
    if (function != nullptr) return function;

    ir::Function body;
    body.name = layer_functions_.size() == 1 ? "layer" : "layer" + std::to_string(layer_functions_.size());
    const auto parameter = [&](const std::string& name, const TensorType& type) {
      body.parameters.push_back(pool_.parameter(name, type));
      return body.parameters.back();
    };
    const LayerInputs in = {parameter("x", hidden_type()),           parameter("cos", rotation_type()),
                            parameter("sin", rotation_type()),       parameter("positions", positions_type()),
                            parameter("k_cache", cache_type(layer)), parameter("v_cache", cache_type(layer))};
    Tensors tensors;
    for (const std::string_view role : layer_roles(config_)) {
      const std::vector<WeightLeaf> parts = leaves(tensor_name(config_, role, layer));
      std::vector<const Expr*> values;
      for (const WeightLeaf& leaf : parts) {
        const std::string_view suffix = block_part_suffix(leaf.part);
        values.push_back(parameter(std::string(role) + std::string(suffix), leaf.type));
      }
      tensors[std::string(role)] = assembled(parts, values);
    }
    body.results = layer_body(in, tensors, window(layer));
    return function = module_.add(std::move(body));
  }

  void forward() {
    std::vector<const ir::Function*> layers;
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) layers.push_back(layer_function(layer));

    ir::Function body;
    body.name = "forward";
    const Expr* tokens = pool_.parameter("tokens", positions_type());
    const Expr* positions = pool_.parameter("positions", positions_type());
    body.parameters = {tokens, positions};
    const Expr* frequencies = pool_.weight("rope.frequencies", {DType::kF32, {config_.head_dim / 2}});
    const Expr* angles = op("rope_angles", {positions, frequencies});
    const Expr* cos = op("cos", {angles});
    const Expr* sin = op("sin", {angles});
    const Expr* x = op("gather", {weight(tensor_name(config_, "embed_tokens.weight")), tokens});
    std::vector<const Expr*> caches;
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
      const std::string suffix = std::to_string(layer);
      const Expr* k_cache = pool_.parameter("k_cache." + suffix, cache_type(layer));
      const Expr* v_cache = pool_.parameter("v_cache." + suffix, cache_type(layer));
      body.parameters.insert(body.parameters.end(), {k_cache, v_cache});
      std::vector<const Expr*> arguments = {x, cos, sin, positions, k_cache, v_cache};
      for (const std::string_view role : layer_roles(config_)) {
        for (const WeightLeaf& leaf : leaves(tensor_name(config_, role, layer)))
          arguments.push_back(pool_.weight(leaf.name, leaf.type));
      }
      const Expr* call = pool_.call(*layers[layer], std::move(arguments));
      x = pool_.get(call, 0);
      caches.insert(caches.end(), {pool_.get(call, 1), pool_.get(call, 2)});
    }
    body.results = {rms_norm(x, weight(tensor_name(config_, "norm.weight")))};
    body.results.insert(body.results.end(), caches.begin(), caches.end());
    module_.add(std::move(body));
  }

  void head() {
    ir::Function body;
    body.name = "head";
    const Expr* hidden = pool_.parameter("hidden", hidden_type());
    body.parameters = {hidden};
    const Expr* matrix = weight(tensor_name(config_, config_.tied_head ? "embed_tokens.weight" : "lm_head.weight"));
    body.results = {op("matmul_nt", {hidden, matrix})};
    module_.add(std::move(body));
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const DecoderOptions& options_;
  ir::Module module_;
  ir::ExprPool& pool_;
  Dim seq_;
  Dim ctx_;
  std::map<std::string, const ir::Function*> layer_functions_;
};

// Llama 3 leaves short waves alone, divides long ones by the factor, and interpolates between
// (Llama 3.1 release; the same formula as Hugging Face's rope_type "llama3").
double llama3_frequency(double frequency, const Rope& rope) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double context = static_cast<double>(rope.original_max_positions);
  if (wavelength < context / rope.high_freq_factor) return frequency;
  if (wavelength > context / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_frequencies(const ModelConfig& config) {
  std::vector<float> frequencies;
  for (std::int64_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    double frequency = std::pow(config.rope.theta, exponent);
    if (config.rope.kind == Rope::Kind::kLlama3) frequency = llama3_frequency(frequency, config.rope);
    if (!config.rope.divisors.empty()) frequency /= config.rope.divisors[static_cast<std::size_t>(i)];
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

Decoder import_decoder(const Checkpoint& checkpoint, const DecoderOptions& options) {
  Decoder decoder{DecoderBuilder(checkpoint, options).build(), {}};
  decoder.computed["rope.frequencies"] = rope_frequencies(checkpoint.config());
  return decoder;
}

}  // namespace strata::importer
