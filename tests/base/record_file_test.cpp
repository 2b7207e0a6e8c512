// SPDX-License-Identifier: Apache-2.0
#include "base/record_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/temp_dir.h"
#include "base/text_file.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

const Records kSome = {{"a1", "4x78x1024@640"}, {"b2", ""}, {"c3", "two words"}};

// As to_text() would, whatever the lines are.
std::string sealed(const std::string& lines) { return lines + hash128(lines).hex() + "\n"; }

class RecordFile : public testing::Test {
 protected:
  const TempDir folder_{fs::temp_directory_path(), "strata-test"};
  const fs::path path_ = folder_.path() / "kept" / "records.txt";
};

TEST(Records, AreWhatTheTextSays) {
  const std::string text = to_text(kSome, "machine 1");
  EXPECT_EQ(parse_records(text, "machine 1"), kSome);
  EXPECT_EQ(text, sealed("strata records 1\nmachine 1\na1 4x78x1024@640\nb2 \nc3 two words\n"));
  EXPECT_EQ(parse_records(to_text({}, ""), ""), Records());
}

TEST(Records, OfAnotherOwnerAreNone) {
  EXPECT_EQ(parse_records(to_text(kSome, "machine 1"), "machine 2"), std::nullopt);
}

TEST(Records, AreAllOrNothing) {
  const std::string text = to_text(kSome, "m");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(parse_records(text.substr(0, size), "m"), std::nullopt) << size << " bytes are left";
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_EQ(parse_records(damaged, "m"), std::nullopt) << "byte " << at;
  }
  EXPECT_EQ(parse_records(text + "x", "m"), std::nullopt);
}

TEST(Records, HaveOneForm) {
  EXPECT_TRUE(parse_records(sealed("strata records 1\nm\na 1\nb 2\n"), "m"));
  for (const char* lines : {"strata records 2\nm\na 1\n", "strata records 1\nm\nb 1\na 2\n",
                            "strata records 1\nm\na 1\na 2\n", "strata records 1\nm\na\n", "strata records 1\nm\n 1\n",
                            "strata records 1\nm\na 1", "strata records 1\nm\n\n", "strata records 1\nm", "m\na 1\n"})
    EXPECT_EQ(parse_records(sealed(lines), "m"), std::nullopt) << lines;
}

TEST_F(RecordFile, ComesBack) {
  EXPECT_EQ(load_records(path_, "m"), Records()) << "there is none";
  save_records(path_, kSome, "m");
  EXPECT_EQ(load_records(path_, "m"), kSome);
  EXPECT_EQ(load_records(path_, "another"), Records());
  save_records(path_, {}, "m");
  EXPECT_EQ(load_records(path_, "m"), Records());
}

TEST_F(RecordFile, IsThisUsersAlone) {
  save_records(path_, kSome, "m");
  struct stat file{}, folder{};
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  ASSERT_EQ(stat(path_.parent_path().c_str(), &folder), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600);
  EXPECT_EQ(folder.st_mode & 0777, 0700);
}

TEST_F(RecordFile, IsHealed) {
  save_records(path_, kSome, "m");
  write_unsynced(path_, "strata records 1\nm\na1 4x7");
  EXPECT_EQ(load_records(path_, "m"), Records());
  save_records(path_, kSome, "m");
  EXPECT_EQ(load_records(path_, "m"), kSome);
}

TEST_F(RecordFile, MayBeNoFileAtAll) {
  fs::create_directories(path_);
  EXPECT_EQ(load_records(path_, "m"), Records());
}

TEST_F(RecordFile, OthersMayNotHaveWrittenIt) {
  save_records(path_, kSome, "m");
  for (const fs::path& open : {path_, path_.parent_path()}) {
    fs::permissions(open, fs::perms::others_write, fs::perm_options::add);
    try {
      load_records(path_, "m");
      ADD_FAILURE() << open;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kResource);
    }
    fs::permissions(open, fs::perms::others_write, fs::perm_options::remove);
  }
}

}  // namespace
}  // namespace strata
