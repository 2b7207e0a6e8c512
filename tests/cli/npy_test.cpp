// SPDX-License-Identifier: Apache-2.0
#include "cli/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/error.h"

namespace strata::cli {
namespace {

TEST(NpyWriter, WritesAnAlignedHeaderAndTheValues) {
  std::string path = testing::TempDir() + "strata_npy_test.npy";
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  NpyWriter writer(path, 2, 3);
  writer.append(std::span(values).first(3));
  writer.append(std::span(values).last(3));
  writer.commit();

  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  ASSERT_TRUE(bytes.starts_with(std::string("\x93NUMPY\x01\x00", 8)));
  std::size_t header = 10 + static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]);
  EXPECT_EQ(header % 64, 0U);
  EXPECT_NE(bytes.find("'shape': (2, 3)"), std::string::npos);
  ASSERT_EQ(bytes.size(), header + sizeof(float) * values.size());
  EXPECT_EQ(std::memcmp(bytes.data() + header, values.data(), sizeof(float) * values.size()), 0);
}

TEST(NpyWriter, UncommittedFileIsNotThere) {
  std::string path = testing::TempDir() + "strata_npy_uncommitted.npy";
  {
    NpyWriter writer(path, 1, 1);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(NpyWriter, MissingFolderIsAResourceError) {
  try {
    NpyWriter writer("/nonexistent/folder/x.npy", 1, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kResource);
  }
}

}  // namespace
}  // namespace strata::cli
