// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <thread>

#include "base/temp_dir.h"
#include "base/text_file.h"
#include "tests/base/expect_error.h"

namespace strata {
namespace {

namespace fs = std::filesystem;
using fixtures::expect_error;

class AtomicFileTest : public ::testing::TestWithParam<AtomicFile::Naming> {
 protected:
  fs::path path(const char* name) const { return dir_.path() / name; }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()); }
  // Runs `body` in a child process that ends without unwinding.
  template <class Body>
  static void in_child(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }

  TempDir dir_{fs::temp_directory_path(), "atomic-file-test"};
};

INSTANTIATE_TEST_SUITE_P(Namings, AtomicFileTest,
                         ::testing::Values(AtomicFile::Naming::kUnnamedIfPossible, AtomicFile::Naming::kTemporaryName));

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// A limit of the size of files, and no death by its signal.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t limit) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit lowered{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &lowered);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  struct rlimit before_{};
};

TEST_P(AtomicFileTest, CommitReplacesAnExistingFile) {
  write_file(path("a"), "old");
  AtomicFile file(path("a"), 7, GetParam());
  file.append("new ");
  file.append("text");
  EXPECT_EQ(read_text_file(path("a"), 100), "old");
  file.commit();
  EXPECT_EQ(read_text_file(path("a"), 100), "new text");
  EXPECT_EQ(files(), 1);
}

TEST_P(AtomicFileTest, WithoutCommitNothingIsLeft) {
  {
    AtomicFile(path("a"), 0, GetParam()).append("text");
  }
  EXPECT_EQ(files(), 0);
}

TEST_P(AtomicFileTest, WritesAtOffsetsFromSeveralThreads) {
  AtomicFile file(path("a"), 0, GetParam());
  file.reserve(4000);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
      threads.emplace_back(
          [&file, i] { file.write_at(i * 1000, bytes(std::string(900, static_cast<char>('a' + i)))); });
    }
  }
  std::string back(8, '?');
  file.read_at(1896, std::as_writable_bytes(std::span(back)));
  EXPECT_EQ(back, std::string("bbbb") + std::string(4, '\0'));
  file.commit();
  const std::string text = read_text_file(path("a"), 5000);
  ASSERT_EQ(text.size(), 4000U);
  EXPECT_EQ(text[3899], 'd');
  EXPECT_EQ(text[3900], '\0');
}

TEST_P(AtomicFileTest, AFullDiskIsNamedWithTheBytesNeeded) {
  const FileSizeLimit limit(4096);
  expect_error(ExitCode::kResource, {path("a").string(), "6000 bytes are needed"}, [&] {
    AtomicFile file(path("a"), 0, GetParam());
    file.append(std::string(3000, 'x'));
    file.append(std::string(3000, 'x'));
  });
  EXPECT_EQ(files(), 0);
}

TEST_P(AtomicFileTest, ReservingTooMuchFailsAtOnce) {
  const FileSizeLimit limit(4096);
  expect_error(ExitCode::kResource, {path("a").string(), "5000 bytes are needed"}, [&] {
    AtomicFile file(path("a"), 0, GetParam());
    file.reserve(5000);
  });
  EXPECT_EQ(files(), 0);
}

TEST_P(AtomicFileTest, MoreThanTheDiskHoldsIsRefusedBeforeWriting) {
  expect_error(ExitCode::kResource, {path("a").string(), "not enough space", "1152921504606846976 bytes"},
               [&] { AtomicFile(path("a"), std::uint64_t{1} << 60, GetParam()); });
  EXPECT_EQ(files(), 0);
}

TEST_P(AtomicFileTest, AFailingRenameLeavesNothing) {
  expect_error(ExitCode::kResource, {path("a").string(), "cannot rename"}, [&] {
    AtomicFile file(path("a"), 0, GetParam());
    fs::create_directory(path("a"));
    file.commit();
  });
  EXPECT_EQ(files(), 1);
}

TEST_P(AtomicFileTest, AMissingFolderIsNamed) {
  expect_error(ExitCode::kResource, {"nosuch/a", "make the folder first"},
               [&] { AtomicFile(path("nosuch") / "a", 0, GetParam()); });
}

TEST_P(AtomicFileTest, AReadOnlyFolderIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes everywhere";
  fs::permissions(dir_.path(), fs::perms::owner_read | fs::perms::owner_exec);
  expect_error(ExitCode::kResource, {path("a").string(), "writable"}, [&] { AtomicFile(path("a"), 0, GetParam()); });
  fs::permissions(dir_.path(), fs::perms::owner_all);
}

TEST_P(AtomicFileTest, ADeviceIsNotReplaced) {
  expect_error(ExitCode::kResource, {"/dev/full", "not a regular file"},
               [&] { AtomicFile("/dev/full", 0, GetParam()); });
}

TEST_P(AtomicFileTest, ALinkIsFollowed) {
  write_file(path("real"), "old");
  fs::create_symlink("real", path("link"));
  AtomicFile file(path("link"), 0, GetParam());
  file.append("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_text_file(path("real"), 100), "new");
}

TEST_P(AtomicFileTest, ALongNameFits) {
  const std::string name(255, 'n');
  AtomicFile file(dir_.path() / name, 0, GetParam());
  file.append("text");
  file.commit();
  EXPECT_EQ(read_text_file(dir_.path() / name, 100), "text");
}

TEST_P(AtomicFileTest, ASignalsHandlerRemovesTheFile) {
  in_child([&] {
    const AtomicFile file(path("a"), 0, GetParam());
    remove_temporary_files();
    ::_exit(0);
  });
  EXPECT_EQ(files(), 0);
}

TEST_F(AtomicFileTest, ATemporaryNameIsVisibleOnlyAsHidden) {
  const AtomicFile file(path("a"), 0, AtomicFile::Naming::kTemporaryName);
  ASSERT_EQ(files(), 1);
  EXPECT_EQ(fs::directory_iterator(dir_.path())->path().filename().string().substr(0, 3), ".a.");
}

TEST_F(AtomicFileTest, KillLeavesNothingOfAnUnnamedFile) {
  const int probe = ::open(dir_.path().c_str(), O_TMPFILE | O_RDWR, 0600);
  if (probe < 0) GTEST_SKIP() << "the file system has no unnamed files";
  ::close(probe);
  in_child([&] {
    AtomicFile file(path("a"));
    file.append("text");
    ::raise(SIGKILL);
  });
  EXPECT_EQ(files(), 0);
}

TEST_P(AtomicFileTest, TheNextFileRemovesWhatAKilledProcessLeft) {
  in_child([&] {
    AtomicFile file(path("a"), 0, GetParam());
    file.append("text");
    ::raise(SIGKILL);
  });
  fs::create_directory(path("kept.strata-tmp"));  // not a file of ours
  write_file(path("b"), "text");
  EXPECT_EQ(files(), 2);
  EXPECT_TRUE(fs::exists(path("b")));
}

TEST_P(AtomicFileTest, AFileThatIsBeingWrittenIsNotStale) {
  AtomicFile file(path("a"), 0, GetParam());
  file.append("text");
  write_file(path("b"), "other");
  file.commit();
  EXPECT_EQ(read_text_file(path("a"), 100), "text");
  EXPECT_EQ(files(), 2);
}

TEST_F(AtomicFileTest, ASignalsHandlerRemovesFoldersToo) {
  in_child([&] {
    const TempDir folder(dir_.path(), "work");
    fs::create_directory(folder.path() / "deep");
    for (int i = 0; i < 300; ++i) write_file(folder.path() / "deep" / std::to_string(i), "text");
    fs::create_directory_symlink(dir_.path(), folder.path() / "link");
    remove_temporary_files();
    ::_exit(0);
  });
  EXPECT_EQ(files(), 0);
  EXPECT_TRUE(fs::exists(dir_.path()));
}

}  // namespace
}  // namespace strata
