// SPDX-License-Identifier: Apache-2.0
#include "import/model_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_dir.h"
#include "tests/base/expect_error.h"

namespace strata::importer {
namespace {

namespace fs = std::filesystem;
using fixtures::expect_error;

class ModelFolder : public ::testing::Test {
 protected:
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((repository_ / path).parent_path());
    std::ofstream(repository_ / path) << text;
  }
  void refused() const {
    expect_error(ExitCode::kModel, {"snapshot", repository_.string()}, [&] { resolve_model_folder(repository_); });
  }
  const TempDir dir_{fs::temp_directory_path(), "strata-test"};
  const fs::path repository_ = dir_.path() / "models--Org--Some-Name";
};

TEST_F(ModelFolder, APlainFolderIsItself) {
  write("config.json", "{}");
  fs::create_directories(repository_ / "snapshots");
  EXPECT_EQ(resolve_model_folder(repository_), repository_);
  EXPECT_EQ(resolve_model_folder("nosuch"), "nosuch");
}

TEST_F(ModelFolder, ARepositoryIsTheSnapshotOfItsMainBranch) {
  write("snapshots/abc/config.json", "{}");
  write("snapshots/def/config.json", "{}");
  write("refs/main", "def\n");
  EXPECT_EQ(resolve_model_folder(repository_), repository_ / "snapshots" / "def");
}

TEST_F(ModelFolder, AReferenceMustNameASnapshot) {
  write("snapshots/abc/config.json", "{}");
  refused();
  for (const char* reference : {"", "nosuch", "..", "../..", "/", "abc/"}) {
    write("refs/main", reference);
    refused();
  }
}

TEST_F(ModelFolder, NamesAreThoseOfPeople) {
  write("snapshots/abc/config.json", "{}");
  EXPECT_EQ(model_name(repository_ / "snapshots" / "abc"), "Some-Name");
  EXPECT_EQ(model_name(repository_ / "snapshots"), "snapshots");
  EXPECT_EQ(model_name(dir_.path() / "Qwen3-0.6B"), "Qwen3-0.6B");
  EXPECT_EQ(model_name((dir_.path() / "Qwen3-0.6B").string() + "/"), "Qwen3-0.6B");
}

}  // namespace
}  // namespace strata::importer
