// SPDX-License-Identifier: Apache-2.0
#include "serve/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <numeric>
#include <semaphore>
#include <thread>

#include "tests/serve/fake_model.h"

namespace strata::serve {
namespace {

using namespace std::chrono_literals;

Tokens counting(std::size_t count, std::int32_t first = 300) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  for (std::int32_t& token : tokens) token = 300 + token % 1500;
  return tokens;
}

Generation::Settings settings(Tokens prompt, std::int64_t limit = 5) {
  Generation::Settings out{.prompt = std::move(prompt), .continuation = {}, .top_logprobs = {}};
  out.continuation.limit = limit;
  out.continuation.sampling.temperature = 0;
  return out;
}

// What mixed() says after the prompt.
std::string expected(Tokens tokens, std::int64_t limit = 5) {
  const std::size_t before = tokens.size();
  while (std::ssize(tokens) < static_cast<std::ptrdiff_t>(before) + limit) tokens.push_back(mixed(tokens));
  return demo_text().tokenizer.decode(std::span(tokens).subspan(before));
}

// What comes within ten seconds.
std::optional<Generation::Piece> await_piece(Generation& generation) {
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t seen = generation.news().count();
    if (auto piece = generation.take()) return piece;
    generation.news().wait(seen, 100ms);
  }
  return std::nullopt;
}

struct Result {
  std::string text;
  text::EndOfText end = text::EndOfText::kInterrupted;
};

Result finish(Generation& generation) {
  Result result;
  while (true) {
    const auto piece = await_piece(generation);
    if (!piece) {
      ADD_FAILURE() << "nothing comes";
      return result;
    }
    result.text += piece->text;
    if (piece->end) {
      result.end = *piece->end;
      return result;
    }
  }
}

int refusal(const std::function<void()>& action) {
  try {
    action();
    return 200;
  } catch (const ApiError& error) {
    return error.status();
  }
}

class Engines : public testing::Test {
 protected:
  std::unique_ptr<Engine> engine(FakeModel& model, std::size_t queue = 64) {
    return std::make_unique<Engine>(model, demo_text(), queue, metrics_);
  }
  static std::shared_ptr<Generation> submit(Engine& engine, Generation::Settings one) {
    return engine.submit({std::move(one)}).front();
  }
  Metrics metrics_;
};

TEST_F(Engines, ManyTextsAreWhatEachIsAlone) {
  FakeModel model(3, 512);
  const auto engine = this->engine(model);
  std::vector<std::shared_ptr<Generation>> all;
  std::vector<Tokens> prompts;
  for (std::int32_t i = 0; i < 20; ++i) {
    prompts.push_back(counting(static_cast<std::size_t>(1 + 17 * i), 7 * i));
    all.push_back(submit(*engine, settings(prompts.back(), 1 + i)));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Result result = finish(*all[i]);
    EXPECT_EQ(result.text, expected(prompts[i], 1 + static_cast<std::int64_t>(i)));
    EXPECT_EQ(result.end, text::EndOfText::kLimit);
    EXPECT_EQ(all[i]->made_tokens(), 1 + static_cast<std::int64_t>(i));
  }
}

TEST_F(Engines, EndTokenEndsAndIsNoText) {
  FakeModel model(1, 512);
  model.next = [](std::span<const std::int32_t> tokens) { return tokens.size() < 6 ? mixed(tokens) : kEnd; };
  const auto engine = this->engine(model);
  const auto generation = submit(*engine, settings(counting(4), -1));
  const Result result = finish(*generation);
  EXPECT_EQ(result.end, text::EndOfText::kEndToken);
  EXPECT_EQ(result.text, expected(counting(4), 2));
  EXPECT_EQ(generation->made_tokens(), 2);
}

TEST_F(Engines, TextsWithoutALimitEndWithTheContext) {
  FakeModel model(1, 32);
  const auto engine = this->engine(model);
  const auto generation = submit(*engine, settings(counting(30), -1));
  EXPECT_EQ(finish(*generation).end, text::EndOfText::kFullContext);
  EXPECT_EQ(generation->made_tokens(), 3);  // the last one needs no place
  EXPECT_EQ(finish(*submit(*engine, settings(counting(32), -1))).end, text::EndOfText::kFullContext);
}

TEST_F(Engines, NothingIsMadeOfALimitOfZero) {
  FakeModel model(1, 32);
  const auto engine = this->engine(model);
  const Result result = finish(*submit(*engine, settings(counting(3), 0)));
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.end, text::EndOfText::kLimit);
  EXPECT_EQ(finish(*submit(*engine, settings(counting(3), 1))).text, expected(counting(3), 1));
}

// One text is being made when a long prompt comes: none of its steps is without the text, and none has a large chunk.
TEST_F(Engines, LongPromptIsReadInChunksBesideTheOthers) {
  FakeModel model(2, 4096);
  std::counting_semaphore<> permits(0);
  model.before_step = [&](std::span<const Feed>) { permits.acquire(); };
  const auto engine = this->engine(model);
  const auto small = submit(*engine, settings(counting(3), 1000));
  permits.release(2);
  while (model.steps().size() < 2) std::this_thread::sleep_for(1ms);
  const auto large = submit(*engine, settings(counting(1000), 3));
  permits.release(100'000);
  EXPECT_EQ(finish(*large).text, expected(counting(1000), 3));
  small->cancel();
  std::size_t read = 0, chunks = 0;
  for (const FakeModel::Step& step : model.steps()) {
    for (const FakeModel::Fed& fed : step) {
      if (fed.tokens == 1 || fed.tokens == 3) continue;
      EXPECT_EQ(step.size(), 2U);
      EXPECT_LE(fed.tokens, 128U);
      read += fed.tokens;
      ++chunks;
    }
  }
  EXPECT_EQ(read, 1000U);
  EXPECT_GE(chunks, 8U);
}

TEST_F(Engines, PromptsAreReadInTurns) {
  FakeModel model(2, 4096);
  const auto engine = this->engine(model);
  const auto all = engine->submit({settings(counting(1280, 1), 1), settings(counting(256, 500), 1)});
  for (const auto& one : all) finish(*one);
  std::vector<int> readers;
  for (const FakeModel::Step& step : model.steps()) readers.push_back(step.front().sequence);
  ASSERT_EQ(readers.size(), 12U);
  EXPECT_NE(readers[0], readers[1]);
  EXPECT_NE(readers[2], readers[3]);
  EXPECT_EQ(readers[10], readers[11]);
}

TEST_F(Engines, PromptGoesOnFromWhatASlotHolds) {
  FakeModel model(2, 512);
  const auto engine = this->engine(model);
  Tokens prompt = counting(100);
  const auto first = submit(*engine, settings(prompt, 4));
  EXPECT_EQ(finish(*first).text, expected(prompt, 4));
  EXPECT_EQ(first->reused_tokens(), 0);
  for (int i = 0; i < 3; ++i) prompt.push_back(mixed(prompt));  // the fourth was not fed
  prompt.push_back(301);
  const auto second = submit(*engine, settings(prompt));
  EXPECT_EQ(finish(*second).text, expected(prompt));
  EXPECT_EQ(second->reused_tokens(), 103);
  const auto same = submit(*engine, settings(prompt));
  EXPECT_EQ(finish(*same).text, expected(prompt));
  EXPECT_EQ(same->reused_tokens(), 103);  // the last one is computed for its logits
  Generation::Settings anew = settings(prompt);
  anew.uses_cache = false;
  const auto third = submit(*engine, std::move(anew));
  EXPECT_EQ(finish(*third).text, expected(prompt));
  EXPECT_EQ(third->reused_tokens(), 0);
}

TEST_F(Engines, ModelChoosesAmongFreeSlotsOfWhichTheOldestIsFirst) {
  FakeModel model(3, 512);
  const auto engine = this->engine(model);
  for (const std::vector<int>& offered : {std::vector{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 1, 2}}) {
    finish(*submit(*engine, settings(counting(20, static_cast<std::int32_t>(100 * offered[0] + 3 * offered[2])))));
    EXPECT_EQ(model.offered(), offered);
  }
}

TEST_F(Engines, FullQueueRefusesAndWhatCanNeverFitIsWrong) {
  FakeModel model(1, 64);
  std::counting_semaphore<> permits(0);
  model.before_step = [&](std::span<const Feed>) { permits.acquire(); };
  const auto engine = this->engine(model, 2);
  const auto running = submit(*engine, settings(counting(3)));
  const auto waiting = engine->submit({settings(counting(4)), settings(counting(5))});
  EXPECT_EQ(refusal([&] { submit(*engine, settings(counting(3))); }), 429);
  EXPECT_EQ(refusal([&] { engine->submit(std::vector(4, settings(counting(3)))); }), 400);
  EXPECT_EQ(refusal([&] { submit(*engine, settings(counting(65))); }), 400);
  EXPECT_EQ(refusal([&] { submit(*engine, settings({})); }), 400);
  permits.release(1000);
  EXPECT_EQ(finish(*running).text, expected(counting(3)));
  EXPECT_EQ(finish(*waiting[1]).text, expected(counting(5)));
  EXPECT_EQ(finish(*submit(*engine, settings(counting(64), 1))).end, text::EndOfText::kLimit);
}

TEST_F(Engines, CancelledTextFreesItsSlotWithTheNextStep) {
  FakeModel model(1, 4096);
  std::counting_semaphore<> permits(0);
  model.before_step = [&](std::span<const Feed>) { permits.acquire(); };
  const auto engine = this->engine(model, 4);
  const auto running = submit(*engine, settings(counting(1000), -1));
  const auto waiting = submit(*engine, settings(counting(7), 1));
  const auto last = submit(*engine, settings(counting(9), 1));
  waiting->cancel();
  while (engine->load().running == 0) std::this_thread::sleep_for(1ms);
  running->cancel();
  permits.release(2);  // the chunk that has begun, and the last text's prompt
  EXPECT_EQ(finish(*last).text, expected(counting(9), 1));
  EXPECT_FALSE(running->take());
  EXPECT_FALSE(waiting->take());
}

TEST_F(Engines, DrainingFinishesWhatIsQuickAndEndsTheRest) {
  FakeModel model(2, 4096);
  model.before_step = [](std::span<const Feed>) { std::this_thread::sleep_for(1ms); };
  const auto engine = this->engine(model);
  const auto quick = submit(*engine, settings(counting(3), 10));
  const auto endless = submit(*engine, settings(counting(5), 100'000));
  std::thread drainer([&] { engine->drain(300ms); });
  EXPECT_EQ(finish(*quick).text, expected(counting(3), 10));
  EXPECT_EQ(refusal([&] { finish(*endless); }), 503);
  drainer.join();
  EXPECT_EQ(refusal([&] { submit(*engine, settings(counting(3))); }), 503);
}

TEST_F(Engines, DrainingEndsAtOnceWhenNothingRuns) {
  FakeModel model(1, 64);
  const auto engine = this->engine(model);
  finish(*submit(*engine, settings(counting(3))));
  const auto begin = std::chrono::steady_clock::now();
  engine->drain(30s);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_F(Engines, FailingModelFailsItsTextsAndGoesOn) {
  FakeModel model(2, 512);
  std::atomic<bool> fails = true;
  model.before_step = [&](std::span<const Feed>) {
    if (fails) throw std::runtime_error("broken");
  };
  const auto engine = this->engine(model);
  const auto failed = submit(*engine, settings(counting(50)));
  EXPECT_EQ(refusal([&] { finish(*failed); }), 500);
  fails = false;
  const auto good = submit(*engine, settings(counting(50)));
  EXPECT_EQ(finish(*good).text, expected(counting(50)));
  EXPECT_EQ(good->reused_tokens(), 0);
}

TEST_F(Engines, LogitsThatAreNoNumbersAreAnError) {
  FakeModel model(1, 512);
  model.next = [](std::span<const std::int32_t>) { return -1; };
  const auto engine = this->engine(model);
  const auto failed = submit(*engine, settings(counting(5)));
  EXPECT_EQ(refusal([&] { finish(*failed); }), 500);
}

TEST_F(Engines, LogprobsComeWithTheirTokens) {
  FakeModel model(1, 512);
  const auto engine = this->engine(model);
  Generation::Settings one = settings(counting(5), 3);
  one.top_logprobs = 2;
  const auto generation = submit(*engine, std::move(one));
  std::vector<TokenLogprobs> all;
  for (bool is_done = false; !is_done;) {
    const auto piece = await_piece(*generation);
    ASSERT_TRUE(piece);
    all.insert(all.end(), piece->logprobs.begin(), piece->logprobs.end());
    is_done = piece->end.has_value();
  }
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].chosen.token, mixed(counting(5)));
  ASSERT_EQ(all[0].top.size(), 2U);
  EXPECT_EQ(all[0].top[0].token, all[0].chosen.token);
  EXPECT_NEAR(all[0].chosen.logprob, -std::log(1 + 2047 * std::exp(-10.0)), 1e-9);
  EXPECT_EQ(all[0].top[1].token, 0);
}

}  // namespace
}  // namespace strata::serve
