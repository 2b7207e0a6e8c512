// SPDX-License-Identifier: Apache-2.0
// A model on several ranks, which are threads of this process, through the whole compiler: packages of their own, and
// the logits of one process.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "base/temp_dir.h"
#include "compile/compile.h"
#include "compile/rank_program.h"
#include "ir/text.h"
#include "ops/register.h"
#include "package/package.h"
#include "ranks/thread_ranks.h"
#include "runtime/session.h"

namespace strata::compile {
namespace {

namespace fs = std::filesystem;

const fs::path kDemo = fs::path(STRATA_SOURCE_DIR) / "models/demo";
const std::vector<std::int32_t> kTokens = {5, 9, 200, 17, 3, 42, 7};
constexpr std::int64_t kContext = 64;

// Prompt at once, a token behind it, and every row's.
std::vector<float> logits_of(runtime::Session& session) {
  std::vector<float> all;
  const auto take = [&](std::span<const float> rows, std::int64_t) { all.insert(all.end(), rows.begin(), rows.end()); };
  take(session.feed(kTokens), 1);
  take(session.feed(std::vector<std::int32_t>{11}), 1);
  session.rewind(0);
  session.feed_all(kTokens, take);
  return all;
}

fs::path package_of(const fs::path& folder, int rank, int ranks) {
  const fs::path path = folder / (std::to_string(rank) + "-of-" + std::to_string(ranks) + ".strata");
  CompileOptions options;
  options.cache_type = "f32";
  options.dtype = "f32";
  options.ranks = ranks;
  options.rank = rank;
  options.team = 1;
  compile_to_file(kDemo, path, options);
  return path;
}

std::vector<float> logits_of_ranks(const std::vector<fs::path>& packages, int threads) {
  const int ranks = static_cast<int>(packages.size());
  auto transports = ranks::thread_ranks(ranks);
  std::vector<float> logits;
  std::vector<std::thread> running;
  for (int rank = 0; rank < ranks; ++rank) {
    running.emplace_back([&, rank] {
      ranks::Communicator communicator(std::move(transports[static_cast<std::size_t>(rank)]));
      auto session =
          runtime::Session::open(packages[static_cast<std::size_t>(rank)],
                                 {.threads = threads, .context = kContext, .fixed_team = true, .ranks = &communicator});
      if (rank == 0) {
        logits = logits_of(*session);
        return;
      }
      for (auto order = runtime::receive(communicator); order.kind != runtime::Order::kClose;
           order = runtime::receive(communicator)) {
        session->obey(order);
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  return logits;
}

double error_of(const std::vector<float>& got, const std::vector<float>& want) {
  if (got.size() != want.size()) return 1;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(difference / norm);
}

TEST(RankProgram, RanksHaveTheLogitsOfOneProcess) {
  const TempDir folder(fs::temp_directory_path(), "strata-ranks");
  const fs::path whole = package_of(folder.path(), 0, 1);
  const auto want = logits_of(*runtime::Session::open(whole, {.threads = 1, .context = kContext}));
  const std::int64_t bytes = package::Package::open(whole).manifest().weight_bytes;
  const std::vector<fs::path> packages = {package_of(folder.path(), 0, 2), package_of(folder.path(), 1, 2)};
  for (const int threads : {1, 2}) {
    EXPECT_LT(error_of(logits_of_ranks(packages, threads), want), 1e-5) << threads << " threads each";
  }
  for (int rank = 0; rank < 2; ++rank) {
    const auto manifest = package::Package::open(packages[static_cast<std::size_t>(rank)]).manifest();
    EXPECT_EQ(manifest.mesh, std::vector<std::int64_t>{2});
    EXPECT_EQ(manifest.rank, rank);
    EXPECT_LT(manifest.weight_bytes, bytes * 7 / 10) << "of all but the embedding a half";
  }
}

// What differs between ranks is the weights.
TEST(RankProgram, PartsOfConstantsAreTheRanks) {
  ops::register_all();
  const ir::Module module = ir::parse_module(
      "module m {\n  func @f() {\n    %w = weight \"w\" : f32[8, 6]\n"
      "    %0 = rank_slice(%w) {axis = 0, mesh = 0, ranks = 2} : f32[4, 6]\n"
      "    %1 = rank_slice(%0) {axis = 1, mesh = 1, ranks = 3} : f32[4, 2]\n    return %1\n  }\n}\n",
      "test");
  ir::ExprPool pool;
  const ir::Expr* const part = of_rank(pool, *module.find("f")->results[0], {2, 3}, 4);
  EXPECT_EQ(std::get<std::int64_t>(part->attributes.at("begin")), 2);
  EXPECT_EQ(std::get<std::int64_t>(part->arguments[0]->attributes.at("begin")), 4);
  EXPECT_EQ(part->type().text(), "f32[4, 2]");
}

}  // namespace
}  // namespace strata::compile
