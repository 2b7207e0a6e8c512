// SPDX-License-Identifier: Apache-2.0
#include "ranks/thread_ranks.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace strata::ranks {
namespace {

// Messages on their way.
struct Mail {
  std::mutex lock;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> messages;  // by sender and receiver, in order
};

class ThreadRank : public Transport {
 public:
  ThreadRank(std::shared_ptr<Mail> mail, int rank, int size) : mail_(std::move(mail)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void exchange(int to, std::span<const std::byte> send, int from, std::span<std::byte> receive) override {
    std::unique_lock lock(mail_->lock);
    if (to >= 0) {
      mail_->messages[{rank_, to}].emplace_back(send.begin(), send.end());
      mail_->arrived.notify_all();
    }
    if (from < 0) return;
    auto& messages = mail_->messages[{from, rank_}];
    mail_->arrived.wait(lock, [&] { return !messages.empty(); });
    STRATA_CHECK(messages.front().size() == receive.size(), "a message is of another size than expected");
    std::ranges::copy(messages.front(), receive.begin());
    messages.pop_front();
  }

 private:
  const std::shared_ptr<Mail> mail_;
  const int rank_, size_;
};

}  // namespace

std::vector<std::unique_ptr<Transport>> thread_ranks(int size) {
  const auto mail = std::make_shared<Mail>();
  std::vector<std::unique_ptr<Transport>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<ThreadRank>(mail, rank, size));
  return ranks;
}

}  // namespace strata::ranks
