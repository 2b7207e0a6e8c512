// SPDX-License-Identifier: Apache-2.0
// What ranks exchange against sums and places in the whole, between threads.
#include "ranks/communicator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <thread>

#include "ranks/thread_ranks.h"

namespace strata::ranks {
namespace {

using Body = std::function<void(Communicator&)>;

void run(const std::vector<int>& mesh, const Body& body) {
  int size = 1;
  for (const int extent : mesh) size *= extent;
  auto transports = thread_ranks(size);
  std::vector<std::thread> threads;
  for (auto& transport : transports) {
    threads.emplace_back([&, own = std::move(transport)]() mutable {
      Communicator communicator(std::move(own), mesh);
      body(communicator);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

float number(int rank, std::int64_t i) { return std::sin(static_cast<float>(37 * rank + 11 * i)) + 2; }

std::vector<float> numbers(int rank, std::int64_t count) {
  std::vector<float> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(number(rank, i));
  return all;
}

const std::byte* bytes(const std::vector<float>& data) { return reinterpret_cast<const std::byte*>(data.data()); }
std::byte* bytes(std::vector<float>& data) { return reinterpret_cast<std::byte*>(data.data()); }

TEST(Communicator, SumsAreTheSameBitsOnAllRanks) {
  for (const int size : {1, 2, 3, 4, 5, 8}) {
    for (const std::int64_t count : {1, 3, 7, 64, 1001}) {
      for (const std::int64_t whole_bytes : {std::int64_t{0}, std::int64_t{1} << 20}) {
        std::vector<std::vector<float>> sums(static_cast<std::size_t>(size));
        std::vector<std::int64_t> sent(static_cast<std::size_t>(size));
        run({size}, [&](Communicator& ranks) {
          const auto in = numbers(ranks.rank(), count);
          std::vector<float>& out = sums[static_cast<std::size_t>(ranks.rank())];
          out.resize(in.size());
          ranks.all_reduce(0, in.data(), out.data(), count, whole_bytes);
          sent[static_cast<std::size_t>(ranks.rank())] = ranks.sent_bytes()[0];
        });
        for (std::int64_t i = 0; i < count; ++i) {
          double want = 0;
          for (int rank = 0; rank < size; ++rank) want += number(rank, i);
          EXPECT_NEAR(sums[0][static_cast<std::size_t>(i)], want, 1e-5) << size << " ranks";
        }
        for (const auto& own : sums) EXPECT_EQ(own, sums[0]) << size << " ranks";
        // In two halves each sends the others' parts, and its own to all.
        if (whole_bytes == 0 && count % size == 0) {
          EXPECT_EQ(sent[0], 2 * (size - 1) * count / size * 4);
        }
      }
    }
  }
}

// Element i of outer x whole x run, as rank's part has it.
TEST(Communicator, PartsAreWhereTheyBelong) {
  constexpr std::int64_t kOuter = 3, kRun = 5;
  for (const int size : {1, 2, 3, 4}) {
    const std::int64_t whole = kOuter * size * kRun;
    const auto expect_part = [&](const std::vector<float>& part, int rank,
                                 const std::function<float(std::int64_t)>& f) {
      for (std::int64_t i = 0; i < kOuter; ++i) {
        for (std::int64_t j = 0; j < kRun; ++j) {
          const std::int64_t at = (i * size + rank) * kRun + j;
          EXPECT_NEAR(part[static_cast<std::size_t>(i * kRun + j)], f(at), 1e-5);
        }
      }
    };
    run({size}, [&](Communicator& ranks) {
      const auto all = numbers(0, whole);
      std::vector<float> part(kOuter * kRun), gathered(all.size());
      ranks.rank_slice(0, bytes(all), bytes(part), kOuter, kRun * 4);
      expect_part(part, ranks.rank(), [](std::int64_t i) { return number(0, i); });
      ranks.all_gather(0, bytes(part), bytes(gathered), kOuter, kRun * 4);
      EXPECT_EQ(gathered, all);
      const auto own = numbers(ranks.rank(), whole);
      ranks.reduce_scatter(0, own.data(), part.data(), kOuter, kRun);
      expect_part(part, ranks.rank(), [&](std::int64_t i) {
        float sum = 0;
        for (int rank = 0; rank < size; ++rank) sum += number(rank, i);
        return sum;
      });
    });
  }
}

// Of a matrix in bands of rows, bands of columns.
TEST(Communicator, BandsOfRowsBecomeBandsOfColumns) {
  constexpr std::int64_t kRows = 2, kColumns = 3;  // of a part of a part
  for (const int size : {1, 2, 3, 4}) {
    run({size}, [&](Communicator& ranks) {
      const std::int64_t columns = kColumns * size;
      std::vector<float> rows, made(static_cast<std::size_t>(kRows * columns));
      for (std::int64_t i = 0; i < kRows * columns; ++i) rows.push_back(number(0, ranks.rank() * kRows * columns + i));
      ranks.all_to_all(0, bytes(rows), bytes(made), kRows, columns * 4, 1, kRows * size * kColumns * 4);
      for (std::int64_t row = 0; row < kRows * size; ++row) {
        for (std::int64_t column = 0; column < kColumns; ++column) {
          EXPECT_EQ(made[static_cast<std::size_t>(row * kColumns + column)],
                    number(0, row * columns + ranks.rank() * kColumns + column));
        }
      }
    });
  }
}

TEST(Communicator, GroupsAreAlongAnAxis) {
  run({2, 3}, [](Communicator& ranks) {
    EXPECT_EQ(ranks.coordinate(0), ranks.rank() / 3);
    EXPECT_EQ(ranks.coordinate(1), ranks.rank() % 3);
    const float own = static_cast<float>(ranks.rank());
    float sum = 0;
    ranks.all_reduce(0, &own, &sum, 1, 0);
    EXPECT_EQ(sum, static_cast<float>(ranks.rank() % 3 * 2 + 3));
    ranks.all_reduce(1, &own, &sum, 1, 0);
    EXPECT_EQ(sum, static_cast<float>(ranks.rank() / 3 * 9 + 3));
    std::int32_t told = ranks.rank() == 0 ? 42 : 0;
    ranks.broadcast(std::as_writable_bytes(std::span(&told, 1)));
    EXPECT_EQ(told, 42);
    std::vector<std::int32_t> all(ranks.rank() == 0 ? 6 : 0);
    const std::int32_t mine = ranks.rank() * ranks.rank();
    ranks.gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
    if (ranks.rank() == 0) EXPECT_EQ(all, (std::vector<std::int32_t>{0, 1, 4, 9, 16, 25}));
  });
}

}  // namespace
}  // namespace strata::ranks
