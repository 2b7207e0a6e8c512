// SPDX-License-Identifier: Apache-2.0
#include "base/file_memory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temp_dir.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr FileStamp kStamp{.size = 5, .mtime_ns = 10 * kSecond, .ctime_ns = 11 * kSecond, .device = 1, .inode = 2};
constexpr std::int64_t kNow = 100 * kSecond;

class FileMemoryTest : public ::testing::Test {
 protected:
  fs::path folder() const { return dir_.path() / "cache" / "files"; }
  fs::path only_record() const { return fs::directory_iterator(folder())->path(); }
  const TempDir dir_{fs::temp_directory_path(), "strata-test"};
  const FileMemory memory_{dir_.path() / "cache" / "files"};
};

TEST_F(FileMemoryTest, RemembersOfAFileWhatItIs) {
  EXPECT_FALSE(memory_.recall("hash", kStamp));
  memory_.remember("hash", kStamp, "abc", kNow);
  EXPECT_EQ(memory_.recall("hash", kStamp), "abc");
  EXPECT_FALSE(memory_.recall("verified", kStamp)) << "another kind";
  memory_.remember("hash", kStamp, "def", kNow);
  EXPECT_EQ(memory_.recall("hash", kStamp), "def");
}

TEST_F(FileMemoryTest, ForgetsAFileThatChanged) {
  memory_.remember("hash", kStamp, "abc", kNow);
  const auto changed = [&](auto change) {
    FileStamp stamp = kStamp;
    change(stamp);
    return memory_.recall("hash", stamp);
  };
  EXPECT_FALSE(changed([](FileStamp& stamp) { ++stamp.size; }));
  EXPECT_FALSE(changed([](FileStamp& stamp) { ++stamp.mtime_ns; }));
  EXPECT_FALSE(changed([](FileStamp& stamp) { ++stamp.ctime_ns; }));
  EXPECT_FALSE(changed([](FileStamp& stamp) { ++stamp.inode; }));
  EXPECT_FALSE(changed([](FileStamp& stamp) { ++stamp.device; }));
}

TEST_F(FileMemoryTest, DoesNotRememberWhatMayChangeWithinTheClocksStep) {
  memory_.remember("hash", kStamp, "abc", kStamp.ctime_ns + kSecond);
  EXPECT_FALSE(memory_.recall("hash", kStamp));
  memory_.remember("hash", kStamp, "abc", kStamp.ctime_ns + 2 * kSecond);
  EXPECT_EQ(memory_.recall("hash", kStamp), "abc");
}

TEST_F(FileMemoryTest, BelievesNoDamagedRecord) {
  memory_.remember("hash", kStamp, "abc", kNow);
  const fs::path record = only_record();
  std::string text;
  std::getline(std::ifstream(record), text);
  const auto recall_with = [&](const std::string& content) {
    std::ofstream(record) << content;
    return memory_.recall("hash", kStamp);
  };
  EXPECT_FALSE(recall_with(""));
  EXPECT_FALSE(recall_with(text.substr(0, text.size() / 2)));
  EXPECT_FALSE(recall_with(std::string(10'000, 'x')));
  std::string other = text;
  other.replace(other.find("abc"), 3, "abd");
  EXPECT_FALSE(recall_with(other + "\n"));
  EXPECT_EQ(recall_with(text + "\n"), "abc");
}

TEST_F(FileMemoryTest, BelievesNothingThatOthersCouldHaveWritten) {
  memory_.remember("hash", kStamp, "abc", kNow);
  ::chmod(only_record().c_str(), 0666);
  EXPECT_FALSE(memory_.recall("hash", kStamp));
  ::chmod(only_record().c_str(), 0600);
  EXPECT_TRUE(memory_.recall("hash", kStamp));
  ::chmod(folder().c_str(), 0777);
  EXPECT_FALSE(memory_.recall("hash", kStamp));
}

TEST_F(FileMemoryTest, WithoutAFolderThereIsNone) {
  const FileMemory none({});
  none.remember("hash", kStamp, "abc", kNow);
  EXPECT_FALSE(none.recall("hash", kStamp));
  const FileMemory impossible("/proc/nonexistent/files");
  EXPECT_NO_THROW(impossible.remember("hash", kStamp, "abc", kNow));
  EXPECT_FALSE(impossible.recall("hash", kStamp));
}

}  // namespace
}  // namespace strata
