// SPDX-License-Identifier: Apache-2.0
// Rows of several sequences in one call of a whole model's program against each sequence alone, whose caches are its
// own.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "base/temp_dir.h"
#include "compile/compile.h"
#include "ops/register.h"
#include "runtime/session.h"

namespace strata::compile {
namespace {

using Logits = std::vector<float>;
using Tokens = std::vector<std::int32_t>;
using Feeds = std::vector<runtime::Session::Feed>;

class SeveralSequences : public testing::Test {
 protected:
  SeveralSequences() : folder_(std::filesystem::temp_directory_path(), "strata-test") { ops::register_all(); }

  std::unique_ptr<runtime::Session> open(std::int64_t batch, const runtime::SessionOptions& options) {
    CompileOptions compile;
    compile.team = 2;
    compile.workload.batch = batch;
    const auto path = folder_.path() / ("batch" + std::to_string(batch) + ".strata");
    compile_to_file(STRATA_SOURCE_DIR "/models/demo", path, compile);
    return runtime::Session::open(path, options);
  }

  Tokens random_tokens(std::size_t count) {
    Tokens tokens(count);
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random_() % 2000);
    return tokens;
  }

  TempDir folder_;
  std::mt19937 random_{11};
};

double logits_error(std::span<const float> got, std::span<const float> expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// Sequences that end before, at and behind the end of a page, those that go on by a token, and a chunk of a prompt.
TEST_F(SeveralSequences, EqualEachAlone) {
  const auto together = open(4, {.threads = 2, .context = 1000, .sequences = 4});
  const auto alone = open(1, {.threads = 2, .context = 1000, .sequences = 4});
  const std::vector<Tokens> prompts = {random_tokens(3), random_tokens(255), random_tokens(256), random_tokens(600)};
  for (int i = 0; i < 4; ++i) {
    together->select(i);
    alone->select(i);
    const auto logits = together->feed(prompts[static_cast<std::size_t>(i)]);
    const auto expected = alone->feed(prompts[static_cast<std::size_t>(i)]);
    EXPECT_LE(logits_error(logits, expected), 0.02) << "prompt " << i;
  }
  const std::vector<std::size_t> sizes[] = {{1, 1, 1, 1},  {1, 1, 0, 1}, {1, 13, 1, 1},
                                            {50, 1, 1, 1}, {1, 0, 0, 2}, {0, 0, 100, 1}};
  for (const std::vector<std::size_t>& step : sizes) {
    std::vector<Tokens> tokens;
    for (const std::size_t size : step) tokens.push_back(random_tokens(size));
    Feeds feeds;
    for (int i = 0; i < 4; ++i) {
      const Tokens& own = tokens[static_cast<std::size_t>(i)];
      if (!own.empty()) feeds.push_back({i, own, own.size() != 2});
    }
    std::map<int, Logits> made;
    together->step(feeds, [&](std::size_t feed, std::span<const float> logits) {
      made[feeds[feed].sequence].assign(logits.begin(), logits.end());
    });
    for (const runtime::Session::Feed& feed : feeds) {
      alone->select(feed.sequence);
      const auto expected = alone->feed(feed.tokens);
      if (!feed.wants_logits) continue;
      EXPECT_LE(logits_error(made.at(feed.sequence), expected), 0.02)
          << "sequence " << feed.sequence << ", " << feed.tokens.size() << " tokens";
    }
  }
}

}  // namespace
}  // namespace strata::compile
