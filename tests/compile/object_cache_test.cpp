// SPDX-License-Identifier: Apache-2.0
#include "compile/object_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text_file.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

class ObjectCacheTest : public ::testing::Test {
 protected:
  fs::path file() const { return cache_.folder() / "key.o"; }
  std::string content() const { return read_text_file(file(), 1 << 20); }

  const TempDir folder_{fs::temp_directory_path(), "strata-test"};
  const ObjectCache cache_{folder_.path() / "objects"};
  const std::string object_ = std::string("\177ELF") + std::string(500, '\0');
};

TEST_F(ObjectCacheTest, GivesBackWhatWasKept) {
  EXPECT_FALSE(cache_.find("key"));
  cache_.keep("key", object_, folder_.path());
  EXPECT_EQ(cache_.find("key"), object_);
  EXPECT_FALSE(cache_.find("other"));
}

TEST_F(ObjectCacheTest, DamagedObjectsAreNone) {
  cache_.keep("key", object_, folder_.path());
  const std::string whole = content();
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    write_unsynced(file(), whole.substr(0, size));
    EXPECT_FALSE(cache_.find("key")) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    write_unsynced(file(), flipped);
    ASSERT_FALSE(cache_.find("key")) << at;
  }
  write_unsynced(file(), whole);
  EXPECT_EQ(cache_.find("key"), object_);
}

TEST_F(ObjectCacheTest, AnObjectUnderAnothersNameIsNone) {
  cache_.keep("key", object_, folder_.path());
  fs::copy_file(file(), cache_.folder() / "other.o");
  EXPECT_FALSE(cache_.find("other"));
}

TEST_F(ObjectCacheTest, WhatOthersCouldHaveWrittenIsRefused) {
  cache_.keep("key", object_, folder_.path());
  ::chmod(file().c_str(), 0666);
  EXPECT_THROW(cache_.find("key"), Error);
}

}  // namespace
}  // namespace strata::compile
