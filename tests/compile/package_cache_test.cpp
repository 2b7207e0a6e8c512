// SPDX-License-Identifier: Apache-2.0
#include "compile/package_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/temp_dir.h"
#include "base/trust.h"
#include "package/package.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

TEST(PackageCache, TakesHalfOfWhatWouldBeFree) {
  const std::vector<std::uint64_t> sizes = {10, 20, 30};
  EXPECT_EQ(packages_to_remove(sizes, 20, 100), 0u) << "60 + 20 of 160";
  EXPECT_EQ(packages_to_remove(sizes, 21, 100), 1u);
  EXPECT_EQ(packages_to_remove(sizes, 31, 100), 2u);
  EXPECT_EQ(packages_to_remove(sizes, 1000, 100), 3u) << "there is no more to remove";
  EXPECT_EQ(packages_to_remove(sizes, 0, 0), 2u) << "a disk that others have filled";
  EXPECT_EQ(packages_to_remove({}, 1000, 0), 0u);
}

class CacheFolder : public ::testing::Test {
 protected:
  CacheFolder() { cache_.create(); }

  static void write_package(const fs::path& path) {
    const PrivateFiles guard;
    package::PackageWriter writer(path);
    writer.add(package::kManifestSection, package::to_json({}));
    writer.commit();
  }

  // Used so many hours ago.
  void add(const std::string& key, int hours) {
    write_package(cache_.path_of(key));
    fs::last_write_time(cache_.path_of(key), fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }
  bool has(const std::string& key) const { return fs::exists(cache_.path_of(key)); }

  // More than any disk has: everything that may go has to.
  static constexpr std::uint64_t kNoRoom = std::uint64_t{1} << 62;
  const TempDir folder_{fs::temp_directory_path(), "strata-test"};
  const PackageCache cache_{folder_.path() / "packages"};
};

TEST_F(CacheFolder, KeepsAllWhileThereIsRoom) {
  add("a", 3);
  add("b", 1);
  cache_.make_room(1);
  EXPECT_TRUE(has("a") && has("b"));
}

TEST_F(CacheFolder, KeepsWhatIsBeingWritten) {
  add("a", 3);
  add("b", 1);
  const FileLock lock(cache_.lock_of("a"));
  cache_.make_room(kNoRoom);
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_FALSE(fs::exists(cache_.lock_of("b")));
}

TEST_F(CacheFolder, LeavesOtherFilesAlone) {
  add("a", 3);
  write_file(folder_.path() / "packages" / "notes.txt", "x");
  cache_.make_room(kNoRoom);
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(fs::exists(folder_.path() / "packages" / "notes.txt"));
}

TEST_F(CacheFolder, UseMakesAPackageYoungAndLeavesItsTimes) {
  add("in-a", 3);
  add("in-b", 2);
  EXPECT_EQ(cache_.find_any("in", false), cache_.path_of("in-b"));
  const auto made = fs::last_write_time(cache_.path_of("in-a"));
  {
    const FileLock made_once(cache_.lock_of("in-a"));
  }
  cache_.touch(cache_.path_of("in-a"));
  EXPECT_EQ(fs::last_write_time(cache_.path_of("in-a")), made);
  EXPECT_EQ(cache_.find_any("in", false), cache_.path_of("in-a"));
  cache_.touch(cache_.path_of("missing"));
  EXPECT_FALSE(has("missing"));
}

TEST_F(CacheFolder, FindsWhatIsWhole) {
  EXPECT_FALSE(cache_.find("a", false));
  add("a", 3);
  EXPECT_EQ(cache_.find("a", false), cache_.path_of("a"));
  EXPECT_EQ(cache_.find("a", true), cache_.path_of("a"));
  fs::resize_file(cache_.path_of("a"), 100);
  EXPECT_FALSE(cache_.find("a", false));
}

TEST_F(CacheFolder, FindsByInputsWhatAnyCompilerMade) {
  add("in-one", 3);
  add("in-two", 1);
  add("other-one", 0);
  EXPECT_EQ(cache_.find_any("in", false), cache_.path_of("in-two"));
  fs::resize_file(cache_.path_of("in-two"), 100);
  EXPECT_EQ(cache_.find_any("in", false), cache_.path_of("in-one")) << "the other one is damaged";
  EXPECT_FALSE(cache_.find_any("i", false));
}

TEST_F(CacheFolder, WhatOthersCouldHaveWrittenIsRefused) {
  add("a", 3);
  ::chmod(cache_.path_of("a").c_str(), 0666);
  fixtures::expect_error(ExitCode::kResource, {"a.strata", "trusted"}, [&] { cache_.find("a", false); });
  ::chmod((folder_.path() / "packages").c_str(), 0777);
  fixtures::expect_error(ExitCode::kResource, {"packages", "trusted"},
                         [&] { PackageCache(folder_.path() / "packages"); });
}

}  // namespace
}  // namespace strata::compile
