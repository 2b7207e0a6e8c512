// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/file_lock.h"
#include "base/mapped_file.h"
#include "base/temp_dir.h"
#include "base/text_file.h"
#include "tests/base/expect_error.h"

namespace strata {
namespace {

namespace fs = std::filesystem;
using fixtures::expect_error;

class FileTest : public ::testing::Test {
 protected:
  fs::path path(const char* name) const { return dir_.path() / name; }
  TempDir dir_{fs::temp_directory_path(), "file-test"};
};

TEST_F(FileTest, MappedFileShowsTheBytes) {
  write_file(path("a"), "hello");
  MappedFile file = MappedFile::open(path("a"));
  const std::byte* data = file.bytes().data();
  const MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text(), "hello");
  EXPECT_EQ(moved.bytes().data(), data);
  EXPECT_EQ(moved.stamp().size, 5U);
  EXPECT_GT(moved.stamp().mtime_ns, 0);
  EXPECT_TRUE(file.bytes().empty());  // NOLINT(bugprone-use-after-move): a moved-from mapping is empty
}

TEST_F(FileTest, AdviceOutOfRangeIsIgnored) {
  write_file(path("a"), "hello");
  const MappedFile file = MappedFile::open(path("a"));
  file.advise(MappedFile::Advice::kWillNeed);
  file.advise(MappedFile::Advice::kRandom, 3, ~std::uint64_t{0});
  file.advise(MappedFile::Advice::kDontNeed, 1000);
  EXPECT_EQ(file.text(), "hello");
}

TEST_F(FileTest, AnAddressLeadsToTheMappedFile) {
  write_file(path("a"), std::string(5000, 'x'));
  write_file(path("b"), "hello");
  MappedFile a = MappedFile::open(path("a"));
  const MappedFile b = MappedFile::open(path("b"));
  EXPECT_EQ(mapped_file_at(a.bytes().data()), path("a"));
  EXPECT_EQ(mapped_file_at(a.bytes().data() + 8191), path("a")) << "its last page";
  EXPECT_EQ(mapped_file_at(b.bytes().data() + 4), path("b"));
  EXPECT_EQ(mapped_file_at(nullptr), nullptr);
  EXPECT_EQ(mapped_file_at(&a), nullptr);
  const std::byte* const data = a.bytes().data();
  const MappedFile moved = std::move(a);
  EXPECT_EQ(mapped_file_at(data), path("a"));
  {
    const MappedFile gone = MappedFile::open(path("b"));
  }
  write_file(path("c"), "again");
  const MappedFile c = MappedFile::open(path("c"));
  EXPECT_EQ(mapped_file_at(c.bytes().data()), path("c")) << "a place in the list is used again";
  EXPECT_EQ(mapped_file_at(b.bytes().data()), path("b"));
}

TEST_F(FileTest, AChangeInPlaceIsNoticed) {
  write_file(path("a"), "hello");
  const MappedFile file = MappedFile::open(path("a"));
  EXPECT_FALSE(file.was_changed());
  fs::resize_file(path("a"), 4);
  EXPECT_TRUE(file.was_changed());
  write_file(path("a"), "other");
  EXPECT_FALSE(file.was_changed()) << "another file of the same name";
  fs::remove(path("a"));
  EXPECT_FALSE(file.was_changed());
}

TEST_F(FileTest, UnsyncedFilesReplaceAndArePrivate) {
  write_unsynced(path("a"), "hello");
  write_unsynced(path("a"), "bye");
  EXPECT_EQ(read_text_file(path("a"), 100), "bye");
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  expect_error(ExitCode::kResource, {"nosuch"}, [&] { write_unsynced(path("nosuch") / "a", "x"); });
}

TEST_F(FileTest, MappedEmptyFileHasNoBytes) {
  write_file(path("a"), "");
  EXPECT_TRUE(MappedFile::open(path("a")).bytes().empty());
}

TEST_F(FileTest, MissingFileIsNamed) {
  expect_error(ExitCode::kModel, {path("nosuch").string(), "no such file"}, [&] { MappedFile::open(path("nosuch")); });
  expect_error(ExitCode::kModel, {path("nosuch").string(), "no such file"},
               [&] { read_text_file(path("nosuch"), 10); });
}

TEST_F(FileTest, FolderIsNotAFile) {
  expect_error(ExitCode::kModel, {"not a regular file"}, [&] { MappedFile::open(dir_.path()); });
  expect_error(ExitCode::kModel, {"not a regular file"}, [&] { read_text_file(dir_.path(), 10); });
}

TEST_F(FileTest, PipeWithoutWriterDoesNotHang) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  expect_error(ExitCode::kModel, {"not a regular file"}, [&] { MappedFile::open(path("pipe")); });
}

TEST_F(FileTest, TextFileUpToItsLimit) {
  const std::string text(100'000, 'x');
  write_file(path("a"), text);
  EXPECT_EQ(read_text_file(path("a"), 100'000), text);
  expect_error(ExitCode::kModel, {"99999 bytes"}, [&] { read_text_file(path("a"), 99'999); });
}

TEST_F(FileTest, LockExcludesAndReleases) {
  {
    const FileLock held(path("lock"));
    EXPECT_FALSE(FileLock::try_lock(path("lock")));
  }
  EXPECT_TRUE(FileLock::try_lock(path("lock")));
}

TEST_F(FileTest, WaitingForALockCanBeGivenUp) {
  const FileLock held(path("lock"));
  int calls = 0;
  const auto waiting = [&] {
    if (++calls == 2) throw usage_error("enough");
  };
  EXPECT_THROW(FileLock(path("lock"), waiting), Error);
  EXPECT_EQ(calls, 2);
}

TEST_F(FileTest, LockSurvivesTheRemovalOfItsFile) {
  auto first = FileLock::try_lock(path("lock"));
  fs::remove(path("lock"));
  // The name is free now: whoever comes next locks a new file, and excludes the one after.
  const auto second = FileLock::try_lock(path("lock"));
  EXPECT_TRUE(second);
  EXPECT_FALSE(FileLock::try_lock(path("lock")));
}

TEST_F(FileTest, LockInAMissingFolderIsNamed) {
  expect_error(ExitCode::kResource, {"nosuch/lock"}, [&] { FileLock lock(path("nosuch") / "lock"); });
}

TEST_F(FileTest, TempDirIsPrivateAndRemoved) {
  fs::path made;
  {
    const TempDir temp(dir_.path(), "work");
    made = temp.path();
    write_file(made / "file", "x");
    EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all);
  }
  EXPECT_FALSE(fs::exists(made));
}

TEST_F(FileTest, OnlyFoldersOfTheDeadAreStale) {
  const TempDir living(dir_.path(), "work");
  fs::create_directory(path("work-abcdef"));
  fs::create_directory(path("work-abcdefg"));
  fs::create_directory(path("other-abcdef"));
  EXPECT_EQ(TempDir::remove_stale(dir_.path(), "work"), 1);
  EXPECT_TRUE(fs::exists(living.path()));
  EXPECT_FALSE(fs::exists(path("work-abcdef")));
  EXPECT_TRUE(fs::exists(path("work-abcdefg")));
  EXPECT_TRUE(fs::exists(path("other-abcdef")));
}

TEST_F(FileTest, TempDirInAMissingFolderIsNamed) {
  expect_error(ExitCode::kResource, {path("nosuch").string()}, [&] { TempDir temp(path("nosuch")); });
}

TEST_F(FileTest, TheHeadIsWhatThereIsOfAFile) {
  write_unsynced(path("a"), "abcdef");
  EXPECT_EQ(read_head(path("a"), 4), "abcd");
  EXPECT_EQ(read_head(path("a"), 6), "abcdef");
  EXPECT_EQ(read_head(path("a"), 100), "abcdef");
  EXPECT_EQ(read_head(dir_.path(), 4), "");
  EXPECT_EQ(read_head(path("none"), 4), "");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_head(path("pipe"), 4), "");
}

// A file that can't be opened for want of files is not one that isn't there.
TEST_F(FileTest, ExhaustionIsNamed) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, EAGAIN}) {
    expect_error(ExitCode::kResource, {"cannot open", path("a").string()}, [&] { check_exhaustion(error, path("a")); });
  }
  for (const int error : {0, ENOENT, ENOTDIR, EACCES, EIO}) EXPECT_NO_THROW(check_exhaustion(error, path("a")));
}

TEST_F(FileTest, LinesEndWithTheFile) {
  for (const std::string_view text : {"a\n\nb c", "a\n\nb c\n"}) {
    write_unsynced(path("a"), text);
    EXPECT_EQ(read_lines(path("a")), (std::vector<std::string>{"a", "", "b c"}));
  }
  EXPECT_EQ(read_lines(path("none")), std::vector<std::string>{});
}

}  // namespace
}  // namespace strata
