// SPDX-License-Identifier: Apache-2.0
#include "import/decoder.h"

#include <algorithm>

#include "blocks/own_format.h"
#include "import/block_parts.h"
#include "import/families.h"
#include "import/tensor_specs.h"
#include "import/wanted_rows.h"
#include "ir/cache_pages.h"
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

// Whose contexts a package's caches can hold all together.
constexpr std::int64_t kMostSequences = 256;

constexpr const char *kFrequencies = "frequencies", *kAmplitudes = "amplitudes";

// "rope.frequencies", of a second one "rope.1.frequencies".
std::string rope_weight(std::size_t rope, const char* what) {
  return (rope == 0 ? "rope." : "rope." + std::to_string(rope) + ".") + what;
}

// Builds the functions of one decoder. Names of values follow Hugging Face's modules.
class DecoderBuilder {
 public:
  DecoderBuilder(const Checkpoint& checkpoint, const DecoderOptions& options)
      : checkpoint_(checkpoint),
        config_(checkpoint.config()),
        options_(options),
        blocks_(own_blocks(checkpoint, options.dtype)),
        keeps_types_(options.dtype == "keep" || blocks::is_own_type(options.dtype)),
        module_(config_.model_type),
        pool_(module_.pool()),
        seq_(1, module_.symbol({"seq", 1, options.max_chunk, 1})),
        ctx_(1, module_.symbol(context_symbol())) {
    if (is_paged()) pages_ = Dim(1, module_.symbol({"pages", 1, padded_context() / ir::kPageRows, 1}));
  }

  Decoder build() {
    forward(Tokens::kOfOneSequence);
    if (is_paged()) forward(Tokens::kOfAny);
    head();
    if (options_.wanted_rows) add_wanted_rows(module_);
    return {std::move(module_), {}, std::move(blocks_)};
  }

 private:
  // Whose the tokens of a call are.
  enum class Tokens { kOfOneSequence, kOfAny };

  static const char* suffix(Tokens tokens) { return tokens == Tokens::kOfAny ? "_each" : ""; }

  bool is_paged() const { return options_.sequences > 1; }

  std::int64_t padded_context() const {
    const std::int64_t multiple = is_paged() ? ir::kPageRows : kContextMultiple;
    return (config_.max_positions + multiple - 1) / multiple * multiple;
  }

  ir::Symbol context_symbol() const {
    if (!is_paged()) return {"ctx", kContextMultiple, padded_context(), kContextMultiple};
    return {"ctx", ir::kPageRows, padded_context() * kMostSequences, ir::kPageRows};
  }

  const Expr* op(const std::string& name, std::vector<const Expr*> arguments, Attributes attributes = {}) {
    return pool_.op(ir::get_op(name), std::move(arguments), std::move(attributes));
  }

  // As the package is to have it.
  const TensorView& tensor(const std::string& name) const {
    const auto found = blocks_.find(name);
    return found == blocks_.end() ? checkpoint_.at(name) : found->second;
  }

  // The element type in which a tensor of the checkpoint is stored in the package.
  DType stored_dtype(const TensorView& tensor) const {
    if (tensor.shape.size() < 2) return DType::kF32;
    return keeps_types_ ? tensor.dtype : *parse_dtype(options_.dtype);
  }

  TensorType weight_type(const std::string& name) const {
    const TensorView& stored = tensor(name);
    TensorType type{.dtype = stored_dtype(stored)};
    for (const std::int64_t size : stored.shape) type.shape.emplace_back(size);
    return type;
  }

  bool is_plain(const std::string& name) const { return leaves(name).front().part == BlockPart::kValues; }

  // The leaves that a weight is made of: itself, or where it is kept in its blocks the parts of these.
  std::vector<WeightLeaf> leaves(const std::string& name) const {
    const TensorView& stored = tensor(name);
    if (keeps_types_ && is_kept_in_blocks(stored)) return block_leaves(name, stored);
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
  TensorType pages_type(Tokens tokens) const {
    return {DType::kI32, tokens == Tokens::kOfAny ? ir::Shape{seq_, pages_} : ir::Shape{pages_}};
  }
  TensorType rotation_type() const { return {DType::kF32, {seq_, config_.head_dim / 2}}; }

  // Unless it is chosen the matrices' element type: its rounding is of the size of theirs. That of quantised ones is
  // far larger, but where no row is to be rounded.
  DType cache_dtype(std::int64_t layer) const {
    if (options_.cache_type != "keep") return *parse_dtype(options_.cache_type);
    const std::string keys = tensor_name(config_, "k_proj.weight", layer);
    return options_.exact_activations && !is_plain(keys) ? DType::kF32 : weight_type(keys).dtype;
  }

  TensorType cache_type(std::int64_t layer) const {
    return {cache_dtype(layer), {config_.kv_heads, ctx_, config_.head_dim}};
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

  // x where there is no norm of that role.
  const Expr* norm_if_any(const Expr* x, const Tensors& tensors, const std::string& role) {
    const auto found = tensors.find(role);
    return found == tensors.end() ? x : rms_norm(x, found->second);
  }

  const Expr* scaled(const Expr* x, double factor) {
    return factor == 1 ? x : op("mul", {x, pool_.scalar(factor, DType::kF32)});
  }

  const Expr* reshape(const Expr* x, std::vector<std::int64_t> shape) {
    return op("reshape", {x}, {{"shape", std::move(shape)}});
  }

  struct Rotation {
    const Expr *cos = nullptr, *sin = nullptr;  // nullptr: the layer has none
  };

  // [seq, heads * dim] -> [seq, heads, dim], normalised where the family does so, rotated by position.
  const Expr* rotated_heads(const Expr* x, std::int64_t heads, const Tensors& tensors, const std::string& norm,
                            const Rotation& rotation) {
    const std::int64_t dim = config_.head_dim;
    const bool is_per_head = config_.family->qk_norm == QkNorm::kHead;
    x = norm_if_any(is_per_head ? reshape(x, {-1, heads, dim}) : x, tensors, norm);
    if (rotation.cos == nullptr) return reshape(x, {-1, heads, dim});
    const Expr* rotated = op("rope", {reshape(x, {-1, heads, 2, dim / 2}), rotation.cos, rotation.sin});
    return reshape(rotated, {-1, heads, dim});
  }

  struct LayerInputs {
    const Expr* x;
    Rotation rotation;
    const Expr *positions, *rows, *pages;  // rows, where no pages are: the positions
    const Expr *k_cache, *v_cache;
  };

  // Over the whole context, or a window of it.
  const Expr* attention(const Expr* q, const Expr* k_cache, const Expr* v_cache, const LayerInputs& in,
                        std::int64_t window) {
    std::vector<const Expr*> operands = {q, k_cache, v_cache, in.positions};
    std::string name = "attention";
    if (in.pages != nullptr) {
      operands.push_back(in.pages);
      name = in.pages->type().rank() == 2 ? "each_paged_attention" : "paged_attention";
    }
    Attributes attributes = {{"scale", config_.attention_scale}};
    if (window != 0) attributes["window"] = window;
    return op(window == 0 ? name : "windowed_" + name, std::move(operands), std::move(attributes));
  }

  std::int64_t window(std::int64_t layer) const { return config_.kinds[static_cast<std::size_t>(layer)].window; }

  const Expr* residual(const Expr* x, const Expr* added) {
    return op("add", {x, scaled(added, config_.residual_scale)});
  }

  const Expr* mlp(const Expr* x, const Tensors& tensors) {
    const Expr* gate = op(config_.activation, {linear(x, tensors, "gate_proj")});
    return linear(op("mul", {gate, linear(x, tensors, "up_proj")}), tensors, "down_proj");
  }

  // The MLPs of the experts that each row's largest products with the router choose, weighed by a softmax of these: of
  // all, or of the chosen ones, which is the same divided by their sum.
  const Expr* experts(const Expr* x, const Tensors& tensors) {
    const Expr* scores = linear(x, tensors, "router");
    const Expr* ids = op("largest_k", {scores}, {{"k", config_.experts_used}});
    const Expr* weights = config_.normalises_experts ? op("softmax", {op("take", {scores, ids})})
                                                     : op("take", {op("softmax", {scores}), ids});
    const auto matrices = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
      return reshape(tensors.at("experts." + name + ".weight"), {config_.experts, rows, columns});
    };
    const std::int64_t hidden = config_.hidden_size, size = config_.expert_size;
    const Expr* gate = op("routed_matmul_nt", {x, matrices("gate_proj", size, hidden), ids});
    const Expr* up = op("routed_matmul_nt", {x, matrices("up_proj", size, hidden), ids});
    const Expr* product = op("mul", {op(config_.activation, {gate}), up});
    return op("weighted_sum",
              {weights, op("routed_rows_matmul_nt", {product, matrices("down_proj", hidden, size), ids})});
  }

  std::vector<const Expr*> layer_body(const LayerInputs& in, const Tensors& tensors, std::int64_t window) {
    const Expr* normed = norm_if_any(in.x, tensors, "input_layernorm.weight");
    const Expr* q =
        rotated_heads(linear(normed, tensors, "q_proj"), config_.heads, tensors, "q_norm.weight", in.rotation);
    const Expr* k =
        rotated_heads(linear(normed, tensors, "k_proj"), config_.kv_heads, tensors, "k_norm.weight", in.rotation);
    const Expr* v = reshape(linear(normed, tensors, "v_proj"), {-1, config_.kv_heads, config_.head_dim});
    const Expr* k_cache = op("cache_append", {in.k_cache, k, in.rows});
    const Expr* v_cache = op("cache_append", {in.v_cache, v, in.rows});
    const Expr* attended = attention(q, k_cache, v_cache, in, window);
    attended = linear(reshape(attended, {-1, config_.heads * config_.head_dim}), tensors, "o_proj");
    const Expr* x = residual(in.x, norm_if_any(attended, tensors, "attention_output_norm.weight"));
    normed = norm_if_any(x, tensors, "post_attention_layernorm.weight");
    const Expr* made = tensors.contains("router.weight") ? experts(normed, tensors) : mlp(normed, tensors);
    return {residual(x, norm_if_any(made, tensors, "mlp_output_norm.weight")), k_cache, v_cache};
  }

  // The function of a layer; layers with equal types and windows, rotated or not, share it.
  const ir::Function* layer_function(std::int64_t layer, Tokens tokens) {
    const bool rotates = rope_of(config_, layer) >= 0;
    std::string signature = std::to_string(window(layer)) + (rotates ? "r" : "") + cache_type(layer).text();
    for (const std::string_view role : layer_roles(config_, layer)) {
      for (const WeightLeaf& leaf : leaves(tensor_name(config_, role, layer)))
        signature += std::to_string(static_cast<int>(leaf.part)) + leaf.type.text();
    }
    auto& layer_functions = layer_functions_[tokens];
    const ir::Function*& function = layer_functions[signature];
    if (function != nullptr) return function;

    ir::Function body;
    const std::string name = layer_functions.size() == 1 ? "layer" : "layer" + std::to_string(layer_functions.size());
    body.name = name + suffix(tokens);
    if (tokens != Tokens::kOfOneSequence) body.origin = name;
    const auto parameter = [&](const std::string& name, const TensorType& type) {
      body.parameters.push_back(pool_.parameter(name, type));
      return body.parameters.back();
    };
    LayerInputs in = {};
    in.x = parameter("x", hidden_type());
    if (rotates) in.rotation = {parameter("cos", rotation_type()), parameter("sin", rotation_type())};
    in.positions = in.rows = parameter("positions", positions_type());
    if (is_paged()) {
      in.rows = parameter("rows", positions_type());
      in.pages = parameter("pages", pages_type(tokens));
    }
    in.k_cache = parameter("k_cache", cache_type(layer));
    in.v_cache = parameter("v_cache", cache_type(layer));
    Tensors tensors;
    for (const std::string_view role : layer_roles(config_, layer)) {
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

  // Of all layers with that rope.
  Rotation rotation(std::size_t rope, const Expr* positions) {
    const TensorType type = {DType::kF32, {config_.head_dim / 2}};
    const Expr* angles = op("rope_angles", {positions, pool_.weight(rope_weight(rope, kFrequencies), type)});
    Rotation result = {op("cos", {angles}), op("sin", {angles})};
    if (config_.ropes[rope].amplitude == 1) return result;
    const Expr* amplitudes = pool_.weight(rope_weight(rope, kAmplitudes), type);
    return {op("mul", {result.cos, amplitudes}), op("mul", {result.sin, amplitudes})};
  }

  void forward(Tokens whose) {
    std::vector<const ir::Function*> layers;
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) layers.push_back(layer_function(layer, whose));

    ir::Function body;
    body.name = std::string("forward") + suffix(whose);
    if (whose != Tokens::kOfOneSequence) body.origin = "forward";
    const Expr* tokens = pool_.parameter("tokens", positions_type());
    const Expr* positions = pool_.parameter("positions", positions_type());
    body.parameters = {tokens, positions};
    std::vector<const Expr*> places = {positions};
    if (is_paged()) {
      // The numbers of each token's pages are another input than those of one sequence.
      const std::string pages = std::string("pages") + suffix(whose);
      places = {positions, pool_.parameter("rows", positions_type()), pool_.parameter(pages, pages_type(whose))};
      body.parameters.insert(body.parameters.end(), places.begin() + 1, places.end());
    }
    std::vector<Rotation> rotations;
    for (std::size_t i = 0; i < config_.ropes.size(); ++i) rotations.push_back(rotation(i, positions));
    const Expr* x = op("gather", {weight(tensor_name(config_, "embed_tokens.weight")), tokens});
    x = scaled(x, config_.embedding_scale);
    std::vector<const Expr*> caches;
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
      const std::string suffix = std::to_string(layer);
      const Expr* k_cache = pool_.parameter("k_cache." + suffix, cache_type(layer));
      const Expr* v_cache = pool_.parameter("v_cache." + suffix, cache_type(layer));
      body.parameters.insert(body.parameters.end(), {k_cache, v_cache});
      std::vector<const Expr*> arguments = {x};
      if (const int rope = rope_of(config_, layer); rope >= 0) {
        const Rotation& own = rotations[static_cast<std::size_t>(rope)];
        arguments.insert(arguments.end(), {own.cos, own.sin});
      }
      arguments.insert(arguments.end(), places.begin(), places.end());
      arguments.insert(arguments.end(), {k_cache, v_cache});
      for (const std::string_view role : layer_roles(config_, layer)) {
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
    body.results = {op("matmul_nt", {scaled(hidden, config_.logits_scale), matrix})};
    module_.add(std::move(body));
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const DecoderOptions& options_;
  OwnBlocks blocks_;
  const bool keeps_types_;  // each matrix has its own
  ir::Module module_;
  ir::ExprPool& pool_;
  Dim seq_;
  Dim ctx_;
  Dim pages_ = 1;
  std::map<Tokens, std::map<std::string, const ir::Function*>> layer_functions_;
};

}  // namespace

Decoder import_decoder(const Checkpoint& checkpoint, const DecoderOptions& options) {
  Decoder decoder = DecoderBuilder(checkpoint, options).build();
  const ModelConfig& config = checkpoint.config();
  for (std::size_t i = 0; i < config.ropes.size(); ++i) {
    decoder.computed[rope_weight(i, kFrequencies)] = rope_frequencies(config.ropes[i], config.head_dim);
    if (config.ropes[i].amplitude == 1) continue;
    decoder.computed[rope_weight(i, kAmplitudes)] = rope_amplitudes(config.ropes[i], config.head_dim);
  }
  return decoder;
}

}  // namespace strata::importer
