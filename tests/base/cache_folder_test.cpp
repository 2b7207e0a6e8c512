// SPDX-License-Identifier: Apache-2.0
#include "base/cache_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "base/error.h"

namespace strata {
namespace {

// Sets one of the variables (nullptr: removes it) and restores it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(CacheFolder, FollowsTheEnvironment) {
  const Variable home("HOME", "/c");
  const Variable none("STRATA_CACHE", nullptr);
  const Variable empty("XDG_CACHE_HOME", "");
  EXPECT_EQ(cache_folder(), "/c/.cache/strata");
  const Variable standard("XDG_CACHE_HOME", "/b");
  EXPECT_EQ(cache_folder(), "/b/strata");
  const Variable own("STRATA_CACHE", "/a");
  EXPECT_EQ(cache_folder(), "/a");
  EXPECT_EQ(find_cache_folder(), "/a");
}

TEST(CacheFolder, NoneWithoutAnyVariable) {
  const Variable home("HOME", nullptr), own("STRATA_CACHE", nullptr), standard("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(find_cache_folder(), "");
  try {
    cache_folder();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResource);
    EXPECT_NE(std::string(error.what()).find("STRATA_CACHE"), std::string::npos);
  }
}

}  // namespace
}  // namespace strata
