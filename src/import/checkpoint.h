// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/mapped_file.h"
#include "import/gguf_metadata.h"
#include "import/model_config.h"
#include "import/tensor_view.h"

namespace strata::importer {

class SafetensorsFile;
struct GgufModel;
struct SafetensorsEntry;
struct StoredTensor;

// The texts that go along with a model: (name without folder, content).
struct ModelTexts {
  std::vector<std::pair<std::string, std::string>> files;
  std::string problem;  // why there is no tokenizer, where the model has one that can't be taken; else empty
};

// A model as it is published. A Hugging Face folder: config.json and model.safetensors, or shards with
// model.safetensors.index.json. Or a GGUF file, or the parts of a split one: its metadata then stands for config.json
// and the texts, and its tensors have the names and the order of rows that the folder's have. The files are mapped,
// never copied; views stay valid while the checkpoint lives, also when it moves.
class Checkpoint {
 public:
  // Reads and checks everything but the weights' values: afterwards every tensor that the configuration needs is there
  // with the right shape and a dtype of f32, f16 or bf16, or in blocks. `path` may be a repository in the Hub's cache,
  // or any part of a split GGUF model. Throws model_error.
  static Checkpoint open(const std::filesystem::path& path);

  // The same of a folder that may have config.json alone: what is known of the weights is then their shapes, of
  // matrices and vectors alike in the dtype that the configuration names (f32 where it names none), as transformers
  // would load them, and their bytes are none. Throws model_error for another dtype.
  static Checkpoint open_shapes(const std::filesystem::path& path);

  // Whether the weights are there, with their values.
  bool has_values() const { return !files_.empty(); }

  // The folder, or the GGUF file.
  const std::filesystem::path& folder() const { return folder_; }
  bool is_gguf() const { return is_gguf_; }

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

  // Those that exist.
  ModelTexts texts() const;

  // A tensor's name in the file: as it is in a folder, "blk.3.attn_q.weight" in GGUF.
  std::string name_in_file(std::string_view name) const;

  // Throws the model_error of a tensor that has another shape than the configuration wants.
  [[noreturn]] void refuse_shape(const TensorView& view, const std::vector<std::int64_t>& wanted) const;

 private:
  // How files have what the model computes with.
  struct Storage {
    bool is_interleaved;  // HeadRows
    float norm_offset;    // TensorView::offset of norms
  };

  Checkpoint() = default;
  static Checkpoint open(const std::filesystem::path& path, bool needs_weights);
  static Checkpoint open_gguf_file(const std::filesystem::path& path);
  void check() const;
  bool has_weights() const;
  void open_weights();
  void add_shapes();
  void open_shards(const std::filesystem::path& index);
  void add_tensors(const GgufModel& model);
  void take_apart();
  void join_experts(const StoredTensor& stored);
  void add_unsupported(const StoredTensor* stored, const std::string& name, std::string_view dtype);
  void add_parts(const StoredTensor& stored, const TensorView& whole, const Storage& storage);
  void add_tensor(const SafetensorsFile& file, const SafetensorsEntry& entry);
  void add_prefix();
  bool holds(std::string_view name) const;

  std::filesystem::path folder_;
  bool is_gguf_ = false;
  mutable ModelConfig config_;
  mutable bool head_is_settled_ = false;  // whether config_ says what config() does
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<MappedFile> files_;
  std::optional<GgufMetadata> gguf_metadata_;                // in files_
  std::unordered_map<std::string, std::string> file_names_;  // of tensors that files call otherwise, by their names
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
