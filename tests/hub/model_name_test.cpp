// SPDX-License-Identifier: Apache-2.0
#include "hub/model_name.h"

#include <gtest/gtest.h>

#include <string>

#include "hub/http.h"

namespace strata::hub {
namespace {

TEST(ModelName, IsAnOrganisationAndAName) {
  const auto name = parse_model_name("Qwen/Qwen3-0.6B");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->repository, "Qwen/Qwen3-0.6B");
  EXPECT_EQ(name->file, "");
  EXPECT_EQ(name->folder(), "models--Qwen--Qwen3-0.6B");
  EXPECT_EQ(repository_of_folder("models--Qwen--Qwen3-0.6B"), "Qwen/Qwen3-0.6B");
  EXPECT_EQ(parse_model_name("a/b:Q4/x.gguf")->file, "Q4/x.gguf");
  for (const std::string wrong : {"", "a", "/a", "a/", "a/b/c", "../b", "a/..", "a/b:", "a/b:x.bin", "a/b:../x.gguf",
                                  "a b/c", "a/-b", "a--b/c", "a-/b", "C:/x", "a/b:/x.gguf", "./b", "~/b"}) {
    EXPECT_FALSE(parse_model_name(wrong)) << wrong;
  }
  EXPECT_FALSE(repository_of_folder("datasets--a--b"));
}

TEST(ModelName, PathsStayInTheirFolder) {
  for (const std::string safe : {"a", "a/b.txt", ".gitattributes", "a..b"}) EXPECT_TRUE(is_safe_path(safe)) << safe;
  for (const std::string wrong : {"", "/a", "a/", "..", "a/../b", "./a", "a//b", "a\nb", "a\\b"}) {
    EXPECT_FALSE(is_safe_path(wrong)) << wrong;
  }
}

TEST(UrlPath, EscapesAllButPlainCharacters) { EXPECT_EQ(url_path("a/b c%é?.x"), "a/b%20c%25%C3%A9%3F.x"); }

}  // namespace
}  // namespace strata::hub
