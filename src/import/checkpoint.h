// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "import/model_config.h"
#include "import/safetensors.h"

namespace strata::importer {

// A weight where it lies in the mapped file. Its address may be unaligned: read elements with memcpy.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// A Hugging Face folder: config.json and model.safetensors, or shards with model.safetensors.index.json. The files are
// mapped, never copied; views stay valid while the checkpoint lives, also when it moves.
class Checkpoint {
 public:
  // Reads and checks everything but the weights' values: afterwards every tensor that the configuration needs is there
  // with the right shape and a dtype of f32, f16 or bf16. `path` may be a repository in the Hub's cache. Throws
  // model_error.
  static Checkpoint open(const std::filesystem::path& path);

  // The same of a folder that may have config.json alone: what is known of the weights is then their shapes, of
  // matrices and vectors alike in the dtype that the configuration names (f32 where it names none), as transformers
  // would load them, and their bytes are none. Throws model_error for another dtype.
  static Checkpoint open_shapes(const std::filesystem::path& path);

  // Whether the weights are there, with their values.
  bool has_values() const { return !files_.empty(); }

  const std::filesystem::path& folder() const { return folder_; }

  // As config.json has it, but that a head of its own in the weights is used, whatever the file says, when it differs
  // from the embedding table. The first call may read both; it is not for several threads at once.
  const ModelConfig& config() const;

  // Names are those of the whole model ("model.norm.weight"), also where the base model was saved without the prefix.
  // nullptr when there is no such tensor. Throws model_error when its dtype has no place in Strata.
  const TensorView* find(std::string_view name) const;
  const TensorView& at(std::string_view name) const;

  // The dtype that most of the model's elements have.
  DType weight_dtype() const;
  // The number of elements of the tensors that the model needs.
  std::int64_t parameters() const;

  // A fingerprint of the content, wherever the files lie: what config.json says of more than text, and the weights.
  // Each weight file is read once and remembered; `read_again` reads it even so.
  std::string identity(bool read_again = false) const;

  // Throws when a weight file was changed in place since it was opened: what was read of it may be a mixture.
  void require_unchanged() const;

  // The tensors, by their names in the files and in order, that this model doesn't need and that aren't known to be
  // redundant: a head equal to the embedding table it is tied to, buffers that are computed anew.
  std::vector<std::string> unused_tensors() const;

  // The texts that go along with the model, those that exist: (name without folder, content).
  const std::vector<std::pair<std::string, std::string>>& text_files() const { return texts_; }

 private:
  Checkpoint() = default;
  static Checkpoint open(const std::filesystem::path& path, bool needs_weights);
  bool has_weights() const;
  void open_weights();
  void add_shapes();
  void add_file(const std::string& name);
  void open_shards(const std::filesystem::path& index);
  void add_tensor(const SafetensorsFile& file, const SafetensorsEntry& entry);
  void add_prefix();
  bool holds(std::string_view name) const;

  std::filesystem::path folder_;
  mutable ModelConfig config_;
  mutable bool head_is_settled_ = false;  // whether config_ says what config() does
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string, TensorView> tensors_;
  std::unordered_map<std::string, std::string> unsupported_;  // tensor name -> dtype name
  std::unordered_map<std::string, std::string> misplaced_;    // tensor name -> the file that should have it
};

// The warning that names unused tensors, in one line; empty when there are none.
std::string unused_warning(const std::vector<std::string>& tensors);

// Checks that every tensor the configuration needs is there with its exact shape and a supported dtype; others are
// ignored. Throws model_error naming the tensor, the expected and the found shape. open() has done this.
void check_tensors(const Checkpoint& checkpoint, const ModelConfig& config);

}  // namespace strata::importer
