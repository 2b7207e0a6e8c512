// SPDX-License-Identifier: Apache-2.0
#include "base/file_kind.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

using std::string_view_literals::operator""sv;

const FileKind* kind_of(std::string_view head) { return find_file_kind(std::as_bytes(std::span(head))); }

std::string_view name_of(std::string_view head) {
  const FileKind* kind = kind_of(head);
  return kind == nullptr ? "" : kind->name;
}

TEST(FileKind, IsToldByTheFirstBytes) {
  EXPECT_TRUE(name_of("GGUF\3\0\0\0"sv).starts_with("a GGUF file"));
  EXPECT_TRUE(name_of("version https://git-lfs.github.com/spec/v1\noid").starts_with("a git-LFS pointer"));
  EXPECT_EQ(name_of("PK\3\4"), "a PyTorch checkpoint");
  EXPECT_EQ(name_of("\x30\0\0\0\0\0\0\0{\"a\""sv), "one file of a model");
}

TEST(FileKind, NearMissesAreNone) {
  for (const std::string_view head : {""sv, "GGU"sv, "gguf\3\0\0\0"sv, "version https://example.com"sv, "{\"a\": 1}"sv,
                                      "\x30\0\0\0\0\0\0\0[1]"sv, "\x30\0\0\0\0\0\0\x01{"sv, "STRATAPK"sv}) {
    EXPECT_EQ(kind_of(head), nullptr) << head;
  }
}

}  // namespace
}  // namespace strata
