// SPDX-License-Identifier: Apache-2.0
#include "import/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/base/expect_error.h"
#include "tests/import/checkpoint_files.h"

namespace strata::importer {
namespace {

namespace fs = std::filesystem;
using strata::fixtures::CheckpointFolder;
using strata::fixtures::header_of;
using strata::fixtures::Json;
using strata::fixtures::safetensors;
using strata::fixtures::small_config;
using strata::fixtures::small_tensors;
using strata::fixtures::Tensors;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kQuery = "model.layers.0.self_attn.q_proj.weight";

class CheckpointTest : public ::testing::Test {
 protected:
  void refused(const std::vector<std::string>& parts) {
    strata::fixtures::expect_error(ExitCode::kModel, parts, [&] { Checkpoint::open(folder_.path()); });
  }
  void write_weights(const Tensors& tensors) { folder_.write("model.safetensors", safetensors(header_of(tensors))); }
  void write_config(const std::string& key, const Json& value) {
    Json config = small_config();
    config[key] = value;
    folder_.write("config.json", config.dump());
  }

  // Replaces the one file by two shards and their index; `edit` may spoil the index.
  void shard(const std::function<void(Json&)>& edit = {}) {
    folder_.remove("model.safetensors");
    const Tensors all = small_tensors();
    const Tensors first(all.begin(), all.begin() + 7);
    const Tensors second(all.begin() + 7, all.end());
    folder_.write("model-00001-of-00002.safetensors", safetensors(header_of(first)));
    folder_.write("model-00002-of-00002.safetensors", safetensors(header_of(second)));
    Json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", Json::object()}};
    for (const auto& [name, shape] : first) index["weight_map"][name] = "model-00001-of-00002.safetensors";
    for (const auto& [name, shape] : second) index["weight_map"][name] = "model-00002-of-00002.safetensors";
    if (edit) edit(index);
    folder_.write(kIndex, index.dump());
  }

  CheckpointFolder folder_;
};

TEST_F(CheckpointTest, GivesViewsOfTheMappedFile) {
  Checkpoint opened = Checkpoint::open(folder_.path());
  const std::byte* data = opened.at(kQuery).bytes.data();
  const Checkpoint checkpoint = std::move(opened);
  const TensorView& view = checkpoint.at(kQuery);
  EXPECT_EQ(view.name, kQuery);
  EXPECT_EQ(view.dtype, DType::kF32);
  EXPECT_EQ(view.shape, (std::vector<std::int64_t>{64, 64}));
  EXPECT_EQ(view.bytes.size(), 64U * 64 * 4);
  EXPECT_EQ(view.bytes.data(), data);
  const std::uint64_t begin = (512U * 64 + 64) * 4;  // after the embedding and the first norm
  EXPECT_EQ(view.bytes[1], strata::fixtures::body_byte(begin + 1));
  EXPECT_EQ(checkpoint.find("nosuch"), nullptr);
  EXPECT_EQ(checkpoint.config().layers, 2);
  EXPECT_EQ(checkpoint.weight_dtype(), DType::kF32);
  // The embedding, two layers, the last norm.
  EXPECT_EQ(checkpoint.parameters(), 512 * 64 + 2 * (2 * 64 + 2 * 16 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 192 * 64) + 64);
}

TEST_F(CheckpointTest, ShardsGiveTheSameTensors) {
  shard();
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.at(kQuery).bytes.size(), 64U * 64 * 4);
  EXPECT_EQ(checkpoint.at("model.norm.weight").bytes.size(), 64U * 4);
}

TEST_F(CheckpointTest, LinkedFilesAreFollowed) {
  const TempDir blobs(fs::temp_directory_path(), "blobs");
  fs::rename(folder_.path() / "model.safetensors", blobs.path() / "5d3f");
  fs::create_symlink(blobs.path() / "5d3f", folder_.path() / "model.safetensors");
  EXPECT_NO_THROW(Checkpoint::open(folder_.path()));
}

TEST_F(CheckpointTest, HalfPrecisionAndMixedDtypes) {
  Json header = header_of(small_tensors(), "BF16", 2);
  header["model.norm.weight"]["dtype"] = "F32";
  const std::int64_t begin = header["model.norm.weight"]["data_offsets"][0].get<std::int64_t>();
  header["model.norm.weight"]["data_offsets"] = {begin, begin + 64 * 4};
  folder_.write("model.safetensors", safetensors(header));
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.at("model.norm.weight").dtype, DType::kF32);
  EXPECT_EQ(checkpoint.at(kQuery).dtype, DType::kBF16);
  EXPECT_EQ(checkpoint.weight_dtype(), DType::kBF16);
}

TEST_F(CheckpointTest, ExtraTensorsAreIgnoredWhateverTheirDtype) {
  Json header = header_of(small_tensors());
  const std::int64_t end = strata::fixtures::body_bytes(header);
  header["model.layers.0.self_attn.rotary_emb.inv_freq"] = {
      {"dtype", "F64"}, {"shape", {8}}, {"data_offsets", {end, end + 64}}};
  header["model.layers.0.extra"] = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {end + 64, end + 68}}};
  folder_.write("model.safetensors", safetensors(header));
  EXPECT_EQ(Checkpoint::open(folder_.path()).unused_tensors(), std::vector<std::string>{"model.layers.0.extra"});
}

TEST_F(CheckpointTest, UnusedTensorsAreNamedInOneLine) {
  EXPECT_EQ(unused_warning({}), "");
  EXPECT_EQ(unused_warning({"a"}), "1 tensor of the checkpoint is not used: a");
  EXPECT_EQ(unused_warning({"a", "b", "c", "d", "e"}), "5 tensors of the checkpoint are not used: a, b, c and 2 more");
}

TEST_F(CheckpointTest, AHeadOfItsOwnIsUsedThoughTheConfigTiesIt) {
  Tensors tensors = small_tensors();
  tensors.emplace_back("lm_head.weight", std::vector<std::int64_t>{512, 64});
  write_weights(tensors);  // counts on: differs from the embedding
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_FALSE(checkpoint.config().tied_head);
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
}

TEST_F(CheckpointTest, AHeadEqualToTheTableIsTiedAndNoSurplus) {
  Tensors tensors = small_tensors();
  tensors.emplace_back("lm_head.weight", std::vector<std::int64_t>{512, 64});
  Json header = header_of(tensors);
  std::string text = safetensors(header);
  const std::size_t table = std::size_t{512} * 64 * 4;
  text.replace(text.size() - table, table, text.substr(sizeof(std::uint64_t) + header.dump().size(), table));
  folder_.write("model.safetensors", text);
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_TRUE(checkpoint.config().tied_head);
  EXPECT_TRUE(checkpoint.unused_tensors().empty());
}

TEST_F(CheckpointTest, AHeadOfTheWrongShapeIsNamed) {
  Tensors tensors = small_tensors();
  tensors.emplace_back("lm_head.weight", std::vector<std::int64_t>{1});
  write_weights(tensors);
  refused({"lm_head.weight", "[512, 64]"});
}

TEST_F(CheckpointTest, TheBaseModelsNamesHaveNoPrefix) {
  Tensors tensors = small_tensors();
  for (auto& [name, shape] : tensors) name = name.substr(std::string("model.").size());
  tensors.emplace_back("score.weight", std::vector<std::int64_t>{2});
  write_weights(tensors);
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_EQ(checkpoint.at(kQuery).bytes.size(), 64U * 64 * 4);
  EXPECT_EQ(checkpoint.unused_tensors(), std::vector<std::string>{"score.weight"});
}

TEST_F(CheckpointTest, NeededTensorOfAnotherDtypeIsNamed) {
  for (const char* dtype : {"F64", "I64"}) {
    Json header = header_of(small_tensors());
    const std::int64_t end = strata::fixtures::body_bytes(header);
    header["model.norm.weight"]["dtype"] = dtype;
    header["model.norm.weight"]["data_offsets"] = {end - 64 * 4, end + 64 * 4};
    folder_.write("model.safetensors", safetensors(header));
    refused({"\"model.norm.weight\"", dtype[0] == 'F' ? "F64" : "i64", "supported: F32, F16, BF16"});
  }
}

TEST_F(CheckpointTest, MissingTensorIsNamed) {
  Tensors tensors = small_tensors();
  std::erase_if(tensors, [](const auto& tensor) { return tensor.first == kQuery; });
  write_weights(tensors);
  refused({kQuery, "is missing"});
}

TEST_F(CheckpointTest, WrongShapeIsNamedWithBoth) {
  Tensors tensors = small_tensors();
  for (auto& [name, shape] : tensors) {
    if (name == kQuery) shape = {32, 128};
  }
  write_weights(tensors);
  refused({kQuery, "[32, 128]", "[64, 64]"});
}

TEST_F(CheckpointTest, MoreLayersThanTensors) {
  write_config("num_hidden_layers", 3);
  refused({"model.layers.2.input_layernorm.weight", "is missing"});
}

TEST_F(CheckpointTest, VocabularyLargerThanTheTable) {
  write_config("vocab_size", 600);
  refused({"model.embed_tokens.weight", "[512, 64]", "[600, 64]"});
}

TEST_F(CheckpointTest, UntiedHeadMustBeThere) {
  write_config("tie_word_embeddings", false);
  refused({"lm_head.weight", "is missing"});
}

TEST_F(CheckpointTest, MissingFolderIsNamed) {
  const std::string path = (folder_.path() / "nosuch").string();
  strata::fixtures::expect_error(ExitCode::kModel, {"there is no such model", path}, [&] { Checkpoint::open(path); });
}

TEST_F(CheckpointTest, FileIsNotAFolder) {
  const std::string path = (folder_.path() / "config.json").string();
  strata::fixtures::expect_error(ExitCode::kModel, {"not a model's folder", path}, [&] { Checkpoint::open(path); });
}

TEST_F(CheckpointTest, MissingConfigIsNamed) {
  folder_.remove("config.json");
  refused({"no config.json"});
}

TEST_F(CheckpointTest, MissingWeightsAreNamed) {
  folder_.remove("model.safetensors");
  refused({"no model.safetensors", kIndex});
}

TEST_F(CheckpointTest, ShapesAreThoseOfTheWeightsThatTheConfigImplies) {
  const Checkpoint with = Checkpoint::open(folder_.path());
  folder_.remove("model.safetensors");
  const Checkpoint shapes = Checkpoint::open_shapes(folder_.path());
  EXPECT_TRUE(with.has_values());
  EXPECT_FALSE(shapes.has_values());
  for (const auto& [name, shape] : small_tensors()) {
    EXPECT_EQ(shapes.at(name).shape, shape) << name;
    EXPECT_EQ(shapes.at(name).dtype, DType::kF32);
    EXPECT_TRUE(shapes.at(name).bytes.empty());
  }
  EXPECT_EQ(shapes.parameters(), with.parameters());
  EXPECT_EQ(shapes.weight_dtype(), DType::kF32);
  EXPECT_TRUE(shapes.config().tied_head);
  EXPECT_TRUE(shapes.unused_tensors().empty());
}

TEST_F(CheckpointTest, ShapesHaveTheConfiguredDType) {
  folder_.remove("model.safetensors");
  for (const auto& [name, dtype] : {std::pair("bfloat16", DType::kBF16), {"float16", DType::kF16}}) {
    write_config("torch_dtype", name);
    EXPECT_EQ(Checkpoint::open_shapes(folder_.path()).weight_dtype(), dtype);
  }
  write_config("torch_dtype", "");
  EXPECT_EQ(Checkpoint::open_shapes(folder_.path()).weight_dtype(), DType::kF32);
  write_config("torch_dtype", "int8");
  strata::fixtures::expect_error(ExitCode::kModel, {"int8", "config.json", "bfloat16"},
                                 [&] { Checkpoint::open_shapes(folder_.path()); });
}

TEST_F(CheckpointTest, WeightsThatAreThereAreReadWhereShapesWouldDo) {
  EXPECT_TRUE(Checkpoint::open_shapes(folder_.path()).has_values());
  write_weights({{"model.norm.weight", {64}}});
  strata::fixtures::expect_error(ExitCode::kModel, {"is missing"}, [&] { Checkpoint::open_shapes(folder_.path()); });
  shard();
  folder_.remove("model-00002-of-00002.safetensors");
  strata::fixtures::expect_error(ExitCode::kModel, {"no such file"}, [&] { Checkpoint::open_shapes(folder_.path()); });
}

TEST_F(CheckpointTest, IndexNamingAMissingFile) {
  shard();
  folder_.remove("model-00002-of-00002.safetensors");
  refused({"no such file", "model-00002-of-00002.safetensors"});
}

TEST_F(CheckpointTest, IndexNamingTheWrongFile) {
  shard([](Json& index) { index["weight_map"][kQuery] = "model-00002-of-00002.safetensors"; });
  EXPECT_NO_THROW(Checkpoint::open(folder_.path()));
}

TEST_F(CheckpointTest, IndexLackingATensor) {
  shard([](Json& index) { index["weight_map"].erase(kQuery); });
  EXPECT_NO_THROW(Checkpoint::open(folder_.path()));
}

TEST_F(CheckpointTest, IndexNamingATensorThatNobodyNeedsAndNoShardHas) {
  shard([](Json& index) { index["weight_map"]["model.extra"] = "model-00002-of-00002.safetensors"; });
  EXPECT_NO_THROW(Checkpoint::open(folder_.path()));
}

TEST_F(CheckpointTest, IndexNamingANeededTensorThatNoShardHas) {
  shard([&](Json& index) {
    index["weight_map"]["model.layers.2.input_layernorm.weight"] = "model-00002-of-00002.safetensors";
  });
  write_config("num_hidden_layers", 3);
  refused({"model.layers.2.input_layernorm.weight", "lacks it", "model-00002-of-00002.safetensors"});
}

TEST_F(CheckpointTest, IndexLeadingOutOfTheFolder) {
  const std::string absolute = (folder_.path() / "model-00001-of-00002.safetensors").string();
  for (const std::string& name : {std::string("../x.safetensors"), absolute, std::string("a/b.safetensors"),
                                  std::string(".."), std::string(""), std::string("config.json")}) {
    shard([&](Json& index) { index["weight_map"][kQuery] = name; });
    refused({kQuery, "the name of a .safetensors file", kIndex});
  }
}

TEST_F(CheckpointTest, IndexOfAnotherForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "not valid JSON"},
      {"[]", "a JSON object is needed"},
      {"{}", "\"weight_map\" is missing"},
      {R"({"weight_map": []})", "an object"},
      {R"({"weight_map": {}})", "names no tensors"},
      {R"({"weight_map": {"a": 5}})", "the name of a .safetensors file"},
      {R"({"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}})", "is there twice"}};
  for (const auto& [text, message] : cases) {
    shard();
    folder_.write(kIndex, text);
    refused({message, kIndex});
  }
}

TEST_F(CheckpointTest, TextsGoAlong) {
  folder_.write("tokenizer.json", "{}");
  folder_.write("chat_template.jinja", "{{ x }}");
  std::filesystem::create_directory(folder_.path() / "additional_chat_templates");
  folder_.write("additional_chat_templates/tool_use.jinja", "{{ tools }}");
  folder_.write("README.md", "hello");
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  const std::vector<std::pair<std::string, std::string>> expected = {{"config.json", small_config().dump()},
                                                                     {"tokenizer.json", "{}"},
                                                                     {"chat_template.jinja", "{{ x }}"},
                                                                     {"tool_use.jinja", "{{ tools }}"}};
  EXPECT_EQ(checkpoint.texts().files, expected);
}

TEST_F(CheckpointTest, IdentityIsTheContentWhereverItLies) {
  const auto identity = [&] { return Checkpoint::open(folder_.path()).identity(); };
  const std::string before = identity();
  EXPECT_EQ(before.size(), 32U);
  folder_.write("README.md", "hello");
  folder_.write("tokenizer.json", "{}");
  folder_.write("generation_config.json", "{}");
  folder_.write("chat_template.jinja", "{{ x }}");
  EXPECT_EQ(identity(), before) << "texts lie beside the weights";
  write_config("eos_token_id", 7);
  EXPECT_EQ(identity(), before) << "as does what config.json says of them";
  write_weights(small_tensors());
  EXPECT_EQ(identity(), before) << "equal bytes in another file";
  fs::last_write_time(folder_.path() / "model.safetensors", fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(identity(), before);
  const fs::path moved = folder_.path().string() + "-moved";
  fs::copy(folder_.path(), moved);
  EXPECT_EQ(Checkpoint::open(moved).identity(), before);
  fs::remove_all(moved);
}

TEST_F(CheckpointTest, IdentityFollowsEveryWeightAndTheGeometry) {
  const auto identity = [&] { return Checkpoint::open(folder_.path()).identity(); };
  const std::string before = identity();
  write_config("rms_norm_eps", 1e-5);
  const std::string reconfigured = identity();
  EXPECT_NE(reconfigured, before);
  const fs::path weights = folder_.path() / "model.safetensors";
  std::fstream(weights, std::ios::in | std::ios::out | std::ios::binary).seekp(-1, std::ios::end).put('\x7f');
  EXPECT_NE(identity(), reconfigured);
}

TEST_F(CheckpointTest, AFileChangedInPlaceIsNoticed) {
  const Checkpoint checkpoint = Checkpoint::open(folder_.path());
  EXPECT_NO_THROW(checkpoint.require_unchanged());
  const fs::path weights = folder_.path() / "model.safetensors";
  fs::last_write_time(weights, fs::file_time_type::clock::now() + std::chrono::hours(1));
  fixtures::expect_error(ExitCode::kRuntime, {"changed while it was read", "model.safetensors"},
                         [&] { checkpoint.require_unchanged(); });
  fs::remove(weights);
  EXPECT_NO_THROW(checkpoint.require_unchanged()) << "the mapping holds what was there";
}

}  // namespace
}  // namespace strata::importer
