// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/text_file.h"
#include "compile/opt.h"
#include "compile/pipeline.h"
#include "tests/base/expect_error.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

// Each pass alone, and the default order.
std::vector<std::vector<std::string>> pass_lists() {
  std::vector<std::vector<std::string>> lists = {{}};
  for (const Pass& pass : passes()) lists.push_back({std::string(pass.name)});
  return lists;
}

std::vector<fs::path> corpus() {
  const fs::path folder = fs::path(STRATA_SOURCE_DIR) / "fuzz/corpus/ir_text";
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

// Whatever the text: a module, or an error that a user can understand.
TEST(OptCorpus, NoTextIsAnInternalError) {
  const auto files = corpus();
  ASSERT_FALSE(files.empty());
  for (const fs::path& file : files) {
    const std::string text = read_text_file(file, std::size_t{1} << 20);
    for (const auto& passes : pass_lists()) {
      SCOPED_TRACE(file.filename().string() + " " + (passes.empty() ? "all" : passes[0]));
      for (const char* machine : {"avx2-generic", "avx512-zen4", "neon-generic", "rvv-generic", "x86-64-baseline"}) {
        try {
          optimise_text(text, file.filename().string(), passes, machine);
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()), "");
        } catch (const std::exception& error) {
          ADD_FAILURE() << machine << ": " << error.what();
        }
      }
    }
  }
}

TEST(Opt, AValueReadAfterItsMemoryIsOverwrittenIsTheInputsMistake) {
  const char* const text =
      "module m {\n"
      "  symbol ctx in 16..64 multiple 16\n"
      "  func @f(%k: f32[1, ctx, 4], %row: f32[2, 1, 4], %positions: i32[2]) {\n"
      "    %0 = cache_append(%k, %row, %positions) : f32[1, ctx, 4]\n"
      "    return %0, %k\n"
      "  }\n"
      "}\n";
  testing::expect_error(ExitCode::kModel, {"@f", "overwritten", "x.ir"},
                        [&] { optimise_text(text, "x.ir", {}, "avx2-generic"); });
}

}  // namespace
}  // namespace strata::compile
