// SPDX-License-Identifier: Apache-2.0
#include "compile/quantise_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../import/checkpoint_files.h"
#include "blocks/decode.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

using importer::Checkpoint;
using importer::OwnBlocks;

constexpr const char* kLast = "model.layers.1.mlp.down_proj.weight";

// A folder whose numbers are finite; `last` is the last one of the last layer's last matrix.
class Folder {
 public:
  explicit Folder(float last = 0.01F) {
    const auto header = fixtures::header_of(fixtures::small_tensors());
    std::vector<float> values(static_cast<std::size_t>(fixtures::body_bytes(header)) / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0.03F * std::sin(static_cast<float>(i)) * std::sin(static_cast<float>(i) * 0.37F);
    }
    values[header[kLast]["data_offsets"][1].get<std::size_t>() / sizeof(float) - 1] = last;
    const std::string text = header.dump();
    std::string body(values.size() * sizeof(float), '\0');
    std::memcpy(body.data(), values.data(), body.size());
    folder_.write("model.safetensors", fixtures::with_length(text.size(), text) + body);
  }

  Checkpoint open() const { return Checkpoint::open(folder_.path()); }

 private:
  fixtures::CheckpointFolder folder_;
};

std::vector<float> values_of(const importer::TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  if (view.format != nullptr) {
    blocks::decode(*view.format, view.bytes.data(), view.elements() / view.format->elements, values.data());
  } else {
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  }
  return values;
}

TEST(QuantiseWeights, EachMatrixIsNearWhatItWas) {
  const Folder folder;
  const Checkpoint checkpoint = folder.open();
  for (const auto& [dtype, most] : {std::pair("q8", 3e-4F), std::pair("q4", 6e-3F)}) {
    OwnBlocks matrices = importer::own_blocks(checkpoint, dtype);
    double told = 0;
    const ScratchFile file = quantise_weights(checkpoint, matrices, 2, [&](double done) {
      EXPECT_GT(done, told);
      told = done;
    });
    EXPECT_EQ(told, 1);
    std::size_t bytes = 0;
    for (const auto& [name, view] : matrices) {
      bytes += view.bytes.size();
      const std::vector<float> want = values_of(checkpoint.at(name)), found = values_of(view);
      for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(found[i], want[i], most) << dtype << " " << name;
    }
    EXPECT_EQ(bytes, file.bytes().size());
  }
}

TEST(QuantiseWeights, ThreadsChangeNoByte) {
  const Folder folder;
  const Checkpoint checkpoint = folder.open();
  OwnBlocks one = importer::own_blocks(checkpoint, "q4"), three = one;
  const ScratchFile first = quantise_weights(checkpoint, one, 1), second = quantise_weights(checkpoint, three, 3);
  ASSERT_EQ(first.bytes().size(), second.bytes().size());
  EXPECT_EQ(std::memcmp(first.bytes().data(), second.bytes().data(), first.bytes().size()), 0);
}

TEST(QuantiseWeights, NamesTheMatrixWithoutAScale) {
  for (const float number : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
    const Folder folder(number);
    const Checkpoint checkpoint = folder.open();
    OwnBlocks matrices = importer::own_blocks(checkpoint, "q8");
    fixtures::expect_error(ExitCode::kModel, {kLast, "quantised"}, [&] { quantise_weights(checkpoint, matrices, 2); });
  }
}

TEST(QuantiseWeights, OfNoMatrixThereIsNoFile) {
  const Folder folder;
  const Checkpoint checkpoint = folder.open();
  OwnBlocks none = importer::own_blocks(checkpoint, "keep");
  EXPECT_TRUE(quantise_weights(checkpoint, none, 2).bytes().empty());
}

}  // namespace
}  // namespace strata::compile
