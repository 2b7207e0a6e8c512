// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

namespace strata::cli {
namespace {

constexpr int kExitCode = 3;

void end_by_many_threads() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      take_last_word();
      [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, "word\n", 5);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ::_exit(kExitCode);
    });
  }
}

TEST(LastWord, IsOneThreads) { EXPECT_EXIT(end_by_many_threads(), testing::ExitedWithCode(kExitCode), "^word\n$"); }

}  // namespace
}  // namespace strata::cli
