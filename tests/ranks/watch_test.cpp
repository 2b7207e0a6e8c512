// SPDX-License-Identifier: Apache-2.0
#include "ranks/watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "ranks/thread_ranks.h"

namespace strata::ranks {
namespace {

// What each rank's watch said, all of whose bodies end at once.
template <class Body>
std::vector<std::vector<std::string>> said_while(int size, Body body) {
  auto transports = thread_ranks(size);
  std::vector<std::vector<std::string>> said(static_cast<std::size_t>(size));
  std::mutex saying;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      Communicator communicator(std::move(transports[static_cast<std::size_t>(rank)]));
      Watch watch(communicator, [&](const std::string& what) {
        const std::lock_guard lock(saying);
        said[static_cast<std::size_t>(rank)].push_back(what);
      });
      body(rank, watch);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return said;
}

TEST(Watch, WhoLeavesWithAFarewellIsNotMissed) {
  const auto said =
      said_while(3, [](int rank, Watch&) { std::this_thread::sleep_for(std::chrono::milliseconds(rank * 300)); });
  for (const auto& words : said) EXPECT_TRUE(words.empty()) << words[0];
}

// Of a rank that fails, with a line of its own, all others are told, who say nothing.
TEST(Watch, AFailureEndsAllWithoutAnotherLine) {
  const auto said = said_while(3, [](int rank, Watch& watch) {
    if (rank == 2) watch.tell_failure();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  });
  ASSERT_FALSE(said[0].empty());
  ASSERT_FALSE(said[1].empty());
  EXPECT_EQ(said[0][0], "");
  EXPECT_EQ(said[1][0], "");
}

}  // namespace
}  // namespace strata::ranks
