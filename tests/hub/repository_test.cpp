// SPDX-License-Identifier: Apache-2.0
#include "hub/repository.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "hub/digest.h"

namespace strata::hub {
namespace {

Repository with(const std::vector<std::string>& paths) {
  Repository repository{.revision = std::string(40, 'a'), .files = {}};
  for (const std::string& path : paths) {
    RemoteFile file;
    file.path = path;
    repository.files.push_back(file);
  }
  return repository;
}

std::vector<std::string> needed(const std::vector<std::string>& paths, const std::string& file = "") {
  std::vector<std::string> out;
  for (const RemoteFile& one : needed_files(with(paths), {"a/b", file})) out.push_back(one.path);
  return out;
}

using Paths = std::vector<std::string>;

TEST(Repository, OnlyWhatTheModelNeedsIsTaken) {
  EXPECT_EQ(needed({"README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"}),
            (Paths{"config.json", "model.safetensors", "tokenizer.json"}));
  EXPECT_EQ(needed({"config.json", "consolidated.safetensors", "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors", "model.safetensors.index.json", "original/model.safetensors"}),
            (Paths{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                   "model.safetensors.index.json"}));
  const Paths gguf = {"a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "b.gguf", "config.json"};
  EXPECT_EQ(needed(gguf, "b.gguf"), (Paths{"b.gguf"}));
  EXPECT_EQ(needed(gguf, "a-00002-of-00002.gguf"), (Paths{"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}));
  EXPECT_THROW(needed(gguf, "c.gguf"), Error);
  EXPECT_THROW(needed(gguf), Error);
  EXPECT_THROW(needed({"model.safetensors"}), Error);
}

TEST(Repository, AnswersThatMakeNoSenseAreRefused) {
  const std::string sha(40, 'a'), digest(40, 'b'), large(64, 'c');
  const auto parse = [&](const std::string& files) {
    return parse_repository(R"({"sha": ")" + sha + R"(", "siblings": [)" + files + "]}", "hub");
  };
  const Repository good = parse(R"({"rfilename": "a", "size": 3, "blobId": ")" + digest + R"("}, {"rfilename": "b/c",
      "size": 1, "blobId": "x", "lfs": {"sha256": ")" +
                                large + R"(", "size": 9}})");
  EXPECT_EQ(good.files[0].digest, digest);
  EXPECT_FALSE(good.files[0].is_sha256);
  EXPECT_EQ(good.files[1].size, 9);
  EXPECT_TRUE(good.files[1].is_sha256);
  for (const std::string& wrong : {R"({"rfilename": "../a", "size": 3, "blobId": ")" + digest + "\"}", std::string("3"),
                                   std::string("{}"), R"({"rfilename": "a", "size": -1, "blobId": ")" + digest + "\"}",
                                   std::string(R"({"rfilename": "a", "size": 3, "blobId": "../../x"})")}) {
    EXPECT_THROW(parse(wrong), Error) << wrong;
  }
  EXPECT_THROW(parse_repository(R"({"sha": "../..", "siblings": []})", "hub"), Error);
  EXPECT_THROW(parse_repository("<html>", "hub"), Error);
}

TEST(Digest, IsThatOfItsStandard) {
  Digest sha1(Digest::Kind::kSha1), sha256(Digest::Kind::kSha256);
  sha1.add("a");
  sha1.add("bc");
  sha256.add("abc");
  EXPECT_EQ(sha1.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha256.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace strata::hub
