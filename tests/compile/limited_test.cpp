// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "../import/checkpoint_files.h"
#include "base/temp_dir.h"
#include "compile/compile.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

// A plan that met a limit must not be what later runs find, who may search further.
TEST(Limited, APlanThatMetALimitIsNotCached) {
  const TempDir cache(fs::temp_directory_path(), "strata-test");
  setenv("STRATA_CACHE", cache.path().c_str(), 1);
  const ::strata::fixtures::CheckpointFolder model;
  CompileOptions little;
  little.work = 1e-6;
  for (int i = 0; i < 2; ++i) {
    const CompileReport report = compile_cached(model.path(), little);
    EXPECT_FALSE(report.from_cache);
    EXPECT_EQ(report.search_limit, "node limit; extraction: work limit");
    EXPECT_TRUE(fs::exists(report.package));
  }
  EXPECT_EQ(compile_cached(model.path(), {}).search_limit, "");
  EXPECT_TRUE(compile_cached(model.path(), {}).from_cache);
  unsetenv("STRATA_CACHE");
}

}  // namespace
}  // namespace strata::compile
