// SPDX-License-Identifier: Apache-2.0
#include "serve/access.h"

#include <gtest/gtest.h>

namespace strata::serve {
namespace {

TEST(Access, KeysAreComparedWhole) {
  const std::vector<std::string> keys = {"alpha", "beta"};
  EXPECT_TRUE(has_key("Bearer alpha", "", keys));
  EXPECT_TRUE(has_key("bearer alpha", "", keys));
  EXPECT_TRUE(has_key("", "beta", keys));
  for (const char* wrong : {"", "alpha", "Bearer", "Bearer ", "Bearer alph", "Bearer alphaa", "Bearer Alpha",
                            "bearer alph", "Basic alpha"}) {
    EXPECT_FALSE(has_key(wrong, "", keys)) << wrong;
  }
  EXPECT_FALSE(has_key("", "", keys));
  EXPECT_TRUE(has_key("", "", {}));
}

TEST(Access, EqualityIsThatOfTexts) {
  EXPECT_TRUE(is_equal_in_constant_time("", ""));
  EXPECT_TRUE(is_equal_in_constant_time("a\0b", "a\0b"));
  EXPECT_FALSE(is_equal_in_constant_time("ab", "ac"));
  EXPECT_FALSE(is_equal_in_constant_time("ab", "abc"));
}

TEST(Access, HostsAreKnownByTheirNamesWhateverThePort) {
  const std::vector<std::string> names = {"localhost", "[::1]"};
  EXPECT_TRUE(is_known_host("localhost:8080", names));
  EXPECT_TRUE(is_known_host("localhost", names));
  EXPECT_TRUE(is_known_host("[::1]:8080", names));
  EXPECT_TRUE(is_known_host("[::1]", names));
  EXPECT_FALSE(is_known_host("evil.example:8080", names));
  EXPECT_FALSE(is_known_host("", names));
  EXPECT_TRUE(is_known_host("evil.example", {}));
}

TEST(Access, PagesOfOtherOriginsAreLetInByName) {
  EXPECT_TRUE(is_allowed_origin("", "localhost:1", {}));
  EXPECT_TRUE(is_allowed_origin("http://localhost:1", "localhost:1", {}));
  EXPECT_FALSE(is_allowed_origin("http://localhost:2", "localhost:1", {}));
  EXPECT_FALSE(is_allowed_origin("null", "localhost:1", {}));
  EXPECT_TRUE(is_allowed_origin("https://a.example", "localhost:1", {"https://c.example", "https://a.example"}));
  EXPECT_FALSE(is_allowed_origin("https://b.example", "localhost:1", {"https://c.example", "https://a.example"}));
  EXPECT_TRUE(is_allowed_origin("https://b.example", "localhost:1", {"*"}));
}

TEST(Access, OriginsHaveASchemeAndAHost) {
  for (const char* origin :
       {"*", "https://a.example", "http://localhost:3000", "http://[::1]:80", "app://obsidian.md"}) {
    EXPECT_TRUE(is_origin(origin)) << origin;
  }
  for (const char* wrong :
       {"", "a.example", "https://", "://a", "https://a.example/", "https://a b", "https://a\r\n"}) {
    EXPECT_FALSE(is_origin(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace strata::serve
