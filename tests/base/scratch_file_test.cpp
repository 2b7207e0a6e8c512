// SPDX-License-Identifier: Apache-2.0
#include "base/scratch_file.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <utility>

#include "base/temp_dir.h"
#include "tests/base/expect_error.h"

namespace strata {
namespace {

using fixtures::expect_error;

TEST(ScratchFile, HoldsBytesWithoutAName) {
  const TempDir folder(std::filesystem::temp_directory_path());
  ScratchFile file(folder.path(), 10000);
  ASSERT_EQ(file.bytes().size(), 10000U);
  EXPECT_EQ(file.bytes()[9999], std::byte{0});
  file.bytes()[9999] = std::byte{7};
  const ScratchFile moved = std::move(file);
  EXPECT_EQ(moved.bytes()[9999], std::byte{7});
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().filename().string().find("scratch"), std::string::npos);
  }
}

TEST(ScratchFile, NothingIsNoFile) {
  EXPECT_TRUE(ScratchFile("/nowhere", 0).bytes().empty());
  EXPECT_TRUE(ScratchFile().bytes().empty());
}

TEST(ScratchFile, SaysWhatFails) {
  const TempDir folder(std::filesystem::temp_directory_path());
  expect_error(ExitCode::kResource, {"missing"}, [&] { ScratchFile(folder.path() / "missing", 1); });
  expect_error(ExitCode::kResource, {"reserve space"}, [&] { ScratchFile(folder.path(), std::uint64_t{1} << 62); });
}

}  // namespace
}  // namespace strata
