// SPDX-License-Identifier: Apache-2.0
#include "import/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/json.h"
#include "base/text_file.h"
#include "import/families.h"
#include "import/gguf_config.h"
#include "import/gguf_model.h"
#include "import/gguf_tokenizer.h"
#include "import/model_folder.h"
#include "import/safetensors.h"
#include "import/tensor_specs.h"
#include "import/wrong_model.h"

namespace strata::importer {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::array<const char*, 6> kTexts = {kConfig,
                                               "generation_config.json",
                                               "tokenizer.json",
                                               "tokenizer_config.json",
                                               "chat_template.jinja",
                                               "additional_chat_templates/tool_use.jinja"};
constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxShards = 10'000;
constexpr const char* kSupportedDTypes = "supported: F32, F16, BF16";
const std::string kPrefix = "model.", kEmbedding = "embed_tokens.weight", kHead = "lm_head.weight";

// Ends of the names of buffers that older versions of transformers saved and newer ones compute.
constexpr std::array<std::string_view, 6> kKnownBuffers = {"rotary_emb.inv_freq",   "rotary_emb.cos_cached",
                                                           "rotary_emb.sin_cached", "attn.masked_bias",
                                                           "attn.causal_mask",      "embeddings.position_ids"};

bool is_known_buffer(const std::string& name) {
  return std::ranges::any_of(kKnownBuffers, [&](std::string_view end) { return name.ends_with(end); });
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

// How the rows lie of a tensor of a head that is rotated: q and k, and their norms.
HeadRows head_rows(std::string_view role, const ModelConfig& config, bool is_interleaved) {
  const std::int64_t rotated = config.ropes.front().dims;
  if (rotated == config.head_dim && !is_interleaved) return {};
  const bool is_whole = config.family->qk_norm == QkNorm::kWhole;
  std::int64_t heads = 0;
  if (role.starts_with("q_proj.")) heads = config.heads;
  if (role.starts_with("k_proj.")) heads = config.kv_heads;
  if (role.starts_with("q_norm.")) heads = is_whole ? config.heads : 1;
  if (role.starts_with("k_norm.")) heads = is_whole ? config.kv_heads : 1;
  return {heads, rotated, is_interleaved};
}

bool is_weight_dtype(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

// What transformers loads a model in that names no dtype.
constexpr DType kUnnamedDType = DType::kF32;

DType configured_dtype(const ModelConfig& config, const std::string& origin) {
  if (config.torch_dtype.empty()) return kUnnamedDType;
  constexpr std::array<std::pair<std::string_view, DType>, 3> kNames = {
      {{"float32", DType::kF32}, {"float16", DType::kF16}, {"bfloat16", DType::kBF16}}};
  const auto found = std::ranges::find(kNames, config.torch_dtype, &std::pair<std::string_view, DType>::first);
  if (found != kNames.end()) return found->second;
  throw model_error("unsupported torch_dtype " + in_quotes(config.torch_dtype), origin,
                    "supported: float32, float16, bfloat16");
}

// A shard is a file of the folder itself: an index must not lead anywhere else.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos &&
         name.ends_with(".safetensors") && name.size() <= 255;
}

// Tensor name -> file name.
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  const nlohmann::json document = parse_json_file(path);
  const JsonObject weight_map = JsonObject(document, path.string()).object("weight_map");
  std::map<std::string, std::string> result;
  for (const auto& [tensor, file] : document["weight_map"].items()) {
    if (!file.is_string() || !is_plain_file_name(file.get<std::string>())) {
      weight_map.refuse(tensor.c_str(), "the name of a .safetensors file in the same folder");
    }
    result.emplace(tensor, file.get<std::string>());
  }
  if (result.empty()) throw model_error("the index names no tensors", path.string(), "download the model again");
  return result;
}

std::vector<std::pair<std::string, std::string>> read_texts(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const char* name : kTexts) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder / name, ignored)) continue;
    const std::size_t limit = name == kConfig ? kMaxConfigBytes : kMaxTextBytes;
    texts.emplace_back(std::filesystem::path(name).filename().string(), read_text_file(folder / name, limit));
  }
  return texts;
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& path) { return open(path, true); }

Checkpoint Checkpoint::open_shapes(const std::filesystem::path& path) { return open(path, false); }

Checkpoint Checkpoint::open(const std::filesystem::path& path, bool needs_weights) {
  if (importer::is_gguf(path)) return open_gguf_file(path);
  const std::filesystem::path folder = resolve_model_folder(path);
  require_model_folder(folder);
  Checkpoint result;
  result.folder_ = folder;
  result.texts_ = read_texts(folder);
  result.config_ = parse_model_config(result.texts_.front().second, (folder / kConfig).string());
  if (needs_weights || result.has_weights()) {
    result.open_weights();
    result.take_apart();
  } else {
    result.add_shapes();
  }
  result.check();
  return result;
}

Checkpoint Checkpoint::open_gguf_file(const std::filesystem::path& path) {
  GgufModel model = open_gguf(path);
  Checkpoint result;
  result.folder_ = path;
  result.is_gguf_ = true;
  result.texts_ = {{kConfig, gguf_config(model)}};
  result.config_ = parse_model_config(result.texts_.front().second, path.string());
  Rope& rope = result.config_.ropes.front();
  rope.divisors = gguf_rope_divisors(model, rope.dims / 2);
  result.add_tensors(model);
  result.files_ = std::move(model.files);
  result.gguf_metadata_ = std::move(model.metadata);
  result.check();
  return result;
}

// The tensors that are needed get the names and rows that they have in a folder; the others keep the file's.
void Checkpoint::add_tensors(const GgufModel& model) {
  ModelConfig all = config_;
  all.tied_head = false;
  std::unordered_map<std::string, const StoredTensor*> needed;
  const std::vector<StoredTensor> stored = stored_tensors(all);
  for (const StoredTensor& tensor : stored) needed.emplace(gguf_tensor_name(tensor.role, tensor.layer), &tensor);
  for (const auto& [name, tensor] : needed) {
    for (const TensorSpec& part : tensor->parts) file_names_.emplace(part.name, name);
  }
  const Storage storage = {gguf_family(model.metadata).pairs_rows, 0};
  for (const GgufTensor& tensor : std::views::values(model.tensors)) {
    const auto place = needed.find(tensor.name);
    const bool is_needed = place != needed.end();
    if (!is_needed && (file_names_.contains(tensor.name) || is_gguf_scale(model, tensor.name))) continue;
    if (!tensor.type->is_supported()) {
      add_unsupported(is_needed ? place->second : nullptr, tensor.name, tensor.type->name);
      continue;
    }
    TensorView view{tensor.name, DType::kF32, tensor.shape, tensor.bytes, tensor.type->format};
    view.dtype = view.format != nullptr ? view.format->dtype : *tensor.type->dtype;
    // The matrices of experts, [experts, n, k].
    if (is_needed && place->second->experts() > 1 && view.shape.size() == 3 &&
        view.shape[0] == place->second->experts()) {
      view.shape = {view.shape[0] * view.shape[1], view.shape[2]};
    }
    if (is_needed) view.scale = gguf_weight_scale(model, tensor.name);
    if (view.scale != 1 && view.format == nullptr) {
      throw model_error("the tensor " + in_quotes(tensor.name) + " has a scale, but no blocks", folder_.string(),
                        "supported: scales of quantised blocks");
    }
    if (is_needed) {
      add_parts(*place->second, view, storage);
    } else {
      tensors_.emplace(tensor.name, std::move(view));
    }
  }
}

// Of a folder's tensors those that the model needs, in the model's order.
void Checkpoint::take_apart() {
  const Family& family = *config_.family;
  const Storage storage = {family.interleaved, family.norm_offset};
  for (const StoredTensor& stored : stored_tensors(config_)) {
    if (stored.experts() > 1 && !holds(stored.name)) join_experts(stored);
    if (stored.name != stored.parts.front().name) {
      for (const TensorSpec& part : stored.parts) file_names_.emplace(part.name, stored.name);
    }
    if (const auto at = unsupported_.find(stored.name); at != unsupported_.end()) {
      const std::string dtype = at->second;
      unsupported_.erase(at);
      add_unsupported(&stored, stored.name, dtype);
    }
    if (const auto at = misplaced_.find(stored.name); at != misplaced_.end()) {
      const std::string shard = at->second;
      for (const TensorSpec& part : stored.parts) misplaced_.insert_or_assign(part.name, shard);
    }
    const auto at = tensors_.find(stored.name);
    if (at == tensors_.end()) continue;
    const TensorView view = std::move(at->second);
    tensors_.erase(at);
    add_parts(stored, view, storage);
  }
}

// The matrices of all experts as one, one after another; where some are missing, their names are those that are asked
// for.
void Checkpoint::join_experts(const StoredTensor& stored) {
  const TensorSpec& spec = stored.parts.front();
  const std::vector<std::int64_t> shape = {spec.shape[0] / spec.experts, spec.shape[1]};
  TensorView all{expert_name(spec, 0), DType::kF32, spec.shape, {}};
  std::vector<std::string> names;
  for (std::int64_t expert = 0; expert < spec.experts; ++expert) {
    names.push_back(expert_name(spec, expert));
    const auto found = tensors_.find(names.back());
    if (found == tensors_.end()) {
      file_names_.insert_or_assign(spec.name, names.back());
      if (const auto at = unsupported_.find(names.back()); at != unsupported_.end()) {
        unsupported_.emplace(spec.name, at->second);
      } else if (const auto shard = misplaced_.find(names.back()); shard != misplaced_.end()) {
        misplaced_.emplace(spec.name, shard->second);
      }
      return;
    }
    const TensorView& one = found->second;
    if (one.shape != shape) refuse_shape(one, shape);
    if (expert == 0) all.dtype = one.dtype;
    if (one.dtype != all.dtype) {
      throw model_error(
          "the tensor " + in_quotes(one.name) + " is of " + one.form() + ", that of the first expert of " + all.form(),
          folder_.string(), "convert the experts of a layer to one dtype");
    }
    all.pieces.push_back(one.bytes);
  }
  for (const std::string& name : names) tensors_.erase(name);
  tensors_.emplace(stored.name, std::move(all));
}

void Checkpoint::add_unsupported(const StoredTensor* stored, const std::string& name, std::string_view dtype) {
  if (stored == nullptr) unsupported_.emplace(name, dtype);
  for (const TensorSpec& part : stored != nullptr ? stored->parts : std::vector<TensorSpec>()) {
    unsupported_.emplace(part.name, dtype);
  }
}

// The model's tensors that one of the files holds. Of a wrong shape it stays whole, for check() to see.
void Checkpoint::add_parts(const StoredTensor& stored, const TensorView& whole, const Storage& storage) {
  const bool is_norm = stored.role.ends_with("norm.weight");  // also "..._layernorm.weight"
  std::size_t at = 0;
  for (const TensorSpec& part : stored.parts) {
    TensorView view = whole;
    if (!whole.pieces.empty()) {
      // Of all experts, which have no parts.
    } else if (whole.shape == stored.shape) {
      const std::size_t bytes =
          whole.bytes.size() / static_cast<std::size_t>(stored.shape[0]) * static_cast<std::size_t>(part.shape[0]);
      view.shape = part.shape;
      view.bytes = whole.bytes.subspan(at, bytes);
      at += bytes;
    } else if (stored.parts.size() > 1) {
      refuse_shape(view, stored.shape);
    }
    view.head_rows = head_rows(part.role, config_, storage.is_interleaved);
    if (is_norm) view.offset = storage.norm_offset;
    tensors_.insert_or_assign(part.name, std::move(view));
  }
}

void Checkpoint::check() const {
  ModelConfig needed = config_;
  if (holds(kHead)) needed.tied_head = false;
  check_tensors(*this, needed);
}

ModelTexts Checkpoint::texts() const {
  ModelTexts texts{texts_, {}};
  if (!gguf_metadata_) return texts;
  try {
    for (auto& file : gguf_texts(*gguf_metadata_)) texts.files.push_back(std::move(file));
  } catch (const Error& error) {
    if (error.code() != ExitCode::kModel) throw;
    texts.problem = error.what();
  }
  return texts;
}

std::string Checkpoint::name_in_file(std::string_view name) const {
  const auto at = file_names_.find(std::string(name));
  return at == file_names_.end() ? std::string(name) : at->second;
}

bool Checkpoint::has_weights() const {
  std::error_code ignored;
  return std::filesystem::exists(folder_ / kWeights, ignored) || std::filesystem::exists(folder_ / kIndex, ignored);
}

void Checkpoint::add_shapes() {
  const DType dtype = configured_dtype(config_, (folder_ / kConfig).string());
  for (const TensorSpec& spec : tensor_specs(config_)) {
    tensors_.emplace(spec.name, TensorView{spec.name, dtype, spec.shape, {}});
  }
}

void Checkpoint::open_weights() {
  std::error_code ignored;
  const std::filesystem::path weights = folder_ / kWeights, index = folder_ / kIndex;
  if (std::filesystem::exists(weights, ignored)) {
    SafetensorsFile file = SafetensorsFile::open(weights);
    for (const SafetensorsEntry& entry : file.entries()) add_tensor(file, entry);
    files_.push_back(std::move(file).release());
  } else if (std::filesystem::exists(index, ignored)) {
    open_shards(index);
  } else {
    throw wrong_model(folder_, std::string(kWeights) + " and no " + kIndex);
  }
  add_prefix();
}

void Checkpoint::open_shards(const std::filesystem::path& index) {
  const auto weight_map = read_index(index);
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map) names.insert(file);
  if (names.size() > kMaxShards) throw model_error("more than 10000 shards", index.string());
  std::map<std::string, SafetensorsFile> shards;
  for (const std::string& name : names) shards.emplace(name, SafetensorsFile::open(folder_ / name));
  for (const auto& [tensor, file] : weight_map) {
    const SafetensorsFile& shard = shards.at(file);
    const SafetensorsEntry* entry = shard.find(tensor);
    if (entry != nullptr) add_tensor(shard, *entry);
    if (entry == nullptr) misplaced_.emplace(tensor, shard.file().path().string());
  }
  // What a shard holds counts, also where the index doesn't name it.
  for (auto& [name, shard] : shards) {
    for (const SafetensorsEntry& entry : shard.entries()) add_tensor(shard, entry);
    files_.push_back(std::move(shard).release());
  }
}

void Checkpoint::add_tensor(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  if (holds(entry.name)) return;
  if (!entry.dtype) {
    unsupported_.emplace(entry.name, entry.dtype_name);
    return;
  }
  tensors_.emplace(entry.name, TensorView{entry.name, *entry.dtype, entry.shape, file.bytes(entry)});
}

bool Checkpoint::holds(std::string_view name) const {
  const std::string key(name);
  return tensors_.contains(key) || unsupported_.contains(key);
}

// Whoever saves the base model alone gets "norm.weight" for "model.norm.weight".
void Checkpoint::add_prefix() {
  if (holds(kPrefix + kEmbedding) || !holds(kEmbedding)) return;
  const auto rename = [](auto& named) {
    std::remove_reference_t<decltype(named)> renamed;
    for (auto& [name, value] : named) renamed.emplace((name == kHead ? "" : kPrefix) + name, std::move(value));
    named = std::move(renamed);
  };
  rename(tensors_);
  rename(unsupported_);
  rename(misplaced_);
}

const ModelConfig& Checkpoint::config() const {
  if (head_is_settled_) return config_;
  if (config_.tied_head && holds(kHead)) {
    const TensorView &head = at(kHead), &embedding = at(kPrefix + kEmbedding);
    config_.tied_head = head.dtype == embedding.dtype && head.format == embedding.format &&
                        head.scale == embedding.scale && head.bytes.size() == embedding.bytes.size() &&
                        std::memcmp(head.bytes.data(), embedding.bytes.data(), head.bytes.size()) == 0;
  }
  head_is_settled_ = true;
  return config_;
}

std::vector<std::string> Checkpoint::unused_tensors() const {
  std::set<std::string> used = {kHead};  // needed, or equal to the table that it is tied to
  for (const TensorSpec& spec : tensor_specs(config())) used.insert(spec.name);
  std::vector<std::string> unused;
  for (const auto& [name, view] : tensors_) {
    if (is_gguf() && is_gguf_rope(name)) continue;
    if (!used.contains(name) && !is_known_buffer(name)) unused.push_back(view.name);
  }
  for (const auto& [name, dtype] : unsupported_) {
    if (!used.contains(name) && !is_known_buffer(name)) unused.push_back(name_in_file(name));
  }
  std::ranges::sort(unused);
  return unused;
}

std::string unused_warning(const std::vector<std::string>& tensors) {
  constexpr std::size_t kNamed = 3;
  if (tensors.empty()) return "";
  std::string text = std::to_string(tensors.size()) +
                     (tensors.size() == 1 ? " tensor of the checkpoint is" : " tensors of the checkpoint are") +
                     " not used: ";
  for (std::size_t i = 0; i < std::min(kNamed, tensors.size()); ++i) text += (i == 0 ? "" : ", ") + tensors[i];
  if (tensors.size() > kNamed) text += " and " + std::to_string(tensors.size() - kNamed) + " more";
  return text;
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const std::string key(name);
  if (const auto at = unsupported_.find(key); at != unsupported_.end()) {
    throw model_error("the tensor " + in_quotes(name_in_file(key)) + " has the unsupported dtype " + at->second,
                      folder_.string(), is_gguf() ? "supported: " + supported_gguf_types() : kSupportedDTypes);
  }
  const auto at = tensors_.find(key);
  return at == tensors_.end() ? nullptr : &at->second;
}

const TensorView& Checkpoint::at(std::string_view name) const {
  const TensorView* view = find(name);
  if (view != nullptr) return *view;
  if (const auto shard = misplaced_.find(std::string(name)); shard != misplaced_.end()) {
    throw model_error("the index places the tensor \"" + std::string(name) + "\" in a file that lacks it",
                      shard->second, "download the model again");
  }
  throw model_error("the tensor " + in_quotes(name_in_file(name)) + " is missing", folder_.string(),
                    "check that all files of the model are there");
}

void Checkpoint::refuse_shape(const TensorView& view, const std::vector<std::int64_t>& wanted) const {
  throw model_error(
      "the tensor " + in_quotes(view.name) + " has the shape " + shape_text(view.shape) + ", " +
          (is_gguf() ? "the metadata want " : "config.json wants ") + shape_text(wanted),
      folder_.string(),
      is_gguf() ? "download or convert the file again" : "check that config.json belongs to these weights");
}

void check_tensors(const Checkpoint& checkpoint, const ModelConfig& config) {
  const std::string origin = checkpoint.folder().string();
  for (const TensorSpec& spec : tensor_specs(config)) {
    const TensorView& view = checkpoint.at(spec.name);
    if (view.shape != spec.shape) checkpoint.refuse_shape(view, spec.shape);
    if (!is_weight_dtype(view.dtype)) {
      throw model_error(
          "the tensor \"" + spec.name + "\" has the unsupported dtype " + std::string(dtype_name(view.dtype)), origin,
          kSupportedDTypes);
    }
  }
}

DType Checkpoint::weight_dtype() const {
  std::map<DType, std::int64_t> elements;
  for (const TensorSpec& spec : tensor_specs(config())) {
    const TensorView& view = at(spec.name);
    elements[view.dtype] += view.elements();
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(elements.begin(), elements.end(), fewer)->first;
}

std::int64_t Checkpoint::parameters() const {
  std::int64_t total = 0;
  for (const TensorSpec& spec : tensor_specs(config())) {
    total += at(spec.name).elements();
  }
  return total;
}

}  // namespace strata::importer
