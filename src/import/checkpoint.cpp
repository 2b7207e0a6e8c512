// SPDX-License-Identifier: Apache-2.0
#include "import/checkpoint.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/text_file.h"
#include "import/families.h"
#include "import/model_folder.h"
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

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

bool is_weight_dtype(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

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

Checkpoint Checkpoint::open(const std::filesystem::path& path) {
  const std::filesystem::path folder = resolve_model_folder(path);
  require_model_folder(folder);
  Checkpoint result;
  result.folder_ = folder;
  result.texts_ = read_texts(folder);
  result.config_ = parse_model_config(result.texts_.front().second, (folder / kConfig).string());
  result.open_weights();
  check_tensors(result, result.config_);
  return result;
}

void Checkpoint::open_weights() {
  std::error_code ignored;
  if (std::filesystem::exists(folder_ / kWeights, ignored)) {
    add_file(kWeights);
    for (const SafetensorsEntry& entry : files_[0].entries()) add_tensor(files_[0], entry);
    return;
  }
  const std::filesystem::path index = folder_ / kIndex;
  if (!std::filesystem::exists(index, ignored)) {
    throw wrong_model(folder_, std::string(kWeights) + " and no " + kIndex);
  }
  open_shards(index);
}

void Checkpoint::open_shards(const std::filesystem::path& index) {
  const auto weight_map = read_index(index);
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map) names.insert(file);
  if (names.size() > kMaxShards) throw model_error("more than 10000 shards", index.string());
  std::map<std::string, std::size_t> file_index;
  for (const std::string& name : names) {
    file_index.emplace(name, files_.size());
    add_file(name);
  }
  for (const auto& [tensor, file] : weight_map) {
    const SafetensorsFile& shard = files_[file_index.at(file)];
    const SafetensorsEntry* entry = shard.find(tensor);
    if (entry == nullptr) {
      throw model_error("the index places the tensor \"" + tensor + "\" in a file that lacks it",
                        shard.file().path().string(), "download the model again");
    }
    add_tensor(shard, *entry);
  }
}

void Checkpoint::add_file(const std::string& name) { files_.push_back(SafetensorsFile::open(folder_ / name)); }

void Checkpoint::add_tensor(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  if (!entry.dtype) {
    unsupported_.emplace(entry.name, entry.dtype_name);
    return;
  }
  tensors_.emplace(entry.name, TensorView{entry.name, *entry.dtype, entry.shape, file.bytes(entry)});
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const std::string key(name);
  if (const auto at = unsupported_.find(key); at != unsupported_.end()) {
    throw model_error("the tensor \"" + key + "\" has the unsupported dtype " + at->second, folder_.string(),
                      kSupportedDTypes);
  }
  const auto at = tensors_.find(key);
  return at == tensors_.end() ? nullptr : &at->second;
}

const TensorView& Checkpoint::at(std::string_view name) const {
  const TensorView* view = find(name);
  if (view == nullptr) {
    throw model_error("the tensor \"" + std::string(name) + "\" is missing", folder_.string(),
                      "check that all files of the model are there");
  }
  return *view;
}

void check_tensors(const Checkpoint& checkpoint, const ModelConfig& config) {
  const std::string origin = checkpoint.folder().string();
  for (const TensorSpec& spec : tensor_specs(config)) {
    const TensorView& view = checkpoint.at(spec.name);
    if (view.shape != spec.shape) {
      throw model_error("the tensor \"" + spec.name + "\" has the shape " + shape_text(view.shape) +
                            ", config.json wants " + shape_text(spec.shape),
                        origin, "check that config.json belongs to these weights");
    }
    if (!is_weight_dtype(view.dtype)) {
      throw model_error(
          "the tensor \"" + spec.name + "\" has the unsupported dtype " + std::string(dtype_name(view.dtype)), origin,
          kSupportedDTypes);
    }
  }
}

DType Checkpoint::weight_dtype() const {
  std::map<DType, std::int64_t> bytes;
  for (const TensorSpec& spec : tensor_specs(config_)) {
    const TensorView& view = at(spec.name);
    bytes[view.dtype] += static_cast<std::int64_t>(view.bytes.size()) / dtype_size(view.dtype);
  }
  return std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::int64_t Checkpoint::parameters() const {
  std::int64_t total = 0;
  for (const TensorSpec& spec : tensor_specs(config_)) {
    const TensorView& view = at(spec.name);
    total += static_cast<std::int64_t>(view.bytes.size()) / dtype_size(view.dtype);
  }
  return total;
}

}  // namespace strata::importer
