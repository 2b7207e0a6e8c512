// SPDX-License-Identifier: Apache-2.0
#include "base/trust.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/temp_dir.h"
#include "base/text_file.h"
#include "tests/base/expect_error.h"

namespace strata {
namespace {

namespace fs = std::filesystem;
using fixtures::expect_error;

unsigned mode_of(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

class Trust : public ::testing::Test {
 protected:
  fs::path path(const char* name) const { return dir_.path() / name; }
  const TempDir dir_{fs::temp_directory_path(), "strata-test"};
};

TEST_F(Trust, OwnFilesThatOthersCanReadAreTrusted) {
  write_unsynced(path("a"), "x");
  EXPECT_EQ(mode_of(path("a")), 0600U);
  EXPECT_EQ(reason_to_distrust(path("a")), "");
  ::chmod(path("a").c_str(), 0755);
  EXPECT_EQ(reason_to_distrust(path("a")), "");
  EXPECT_EQ(reason_to_distrust(path("nosuch")), "");
}

TEST_F(Trust, WhatOthersCanWriteIsNot) {
  write_unsynced(path("a"), "x");
  for (const mode_t mode : {0620, 0602, 0666}) {
    ::chmod(path("a").c_str(), mode);
    EXPECT_EQ(reason_to_distrust(path("a")), "other users can write to it");
  }
  expect_error(ExitCode::kResource, {path("a").string(), "can't be trusted"}, [&] { require_trusted(path("a")); });
}

TEST_F(Trust, WhatIsAnotherUsersIsNot) {
  write_unsynced(path("a"), "x");
  if (::chown(path("a").c_str(), 12345, static_cast<gid_t>(-1)) != 0) GTEST_SKIP() << "only root can give files away";
  expect_error(ExitCode::kResource, {path("a").string(), "another user (12345)"}, [&] { require_trusted(path("a")); });
}

TEST_F(Trust, FoldersAreMadePrivate) {
  make_private_folder(path("above") / "cache");
  EXPECT_EQ(mode_of(path("above") / "cache"), 0700U);
  make_private_folder(path("above") / "cache");
  ::chmod((path("above") / "cache").c_str(), 0777);
  expect_error(ExitCode::kResource, {"above/cache"}, [&] { make_private_folder(path("above") / "cache"); });
  write_unsynced(path("file"), "x");
  expect_error(ExitCode::kResource, {"file", "STRATA_CACHE"}, [&] { make_private_folder(path("file")); });
  expect_error(ExitCode::kResource, {"file/below"}, [&] { make_private_folder(path("file") / "below"); });
}

TEST_F(Trust, PrivateFilesAreThisUsersAlone) {
  const mode_t before = ::umask(022);
  {
    const PrivateFiles guard;
    fs::create_directory(path("inside"));
  }
  fs::create_directory(path("outside"));
  ::umask(before);
  EXPECT_EQ(mode_of(path("inside")), 0700U);
  EXPECT_EQ(mode_of(path("outside")), 0755U);
}

}  // namespace
}  // namespace strata
